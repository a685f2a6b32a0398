// What is parked: a list, and the events after it folded into it. Pure: nothing here knows of a page,
// of the time or of a network.

/** How many endings are remembered. */
const LATELY = 12;

/** Before the first list. */
export const NOTHING = Object.freeze({
  /** Lots by `lotKey`, as the API lists them. */
  lots: new Map(),
  /** Parked calls by name (`park`). */
  calls: new Map(),
  /** Park groups, as the API lists them. */
  groups: [],
  /** What has ended or was refused, the newest first. */
  lately: [],
});

/** By what a lot is known: each domain sees one of its own. */
export const lotKey = (lot, domain) => JSON.stringify([lot, domain]);

const moment = (text) => {
  const at = Date.parse(text ?? "");
  return Number.isNaN(at) ? null : at;
};

/** Which call it is, where it waits and who has parked it: the same in the list and in the event `parked`. */
function identity(view) {
  return {
    park: view.park,
    lot: view.lot,
    domain: view.domain,
    slot: view.slot,
    name: view.parkee_name ?? null,
    number: view.parkee ?? "",
    parker: view.parker ?? "",
    group: view.group ?? null,
    dial: view.retrieve ?? "",
    callId: view.call_id ?? "",
  };
}

/** A call of the list; `before` is what was known of it. */
function listed(view, lot, before, now) {
  const since = moment(view.parked_at) ?? now - 1000 * (view.parked_for_s ?? 0);
  const recallAt = moment(view.recall_at);
  const again = before?.recallAt !== null && before?.recallAt === recallAt ? before.recallFrom : null;
  const length = 1000 * (lot?.recall_s ?? 0);
  // The list does not say when the time to a recall began.
  const began = view.attempt > 0 ? now : recallAt !== null && length > 0 ? recallAt - length : since;
  return {
    ...identity(view),
    since,
    state: view.state,
    who: view.who ?? null,
    attempt: view.attempt ?? 0,
    recallAt,
    recallFrom: again ?? Math.max(began, since),
  };
}

/** Everything anew: the answers to `/api/parked` and `/api/groups`, at `now`. */
export function snapshot(state, list, groups, now) {
  const lots = new Map(list.lots.map((lot) => [lotKey(lot.lot, lot.domain), lot]));
  const calls = new Map();
  for (const view of list.parked) {
    // A park that does not stand yet is told when it does, or never.
    if (view.state === "parking") continue;
    const lot = lots.get(lotKey(view.lot, view.domain));
    calls.set(view.park, listed(view, lot, state.calls.get(view.park), now));
  }
  return { lots, calls, groups: groups.groups, lately: state.lately };
}

/** The lots anew: no event tells of a reload. */
export function withLots(state, list) {
  return { ...state, lots: new Map(list.lots.map((lot) => [lotKey(lot.lot, lot.domain), lot])) };
}

/** A call as the event `parked` tells of it. */
function parked(event) {
  const at = moment(event.at) ?? 0;
  return {
    ...identity(event),
    since: at - (event.took_ms ?? 0),
    state: "parked",
    who: null,
    attempt: 0,
    recallAt: moment(event.recall_at),
    recallFrom: at,
  };
}

/** What an event changes in a call that stays parked. */
const CHANGES = {
  claimed: (event) => ({ state: "claimed", who: event.by ?? null }),
  released: () => ({ state: "parked", who: null }),
  recalling: (event) => ({
    state: "recalling",
    who: event.to ?? null,
    attempt: event.attempt ?? 0,
    recallAt: null,
  }),
  delivering: (event) => ({ state: "delivering", who: event.to ?? null }),
  waiting: (event, call) => {
    const recallAt = moment(event.recall_at);
    const goesOn = recallAt !== null && recallAt === call.recallAt;
    return {
      state: "parked",
      who: null,
      attempt: event.attempt ?? call.attempt,
      recallAt,
      recallFrom: goesOn ? call.recallFrom : moment(event.at),
    };
  },
  "recall-unanswered": (event) =>
    event.then === "stay"
      ? { state: "parked", who: null, recallAt: null }
      : { state: "recalling", who: event.then ?? null, recallAt: null },
  moved: (event, call) => {
    const recallAt = moment(event.recall_at);
    return {
      slot: event.slot,
      group: event.group ?? null,
      dial: event.retrieve ?? "",
      recallAt,
      recallFrom: recallAt !== null && call.recallAt === null ? moment(event.at) : call.recallFrom,
    };
  },
};

const ENDINGS = new Set(["retrieved", "abandoned", "hung-up", "handed-over"]);

/** An ending, or a refusal, as it is remembered. */
function ending(event, call) {
  return {
    what: event.event,
    at: moment(event.at) ?? 0,
    slot: event.slot ?? "",
    name: call?.name ?? null,
    number: call?.number ?? "",
    by: event.by ?? event.who ?? null,
    to: event.to ?? null,
    asked: event.asked ?? null,
    why: event.why ?? null,
    waited: event.waited_ms ?? (call ? (moment(event.at) ?? call.since) - call.since : null),
  };
}

/**
 * Some events, the oldest first. An event that the list knew already changes nothing that the events
 * after it do not put right.
 */
export function told(state, events) {
  let calls = state.calls;
  let lately = state.lately;
  const own = () => (calls === state.calls ? (calls = new Map(calls)) : calls);
  for (const event of events) {
    const call = calls.get(event.park);
    if (event.event === "parked") {
      own().set(event.park, parked(event));
    } else if (ENDINGS.has(event.event)) {
      if (!call) continue;
      own().delete(event.park);
      lately = [ending(event, call), ...lately].slice(0, LATELY);
    } else if (event.event === "failed") {
      lately = [ending(event), ...lately].slice(0, LATELY);
    } else if (call && Object.hasOwn(CHANGES, event.event)) {
      own().set(event.park, { ...call, ...CHANGES[event.event](event, call) });
    }
  }
  return calls === state.calls && lately === state.lately ? state : { ...state, calls, lately };
}

/** Whether a call waits in a lot that the list did not have: a domain that had not used it before. */
export function hasUnknownLot(state) {
  for (const call of state.calls.values()) {
    if (!state.lots.has(lotKey(call.lot, call.domain))) return true;
  }
  return false;
}
