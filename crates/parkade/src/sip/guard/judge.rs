//! The guard at the door: hears who speaks and how often, and says who is let in.

use std::net::IpAddr;

use base::{Flow, Moment};
use park_core::{Fact, Network, Standing};

use crate::config::SecuritySettings;
use crate::sip::guard::bans::{BanView, Bans, News, Who};
use crate::sip::guard::counts::{GuardCounts, Turned};
use crate::sip::guard::glance::{Class, Glance};
use crate::sip::guard::pace::Pace;
use crate::sip::guard::sources::Sources;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    /// The engine hears it.
    Pass,
    /// Nobody hears it; its connection, if it has one, is ended.
    Turn(Turned),
}

/// The guard.
#[derive(Debug)]
pub(crate) struct Guard {
    settings: SecuritySettings,
    sources: Sources,
    strangers: Pace,
    bans: Bans,
    turned: [u64; Turned::ALL.len()],
}

impl Guard {
    /// A guard that has seen nobody.
    pub(crate) fn new(settings: SecuritySettings) -> Guard {
        Guard {
            settings,
            sources: Sources::default(),
            strangers: Pace::default(),
            bans: Bans::default(),
            turned: [0; Turned::ALL.len()],
        }
    }

    /// New settings hold from now on; bans stay.
    pub(crate) fn reload(&mut self, settings: SecuritySettings) {
        self.settings = settings;
    }

    /// Whether a message is heard. `standing` is asked who speaks by a flow, with the Request-URI.
    pub(crate) fn judge(
        &mut self,
        at: Moment,
        flow: &Flow,
        bytes: &[u8],
        standing: impl FnOnce(&Flow, Option<&str>) -> Standing,
    ) -> Verdict {
        let ip = flow.peer.ip();
        let glance = Glance::at(bytes);
        let who = standing(flow, glance.uri);
        if who == Standing::Pbx || self.allows(ip) {
            return Verdict::Pass;
        }
        let is_response = glance.uri.is_none();
        if who == Standing::Foreign && !is_response {
            return self.turn(Turned::Foreign);
        }
        if bytes.len() > self.settings.message_size
            || glance.has_more_lines_than(self.settings.header_lines)
        {
            return self.turn(Turned::TooLong);
        }
        match who {
            Standing::Known | Standing::Pbx => Verdict::Pass,
            Standing::InDialog => {
                if !flow.transport.is_reliable() {
                    self.sources.at(ip).prove(flow.peer.port());
                }
                Verdict::Pass
            }
            Standing::Neighbour | Standing::Stranger | Standing::Foreign => {
                self.stranger(at, flow, &glance, bytes.len(), who)
            }
        }
    }

    fn stranger(
        &mut self,
        at: Moment,
        flow: &Flow,
        glance: &Glance<'_>,
        length: usize,
        who: Standing,
    ) -> Verdict {
        if self.bans.holds(at, flow.peer) {
            return self.turn(Turned::Banned);
        }
        if let Some(tool) = glance.user_agent()
            && self.settings.scanners.iter().any(|word| tool.contains(word.as_str()))
        {
            self.ban(at, flow, who, "scanner");
            return self.turn(Turned::Scanner);
        }
        let settings = &self.settings;
        let source = self.sources.at(flow.peer.ip());
        let within = match glance.class {
            Class::Register => source.register.admit(at, settings.register),
            Class::Invite => source.invite.admit(at, settings.invite),
            Class::Subscribe => source.subscribe.admit(at, settings.subscribe),
            Class::Other => source.other.admit(at, settings.other),
        };
        if !within {
            if !source.flood.admit(at, settings.flood) {
                self.ban(at, flow, who, "flood");
            }
            return self.turn(Turned::Limited);
        }
        if !self.strangers.admit(at, settings.strangers) {
            return self.turn(Turned::Crowded);
        }
        if !flow.transport.is_reliable() {
            source.came(length);
        }
        Verdict::Pass
    }

    /// Whether a connection is taken; so many are open, in all and from that address.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn admit_connection(
        &mut self,
        at: Moment,
        flow: &Flow,
        (open, from_there): (usize, usize),
        standing: impl FnOnce(&Flow, Option<&str>) -> Standing,
    ) -> Result<(), &'static str> {
        let ip = flow.peer.ip();
        let who = standing(flow, None);
        let refused = match who {
            // The PBX is one address, with as many connections as it likes.
            Standing::Pbx => return Ok(()),
            _ if open >= self.settings.connections => {
                Some((Turned::Connection, "too many connections"))
            }
            _ if self.allows(ip) => return Ok(()),
            _ if from_there >= self.settings.connections_per_source => {
                Some((Turned::Connection, "too many connections from this address"))
            }
            Standing::Known | Standing::InDialog => return Ok(()),
            Standing::Foreign => Some((Turned::Foreign, "not the PBX, on its side")),
            _ if self.bans.holds(at, flow.peer) => Some((Turned::Banned, "banned")),
            _ => {
                let within = self.sources.at(ip).connect.admit(at, self.settings.connect);
                (!within).then_some((Turned::Connection, "connects too often"))
            }
        };
        match refused {
            None => Ok(()),
            Some((why, text)) => {
                self.turned[why as usize] += 1;
                Err(text)
            }
        }
    }

    /// Whether something may be sent: to an address that may be forged no more than three times what came from
    /// there.
    pub(crate) fn may_send(
        &mut self,
        flow: &Flow,
        bytes: &[u8],
        standing: impl FnOnce(&Flow, Option<&str>) -> Standing,
    ) -> bool {
        let ip = flow.peer.ip();
        if flow.transport.is_reliable() || self.allows(ip) {
            return true;
        }
        if !matches!(standing(flow, None), Standing::Neighbour | Standing::Stranger) {
            return true;
        }
        let may = match self.sources.known(ip) {
            Some(source) => source.spend(flow.peer.port(), bytes.len()),
            // Requests go where a call is up; whoever began it is forgotten after a long while only.
            None => !bytes.starts_with(b"SIP/"),
        };
        self.turned[Turned::Unproven as usize] += u64::from(!may);
        may
    }

    /// The engine has told this about a message of `flow`.
    pub(crate) fn told(
        &mut self,
        at: Moment,
        flow: Option<&Flow>,
        fact: &Fact,
        standing: impl FnOnce(&Flow, Option<&str>) -> Standing,
    ) {
        match fact {
            Fact::Denied { by, .. } => self.offence(at, by, standing(by, None), true),
            Fact::Dropped { from, .. } => {
                if let Some(flow) = flow.filter(|flow| flow.peer == *from) {
                    self.offence(at, flow, standing(flow, None), false);
                }
            }
            _ => {}
        }
    }

    fn offence(&mut self, at: Moment, flow: &Flow, who: Standing, denied: bool) {
        if !matches!(who, Standing::Neighbour | Standing::Stranger) || self.allows(flow.peer.ip()) {
            return;
        }
        let source = self.sources.at(flow.peer.ip());
        let (pace, rate, why) = match denied {
            true => (&mut source.denied, self.settings.denied, "denied by the PBX"),
            false => (&mut source.malformed, self.settings.malformed, "malformed messages"),
        };
        if !pace.admit(at, rate) {
            self.ban(at, flow, who, why);
        }
    }

    fn ban(&mut self, at: Moment, flow: &Flow, who: Standing, why: &'static str) {
        // At the address of registered phones only the very port, so that the phones there can come again.
        let whom = match who {
            Standing::Stranger => Who::source(flow.peer),
            _ => Who::port(flow.peer),
        };
        let proven = flow.transport.is_reliable();
        self.bans.ban(at, whom, proven, why, &self.settings);
    }

    /// Who was banned, and who is heard again, since this was asked last.
    pub(crate) fn news(&mut self) -> Vec<News> {
        self.bans.news()
    }

    /// Ends bans that have run out, and forgets what need not be remembered.
    pub(crate) fn sweep(&mut self, at: Moment) {
        self.bans.sweep(at);
    }

    /// Who is banned.
    pub(crate) fn banned(&self, at: Moment) -> Vec<BanView> {
        self.bans.list(at)
    }

    /// Lifts the bans of an address, and forgets what it did; tells how many there were.
    pub(crate) fn lift(&mut self, ip: IpAddr) -> usize {
        self.sources.forget(ip);
        self.bans.lift(ip)
    }

    /// What was counted.
    pub(crate) fn counts(&self, at: Moment) -> GuardCounts {
        let (banned, bans) = self.bans.count(at);
        GuardCounts { turned: self.turned, bans, banned, sources: self.sources.len() }
    }

    fn allows(&self, ip: IpAddr) -> bool {
        self.settings.allow.iter().any(|network: &Network| network.contains(ip))
    }

    fn turn(&mut self, why: Turned) -> Verdict {
        self.turned[why as usize] += 1;
        Verdict::Turn(why)
    }
}
