// The messages of a call as a ladder: phones to the left, the PBX to the right, Parkade between them.

import { show } from "./dialogs.js";
import { draw, make, say, the } from "./elements.js";
import { plain, plainLines, timeOfDay } from "./format.js";
import { arrows, columns } from "./rungs.js";

const COLUMN = 170;
const ROW = 34;
const HEAD = 56;
const LEFT = 72;

const x = (column) => LEFT + COLUMN / 2 + column * COLUMN;
const seconds = (message) => `+${(message.after_us / 1e6).toFixed(3)}`;

function head(column, index, height) {
  const at = { x: x(index), "text-anchor": "middle" };
  return draw(
    "g",
    { class: "lifeline" },
    draw("line", { x1: x(index), x2: x(index), y1: HEAD, y2: height }),
    draw("text", { ...at, y: 22, class: "title" }, plain(column.title)),
    draw("text", { ...at, y: 40, class: "at" }, column.at),
  );
}

function row(arrow, index, all, open) {
  const { message, from, to, text } = arrow;
  const y = HEAD + ROW * (index + 0.75);
  const [begin, end] = [x(from), x(to)];
  const tip = end > begin ? -7 : 7;
  const label = `${seconds(message)} s, ${plain(all[from].title)} to ${plain(all[to].title)}: ${plain(text)}`;
  const kind = message.line.startsWith("SIP/2.0 ") ? `answer s${message.line[8]}` : "request";
  const element = draw(
    "g",
    { class: `message ${kind}`, role: "button", tabindex: index === 0 ? "0" : "-1", "aria-label": label },
    draw("rect", { x: 0, y: y - ROW * 0.66, width: LEFT + COLUMN * all.length, height: ROW }),
    draw("text", { x: 12, y: y + 4, class: "time" }, seconds(message)),
    draw("line", { x1: begin, x2: end + tip / 2, y1: y, y2: y }),
    draw("path", { d: `M ${end} ${y} l ${tip} -4 v 8 z` }),
    draw("text", { x: (begin + end) / 2, y: y - 6, "text-anchor": "middle", class: "gist" }, plain(text)),
  );
  element.addEventListener("click", () => open(element, message));
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") open(element, message);
    else if (event.key === "ArrowDown") element.nextElementSibling?.focus();
    else if (event.key === "ArrowUp") element.previousElementSibling?.focus();
    else return;
    event.preventDefault();
  });
  element.addEventListener("focus", () => {
    for (const other of element.parentNode.children) other.setAttribute("tabindex", other === element ? "0" : "-1");
  });
  return element;
}

function drawing(messages, parties, open) {
  const all = columns(messages, parties);
  const [width, height] = [LEFT + COLUMN * all.length, HEAD + ROW * (messages.length + 0.5)];
  const rows = arrows(messages, all).map((arrow, index) => row(arrow, index, all, open));
  return draw(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "Messages, the first first" },
    ...all.map((column, index) => head(column, index, height)),
    draw("g", {}, ...rows),
  );
}

/** Who is at which address, as far as the legs of the call tell it. */
function partiesOf(list) {
  const legs = list.calls.flatMap((call) => call.legs);
  return new Map(legs.map((leg) => [leg.at, leg.side === "phones" ? `Phone ${leg.party}` : `PBX, ${leg.party}`]));
}

/** Opens the ladder of a call. */
export async function ladder(wire, call) {
  const title = call.slot ? `Messages of the call at ${plain(call.slot)}` : "Messages of the call";
  const [place, text] = [the("ladder-place"), the("ladder-text")];
  say(the("ladder-title"), title);
  say(the("ladder-note"), "Reading …");
  place.replaceChildren();
  text.hidden = true;
  const closed = show("ladder");
  const open = (element, message) => {
    for (const other of element.parentNode.children) other.classList.toggle("chosen", other === element);
    text.hidden = false;
    const way = `${message.way === "in" ? "from" : "to"} ${message.peer} by ${message.transport}`;
    const about = make("p", { class: "about" }, `${timeOfDay(Date.parse(message.at))}, ${way}`);
    text.replaceChildren(about, make("pre", { tabindex: "0" }, make("bdi", {}, plainLines(message.text))));
  };
  try {
    const which = `?call_id=${encodeURIComponent(call.callId)}`;
    const none = { calls: [] };
    const [trace, list] = await Promise.all([
      wire.ask("GET", `api/trace${which}`),
      wire.ask("GET", `api/calls${which}`).catch(() => none),
    ]);
    place.replaceChildren(drawing(trace.messages, partiesOf(list), open));
    const left = trace.left_out > 0 ? ` ${trace.left_out} messages after the first few are no longer known.` : "";
    say(the("ladder-note"), `Choose a message to read it.${left}`);
  } catch (error) {
    say(the("ladder-note"), error.message);
  }
  await closed;
}
