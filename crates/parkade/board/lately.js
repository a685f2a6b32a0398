// What has ended lately, or was refused.

import { arrange, make, named, the } from "./elements.js";
import { clock, plain, timeOfDay, whom } from "./format.js";

const ENDED = {
  retrieved: (it) => ["retrieved by ", named(it.by ?? "")],
  abandoned: () => ["hung up"],
  "hung-up": (it) => [`was hung up${it.why ? `: ${plain(it.why)}` : ""}`],
  "handed-over": (it) => ["handed over to ", named(it.to ?? "")],
};

const items = new WeakMap();

function item(it) {
  if (items.has(it)) return items.get(it);
  const time = make("time", {}, timeOfDay(it.at));
  const waited = it.waited === null ? "" : ` after ${clock(it.waited)}`;
  const words =
    it.what === "failed"
      ? [named(it.by ?? "Somebody"), ` could not ${it.asked}: ${plain(it.why)}`]
      : [named(whom(it)), ` at ${plain(it.slot)} `, ...ENDED[it.what](it), waited];
  const element = make("li", { class: it.what }, time, " ", make("span", {}, ...words));
  items.set(it, element);
  return element;
}

/** Shows them. */
export function showLately(all) {
  arrange(the("lately-list"), all.map(item));
  the("lately").hidden = all.length === 0;
}
