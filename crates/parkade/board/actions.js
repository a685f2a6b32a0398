// What the buttons do. Each asks the program, and says in its words what it has refused; what becomes
// of it is told by events.

import { asked, confirmed } from "./dialogs.js";
import { named } from "./elements.js";
import { plain, whom } from "./format.js";
import * as session from "./session.js";
import { note } from "./speech.js";
import { Refused } from "./wire.js";

/** Asks; whether it was taken. */
async function order(wire, method, path, body, done) {
  try {
    await wire.ask(method, path, body);
    if (done) note(done);
    return true;
  } catch (error) {
    const why = error instanceof Refused ? error.message : "Parkade does not answer.";
    note(`${why.charAt(0).toUpperCase()}${why.slice(1)}`, "refused");
    return false;
  }
}

const parkedPath = (call, deed = "") => `api/parked/${encodeURIComponent(call.park)}${deed}`;
const callPath = (call, deed = "") => `api/calls/${encodeURIComponent(call.id)}${deed}`;

/** Asks for my extension, if it was not told yet or `anew` is wanted. */
export async function myExtension(anew = false) {
  const known = session.extension();
  if (known && !anew) return known;
  const words = ["Calls that you retrieve here ring at your phone. It is remembered in this browser."];
  const more = { label: "My extension", value: known ?? "", deed: "Remember" };
  const number = await asked("Which is your extension?", words, more);
  if (number) session.keepExtension(number);
  return number;
}

/** Rings my extension, and whoever answers has the call. */
export async function retrieve(wire, call) {
  const to = await myExtension();
  if (!to) return;
  await order(wire, "POST", parkedPath(call, "/retrieve"), { to }, `Extension ${to} is rung.`);
}

/** Recalls now. */
export async function recall(wire, call) {
  await order(wire, "POST", parkedPath(call, "/recall"), undefined, null);
}

/** Moves to another slot or extension. */
export async function move(wire, call, free) {
  const words = [named(whom(call)), ` waits at ${plain(call.slot)}.`];
  const more = { label: "Slot or extension", suggested: free, deed: "Move" };
  const slot = await asked("Move this call", words, more);
  if (slot) await order(wire, "POST", parkedPath(call, "/move"), { slot }, null);
}

/** Hangs up, if that is meant. */
export async function hangUp(wire, call) {
  const words = ["The call of ", named(whom(call)), ` at ${plain(call.slot)} ends.`];
  if (!(await confirmed("Hang up?", words, "Hang up"))) return;
  await order(wire, "DELETE", parkedPath(call), undefined, null);
}

/** Parks a talking call. */
export async function park(wire, call, free) {
  const words = [named(call.caller_name || call.caller), " talks with ", named(call.callee_name || call.callee), "."];
  const more = { label: "Slot or extension", value: free[0] ?? "", suggested: free, deed: "Park" };
  const slot = await asked("Park this call", words, more);
  if (slot) await order(wire, "POST", callPath(call, "/park"), { slot }, null);
}

/** Ends a call, if that is meant. */
export async function end(wire, call) {
  const words = ["The call of ", named(call.caller_name || call.caller), " and ", named(call.callee_name || call.callee), " ends."];
  if (!(await confirmed("End this call?", words, "End the call"))) return;
  await order(wire, "DELETE", callPath(call), undefined, null);
}
