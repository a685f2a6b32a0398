//! The recent messages of each call, within a bound. What is over and has been still for longest goes
//! first; calls that are parked are kept for as long as there is anything else to forget.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;

use crate::admin::tap::Seen;

/// So many messages are kept of one call; then the oldest but the first few go.
const MOST_OF_ONE: usize = 256;
/// With which a call began, and which its ladder should begin with.
pub(super) const FIRST_KEPT: usize = 16;
/// What a message costs beside its bytes, about.
const COST: usize = 160;

/// What is known of one Call-ID.
#[derive(Debug, Default)]
struct Trace {
    messages: VecDeque<Seen>,
    left_out: u64,
    bytes: usize,
    /// When it was last spoken of, as a count.
    touched: u64,
    parked: bool,
}

/// All traces.
#[derive(Debug)]
pub(crate) struct Traces {
    limit: usize,
    bytes: usize,
    count: u64,
    calls: FxHashMap<Box<str>, Trace>,
    /// By when they were last spoken of, the parked ones apart.
    still: BTreeMap<u64, Box<str>>,
    still_parked: BTreeMap<u64, Box<str>>,
}

impl Traces {
    /// Of at most so many bytes in all.
    pub(crate) fn within(limit: usize) -> Traces {
        Traces {
            limit,
            bytes: 0,
            count: 0,
            calls: FxHashMap::default(),
            still: BTreeMap::new(),
            still_parked: BTreeMap::new(),
        }
    }

    /// From now on of at most so many bytes.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        while self.bytes > self.limit && self.forget_one() {}
    }

    /// Whether nothing is kept.
    pub(crate) fn is_off(&self) -> bool {
        self.limit == 0
    }

    /// A message. Those without a Call-ID are of no call.
    pub(crate) fn see(&mut self, seen: Seen) {
        let Some(call) = call_id(&seen.bytes).map(Box::<str>::from) else { return };
        self.count += 1;
        let trace = self.calls.entry(call.clone()).or_default();
        let still = if trace.parked { &mut self.still_parked } else { &mut self.still };
        still.remove(&trace.touched);
        trace.touched = self.count;
        still.insert(self.count, call);
        let cost = seen.bytes.len() + COST;
        trace.messages.push_back(seen);
        (trace.bytes, self.bytes) = (trace.bytes + cost, self.bytes + cost);
        if trace.messages.len() > MOST_OF_ONE
            && let Some(gone) = trace.messages.remove(FIRST_KEPT)
        {
            let cost = gone.bytes.len() + COST;
            (trace.bytes, self.bytes) = (trace.bytes - cost, self.bytes - cost);
            trace.left_out += 1;
        }
        while self.bytes > self.limit && self.forget_one() {}
    }

    /// A call is parked, or no longer.
    pub(crate) fn parked(&mut self, call: &str, parked: bool) {
        let Some(trace) = self.calls.get_mut(call) else { return };
        if trace.parked == parked {
            return;
        }
        trace.parked = parked;
        let (from, to) = match parked {
            true => (&mut self.still, &mut self.still_parked),
            false => (&mut self.still_parked, &mut self.still),
        };
        if let Some(call) = from.remove(&trace.touched) {
            to.insert(trace.touched, call);
        }
    }

    fn forget_one(&mut self) -> bool {
        let next = self.still.pop_first().or_else(|| self.still_parked.pop_first());
        let Some((_, call)) = next else { return false };
        if let Some(trace) = self.calls.remove(&call) {
            self.bytes -= trace.bytes;
        }
        true
    }

    /// The messages of a call, and how many between the first of them and the others were left out.
    pub(crate) fn of(&self, call: &str) -> Option<(impl Iterator<Item = &Seen>, u64)> {
        self.calls.get(call).map(|trace| (trace.messages.iter(), trace.left_out))
    }

    /// How many bytes they take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many calls are known.
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }
}

/// The Call-ID of a message, by its header field or its compact form.
pub(super) fn call_id(bytes: &[u8]) -> Option<&str> {
    let lines = bytes.split(|byte| *byte == b'\n').skip(1);
    for line in lines.map(|line| line.trim_ascii_end()) {
        if line.is_empty() {
            return None;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = line[..colon].trim_ascii_end();
        if name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i") {
            return std::str::from_utf8(line[colon + 1..].trim_ascii()).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use base::{Flow, Moment, Side, Transport};
    use bytes::Bytes;

    use super::*;
    use crate::admin::tap::Way;

    fn seen(call: &str, body: usize) -> Seen {
        let peer = SocketAddr::from(([192, 0, 2, 1], 5060));
        let flow =
            Flow { side: Side::Phones, transport: Transport::Udp, local: peer, peer, conn: None };
        let text = format!("OPTIONS sip:x SIP/2.0\r\nCall-ID : {call}\r\n\r\n{}", "x".repeat(body));
        Seen { at: Moment::ZERO, way: Way::In, flow, bytes: Bytes::from(text) }
    }

    #[test]
    fn a_call_id_is_found_in_both_its_forms_and_not_in_a_body() {
        assert_eq!(call_id(b"A\r\nVia: x\r\nCALL-ID:  a@b \r\n\r\n"), Some("a@b"));
        assert_eq!(call_id(b"A\r\ni: c\r\n\r\n"), Some("c"));
        assert_eq!(call_id(b"A\r\nVia: x\r\n\r\ni: c\r\n"), None);
        assert_eq!(call_id(b"\r\n\r\n"), None);
        assert_eq!(call_id(b"A\r\ni: \xff\r\n\r\n"), None);
    }

    #[test]
    fn what_has_been_still_for_longest_is_forgotten_first_and_parked_calls_last() {
        let mut traces = Traces::within(6 * (1_000 + COST));
        for call in ["a", "b", "c", "d"] {
            traces.see(seen(call, 900));
        }
        traces.parked("a", true);
        traces.see(seen("b", 900));
        for call in ["e", "f"] {
            traces.see(seen(call, 900));
        }
        assert!(traces.of("a").is_some(), "it is parked");
        assert!(traces.of("c").is_none(), "it was still for longest");
        assert_eq!(traces.of("b").unwrap().0.count(), 2);
        traces.parked("a", false);
        traces.see(seen("g", 900));
        assert!(traces.of("a").is_none());
        assert!(traces.bytes() <= traces.limit);
    }

    #[test]
    fn of_a_long_call_the_beginning_and_the_end_are_kept() {
        let mut traces = Traces::within(usize::MAX);
        for number in 0..1_000 {
            traces.see(seen("a", number));
        }
        let (messages, left_out) = traces.of("a").unwrap();
        let sizes: Vec<usize> = messages.map(|seen| seen.bytes.len()).collect();
        assert_eq!(left_out, 1_000 - MOST_OF_ONE as u64);
        assert_eq!(sizes[FIRST_KEPT - 1] + 1 + left_out as usize, sizes[FIRST_KEPT]);
        assert_eq!(sizes.last(), Some(&(sizes[0] + 999)));
        let bytes: usize = sizes.iter().map(|size| size + COST).sum();
        assert_eq!(traces.bytes(), bytes);
    }

    #[test]
    fn a_message_larger_than_the_bound_is_forgotten_and_nothing_else_breaks() {
        let mut traces = Traces::within(100);
        traces.see(seen("a", 500));
        assert_eq!((traces.len(), traces.bytes()), (0, 0));
    }
}
