//! What the far end of a leg hears: whom it is with, music, quiet, or clips that come first.

use rtp_flow::{Clip, Hears, Opening, PayloadMap};
use slotmap::Key as _;
use smallvec::SmallVec;

use crate::calls::describe::Format;
use crate::calls::leg::{Leg, With};
use crate::calls::media::{agreed, music_format};
use crate::house::House;
use crate::keys::LegKey;

/// What the far end of a leg hears on one of its media lines.
pub(crate) fn hears(house: &House, key: LegKey, index: usize) -> Hears {
    let Some(leg) = house.legs.get(key) else { return Hears::Nothing };
    match leg.with {
        With::Leg(other) => heard_from(house, key, other, index),
        With::Parked(parked) if leg.media.streams[index].is_audio => {
            let tune = house.lots.get(parked).map_or(0, |call| call.policy.tune);
            music(house, key, tune)
        }
        // Music only while the call waits to be transferred; is it parked, there is quiet, and before
        // the ACK too: nothing comes before what it is told by ear.
        With::Parking(parker) if leg.media.streams[index].is_audio => {
            let waits = house.legs.get(parker).is_some_and(|leg| leg.partner().is_some());
            if waits && leg.heard.is_none() { music(house, key, 0) } else { silence(house, key) }
        }
        _ => Hears::Nothing,
    }
}

fn heard_from(house: &House, key: LegKey, other: LegKey, index: usize) -> Hears {
    let (Some(leg), Some(partner)) = (house.legs.get(key), house.legs.get(other)) else {
        return Hears::Nothing;
    };
    let from = partner.media.streams.get(index).and_then(|stream| stream.pair);
    let Some(from) = from else { return Hears::Nothing };
    let payloads = if leg.joined { payload_map(partner, leg) } else { PayloadMap::new() };
    Hears::Stream { from: from.id, payloads }
}

/// What `from` sends and `to` receives under different numbers.
fn payload_map(from: &Leg, to: &Leg) -> PayloadMap {
    let (Some(sends), Some(receives)) = (from.received(), to.received()) else {
        return PayloadMap::new();
    };
    let receives = receives.formats();
    let mut map = PayloadMap::new();
    for format in sends.formats() {
        if let Some(same) = receives.iter().find(|other| other.is_same(&format))
            && same.number != format.number
        {
            map.push((format.number, same.number));
        }
    }
    map
}

fn music(house: &House, key: LegKey, tune: u16) -> Hears {
    match music_format(house, key) {
        Some((codec, format)) => {
            let (payload_type, ptime) = (format.number, packet_time(house, key));
            Hears::Music { tune, codec, payload_type, ptime }
        }
        None => silence(house, key),
    }
}

/// Clips that it hears first, where there is music in its codec.
pub(crate) fn opening(house: &House, key: LegKey, clips: &[Clip]) -> Option<Box<Opening>> {
    let (codec, format) = music_format(house, key)?;
    let (clips, mark) = (SmallVec::from_slice(clips), key.data().as_ffi());
    Some(Box::new(Opening {
        clips,
        codec,
        payload_type: format.number,
        ptime: packet_time(house, key),
        mark,
    }))
}

/// How many milliseconds of sound the far end of a leg wants in a packet.
fn packet_time(house: &House, key: LegKey) -> u8 {
    let received = house.legs.get(key).and_then(|leg| leg.received());
    let wish = received.as_ref().and_then(|sdp| sdp.audio()).and_then(|(_, media)| media.ptime);
    wish.filter(|ms| [10, 20, 30, 40, 60].contains(ms)).unwrap_or(20)
}

fn silence(house: &House, key: LegKey) -> Hears {
    match agreed(house, key).into_iter().find(Format::is_speech) {
        Some(format) => Hears::Silence { payload_type: 13, clock: format.clock },
        None => Hears::Nothing,
    }
}
