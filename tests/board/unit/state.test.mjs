// The board's state, without a browser.

import assert from "node:assert/strict";
import test from "node:test";

import { NOTHING, hasUnknownLot, lotKey, snapshot, told } from "../../../crates/parkade/board/state.js";

const AT = Date.parse("2026-03-01T09:30:00.000Z");
const after = (seconds) => new Date(AT + 1000 * seconds).toISOString();

const event = (kind, seconds, more = {}) => ({
  event: kind, at: after(seconds), park: "p1", lot: "office", domain: "pbx.example", slot: "701", call_id: "a@b", ...more,
});
const parked = (seconds = 0, more = {}) =>
  event("parked", seconds, {
    parkee: "+33176000001", parkee_name: "Jane", parker: "103", retrieve: "**701", took_ms: 20,
    recall_at: after(seconds + 300), ...more,
  });
const view = (more = {}) => ({
  park: "p1", lot: "office", slot: "701", domain: "pbx.example", parkee_name: "Jane", parkee: "+33176000001",
  parker: "103", group: null, retrieve: "**701", since_us: 1, parked_for_s: 10, recall_in_s: 290, attempt: 0,
  state: "parked", call_id: "a@b", parked_at: after(0), recall_at: after(300), ...more,
});
const lot = (more = {}) => ({
  lot: "office", domain: "pbx.example", parked: 1, slots: 20, free: 19, ranges: ["701-720"], recall_s: 300, ...more,
});
const list = (calls = [view()], lots = [lot()]) => ({ parked: calls, lots });
const NO_GROUPS = { groups: [] };
const fold = (...events) => told(NOTHING, events);
const call = (state, park = "p1") => state.calls.get(park);

test("a parked call is there with all that its event says, since it was asked for", () => {
  const state = fold(parked());
  assert.deepEqual(call(state), {
    park: "p1", lot: "office", domain: "pbx.example", slot: "701", name: "Jane", number: "+33176000001", parker: "103",
    group: null, dial: "**701", callId: "a@b", since: AT - 20, state: "parked", who: null, attempt: 0,
    recallAt: AT + 300_000, recallFrom: AT,
  });
});

test("the list and the event give the same card, but for when its time to the recall began", () => {
  const listed = call(snapshot(NOTHING, list([view({ parked_at: after(-0.02) })]), NO_GROUPS, AT + 10_000));
  assert.deepEqual({ ...listed, recallFrom: 0 }, { ...call(fold(parked())), recallFrom: 0 });
  assert.equal(listed.recallFrom, AT);
});

test("whoever takes a call is named, and forgotten when it has failed", () => {
  const taken = fold(parked(), event("claimed", 5, { by: "105", recall: false }));
  assert.deepEqual([call(taken).state, call(taken).who], ["claimed", "105"]);
  const released = told(taken, [event("released", 6)]);
  assert.deepEqual([call(released).state, call(released).who, call(released).recallAt], ["parked", null, AT + 300_000]);
});

test("a recall rings, fails, waits for the next, and is over", () => {
  let state = fold(parked(), event("recalling", 300, { to: "103", attempt: 1 }));
  assert.deepEqual([call(state).state, call(state).who, call(state).recallAt], ["recalling", "103", null]);
  state = told(state, [event("waiting", 330, { recall_at: after(340), attempt: 1 })]);
  assert.deepEqual([call(state).state, call(state).recallAt, call(state).recallFrom], ["parked", AT + 340_000, AT + 330_000]);
  const stays = told(state, [event("recall-unanswered", 400, { then: "stay" })]);
  assert.deepEqual([call(stays).state, call(stays).recallAt], ["parked", null]);
  const goes = told(state, [event("recall-unanswered", 400, { then: "sip:200@pbx.example" })]);
  assert.deepEqual([call(goes).state, call(goes).who], ["recalling", "sip:200@pbx.example"]);
});

test("an extension that is rung in vain leaves the time to the recall as it was", () => {
  const state = fold(
    parked(), event("delivering", 5, { to: "105" }), event("waiting", 35, { recall_at: after(300), attempt: 0 }),
  );
  assert.deepEqual([call(state).state, call(state).recallAt, call(state).recallFrom], ["parked", AT + 300_000, AT]);
});

test("a moved call is where it was moved to", () => {
  const moved = event("moved", 5, { slot: "705", from_slot: "701", retrieve: "**705", recall_at: after(300) });
  const state = fold(parked(0, { group: "sales" }), moved);
  const { slot, dial, group, recallAt, recallFrom } = call(state);
  assert.deepEqual([slot, dial, group, recallAt, recallFrom], ["705", "**705", null, AT + 300_000, AT]);
});

test("each ending takes the card away and is remembered with who it was", () => {
  for (const [kind, more] of [["retrieved", { by: "105", waited_ms: 4000 }], ["abandoned", {}], ["hung-up", { why: "x" }], ["handed-over", { to: "200" }]]) {
    const state = fold(parked(), event(kind, 4, more));
    assert.equal(state.calls.size, 0, kind);
    assert.deepEqual([state.lately[0].what, state.lately[0].name, state.lately[0].slot], [kind, "Jane", "701"]);
  }
});

test("an event about a call that nobody knows, or of a kind that nobody knows, changes nothing", () => {
  const state = fold(parked());
  assert.equal(told(state, [event("claimed", 1, { park: "p9" }), event("retrieved", 1, { park: "p9" })]), state);
  assert.equal(told(state, [event("registered", 1), event("toString", 1), event("constructor", 1)]), state);
  assert.equal(told(NOTHING, [event("claimed", 1)]), NOTHING);
});

test("events that the list knew already end in what the list says", () => {
  const events = [parked(), event("claimed", 5, { by: "105" }), event("released", 6), event("recalling", 300, { to: "103", attempt: 1 })];
  const listed = list([view({ state: "recalling", who: "103", attempt: 1, recall_at: null, recall_in_s: null })]);
  const before = snapshot(NOTHING, listed, NO_GROUPS, AT + 301_000);
  const same = told(before, events);
  assert.deepEqual([call(same).state, call(same).who, call(same).recallAt], ["recalling", "103", null]);
  const gone = told(snapshot(NOTHING, list([]), NO_GROUPS, AT), [...events, event("retrieved", 310, { by: "103" })]);
  assert.equal(gone.calls.size, 0);
});

test("a board that is opened while phones ring knows which, and while somebody takes a call, who", () => {
  for (const [state, who] of [["recalling", "103, 104"], ["delivering", "105"], ["claimed", "+33176000002"], ["parked", null]]) {
    const opened = snapshot(NOTHING, list([view({ state, who })]), NO_GROUPS, AT);
    assert.deepEqual([call(opened).state, call(opened).who], [state, who]);
    const again = snapshot(opened, list([view({ state: "recalling", who: "106" })]), NO_GROUPS, AT);
    assert.equal(call(again).who, "106");
  }
});

test("a list puts right whatever was missed, and a park that does not stand is not shown", () => {
  const old = fold(parked(), parked(1, { park: "p2", slot: "702" }));
  const state = snapshot(old, list([view(), view({ park: "p3", slot: "703", state: "parking" })]), NO_GROUPS, AT);
  assert.deepEqual([...state.calls.keys()], ["p1"]);
  assert.equal(call(state).recallFrom, AT, "what was known of its recall is kept");
});

test("a state is never changed in place", () => {
  const state = fold(parked());
  const before = structuredClone([...state.calls]);
  told(state, [event("claimed", 1, { by: "105" }), parked(2, { park: "p2" }), event("abandoned", 3)]);
  assert.deepEqual([...state.calls], before);
});

test("a domain that had not used a lot is noticed", () => {
  const state = snapshot(NOTHING, list(), NO_GROUPS, AT);
  assert.equal(hasUnknownLot(state), false);
  assert.equal(hasUnknownLot(told(state, [parked(1, { park: "p2", domain: "other.example" })])), true);
  assert.notEqual(lotKey("a b", "c"), lotKey("a", "b c"));
});

test("only the last endings are remembered", () => {
  const events = Array.from({ length: 50 }, (_, index) => event("failed", index, { asked: "park", who: "103", why: `${index}` }));
  const { lately } = fold(...events);
  assert.deepEqual([lately.length, lately[0].why], [12, "49"]);
});
