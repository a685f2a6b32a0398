//! Ports of an earlier run of the program: its calls go on where their far ends send to.

use base::Side;
use rtp_flow::{OldPort, Pair, Plan};
use rustc_hash::FxHashMap;

use crate::calls::leg::{Stage, Usage};
use crate::calls::media;
use crate::house::House;
use crate::keys::{Alarm, LegKey};
use crate::told::Fact;

/// Which media line of which leg waits for its port, by side and port.
pub(crate) type Rebinding = FxHashMap<(Side, u16), (LegKey, usize)>;

/// Orders the ports of all legs; their streams wait for them.
pub(crate) fn rebind(house: &mut House) {
    let mut ports = Vec::new();
    let mut calls: FxHashMap<LegKey, u32> = FxHashMap::default();
    for (number, key) in house.legs.keys().into_iter().enumerate() {
        let Some(leg) = house.legs.get_mut(key) else { continue };
        // The pairs of legs that hear each other are read by one worker.
        let call = leg.partner().and_then(|partner| calls.get(&partner).copied());
        let call = call.unwrap_or(number as u32);
        calls.insert(key, call);
        for (index, stream) in leg.media.streams.iter_mut().enumerate() {
            let Some(Pair { side, port, .. }) = stream.pair.take() else { continue };
            house.rebinding.insert((side, port), (key, index));
            ports.push(OldPort { side, port, call });
        }
    }
    if !ports.is_empty() {
        house.plan(Plan::Rebind { ports });
    }
}

/// The ports are there again, or are not.
pub(crate) fn rebound(house: &mut House, pairs: Vec<Pair>, lost: &[(Side, u16)]) {
    let mut legs = Vec::new();
    for pair in pairs {
        house.leases.retaken(pair);
        let waited = house.rebinding.remove(&(pair.side, pair.port));
        let stream = waited.and_then(|(key, index)| {
            legs.push(key);
            house.legs.get_mut(key)?.media.streams.get_mut(index)
        });
        match stream.filter(|stream| stream.pair.is_none()) {
            Some(stream) => stream.pair = Some(pair),
            // Its leg has ended meanwhile, or its far end was told another.
            None => {
                house.plan(Plan::release(pair.id));
                house.leases.release(house.at, pair);
            }
        }
    }
    legs.dedup();
    for key in legs {
        media::plan(house, key);
    }
    for (side, port) in lost {
        let Some((key, _)) = house.rebinding.remove(&(*side, *port)) else { continue };
        let Some(leg) = house.legs.get(key) else { continue };
        let call = leg.dialog.call_id().to_owned();
        let may_be_offered = leg.usage == Usage::Call && leg.stage == Stage::Up;
        house.tell(Some(&call), Fact::PortLost { side: *side, port: *port });
        if may_be_offered {
            // The far end is told another one, as soon as there are any.
            house.alarms.set(Alarm::Offer(key), house.at);
        }
    }
}
