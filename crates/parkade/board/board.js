// The parking board: from the events of the program to what is seen, once for each picture.

import * as actions from "./actions.js";
import { Calls } from "./calls.js";
import { prepare, show } from "./dialogs.js";
import { say, the } from "./elements.js";
import { showFilters, chosen } from "./filters.js";
import { clock, numbers, plain, spoken } from "./format.js";
import { listen } from "./keys.js";
import { ladder } from "./ladder.js";
import { showLately } from "./lately.js";
import { Board } from "./lots.js";
import { openMenu } from "./menu.js";
import * as session from "./session.js";
import { announce } from "./speech.js";
import { NOTHING, hasUnknownLot, lotKey, snapshot, told, withLots } from "./state.js";
import { Refused, Wire } from "./wire.js";

/** No event tells that the lots are configured otherwise. */
const LOTS_AGAIN = 60_000;
/** No list of free slots to choose from is longer. */
const MOST_SUGGESTED = 200;

const isWall = new URLSearchParams(location.search).has("wall");

let state = NOTHING;
let wire = null;
let board = null;
let calls = null;
let status = { kind: "connecting" };
/** By how much the program's clock is ahead of ours, in milliseconds. */
let ahead = 0;
/** Since the connection was lost either clock may have been set. */
let isAheadKnown = false;

const now = () => Date.now() + ahead;

/** What the program's clock said, and ours when it came here: of all that, what came fastest counts. */
function saw(theirs, ours) {
  ahead = isAheadKnown ? Math.max(ahead, theirs - ours) : theirs - ours;
  isAheadKnown = true;
}

// What is shown.

let drawing = false;

/** Draws soon: once, however much changes until then. */
function redraw() {
  if (drawing) return;
  drawing = true;
  const drawn = () => {
    drawing = false;
    render();
  };
  // Nobody sees a page in the background, but its title.
  if (document.hidden) setTimeout(drawn, 500);
  else requestAnimationFrame(drawn);
}

function render() {
  if (!board) return;
  showFilters(state);
  board.show(state, { ...chosen(state), ...(isWall ? { order: "recall" } : {}) });
  const count = state.calls.size;
  the("total-line").hidden = false;
  say(the("total"), String(count));
  say(the("total-words"), count === 1 ? "call waits" : "calls wait");
  document.title = count > 0 ? `(${count}) Parkade` : "Parkade";
  showLately(state.lately);
}

/** One timer for all that goes on by itself. */
function tick() {
  setTimeout(tick, 1000 - (now() % 1000));
  if (document.hidden) return;
  board?.tick();
  calls?.tick();
  showStatus();
  say(the("clock"), new Date(now()).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
}

function showStatus() {
  const words = {
    connecting: () => "Connecting",
    live: () => "Live",
    lost: () => `Connection lost. Trying again in ${clock(status.until - Date.now() + 999)}`,
    out: () => "Signed out",
  };
  the("status").dataset.kind = status.kind;
  document.documentElement.dataset.connection = status.kind;
  say(the("status-words"), words[status.kind]());
  the("status").title = status.why ?? "";
}

// What the buttons do.

/** The free slots of a lot, or of all. */
function free(lot) {
  const lots = [...state.lots.values()].filter((one) => !lot || lotKey(one.lot, one.domain) === lot);
  const taken = new Set([...state.calls.values()].map((call) => call.slot));
  const all = lots.flatMap((one) => one.ranges.flatMap((range) => numbers(range, MOST_SUGGESTED + taken.size)));
  return all.filter((slot) => !taken.has(slot)).slice(0, MOST_SUGGESTED);
}

const deeds = {
  retrieve: (call) => actions.retrieve(wire, call).then(showExtension),
  recall: (call) => actions.recall(wire, call),
  move: (call) => actions.move(wire, call, free(lotKey(call.lot, call.domain))),
  hangUp: (call) => actions.hangUp(wire, call),
  ladder: (call) => ladder(wire, call),
  park: (call) => actions.park(wire, call, free(null)),
  end: (call) => actions.end(wire, call),
  more: (call, opener) => openMenu(opener, (deed) => deeds[deed](call)),
};

function showExtension() {
  const number = session.extension();
  say(the("extension"), number ? `My extension: ${plain(number)}` : "My extension");
}

// Coming and going.

async function lists() {
  const [list, groups] = await Promise.all([wire.ask("GET", "api/parked"), wire.ask("GET", "api/groups")]);
  state = snapshot(state, list, groups, now());
  redraw();
}

function events(all) {
  const before = state;
  for (const event of all) {
    const words = spoken(event, state.calls.get(event.park));
    if (words) announce(words);
    // The reducer takes them all at once; what is said of one may need what was told before it.
    state = told(state, [event]);
  }
  if (all.some(({ event }) => ["answered", "ended", "retrieved", "parked"].includes(event))) calls?.refresh();
  if (state === before) return;
  if (hasUnknownLot(state)) void lots();
  redraw();
}

async function lots() {
  try {
    state = withLots(state, await wire.ask("GET", "api/lots"));
    redraw();
  } catch {
    // They are asked for again.
  }
}

function onStatus(next) {
  const before = status.kind;
  status = next;
  showStatus();
  if (next.kind === "live" && before !== "live") calls?.refresh(0);
  if (next.kind === "lost") isAheadKnown = false;
  if (next.kind === "lost" && before === "live") announce("The connection is lost.");
  if (next.kind === "live" && before === "lost") announce("Connected again.");
  if (next.kind === "out") signedOut(next.why);
}

function signedOut(why) {
  wire?.end();
  calls?.end();
  session.forgetToken();
  status = { kind: "out" };
  showStatus();
  document.title = "Parkade";
  the("total-line").hidden = true;
  [wire, board, calls, state] = [null, null, null, NOTHING];
  the("lots").replaceChildren();
  the("page").hidden = true;
  the("sign-in").hidden = false;
  say(the("sign-in-why"), why ? `${why.charAt(0).toUpperCase()}${why.slice(1)}.` : "");
  the("token").value = "";
  the("token").focus();
}

async function signIn(token) {
  the("sign-in").hidden = true;
  wire?.end();
  const mine = new Wire(token, saw);
  wire = mine;
  let role = null;
  try {
    ({ role } = await mine.ask("GET", "api/role"));
  } catch (error) {
    if (wire !== mine) return;
    if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
      signedOut(error.message);
      return;
    }
    // The program is not there just now, or wants us to wait; both end.
    onStatus({ kind: "lost", until: Date.now() + 3_000, why: error.message });
    const again = () => wire === mine && signIn(token);
    setTimeout(again, Math.max(3_000, error.after ?? 0));
    return;
  }
  if (wire !== mine) return;
  const may = role === "operate" && !isWall;
  document.documentElement.dataset.role = may ? "operate" : "view";
  the("page").hidden = false;
  the("extension").hidden = !may;
  board = new Board(the("lots"), deeds, may, now);
  calls?.end();
  calls = new Calls({ read: () => mine.ask("GET", "api/calls"), now, deeds, may });
  await mine.follow({ lists, events, status: onStatus });
}

function settings() {
  the("keys-work").checked = session.keysWork();
  the("stays").checked = session.staysSignedIn();
  void show("settings").then((answer) => {
    if (answer === "out") signedOut("");
  });
}

function start() {
  document.documentElement.classList.toggle("wall", isWall);
  prepare();
  listen(deeds, () => board?.focused());
  the("order").value = session.order();
  the("order").addEventListener("change", () => session.keepOrder(the("order").value));
  for (const id of ["search", "lot-filter", "group-filter", "order"]) {
    the(id).addEventListener("input", () => {
      calls?.show(the("search").value.trim().toLowerCase());
      redraw();
    });
  }
  the("extension").addEventListener("click", () => void actions.myExtension(true).then(showExtension));
  the("settings-button").addEventListener("click", settings);
  the("keys-work").addEventListener("change", ({ target }) => session.keepKeysWork(target.checked));
  the("stays").addEventListener("change", ({ target }) => {
    if (session.token()) session.keepToken(session.token(), target.checked);
  });
  the("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = the("token").value.trim();
    if (!token) return;
    session.keepToken(token, the("token-stays").checked);
    void signIn(token);
  });
  addEventListener("hashchange", arrive);
  // A page that the browser keeps for the way back must not keep a connection.
  addEventListener("pagehide", () => wire?.end());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  addEventListener("online", () => wire?.hurry());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    wire?.hurry();
    calls?.refresh(0);
    redraw();
  });
  setInterval(() => void (status.kind === "live" && !document.hidden && lots()), LOTS_AGAIN);
  showExtension();
  tick();
  arrive();
}

/** With a token in the address, or with the one that is remembered. */
function arrive() {
  const given = session.tokenOfAddress();
  if (given) session.keepToken(given, session.staysSignedIn());
  else if (wire) return;
  const token = session.token();
  if (token) void signIn(token);
  else signedOut("");
}

start();
