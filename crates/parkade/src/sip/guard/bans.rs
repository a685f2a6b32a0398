//! Who is not heard any more, until when, and why.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::Moment;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::SecuritySettings;
use crate::sip::guard::sources::source_of;

/// How many are banned or remembered at most; then whoever is free again soonest is forgotten.
const MOST: usize = 4_096;

/// Its time is over.
const EXPIRED: &str = "expired";
/// An operator has said so.
const LIFTED: &str = "lifted";
/// There are too many.
const FORGOTTEN: &str = "too many are banned";

/// Who is banned: all of a source, or one port of an address at which others are registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Who {
    ip: IpAddr,
    port: Option<u16>,
}

impl Who {
    pub(super) fn source(peer: SocketAddr) -> Who {
        Who { ip: source_of(peer.ip()), port: None }
    }

    pub(super) fn port(peer: SocketAddr) -> Who {
        Who { ip: peer.ip().to_canonical(), port: Some(peer.port()) }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.ip, self.port) {
            (ip, Some(port)) => write!(f, "{}", SocketAddr::new(ip, port)),
            (IpAddr::V4(ip), None) => write!(f, "{ip}"),
            (IpAddr::V6(ip), None) => write!(f, "{ip}/64"),
        }
    }
}

/// Somebody was banned, or is heard again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News {
    /// Who, as [`BanView::address`] says it.
    pub(crate) address: String,
    /// What has come of it.
    pub(crate) change: BanChange,
}

/// What has come of somebody who is banned, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BanChange {
    /// Nobody hears them now.
    Banned {
        /// Why, in a few words.
        why: &'static str,
        /// For how long.
        lasts: Duration,
        /// Which ban of this source it is, from 1.
        times: u32,
    },
    /// They are heard again.
    Over {
        /// Why, in a few words.
        why: &'static str,
        /// How many messages and connections were turned away.
        turned_away: u64,
    },
}

#[derive(Debug)]
struct Ban {
    until: Moment,
    /// Whether its end is still to be told.
    holds: bool,
    /// Until then it is remembered that there was a ban.
    remembered: Moment,
    times: u32,
    why: &'static str,
    turned_away: u64,
}

impl Ban {
    /// It is over; tells so, if that was not told before.
    fn end(&mut self, who: Who, why: &'static str) -> Option<News> {
        let change = BanChange::Over { why, turned_away: self.turned_away };
        std::mem::take(&mut self.holds).then(|| News { address: who.to_string(), change })
    }
}

/// One ban, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct BanView {
    /// The address; with a port where phones are registered at that address; with `/64` for IPv6.
    #[schema(example = "192.0.2.66")]
    pub(crate) address: String,
    /// Why, in a few words.
    #[schema(example = "scanner")]
    pub(crate) why: String,
    /// For how many seconds yet.
    pub(crate) ends_in_s: u64,
    /// Which ban of this source it is, from 1.
    pub(crate) times: u32,
    /// How many messages and connections of it were turned away since.
    pub(crate) turned_away: u64,
}

/// All bans.
#[derive(Debug, Default)]
pub(super) struct Bans {
    bans: FxHashMap<Who, Ban>,
    made: u64,
    news: Vec<News>,
}

impl Bans {
    /// Whether this peer is banned; counts what it sent.
    pub(super) fn holds(&mut self, at: Moment, peer: SocketAddr) -> bool {
        if self.bans.is_empty() {
            return false;
        }
        [Who::source(peer), Who::port(peer)].iter().any(|who| match self.bans.get_mut(who) {
            Some(ban) if ban.until > at => {
                ban.turned_away += 1;
                true
            }
            _ => false,
        })
    }

    /// Bans somebody. One whose address may be forged is banned shortly each time.
    pub(super) fn ban(
        &mut self,
        at: Moment,
        who: Who,
        proven: bool,
        why: &'static str,
        settings: &SecuritySettings,
    ) {
        if self.bans.len() >= MOST && !self.bans.contains_key(&who) {
            let first = self.bans.iter().min_by_key(|(_, ban)| ban.until).map(|(who, _)| *who);
            if let Some((who, mut ban)) = first.and_then(|who| self.bans.remove_entry(&who)) {
                self.news.extend(ban.end(who, FORGOTTEN));
            }
        }
        let ban = Ban { until: at, holds: false, remembered: at, times: 0, why, turned_away: 0 };
        let ban = self.bans.entry(who).or_insert(ban);
        if ban.until <= at {
            self.news.extend(ban.end(who, EXPIRED));
        }
        ban.times = ban.times.saturating_add(1);
        let lasts = if proven {
            let doubled = 1u32.checked_shl(ban.times - 1).filter(|times| *times > 0);
            let longer = settings.ban.saturating_mul(doubled.unwrap_or(u32::MAX));
            longer.min(settings.longest_ban)
        } else {
            settings.unproven_ban
        };
        ban.why = why;
        ban.until = at + lasts;
        ban.remembered = ban.until + settings.longest_ban.min(lasts.saturating_mul(8));
        ban.holds = true;
        self.made += 1;
        let change = BanChange::Banned { why, lasts, times: ban.times };
        self.news.push(News { address: who.to_string(), change });
    }

    /// Lifts the bans of an address, and forgets them; tells how many.
    pub(super) fn lift(&mut self, ip: IpAddr) -> usize {
        let before = self.bans.len();
        let (source, ip) = (source_of(ip), ip.to_canonical());
        self.bans.retain(|who, ban| {
            let is_kept = match who.port {
                None => who.ip != source,
                Some(_) => who.ip != ip,
            };
            if !is_kept {
                self.news.extend(ban.end(*who, LIFTED));
            }
            is_kept
        });
        before - self.bans.len()
    }

    /// Ends what has run out, and forgets what need not be remembered.
    pub(super) fn sweep(&mut self, at: Moment) {
        self.bans.retain(|who, ban| {
            if ban.until <= at {
                self.news.extend(ban.end(*who, EXPIRED));
            }
            ban.remembered > at
        });
    }

    /// Who was banned, and who is heard again, since this was asked last.
    pub(super) fn news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// The bans that hold, by address.
    pub(super) fn list(&self, at: Moment) -> Vec<BanView> {
        let mut held: Vec<(&Who, &Ban)> =
            self.bans.iter().filter(|(_, ban)| ban.until > at).collect();
        held.sort_by_key(|(who, _)| **who);
        let view = |(who, ban): (&Who, &Ban)| BanView {
            address: who.to_string(),
            why: ban.why.to_owned(),
            ends_in_s: ban.until.since(at).as_secs(),
            times: ban.times,
            turned_away: ban.turned_away,
        };
        held.into_iter().map(view).collect()
    }

    /// How many bans hold, and how many there were.
    pub(super) fn count(&self, at: Moment) -> (usize, u64) {
        (self.bans.values().filter(|ban| ban.until > at).count(), self.made)
    }
}
