// What is said beside the board: notes that pass, and what a screen reader reads out.

import { button, make, the } from "./elements.js";

/** So long a note stays, in milliseconds; one that says what went wrong stays longer. */
const STAYS = { done: 5_000, refused: 12_000 };
/** What happens within this time is read out together. */
const TOGETHER = 400;
/** More at once are only counted. */
const MOST = 3;

let waiting = [];
let timer = null;

/** Reads something out, when nothing else is being said. */
export function announce(text) {
  waiting.push(text);
  timer ??= setTimeout(() => {
    const all = waiting;
    [waiting, timer] = [[], null];
    the("spoken").textContent = all.length <= MOST ? all.join(" ") : `${all.length} calls have changed.`;
  }, TOGETHER);
}

/** Shows a note; `kind` is `done` or `refused`. */
export function note(text, kind = "done") {
  const element = make("div", { class: `note ${kind}`, role: kind === "refused" ? "alert" : "status" });
  const close = button("Dismiss", "quiet", () => element.remove());
  element.append(make("p", {}, text), close);
  the("notes").append(element);
  setTimeout(() => element.remove(), STAYS[kind]);
}
