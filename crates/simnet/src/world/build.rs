//! Who is there, and how the house is set up.

use std::time::Duration;

use base::{Chance, Transport};
use park_core::{Anchor, Engine, LotSettings, Settings};

use super::state::{DOMAIN, Map, Seat, World};
use crate::media::Media;
use crate::pbx::{Pbx, PbxSettings, Style};
use crate::phone::{Account, Habits, Phone};
use crate::tone::frequency;

impl World {
    /// A world with these phones, registered: the first has extension 101, and so on.
    pub fn with_phones<const N: usize>(names: [&str; N]) -> World {
        let mut world = World::new();
        world.phones(names);
        world
    }

    /// Changes the house's settings before it is opened.
    pub fn settings(&mut self, change: impl FnOnce(&mut Settings)) -> &mut World {
        if self.engine.is_some() {
            self.fail("the house is open already");
        }
        change(&mut self.settings);
        self
    }

    /// Changes the settings of the first lot before the house is opened.
    pub fn lot(&mut self, change: impl FnOnce(&mut LotSettings)) -> &mut World {
        self.settings(|settings| {
            if let Some(lot) = settings.lots.first_mut() {
                change(lot);
            }
        })
    }

    /// Changes the PBX's settings, at any time.
    pub fn pbx_settings(&mut self, change: impl FnOnce(&mut PbxSettings)) -> &mut World {
        change(&mut self.pbx_settings);
        let settings = self.pbx_settings.clone();
        if let Some(pbx) = &mut self.pbx {
            *pbx.settings_mut() = settings;
        }
        self
    }

    /// The PBX is a record-routing proxy.
    pub fn behind_a_proxy(&mut self) -> &mut World {
        self.pbx_settings(|pbx| pbx.style = Style::Proxy)
    }

    /// The PBX speaks TLS with the house.
    pub fn pbx_by_tls(&mut self) -> &mut World {
        self.pbx_settings(|pbx| pbx.transport = Transport::Tls);
        let target = format!("sip:{};transport=tls", self.map.pbx);
        self.with_tls().settings(|settings| settings.pbx_targets = vec![target])
    }

    /// The house speaks TLS.
    pub fn with_tls(&mut self) -> &mut World {
        self.settings(|settings| settings.speaks_tls = true)
    }

    /// Everybody speaks IPv6.
    pub fn on_ipv6(&mut self) -> &mut World {
        self.map = Map::v6();
        let pbx = self.map.pbx;
        self.pbx_settings.address = pbx;
        self.settings(|settings| settings.pbx_targets = vec![format!("sip:{pbx}")])
    }

    /// RTP really flows, through the relay; else who hears whom is read off the plans.
    pub fn with_real_media(&mut self) -> &mut World {
        self.real_media = true;
        self
    }

    /// RTP really flows, and what needs no look goes past the relay, as on fast paths in the kernel.
    pub fn with_fast_paths(&mut self) -> &mut World {
        self.fast_paths = true;
        self.with_real_media()
    }

    /// The house has no more than this many port pairs on each side.
    pub fn with_port_pairs(&mut self, pairs: u16) -> &mut World {
        self.port_pairs = pairs;
        self
    }

    /// Port pairs come so much later than the house orders them, and no more than `most` at a time.
    pub fn with_slow_ports(&mut self, late: Duration, most: u16) -> &mut World {
        self.port_pace = Some((late, most));
        self
    }

    /// The PBX's target is this name, and it resolves to the PBX, after some dead addresses.
    pub fn pbx_after_dead_addresses(&mut self, dead: u8) -> &mut World {
        let mut found = Vec::new();
        for n in 1..=dead {
            found.push((Map::host(self.map.pbx.ip(), n), 5060).into());
        }
        self.dead = found.clone();
        found.push(self.map.pbx);
        self.names.insert("sip:pbx.example".to_owned(), found);
        self.settings(|settings| settings.pbx_targets = vec!["sip:pbx.example".to_owned()])
    }

    /// Opens the house.
    pub(crate) fn open(&mut self) {
        if self.engine.is_some() {
            return;
        }
        let ips = [self.map.phones_side.ip(), self.map.pbx_side.ip()];
        self.invariants.media_ips = ips.to_vec();
        self.invariants.is_anchored = self.settings.anchor == Anchor::Always;
        let media = Media::new(ips, self.port_pairs, self.real_media);
        let media = match self.port_pace {
            Some((late, most)) => media.slowly(late, most),
            None => media,
        };
        self.media = Some(if self.fast_paths { media.past_the_relay() } else { media });
        let chance = Chance::from_seed(self.chance.u64());
        self.pbx = Some(Pbx::new(self.pbx_settings.clone(), chance));
        let chance = Chance::from_seed(self.chance.u64());
        self.engine = Some(Engine::new(self.settings.clone(), chance, self.now));
        self.drain();
    }

    /// Phones with extensions 101, 102, …; all get registered. The count of datagrams starts after
    /// that.
    #[track_caller]
    pub fn phones<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> &mut World {
        self.new_phones(names);
        self.register_all();
        self
    }

    /// Phones as [`World::phones`], but switched on without a word.
    pub fn new_phones<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> &mut World {
        self.open();
        for name in names {
            let extension = 101 + self.seats.iter().filter(|s| s.is_phone).count();
            self.sit(name, &extension.to_string(), true);
        }
        self
    }

    /// One more phone on somebody's extension.
    #[track_caller]
    pub fn second_phone(&mut self, name: &str, of: &str) -> &mut World {
        let extension = self.number(of);
        self.sit(name, &extension, true);
        self.register_all();
        self
    }

    /// Phones that never register: strangers.
    pub fn strangers<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> &mut World {
        self.new_phones(names);
        if let Some(seat) = self.seats.last_mut() {
            seat.registers = false;
        }
        self
    }

    /// Callers from outside, behind the PBX; each has a number.
    pub fn callers<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> &mut World {
        self.open();
        for name in names {
            let n = 1 + self.seats.iter().filter(|s| !s.is_phone).count();
            self.sit(name, &format!("+331760000{n:02}"), false);
        }
        self
    }

    fn sit(&mut self, name: &str, user: &str, is_phone: bool) {
        let n = self.seats.iter().filter(|seat| seat.is_phone == is_phone).count() as u8 + 1;
        let net = if is_phone { self.map.phones_net } else { self.map.callers_net };
        let address = (Map::host(net, n), 5060).into();
        let mut display = name.to_owned();
        if let Some(first) = display.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let account = Account {
            name: name.to_owned(),
            user: user.to_owned(),
            display,
            domain: DOMAIN.to_owned(),
            address,
            proxy: if is_phone { self.map.phones_side } else { self.map.pbx },
            transport: Transport::Udp,
            is_sips: false,
            rtp_base: 10_000,
            frequency: frequency(self.first_tone + self.seats.len()),
            password: self.pbx_settings.password_of(user),
            user_agent: "Simnet desk phone 1.0".to_owned(),
        };
        let chance = Chance::from_seed(self.chance.u64());
        let phone = Phone::new(account, Habits::default(), chance);
        if !is_phone && let Some(pbx) = &mut self.pbx {
            pbx.route(user, address);
        }
        let name = name.to_owned();
        self.seats.push(Seat { name, phone, is_phone, registers: is_phone, takes_tcp: true });
    }

    #[track_caller]
    fn register_all(&mut self) {
        for at in 0..self.seats.len() {
            let seat = &self.seats[at];
            if seat.registers && seat.phone.registered().is_none() {
                self.with_phone(at, |phone, now| phone.register(now, 3600));
            }
        }
        self.settle();
        for seat in self.seats.iter().filter(|seat| seat.registers) {
            if seat.phone.registered() != Some(200) {
                let status = seat.phone.registered();
                self.fail(&format!("{} could not register: {status:?}", seat.name));
            }
        }
        self.wire.recount();
    }

    /// Changes somebody's habits.
    #[track_caller]
    pub fn habits(&mut self, name: &str, change: impl FnOnce(&mut Habits)) -> &mut World {
        let Some(at) = self.find(name) else { self.fail(&format!("nobody is called {name}")) };
        change(self.seats[at].phone.habits_mut());
        self
    }

    /// Changes who somebody is, before it has said anything.
    #[track_caller]
    pub fn account(&mut self, name: &str, change: impl FnOnce(&mut Account)) -> &mut World {
        let Some(at) = self.find(name) else { self.fail(&format!("nobody is called {name}")) };
        let mut account = self.seats[at].phone.account().clone();
        change(&mut account);
        let chance = Chance::from_seed(self.chance.u64());
        self.seats[at].phone = Phone::new(account, Habits::default(), chance);
        self
    }

    /// Somebody's host takes no TCP connections.
    #[track_caller]
    pub fn takes_no_tcp(&mut self, name: &str) -> &mut World {
        let Some(at) = self.find(name) else { self.fail(&format!("nobody is called {name}")) };
        self.seats[at].takes_tcp = false;
        self
    }
}
