//! Who hears whom: read off the plans and the descriptions, or really heard.

use std::net::SocketAddr;
use std::time::Duration;

use super::state::World;
use crate::media::Feed;
use crate::phone::{Call, CallState};
use crate::rtp_end::Sound;
use crate::tone;

/// What somebody hears.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nothing at all.
    Nothing,
    /// Comfort silence.
    Silence,
    /// The house's music.
    Music,
    /// One of the house's clips, by its sign: `+` that of a park, `~` that of courtesy, else a prompt's.
    Clip(char),
    /// Somebody.
    Party(String),
    /// What nobody should hear.
    Noise,
}

/// The house's music.
pub const MUSIC: Source = Source::Music;
/// Comfort silence.
pub const SILENCE: Source = Source::Silence;
/// Nothing at all.
pub const NOTHING: Source = Source::Nothing;

impl From<&str> for Source {
    fn from(name: &str) -> Source {
        Source::Party(name.to_owned())
    }
}

/// How long the world listens before it says what it hears.
pub(super) const WINDOW: Duration = Duration::from_millis(200);
/// The same where sounds are short.
const SHORT: Duration = Duration::from_millis(50);

impl World {
    /// What somebody hears now, in all calls together.
    pub fn heard_by(&mut self, name: &str) -> Source {
        match self.real_media {
            true => self.really_heard_by(name),
            false => self.planned_for(name),
        }
    }

    fn really_heard_by(&mut self, name: &str) -> Source {
        self.undisturbed(|world| {
            world.pass(WINDOW + Duration::from_millis(100));
        });
        let now = self.now;
        let known: Vec<u32> = self.seats.iter().map(|s| s.phone.account().frequency).collect();
        let calls = self.phone(name).calls().iter().filter(|call| listens(call));
        let mut sounds: Vec<Sound> =
            calls.map(|call| call.media.ear.sound(now, WINDOW, &known)).collect();
        sounds.retain(|sound| *sound != Sound::Nothing);
        match sounds.as_slice() {
            [] => Source::Nothing,
            [Sound::Silence] => Source::Silence,
            [Sound::Music] => Source::Music,
            [Sound::Tone(hertz)] => self.party_of(*hertz),
            _ => Source::Noise,
        }
    }

    /// What somebody hears during this time in the newest call, one after another. Only with real media.
    pub fn hears_in_turn(&mut self, name: &str, time: Duration) -> Vec<Source> {
        let until = self.now + time;
        let mut heard: Vec<Source> = Vec::new();
        while self.now < until {
            self.undisturbed(|world| {
                world.pass(crate::rtp_end::FRAME_TIME);
            });
            let parties = self.seats.iter().map(|s| s.phone.account().frequency);
            let known: Vec<u32> = parties.chain(tone::clips().map(|(hertz, _)| hertz)).collect();
            let call = self.phone(name).calls().iter().rev().find(|call| listens(call));
            let sound = call.map(|call| call.media.ear.sound(self.now, SHORT, &known));
            let source = match sound {
                // Between two sounds there are both.
                None | Some(Sound::Noise) => continue,
                Some(Sound::Nothing) => Source::Nothing,
                Some(Sound::Silence) => Source::Silence,
                Some(Sound::Music) => Source::Music,
                Some(Sound::Tone(hertz)) => match tone::sign_of(hertz) {
                    Some(sign) => Source::Clip(sign),
                    None => self.party_of(hertz),
                },
            };
            if heard.last() != Some(&source) {
                heard.push(source);
            }
        }
        heard
    }

    fn party_of(&self, hertz: u32) -> Source {
        let who = self.seats.iter().find(|s| s.phone.account().frequency == hertz);
        who.map_or(Source::Noise, |seat| Source::Party(seat.name.clone()))
    }

    fn planned_for(&self, name: &str) -> Source {
        let calls = self.phone(name).calls().iter().filter(|call| listens(call));
        let mut sources: Vec<Source> =
            calls.flat_map(|call| self.towards(call.media.local, 4)).collect();
        sources.sort();
        sources.dedup();
        match sources.len() {
            0 => Source::Nothing,
            1 => sources.remove(0),
            _ => Source::Noise,
        }
    }

    /// All that reaches somebody by the plans, call by call.
    pub(crate) fn sources_of(&self, name: &str) -> String {
        let calls = self.phone(name).calls().iter().filter(|call| listens(call));
        let words = calls.map(|call| {
            let sources = self.towards(call.media.local, 4);
            let (far, id) = (call.media.far, &call.dialog.call_id);
            format!("{id} at {}, far {far:?}: {sources:?}", call.media.local)
        });
        words.collect::<Vec<String>>().join("\n")
    }

    /// Who sends to an address: parties directly, and the house for others.
    fn towards(&self, address: SocketAddr, depth: u8) -> Vec<Source> {
        let mut sources = Vec::new();
        let admits = |ip| self.media.as_ref().is_none_or(|media| media.admits(address, ip));
        for seat in &self.seats {
            let speaks = seat.phone.calls().iter().any(|call| {
                call.is_alive()
                    && call.media.may_send
                    && call.media.far == Some(address)
                    && admits(call.media.local.ip())
            });
            if speaks {
                sources.push(Source::Party(seat.name.clone()));
            }
        }
        let feeds = self.media.as_ref().map(|media| media.feed(address)).unwrap_or_default();
        for feed in feeds {
            match feed {
                Feed::Music => sources.push(Source::Music),
                Feed::Silence => sources.push(Source::Silence),
                // A PBX that passes descriptions on makes the house its own far side.
                Feed::Whoever(at) if depth > 0 => sources.extend(self.towards(at, depth - 1)),
                Feed::Whoever(_) => sources.push(Source::Noise),
            }
        }
        sources
    }

    /// The breaks of the streams that somebody has heard, in calls that are not over.
    pub fn breaks(&self, name: &str) -> Vec<String> {
        let calls = self.phone(name).calls().iter().filter(|call| call.is_alive());
        calls.flat_map(|call| call.media.ear.breaks.clone()).collect()
    }

    /// How many packets somebody could not decipher, in calls that are not over.
    pub fn undeciphered(&self, name: &str) -> u64 {
        let calls = self.phone(name).calls().iter().filter(|call| call.is_alive());
        calls.map(|call| call.media.undeciphered).sum()
    }

    /// Whether somebody's newest call is encrypted.
    #[track_caller]
    pub fn is_encrypted(&self, name: &str) -> bool {
        self.phone(name).current().is_some_and(|call| call.media.is_locked())
    }

    /// How many packets have gone past the relay, as far as it has counted them.
    pub fn gone_past(&self) -> u64 {
        self.media.as_ref().map_or(0, |media| media.gone_past())
    }

    /// The longest time without a packet in the newest of somebody's calls.
    pub fn longest_gap(&self, name: &str) -> Duration {
        let latest = self.phone(name).current();
        latest.map(|call| call.media.ear.longest_gap).unwrap_or_default()
    }
}

fn listens(call: &Call) -> bool {
    match call.state {
        CallState::Up => call.agreed.receives() && call.wish.receives(),
        CallState::RingingThere => call.far.is_some(),
        _ => false,
    }
}
