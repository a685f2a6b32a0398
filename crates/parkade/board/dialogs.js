// Questions to whoever sits before the page. One stands at a time.

import { make, the } from "./elements.js";

/** Whom the answer of an open dialog is for. */
const waiting = new Map();

function opened(dialog) {
  return new Promise((resolve) => {
    waiting.set(dialog, resolve);
    dialog.showModal();
  });
}

/** Closes it with this answer, at once: the event `close` may come when it has been opened again. */
function close(dialog, answer) {
  const resolve = waiting.get(dialog);
  waiting.delete(dialog);
  dialog.close();
  resolve?.(answer);
}

/** Buttons with `data-close` end their dialog with that word. */
export function prepare() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => {
      const closing = event.target.closest?.("[data-close]");
      // Outside of the box is the dialog itself.
      if (closing) close(dialog, closing.dataset.close);
      else if (event.target === dialog) close(dialog, "");
    });
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      close(dialog, "");
    });
    // A browser may close it without asking.
    dialog.addEventListener("close", () => !dialog.open && close(dialog, ""));
    dialog.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      close(dialog, "yes");
    });
  }
}

/** Whether it is to be done; `words` are text or elements. */
export async function confirmed(title, words, deed) {
  the("confirm-title").textContent = title;
  the("confirm-words").replaceChildren(...words);
  the("confirm-yes").textContent = deed;
  return (await opened(the("confirm"))) === "yes";
}

/** A number, or null. `suggested` are offered while it is typed. */
export async function asked(title, words, { label, value = "", suggested = [], deed }) {
  the("ask-title").textContent = title;
  the("ask-words").replaceChildren(...words);
  the("ask-label").textContent = label;
  the("ask-yes").textContent = deed;
  the("ask-suggested").replaceChildren(...suggested.map((number) => make("option", { value: number })));
  const input = the("ask-value");
  input.value = value;
  const answer = opened(the("ask"));
  input.select();
  return (await answer) === "yes" && input.value.trim() !== "" ? input.value.trim() : null;
}

/** Opens a dialog that answers nothing but which button has closed it. */
export const show = (id) => opened(the(id));
