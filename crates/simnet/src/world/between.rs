//! What leaves a world for another one, and what comes from there.

use std::net::{IpAddr, SocketAddr};

use base::{Chance, Side, Transport};
use park_core::ClusterOrder;

use super::hearing::WINDOW;
use super::state::{Map, World};
use crate::rtp_end::Sound;
use crate::wire::{Carries, Parcel};

/// How many parties of a world have tones that nobody in another one has.
const TONES: usize = 6;

impl World {
    /// This world is the `n`-th of several: its house and phones have other addresses. Before anything else.
    pub(crate) fn move_to(&mut self, n: u8) {
        if self.engine.is_some() {
            self.fail("the house is open already");
        }
        self.chance = Chance::from_seed(self.chance.u64().wrapping_add(u64::from(n)));
        self.first_tone = TONES * usize::from(n);
        let map = Map::v4();
        self.map = Map {
            phones_side: ([10, 0, n, 1], 5060).into(),
            pbx_side: (Map::host(map.pbx_side.ip(), n), 5080).into(),
            phones_net: [10, 0, n, 100].into(),
            ..map
        };
    }

    /// What the house has ordered of the store.
    pub(crate) fn take_orders(&mut self) -> Vec<ClusterOrder> {
        std::mem::take(&mut self.orders)
    }

    /// What was sent to nobody here.
    pub(crate) fn take_outside(&mut self) -> Vec<Parcel> {
        std::mem::take(&mut self.outside)
    }

    /// Whether the house here has this address.
    pub(crate) fn is_house_at(&self, address: SocketAddr) -> bool {
        let ips: [IpAddr; 2] = [self.map.phones_side.ip(), self.map.pbx_side.ip()];
        ips.contains(&address.ip())
    }

    /// Where the house here is on a side.
    pub(crate) fn house_address(&self, side: Side) -> SocketAddr {
        match side {
            Side::Phones => self.map.phones_side,
            Side::Pbx => self.map.pbx_side,
        }
    }

    /// Something comes from another world. A connection has another number here.
    pub(crate) fn take_in(&mut self, parcel: Parcel) {
        let carries = match parcel.carries {
            Carries::Sip(Transport::Udp, _) => Carries::Sip(Transport::Udp, None),
            Carries::Sip(stream, _) => {
                let conn = self.connection(parcel.from, parcel.to);
                Carries::Sip(stream, Some(conn))
            }
            Carries::Rtp => Carries::Rtp,
        };
        self.wire.put(self.now, Parcel { carries, ..parcel }, false);
    }

    /// The tone that somebody hears, whosever it is, or that of music. Only with real media; no time passes.
    pub(crate) fn hertz_heard_by(&mut self, name: &str) -> Option<u32> {
        let now = self.now;
        let all: Vec<u32> = (0..TONES * 4).map(crate::tone::frequency).collect();
        let mut sounds = self.phone(name).calls().iter().filter_map(|call| {
            match call.media.ear.sound(now, WINDOW, &all) {
                Sound::Tone(hertz) => Some(hertz),
                Sound::Music => Some(crate::tone::MUSIC),
                _ => None,
            }
        });
        sounds.next()
    }
}
