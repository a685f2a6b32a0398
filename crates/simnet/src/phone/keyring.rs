//! How a phone speaks SRTP: the keys that it offers and answers (RFC 4568), and those that hold.

use base::Chance;
use rtp_flow::{Master, Srtp, Suite};
use sip_msg::crypto_line;

use super::habits::{Encrypts, Habits};
use crate::sdp::{FarAudio, Lock};

/// The keys of one call.
#[derive(Debug, Clone)]
pub struct Keyring {
    encrypts: Encrypts,
    suites: Vec<Suite>,
    anew: bool,
    keeps_first: bool,
    /// The keys that held first.
    first: Option<Srtp>,
    chance: Chance,
    /// Our keys.
    own: Vec<Master>,
    /// Our lines in what we said last.
    said: Vec<(u32, Master)>,
    /// The far side's line that we took from its offer.
    taken: Option<(u32, Master)>,
}

impl Keyring {
    /// A phone's with these habits. One that knows no SRTP needs no chance.
    pub(super) fn of(habits: &Habits, chance: &mut Chance) -> Keyring {
        let seed = if habits.encrypts == Encrypts::No { 0 } else { chance.u64() };
        Keyring {
            encrypts: habits.encrypts,
            suites: habits.suites.clone(),
            anew: habits.new_keys,
            keeps_first: habits.keeps_first_keys,
            first: None,
            chance: Chance::from_seed(seed),
            own: Vec::new(),
            said: Vec::new(),
            taken: None,
        }
    }

    fn own(&mut self, suite: Suite) -> Master {
        if let Some(own) = self.own.iter().find(|own| own.suite() == suite) {
            return own.clone();
        }
        let own = Master::random(suite, &mut self.chance);
        self.own.push(own.clone());
        own
    }

    fn lock(&self, proto: &str) -> Lock {
        let line =
            |(tag, own): &(u32, Master)| crypto_line(*tag, own.suite().name(), own.key_and_salt());
        Lock { proto: proto.to_owned(), lines: self.said.iter().map(line).collect() }
    }

    /// What an offer of ours says.
    pub(super) fn offer(&mut self) -> Lock {
        if self.anew {
            self.own.clear();
        }
        let suites = if self.encrypts.at_all() { self.suites.clone() } else { Vec::new() };
        self.said =
            suites.into_iter().zip(1..).map(|(suite, tag)| (tag, self.own(suite))).collect();
        match self.encrypts {
            Encrypts::No | Encrypts::Offers => self.lock("RTP/AVP"),
            Encrypts::Must => self.lock("RTP/SAVP"),
            Encrypts::ByDtls => Lock {
                proto: "UDP/TLS/RTP/SAVPF".into(),
                lines: vec!["a=fingerprint:sha-256 AA:BB:CC".into(), "a=setup:actpass".into()],
            },
        }
    }

    /// Takes the far side's offer.
    pub(super) fn hear_offer(&mut self, far: &FarAudio) {
        let suites = &self.suites;
        let known = |(_, master): &&(u32, Master)| suites.contains(&master.suite());
        let taken = far.keys.iter().find(known).filter(|_| self.encrypts.at_all());
        self.taken = taken.cloned();
    }

    /// What our answer to it says, and the keys that hold from now on.
    pub(super) fn answer(&mut self, far: &FarAudio) -> (Lock, Option<Srtp>) {
        if self.anew {
            self.own.clear();
        }
        if self.encrypts == Encrypts::ByDtls {
            let lines = vec!["a=fingerprint:sha-256 DD:EE:FF".into(), "a=setup:active".into()];
            return (Lock { proto: far.proto.clone(), lines }, None);
        }
        let taken = self.taken.clone();
        self.said = taken.iter().map(|(tag, theirs)| (*tag, self.own(theirs.suite()))).collect();
        let srtp = taken.zip(self.said.first()).map(|((_, outbound), (_, own))| Srtp {
            // Named as a house would: what comes in is the far side's.
            inbound: outbound,
            outbound: own.clone(),
        });
        (self.lock(&far.proto), self.kept(srtp))
    }

    /// The keys that hold after the far side's answer to our offer.
    pub(super) fn hear_answer(&mut self, far: &FarAudio) -> Option<Srtp> {
        let (tag, inbound) = far.keys.first()?.clone();
        let (_, outbound) = self.said.iter().find(|(said, _)| *said == tag)?.clone();
        self.kept(Some(Srtp { inbound, outbound }))
    }

    /// The keys that hold: the first ones, for who never takes others.
    fn kept(&mut self, agreed: Option<Srtp>) -> Option<Srtp> {
        if let (true, Some(first)) = (self.keeps_first, &self.first) {
            return Some(first.clone());
        }
        self.first.clone_from(&agreed);
        agreed
    }

    /// Whether an offer can be answered.
    pub(super) fn can_speak(habits: &Habits, far: &FarAudio) -> bool {
        let known = far.keys.iter().any(|(_, master)| habits.suites.contains(&master.suite()));
        let secure = far.proto.starts_with("RTP/SAVP");
        match habits.encrypts {
            Encrypts::No => far.proto.starts_with("RTP/AVP"),
            Encrypts::Offers => far.proto.starts_with("RTP/AVP") || (secure && known),
            Encrypts::Must => secure && known,
            Encrypts::ByDtls => far.proto.starts_with("UDP/TLS"),
        }
    }
}
