// Who says what to whom in the messages of a call. Pure.

import { gist } from "./format.js";

/** The columns of a trace, from left to right: `{ id, title, at }`. */
export function columns(messages, parties = new Map()) {
  const of = (side) => [...new Set(messages.filter((it) => it.side === side).map((it) => it.peer))];
  const column = (title) => (peer) => ({ id: peer, title: parties.get(peer) ?? title, at: peer });
  const phones = of("phones").map(column("Phone"));
  const pbx = of("pbx").map(column("PBX"));
  return [...phones, { id: "", title: "Parkade", at: "" }, ...pbx];
}

/** From which column to which each message goes. */
export function arrows(messages, all) {
  const place = (peer) => all.findIndex((column) => column.id === peer);
  const house = place("");
  return messages.map((message) => {
    const peer = place(message.peer);
    const [from, to] = message.way === "in" ? [peer, house] : [house, peer];
    return { message, from, to, text: gist(message.line, message.cseq) };
  });
}
