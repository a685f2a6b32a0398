// What is looked for, and in which order it stands.

import { make, the } from "./elements.js";
import { plain } from "./format.js";
import { lotKey } from "./state.js";

/** What was chosen. */
export function chosen(state) {
  const lot = the("lot-filter").value;
  const group = the("group-filter").value;
  return {
    text: the("search").value.trim().toLowerCase(),
    lot: state.lots.has(lot) ? lot : "",
    group: group ? JSON.parse(group) : null,
    order: the("order").value,
  };
}

/** The choices of lots and groups; those of which there is one only are no choice. */
export function showFilters(state) {
  const lots = [...state.lots.values()].map((lot) => ({
    value: lotKey(lot.lot, lot.domain),
    text: lot.domain ? `${plain(lot.lot)} at ${plain(lot.domain)}` : plain(lot.lot),
  }));
  choices(the("lot-filter"), "All lots", lots, 2);
  const parked = new Map();
  for (const call of state.calls.values()) {
    if (call.group) parked.set(`${call.lot}\n${call.group}`, (parked.get(`${call.lot}\n${call.group}`) ?? 0) + 1);
  }
  const groups = state.groups.map(({ lot, name, members }) => ({
    value: JSON.stringify({ lot, name }),
    text: `${plain(name)} (${members.map(plain).join(", ")}): ${parked.get(`${lot}\n${name}`) ?? 0}`,
  }));
  choices(the("group-filter"), "All groups", groups, 1);
}

function choices(select, all, options, least) {
  const text = JSON.stringify(options);
  if (select.dataset.options === text) return;
  select.dataset.options = text;
  const chosen = select.value;
  const elements = options.map((option) => make("option", { value: option.value }, option.text));
  select.replaceChildren(make("option", { value: "" }, all), ...elements);
  select.value = options.some((option) => option.value === chosen) ? chosen : "";
  select.closest("label").hidden = options.length < least;
}
