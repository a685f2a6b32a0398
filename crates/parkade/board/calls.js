// Calls in progress, as a list that is read again now and then.

import { arrange, button, make, named, say, the } from "./elements.js";
import { clock, plain } from "./format.js";

/** So often the list is read while it is open. */
const AGAIN = 5_000;
/** After an event about a call it is read sooner. */
const SOON = 400;
/** No more are shown at once. */
const MOST = 100;

const WORDS = {
  setup: "Being set up",
  ringing: "Ringing",
  talking: "Talking",
  parking: "Being parked",
};

class Row {
  constructor(deeds, may) {
    this.call = null;
    this.who = make("p", { class: "who" });
    this.state = make("span", { class: "call-state" });
    this.time = make("span", { class: "call-time" });
    this.park = may ? button("Park", "deed", () => deeds.park(this.call)) : null;
    this.end = may ? button("Hang up", "deed", () => deeds.end(this.call)) : null;
    const ladder = button("Messages", "deed", () => deeds.ladder({ callId: this.call.call_id }));
    this.element = make(
      "li",
      { class: "call" },
      this.who,
      make("p", { class: "how" }, this.state, " ", this.time),
      make("div", { class: "deeds" }, this.park, ladder, this.end),
    );
  }

  show(call, at) {
    this.call = call;
    const answered = call.answered_for_s ?? null;
    this.since = at - 1000 * (answered ?? call.since_s);
    const [caller, callee] = [call.caller_name || call.caller, call.callee_name || call.callee || "nobody yet"];
    const text = `${plain(caller)} → ${plain(callee)}`;
    if (this.text !== text) {
      this.text = text;
      const arrow = make("span", { class: "arrow", "aria-label": "calls" }, "→");
      this.who.replaceChildren(named(caller), " ", arrow, " ", named(callee));
      this.element.setAttribute("aria-label", text);
    }
    this.element.dataset.state = call.state;
    this.element.dataset.call = call.id;
    say(this.state, WORDS[call.state] ?? call.state);
    if (this.park) this.park.hidden = call.state !== "talking";
  }

  tick(now) {
    say(this.time, clock(now - this.since));
  }
}

/** The list. */
export class Calls {
  #rows = new Map();
  #timer = null;
  #calls = [];

  /** `read()` asks for the list; `now()` is the program's time. */
  constructor({ read, now, deeds, may }) {
    Object.assign(this, { read, now, deeds, may, text: "" });
    the("calls").addEventListener("toggle", () => this.refresh(0));
  }

  /** Reads the list, not at once but soon; nothing is read that nobody looks at. */
  refresh(after = SOON) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(), after);
  }

  /** Stops reading. */
  end() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #read() {
    if (!the("calls").open || document.hidden) return;
    try {
      // What is parked has a card, and with what ends nothing can be done any more.
      this.#calls = (await this.read()).calls.filter((call) => !call.park && call.state !== "ending");
      this.at = this.now();
      this.show(this.text);
    } catch {
      // The connection says by itself that it is lost.
    }
    if (this.#timer !== null) this.refresh(AGAIN);
  }

  /** Shows those in which this text is. */
  show(text) {
    this.text = text;
    const has = (one) => one && plain(one).toLowerCase().includes(text);
    const wanted = this.#calls.filter(
      (call) => !text || [call.caller, call.caller_name, call.callee, call.callee_name].some(has),
    );
    const rows = wanted.slice(0, MOST).map((call) => {
      const row = this.#rows.get(call.id) ?? new Row(this.deeds, this.may);
      this.#rows.set(call.id, row);
      row.show(call, this.at);
      row.tick(this.now());
      return row;
    });
    const ids = new Set(wanted.slice(0, MOST).map((call) => call.id));
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#rows.delete(id);
    arrange(the("calls-list"), rows.map((row) => row.element));
    say(the("calls-count"), String(this.#calls.length));
    const more = wanted.length - rows.length;
    const none = this.#calls.length === 0 ? "No call is in progress." : "No call is found.";
    say(the("calls-more"), more > 0 ? `And ${more} more; search to find one.` : wanted.length === 0 ? none : "");
  }

  /** Moves the clocks. */
  tick() {
    const now = this.now();
    for (const row of this.#rows.values()) row.tick(now);
  }
}
