// The keyboard: arrows from card to card, Enter and single keys on a card.

import { the } from "./elements.js";
import * as session from "./session.js";

const MOVES = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);
const TYPING = "input, select, textarea, [contenteditable]";

const middle = ({ left, width }) => left + width / 2;

/** The card in the next row, up or down, that is nearest to this one. */
function across(cards, card, down) {
  const from = card.getBoundingClientRect();
  const beyond = cards
    .map((other) => ({ other, box: other.getBoundingClientRect() }))
    .filter(({ box }) => (down ? box.top >= from.bottom - 1 : box.bottom <= from.top + 1));
  if (beyond.length === 0) return null;
  const row = down
    ? Math.min(...beyond.map(({ box }) => box.top))
    : Math.max(...beyond.map(({ box }) => box.top));
  const near = beyond.filter(({ box }) => Math.abs(box.top - row) < 2);
  near.sort((a, b) => Math.abs(middle(a.box) - middle(from)) - Math.abs(middle(b.box) - middle(from)));
  return near[0].other;
}

function moved(card, key) {
  const cards = [...the("lots").querySelectorAll(".card")];
  const at = cards.indexOf(card);
  const right = getComputedStyle(card).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  if (key === "Home") return cards[0];
  if (key === "End") return cards.at(-1);
  if (key === "ArrowDown" || key === "ArrowUp") return across(cards, card, key === "ArrowDown");
  return cards[key === right ? at + 1 : at - 1];
}

const STEERING = { Enter: "retrieve", r: "recall", m: "move", Delete: "hangUp", l: "ladder" };
const LOOKING = { Enter: "ladder", l: "ladder" };

/** Listens to the keyboard; `focused()` gives the call of the card that has the focus. */
export function listen(deeds, focused) {
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (target.matches(TYPING)) {
      if (key === "Escape" && target.id === "search") target.blur();
      return;
    }
    const card = target.closest?.(".card");
    const deed = (document.documentElement.dataset.role === "operate" ? STEERING : LOOKING)[key];
    if (card && MOVES.has(key)) {
      moved(card, key)?.focus();
    } else if (card && card === target && deed && (key.length > 1 || session.keysWork())) {
      deeds[deed](focused());
    } else if (key === "/" && session.keysWork()) {
      the("search").focus();
    } else if (key === "?" && session.keysWork()) {
      the("settings-button").click();
    } else {
      return;
    }
    event.preventDefault();
  });
}
