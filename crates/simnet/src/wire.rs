//! The wire: every datagram arrives after the same time, in order; but the k-th can be made to be
//! lost, to come twice, to be overtaken by the next, or to come late.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base::{ConnId, Moment, Transport};
use bytes::Bytes;

/// What happens to one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is lost.
    Drop,
    /// It comes twice.
    Duplicate,
    /// The next one overtakes it.
    Overtaken,
    /// It comes after its sender has lost patience: 800 ms late.
    Late,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 4] = [Fault::Drop, Fault::Duplicate, Fault::Overtaken, Fault::Late];
}

/// One thing under way.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub carries: Carries,
    pub bytes: Bytes,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    Sip(Transport, Option<ConnId>),
    Rtp,
}

/// The wire.
#[derive(Debug)]
pub(crate) struct Wire {
    delay: Duration,
    under_way: BTreeMap<(Moment, u64), Parcel>,
    put_so_far: u64,
    counted: u64,
    faults: Vec<(u64, Fault)>,
    last_sip: Moment,
    every: Option<(u64, Fault)>,
}

impl Wire {
    pub(crate) fn new(delay: Duration) -> Wire {
        Wire {
            delay,
            under_way: BTreeMap::new(),
            put_so_far: 0,
            counted: 0,
            faults: Vec::new(),
            last_sip: Moment::ZERO,
            every: None,
        }
    }

    /// Makes the `k`-th counted datagram (from 0) suffer.
    pub(crate) fn spoil(&mut self, k: u64, fault: Fault) {
        self.faults.push((k, fault));
    }

    /// From now on every `n`-th counted datagram suffers; 0: none.
    pub(crate) fn spoil_every(&mut self, n: u64, fault: Fault) {
        self.every = (n > 0).then_some((n, fault));
    }

    /// Starts the count afresh.
    pub(crate) fn recount(&mut self) {
        self.counted = 0;
    }

    /// How many datagrams have been counted.
    pub(crate) fn counted(&self) -> u64 {
        self.counted
    }

    /// When a SIP message was last put on the wire.
    pub(crate) fn last_sip(&self) -> Moment {
        self.last_sip
    }

    /// Puts a parcel on the wire; `counts` if it may suffer. Says what happens to it.
    pub(crate) fn put(&mut self, now: Moment, parcel: Parcel, counts: bool) -> Option<Fault> {
        let mut fault = None;
        if let Carries::Sip(transport, _) = parcel.carries {
            self.last_sip = now;
            if counts && transport == Transport::Udp {
                let k = self.counted;
                self.counted += 1;
                fault = self.faults.iter().find(|(at, _)| *at == k).map(|(_, fault)| *fault);
                let regular = self.every.filter(|(n, _)| (k + 1).is_multiple_of(*n));
                fault = fault.or(regular.map(|(_, fault)| fault));
            }
        }
        let arrives = now + self.delay;
        match fault {
            None => self.fly(arrives, parcel),
            Some(Fault::Drop) => {}
            Some(Fault::Duplicate) => {
                self.fly(arrives, parcel.clone());
                self.fly(arrives + self.delay / 2, parcel);
            }
            Some(Fault::Overtaken) => self.fly(arrives + self.delay * 2, parcel),
            Some(Fault::Late) => self.fly(arrives + Duration::from_millis(800), parcel),
        }
        fault
    }

    fn fly(&mut self, at: Moment, parcel: Parcel) {
        self.put_so_far += 1;
        self.under_way.insert((at, self.put_so_far), parcel);
    }

    /// When the next parcel arrives.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// The parcel that arrives at `now`.
    pub(crate) fn arrive(&mut self, now: Moment) -> Option<Parcel> {
        self.next().filter(|at| *at <= now)?;
        self.under_way.pop_first().map(|(_, parcel)| parcel)
    }

    /// What is under way in a connection is lost with it.
    pub(crate) fn cut_connections(&mut self) {
        let in_stream = |parcel: &Parcel| matches!(parcel.carries, Carries::Sip(_, Some(_)));
        self.under_way.retain(|_, parcel| !in_stream(parcel));
    }

    /// Whether any SIP message is under way.
    pub(crate) fn carries_sip(&self) -> bool {
        self.under_way.values().any(|parcel| matches!(parcel.carries, Carries::Sip(..)))
    }

    /// Whether anything is under way in a connection.
    pub(crate) fn carries_streams(&self) -> bool {
        self.under_way.values().any(|parcel| matches!(parcel.carries, Carries::Sip(_, Some(_))))
    }
}
