// Words and figures for people. Pure.

/** No name is shown longer, in characters. */
const LONGEST = 120;

// Controls, invisible marks, and what turns the direction of text around: harmless only if it is seen.
const HOSTILE =
  /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

const picture = (character) => {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
};

/** Text from the network: what cannot be seen is made visible, and it does not go on for ever. */
export function plain(text) {
  const seen = String(text ?? "").replace(HOSTILE, picture);
  const characters = [...seen];
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST - 1).join("")}…` : seen;
}

/** A whole message: as `plain`, but its lines stay lines, and it may be long. */
export function plainLines(text) {
  return String(text ?? "").replace(/\r\n/g, "\n").replace(HOSTILE, (it) => (it === "\n" ? it : picture(it)));
}

const two = (number) => String(number).padStart(2, "0");

/** A time that passes: `0:42`, `12:05`, `1:02:03`. */
export function clock(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** The time of day. */
export function timeOfDay(at) {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** Of the time to the recall, how much is left: 1 to 0. */
export function share(from, until, now) {
  if (until === null) return 0;
  const whole = until - from;
  return whole > 0 ? Math.min(1, Math.max(0, (until - now) / whole)) : 0;
}

/** Whoever it is: the name, else the number. */
export function whom(call) {
  return call.name || call.number || "Somebody";
}

/** The numbers of `701-720`, or of `701`, as wide as they are written; at most so many. */
export function numbers(range, most = Infinity) {
  const [first, last] = range.includes("-") ? range.split("-") : [range, range];
  const [from, to] = [Number(first), Number(last)];
  const all = [];
  for (let number = from; number <= to && all.length < most; number += 1) {
    all.push(String(number).padStart(first.length, "0"));
  }
  return all;
}

/** What a message is about: `REFER`, or `200 OK to REFER`. */
export function gist(line, cseq) {
  if (!line.startsWith("SIP/2.0 ")) return line.split(" ", 1)[0];
  const method = (cseq ?? "").split(" ")[1] ?? "";
  return `${line.slice(8)}${method && ` to ${method}`}`;
}

/** Compares slots: by number, whatever their length; extensions and names after them as text. */
export const bySlot = new Intl.Collator("en", { numeric: true }).compare;

const STATES = {
  parked: () => "Waiting",
  claimed: (who) => (who ? ["Being taken by ", who] : "Being taken"),
  recalling: (who) => (who ? ["Recall rings ", who] : "Being recalled"),
  delivering: (who) => (who ? ["Ringing ", who] : "An extension rings"),
};

/** What becomes of a call: words, and somebody's name if one is known. */
export function stateWords({ state, who }) {
  const words = STATES[state]?.(who) ?? state;
  return Array.isArray(words) ? words : [words];
}

/** Words for an event that is read out; none for what need not be. */
export function spoken(event, call) {
  const slot = plain(event.slot);
  const who = plain(call ? whom(call) : event.parkee_name || event.parkee || "The call");
  switch (event.event) {
    case "parked":
      return `${who} parked at ${slot} by ${plain(event.parker)}.`;
    case "retrieved":
      return `${who} at ${slot} retrieved by ${plain(event.by)}.`;
    case "recalling":
      return `${who} at ${slot}: recall rings ${plain(event.to)}.`;
    case "moved":
      return `${who} moved from ${plain(event.from_slot)} to ${slot}.`;
    case "abandoned":
      return `${who} at ${slot} has hung up.`;
    case "hung-up":
      return `${who} at ${slot} was hung up.`;
    case "handed-over":
      return `${who} at ${slot} was handed over to ${plain(event.to)}.`;
    default:
      return null;
  }
}
