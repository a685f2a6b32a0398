// The card of a parked call.

import { button, make, named, say } from "./elements.js";
import { clock, plain, share, stateWords, whom } from "./format.js";

/** So long before its recall a card shows that it is soon. */
const SOON = 30_000;

/** A card. It changes only where its call does; clock and bar are moved by `tick`. */
export class Card {
  /** `deeds`: what the buttons do, by name; `may`: whether there are any that steer. */
  constructor(call, deeds, may) {
    this.call = null;
    this.at = make("span", { class: "slot" });
    this.state = make("span", { class: "state" });
    this.waits = make("span", { class: "waits" });
    this.name = make("p", { class: "name" });
    this.number = make("p", { class: "number" });
    this.parker = make("p", { class: "parker" });
    this.bar = make("span", { class: "bar" });
    this.due = make("span", { class: "due" });
    this.dial = make("span", { class: "dial" });
    const more = { "aria-haspopup": "menu" };
    const buttons = may
      ? [
          button("Retrieve", "primary", () => deeds.retrieve(this.call)),
          button("Recall", "deed", () => deeds.recall(this.call)),
          button("More", "deed", (event) => deeds.more(this.call, event.currentTarget), more),
        ]
      : [button("Messages", "deed", () => deeds.ladder(this.call))];
    this.buttons = buttons;
    this.element = make(
      "li",
      { class: "card", tabindex: "-1", "data-park": call.park },
      make("div", { class: "top" }, this.at, this.state, this.waits),
      this.name,
      this.number,
      this.parker,
      make("div", { class: "track", "aria-hidden": "true" }, this.bar),
      make("div", { class: "below" }, this.due, this.dial),
      make("div", { class: "deeds" }, ...buttons),
    );
    this.focusable(false);
    this.show(call);
  }

  /** Only one card of the board is in the order of the Tab key, with its buttons. */
  focusable(is) {
    this.element.tabIndex = is ? 0 : -1;
    for (const one of this.buttons) one.tabIndex = is ? 0 : -1;
  }

  /** Shows the call as it is now. */
  show(call) {
    if (call === this.call) return;
    this.call = call;
    say(this.at, plain(call.slot));
    this.element.dataset.state = call.state;
    this.state.replaceChildren(...stateWords(call).map((word, index) => (index === 1 ? named(word) : word)));
    this.name.replaceChildren(named(whom(call)));
    this.number.replaceChildren(...(call.name ? [named(call.number)] : []));
    const group = call.group ? [" for group ", named(call.group)] : [];
    this.parker.replaceChildren("Parked by ", named(call.parker), ...group);
    this.dial.replaceChildren(...(call.dial ? ["Dial ", named(call.dial)] : []));
    this.element.setAttribute("aria-label", this.words());
  }

  words() {
    const { call } = this;
    const who = call.name ? `${plain(call.name)}, ${plain(call.number)}` : plain(whom(call));
    const group = call.group ? ` for group ${plain(call.group)}` : "";
    const state = stateWords(call).map(plain).join("");
    return `${plain(call.slot)}: ${who}. ${state}. Parked by ${plain(call.parker)}${group}.`;
  }

  /** Moves clock and bar. */
  tick(now) {
    const { call } = this;
    say(this.waits, clock(now - call.since));
    // While a phone is rung to take it, or takes it, the time to the recall goes on.
    const waits = call.state !== "recalling" && call.recallAt !== null && now < call.recallAt;
    const left = call.recallAt - now;
    this.bar.style.transform = `scaleX(${waits ? share(call.recallFrom, call.recallAt, now) : 0})`;
    this.element.classList.toggle("soon", waits && call.state === "parked" && left <= SOON);
    const over = call.state === "parked" && call.recallAt === null;
    say(this.due, waits ? `Recall in ${clock(left + 999)}` : over ? "No more recalls" : "");
  }
}
