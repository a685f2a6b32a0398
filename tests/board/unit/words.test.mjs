// Words, figures, streams of events and ladders, without a browser.

import assert from "node:assert/strict";
import test from "node:test";

import { eventReader } from "../../../crates/parkade/board/events.js";
import { bySlot, clock, gist, numbers, plain, plainLines, share, spoken, stateWords, whom } from "../../../crates/parkade/board/format.js";

test("what cannot be seen in a name is made visible, and what can is left as it is", () => {
  assert.equal(plain("Léa Ångström مريم 李 👋"), "Léa Ångström مريم 李 👋");
  assert.equal(plain("a\u0000\u001b[31m\r\n\u007fb"), "a\u2400\u241b[31m\u240d\u240a\u2421b");
  for (const hostile of ["\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\u200b", "\ufeff", "\u0085", "\u{e0041}"]) {
    assert.equal(plain(`a${hostile}b`), "a\ufffdb", `U+${hostile.codePointAt(0).toString(16)}`);
  }
  assert.equal([...plain("x".repeat(1000))].length, 120);
  assert.equal(plain(null), "");
});

test("a message keeps its lines", () => {
  assert.equal(plainLines("A\r\nB\u001b\r\n\r\nC\rD"), "A\nB\u241b\n\nC\u240dD");
});

test("times read as people write them", () => {
  assert.deepEqual([0, 999, 42_000, 725_000, 3_723_000, -5].map(clock), ["0:00", "0:00", "0:42", "12:05", "1:02:03", "0:00"]);
});

test("the share of a time that is left goes from one to nothing and no further", () => {
  assert.deepEqual([0, 25, 100, 200].map((now) => share(0, 100, now)), [1, 0.75, 0, 0]);
  assert.deepEqual([share(0, null, 5), share(5, 5, 5)], [0, 0]);
});

test("a range is all its numbers as wide as they are written, but not more than is wanted", () => {
  assert.deepEqual(numbers("008-010"), ["008", "009", "010"]);
  assert.deepEqual(numbers("701"), ["701"]);
  assert.equal(numbers("1-999999999", 100).length, 100);
});

test("slots stand in the order of their numbers", () => {
  assert.deepEqual(["1000", "701", "99", "104"].sort(bySlot), ["99", "104", "701", "1000"]);
});

test("somebody without a name is a number, and without a number somebody", () => {
  assert.deepEqual([whom({ name: "Jane", number: "1" }), whom({ name: null, number: "1" }), whom({ name: "", number: "" })], ["Jane", "1", "Somebody"]);
});

test("what becomes of a call is said with whom, apart from the words around it", () => {
  assert.deepEqual(stateWords({ state: "claimed", who: "105" }), ["Being taken by ", "105"]);
  assert.deepEqual(stateWords({ state: "recalling", who: null }), ["Being recalled"]);
  assert.deepEqual(stateWords({ state: "of another version", who: null }), ["of another version"]);
});

test("what is read out has no hostile sign in it, and what is no news is not read out", () => {
  const event = { event: "parked", slot: "701", parkee_name: "Ja\u202ene", parkee: "1", parker: "103" };
  assert.equal(spoken(event), "Ja\ufffdne parked at 701 by 103.");
  assert.equal(spoken({ event: "claimed", slot: "701" }), null);
});

test("a message is named by what it is about", () => {
  assert.equal(gist("REFER sip:103@192.0.2.1 SIP/2.0", "2 REFER"), "REFER");
  assert.equal(gist("SIP/2.0 200 OK", "2 REFER"), "200 OK to REFER");
});

function read(...parts) {
  const events = [];
  const take = eventReader((event) => events.push(event));
  parts.forEach(take);
  return events;
}

test("events are read wherever the stream is cut", () => {
  const text = 'retry: 1000\n: parkade\n\nid: 5f-1\nevent: parked\ndata: {"a":1}\n\n:\n\nid: 5f-2\nevent: reset\ndata: {}\n\n';
  const whole = [
    { id: "5f-1", kind: "parked", data: '{"a":1}' },
    { id: "5f-2", kind: "reset", data: "{}" },
  ];
  for (let cut = 0; cut <= text.length; cut += 1) assert.deepEqual(read(text.slice(0, cut), text.slice(cut)), whole);
  assert.deepEqual(read(...text), whole);
  assert.deepEqual(read(...text.replaceAll("\n", "\r\n")), whole);
});

test("data of several lines is one, a field without a value is empty, and what has no data is no event", () => {
  assert.deepEqual(read("data: a\ndata:b\ndata\n\n"), [{ id: null, kind: "message", data: "a\nb\n" }]);
  assert.deepEqual(read("event: x\n\ndata: y"), []);
});
