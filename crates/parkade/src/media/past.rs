//! What goes past a worker: the relay's fast paths made ways in the kernel, and what has gone them
//! told to the relay.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::Moment;
use rtp_flow::{Component, Door, FastPath, Passed, PathOrder, Relay, Through};
use rustc_hash::FxHashMap;

use crate::media::forwarder::Forwarder;
use crate::media::kernel::{Refused, Way, WayOrder};

/// One worker's share of what the kernel forwards.
#[derive(Debug)]
pub(super) struct Past {
    forwarder: Arc<Forwarder>,
    /// What is open, by what a way has in it on any host: a wildcard address is filled in by who forwards.
    open: FxHashMap<Known, FastPath>,
    orders: Vec<(WayOrder, FastPath)>,
    /// It has been told that the host lets nothing through.
    told: bool,
}

/// From whom, to which port of ours, by which, to whom.
type Known = (SocketAddr, u16, u16, SocketAddr);

fn known(way: &Way) -> Known {
    (way.from, way.at.port(), way.by.port(), way.to)
}

impl Past {
    pub(super) fn new(forwarder: Arc<Forwarder>) -> Past {
        Past { forwarder, open: FxHashMap::default(), orders: Vec::new(), told: false }
    }

    /// Has the kernel do what the relay orders; in effect when this returns. `socket` is the local
    /// address of a pair's RTP socket.
    pub(super) fn settle(
        &mut self,
        now: Moment,
        relay: &mut Relay,
        socket: impl Fn(Door) -> Option<(IpAddr, u16)>,
    ) {
        while let Some(order) = relay.path_order() {
            let (PathOrder::Open(path) | PathOrder::Close(path)) = order;
            let address = |door: Door| {
                let (ip, port) = socket(door)?;
                Some(SocketAddr::new(ip, port + u16::from(door.component == Component::Rtcp)))
            };
            let (Some(at), Some(by)) = (address(path.at), address(path.by)) else {
                relay.refused(now, &path);
                continue;
            };
            let way = Way { from: path.from, at, by, to: path.to };
            let order = match order {
                PathOrder::Open(_) => WayOrder::Open(way),
                PathOrder::Close(_) => WayOrder::Close(way),
            };
            self.orders.push((order, path));
        }
        if self.orders.is_empty() {
            return;
        }
        let orders = std::mem::take(&mut self.orders);
        let mut obeyed = match self.forwarder.apply(now, &orders) {
            Ok(obeyed) => obeyed,
            Err(refused) => return self.lost(now, relay, &orders, &refused),
        };
        for (way, why) in &obeyed.refused {
            tracing::debug!(from = %way.from, to = %way.to, "packets are relayed here: {why}");
        }
        for (order, path) in orders {
            let (WayOrder::Open(way) | WayOrder::Close(way)) = order;
            match order {
                WayOrder::Open(_) if obeyed.refused.iter().any(|(refused, _)| *refused == way) => {
                    relay.refused(now, &path);
                }
                WayOrder::Open(_) => {
                    self.open.insert(known(&way), path);
                }
                WayOrder::Close(_) => {
                    self.open.remove(&known(&way));
                    let ended = |(ended, _): &(Way, _)| known(ended) == known(&way);
                    let at = obeyed.ended.iter().position(ended);
                    let passed = at.map(|at| obeyed.ended.swap_remove(at).1);
                    relay.closed(&path, passed.unwrap_or_default());
                }
            }
        }
    }

    /// Tells the relay what has gone past it. To be followed by [`Relay::look`].
    pub(super) fn look(&mut self, now: Moment, relay: &mut Relay) {
        if self.open.is_empty() {
            return;
        }
        let passed = match self.forwarder.passed() {
            Ok(passed) => passed,
            Err(refused) => return self.lost(now, relay, &[], &refused),
        };
        for (way, passed) in passed {
            let Some(path) = self.open.get(&known(&way)) else { continue };
            if let Through::No { others } = relay.passed(now, path.at, path.from, passed) {
                self.tell(&way, others);
            }
        }
    }

    fn tell(&mut self, way: &Way, others: bool) {
        let (from, to) = (way.from, way.to);
        if others {
            tracing::warn!(%from, %to, "this machine does not let these packets through: they are relayed here");
        } else if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(
                %from, %to,
                "the fast path is off: the kernel is told to forward and what it forwards does not leave \
                 this machine, so a firewall drops it (parkade check --host names it); packets are relayed here"
            );
        }
    }

    /// The kernel does nothing for us any more: its table is gone, and everything comes here.
    fn lost(
        &mut self,
        now: Moment,
        relay: &mut Relay,
        orders: &[(WayOrder, FastPath)],
        why: &Refused,
    ) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::error!("the fast path is off until the next start: {why}");
        }
        for (order, path) in orders {
            match order {
                WayOrder::Open(_) => relay.refused(now, path),
                WayOrder::Close(_) => relay.closed(path, Passed::default()),
            }
        }
        self.open.clear();
        relay.without_fast_paths();
        while let Some(order) = relay.path_order() {
            if let PathOrder::Close(path) = order {
                relay.closed(&path, Passed::default());
            }
        }
    }
}
