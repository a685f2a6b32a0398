// The ladder of a call, without a browser.

import assert from "node:assert/strict";
import test from "node:test";

import { arrows, columns } from "../../../crates/parkade/board/rungs.js";

const message = (way, side, peer, line, cseq) => ({ way, side, peer, line, cseq });
const MESSAGES = [
  message("in", "pbx", "192.0.2.50:5060", "INVITE sip:103@192.0.2.2 SIP/2.0", "1 INVITE"),
  message("out", "phones", "192.0.2.103:5060", "INVITE sip:103@192.0.2.103 SIP/2.0", "1 INVITE"),
  message("in", "phones", "192.0.2.103:5060", "SIP/2.0 200 OK", "1 INVITE"),
  message("out", "phones", "192.0.2.105:5060", "NOTIFY sip:105@192.0.2.105 SIP/2.0", "1 NOTIFY"),
];

test("phones stand to the left, the PBX to the right, and Parkade between them", () => {
  const all = columns(MESSAGES, new Map([["192.0.2.105:5060", "Phone 105"]]));
  assert.deepEqual(all.map(({ title }) => title), ["Phone", "Phone 105", "Parkade", "PBX"]);
});

test("every arrow goes from who has sent it to who got it", () => {
  const drawn = arrows(MESSAGES, columns(MESSAGES)).map(({ from, to, text }) => [from, to, text]);
  assert.deepEqual(drawn, [[3, 2, "INVITE"], [2, 0, "INVITE"], [0, 2, "200 OK to INVITE"], [2, 1, "NOTIFY"]]);
});
