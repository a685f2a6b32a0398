// The menu of a card, under its button. There is one for all.

import { the } from "./elements.js";

/** Opens it; `chosen` is told which deed it is to be. */
export function openMenu(opener, chosen) {
  const element = the("menu");
  const close = () => element.hidePopover();
  for (const choice of element.children) {
    choice.onclick = () => {
      close();
      opener.focus();
      chosen(choice.dataset.deed);
    };
  }
  element.onkeydown = (event) => {
    const all = [...element.children];
    const at = all.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    all.at(next % all.length).focus();
    event.preventDefault();
  };
  element.showPopover();
  const [from, box] = [opener.getBoundingClientRect(), element.getBoundingClientRect()];
  const below = from.bottom + box.height + 8 < innerHeight;
  element.style.top = `${below ? from.bottom + 4 : from.top - box.height - 4}px`;
  element.style.left = `${Math.max(8, Math.min(from.right - box.width, innerWidth - box.width - 8))}px`;
  element.firstElementChild.focus();
}
