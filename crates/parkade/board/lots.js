// The lots as a board: what waits as cards, what is free as numbers beside them.

import { Card } from "./card.js";
import { arrange, make, named, say } from "./elements.js";
import { bySlot, numbers, plain } from "./format.js";
import { lotKey } from "./state.js";

/** So many free slots of a lot are shown by their numbers; of more only how many there are. */
const MOST_SHOWN = 2_000;
/** More free slots than this are folded away. */
const MANY = 60;

const ORDERS = {
  slot: (a, b) => bySlot(a.slot, b.slot) || a.since - b.since,
  longest: (a, b) => a.since - b.since,
  recall: (a, b) => (a.recallAt ?? Infinity) - (b.recallAt ?? Infinity) || a.since - b.since,
};

/** Whether a call is among those that are looked for. */
function isWanted(call, { text, lot, group }) {
  if (lot && lotKey(call.lot, call.domain) !== lot) return false;
  if (group && !(call.group === group.name && call.lot === group.lot)) return false;
  if (!text) return true;
  const all = [call.slot, call.name, call.number, call.parker, call.group, call.lot];
  return all.some((one) => one && plain(one).toLowerCase().includes(text));
}

/** One lot. */
class Lot {
  constructor(key) {
    this.key = key;
    this.title = make("h2", {});
    this.count = make("p", { class: "count" });
    this.codes = make("p", { class: "codes" });
    this.cards = make("ul", { class: "cards", "aria-label": "Parked calls" });
    this.quiet = make("p", { class: "quiet-lot" }, "Nothing is parked here.");
    this.summary = make("summary", {});
    this.list = make("ul", { class: "slots", "aria-label": "Free slots" });
    this.free = make("details", { class: "free" }, this.summary, this.list);
    this.element = make(
      "section",
      { class: "lot" },
      make("header", { class: "lot-head" }, this.title, this.count, this.codes),
      this.cards,
      this.quiet,
      this.free,
    );
    this.slots = new Map();
    this.view = null;
  }

  /** The lot itself, as the API lists it. */
  show(view, showsDomain) {
    if (view === this.view && showsDomain === this.showsDomain) return;
    const ranges = view.ranges.join();
    if (ranges !== this.view?.ranges.join()) {
      const all = view.ranges.flatMap((range) => numbers(range, MOST_SHOWN));
      const shown = view.slots > MOST_SHOWN ? [] : all;
      this.slots = new Map(shown.map((number) => [number, make("li", {}, number)]));
      this.list.replaceChildren(...this.slots.values());
      this.free.open = shown.length > 0 && shown.length <= MANY;
    }
    this.view = view;
    this.showsDomain = showsDomain;
    this.title.replaceChildren(named(view.lot), ...(showsDomain && view.domain ? [" at ", named(view.domain)] : []));
    const codes = [
      view.any_slot && `Next free slot ${view.any_slot}`,
      view.park && `Park ${view.park}`,
      view.group_park && `Group ${view.group_park}`,
      view.retrieve && `Retrieve ${view.retrieve}`,
    ];
    say(this.codes, codes.filter(Boolean).join("  ·  "));
  }

  /** What waits there. `shown` are the cards, in their order; `calls` all calls. */
  fill(calls, shown) {
    arrange(this.cards, shown.map((card) => card.element));
    const taken = new Set(calls.map((call) => call.slot));
    let free = this.view.slots;
    const inRanges = (slot) => this.slots.has(slot) || this.view.ranges.some((range) => contains(range, slot));
    for (const slot of taken) if (inRanges(slot)) free -= 1;
    for (const [number, element] of this.slots) {
      // To write an attribute costs, even if it says what it has said.
      if (element.hidden !== taken.has(number)) element.hidden = !element.hidden;
    }
    const waiting = calls.length === 1 ? "1 call waits" : `${calls.length || "no"} calls wait`;
    say(this.count, this.view.slots > 0 ? `${waiting}, ${free} of ${this.view.slots} slots free` : waiting);
    say(this.summary, free === 1 ? "1 free slot" : `${free} free slots`);
    this.free.hidden = free <= 0 || this.slots.size === 0;
    this.quiet.hidden = calls.length > 0;
    this.cards.hidden = shown.length === 0;
  }
}

function contains(range, slot) {
  const [first, last = first] = range.split("-");
  return slot.length === first.length && slot >= first && slot <= last;
}

/** All lots. */
export class Board {
  #deeds;
  #may;
  #lots = new Map();
  #cards = new Map();
  /** The cards that can be seen: only their clocks need to go. */
  #seen = new Set();
  #watch = new IntersectionObserver((entries) => this.#sight(entries), { rootMargin: "200px" });
  #current = null;

  /** `now()`: the program's time. */
  constructor(root, deeds, may, now) {
    this.root = root;
    this.now = now;
    this.#deeds = deeds;
    this.#may = may;
    root.addEventListener("focusin", (event) => {
      const card = event.target.closest(".card");
      if (card) this.#make(this.#cards.get(card.dataset.park));
    });
  }

  #sight(entries) {
    const now = this.now();
    for (const { target, isIntersecting } of entries) {
      const card = this.#cards.get(target.dataset.park);
      if (!card || !isIntersecting) {
        this.#seen.delete(card);
        continue;
      }
      this.#seen.add(card);
      card.tick(now);
    }
  }

  #make(card) {
    if (card === this.#current) return;
    this.#current?.focusable(false);
    this.#current = card ?? null;
    card?.focusable(true);
  }

  /** Shows all of it; `wanted`: which calls, and in which order. */
  show(state, wanted) {
    const of = new Map([...state.lots.keys()].map((key) => [key, []]));
    for (const call of state.calls.values()) of.get(lotKey(call.lot, call.domain))?.push(call);
    const used = [...state.lots.values()].filter((lot) => lot.domain !== "");
    const isUsed = new Set(used.map((lot) => lot.lot));
    const showsDomain = new Set(used.map((lot) => lot.domain)).size > 1;
    this.#forget(state);
    const sections = [];
    for (const [key, view] of state.lots) {
      const calls = of.get(key);
      if (wanted.lot && wanted.lot !== key) continue;
      // A lot that a domain has used is a lot of that domain.
      if (view.domain === "" && isUsed.has(view.lot)) continue;
      const lot = this.#lots.get(key) ?? new Lot(key);
      this.#lots.set(key, lot);
      lot.show(view, showsDomain);
      const shown = calls.filter((call) => isWanted(call, wanted)).sort(ORDERS[wanted.order] ?? ORDERS.slot);
      lot.fill(calls, shown.map((call) => this.#card(call)));
      sections.push(lot.element);
    }
    arrange(this.root, sections);
    for (const key of this.#lots.keys()) if (!state.lots.has(key)) this.#lots.delete(key);
    if (!this.#current?.element.isConnected) this.#make(this.#first());
  }

  #card(call) {
    let card = this.#cards.get(call.park);
    if (!card) {
      card = new Card(call, this.#deeds, this.#may);
      this.#cards.set(call.park, card);
      card.tick(this.now());
      this.#watch.observe(card.element);
    } else if (card.call !== call) {
      card.show(call);
      card.tick(this.now());
    }
    return card;
  }

  /** Takes away the cards of calls that are parked no more; whoever was on one is on the next. */
  #forget(state) {
    for (const [park, card] of this.#cards) {
      if (state.calls.has(park)) continue;
      if (card.element.contains(document.activeElement)) {
        const next = card.element.nextElementSibling ?? card.element.previousElementSibling;
        next?.focus();
      }
      this.#watch.unobserve(card.element);
      this.#seen.delete(card);
      this.#cards.delete(park);
      card.element.remove();
    }
  }

  #first() {
    const first = this.root.querySelector(".card");
    return first ? this.#cards.get(first.dataset.park) : null;
  }

  /** Moves the clocks and bars that can be seen. */
  tick() {
    const now = this.now();
    for (const card of this.#seen) card.tick(now);
  }

  /** The call whose card, or a button on it, has the focus. */
  focused() {
    const element = document.activeElement?.closest?.(".card");
    return element ? this.#cards.get(element.dataset.park)?.call : null;
  }
}
