//! What strangers may do: how often, how much, and when they are not heard any more.

use std::time::Duration;

use park_core::{Caps, Network};

use crate::config::raw::Table;
use crate::config::words;

/// How often something may happen: one each `interval`, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// The time that one takes.
    pub(crate) interval: Duration,
    /// How many may come together.
    pub(crate) burst: u32,
}

impl Rate {
    /// So many a second, and so many at once.
    pub(crate) const fn per_second(count: u32, burst: u32) -> Option<Rate> {
        Some(Rate { interval: Duration::from_micros(1_000_000 / count as u64), burst })
    }
}

/// What a connection may take that has come to nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HalfOpen {
    /// How long a handshake of TLS may last.
    pub(crate) handshake: Duration,
    /// How long a message may take to be whole, the first one from the connection's beginning on.
    pub(crate) message: Duration,
    /// How many handshakes that others have begun may be under way: each costs a signature.
    pub(crate) handshakes: usize,
    /// How many of them with one source.
    pub(crate) handshakes_per_source: usize,
}

impl Default for HalfOpen {
    fn default() -> HalfOpen {
        HalfOpen {
            handshake: Duration::from_secs(10),
            // 64 × T1 (RFC 3261 §17.1.1.2).
            message: Duration::from_secs(32),
            handshakes: 1_024,
            handshakes_per_source: 256,
        }
    }
}

/// What holds for whoever is neither the PBX nor registered nor trusted. A rate that is none is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecuritySettings {
    /// Networks that are never limited.
    pub(crate) allow: Vec<Network>,
    /// REGISTERs of one source.
    pub(crate) register: Option<Rate>,
    /// Calls of one source.
    pub(crate) invite: Option<Rate>,
    /// Subscriptions of one source.
    pub(crate) subscribe: Option<Rate>,
    /// All else of one source.
    pub(crate) other: Option<Rate>,
    /// Connections that one source opens.
    pub(crate) connect: Option<Rate>,
    /// Messages of all strangers together.
    pub(crate) strangers: Option<Rate>,
    /// Messages that cannot be read; who sends more is banned.
    pub(crate) malformed: Option<Rate>,
    /// Requests that the PBX denies; who sends more is banned.
    pub(crate) denied: Option<Rate>,
    /// Messages beyond the limits above; who sends more is banned.
    pub(crate) flood: Option<Rate>,
    /// Words of User-Agents, in small letters, by which scanners are known.
    pub(crate) scanners: Vec<String>,
    /// How long a source is banned at first, …
    pub(crate) ban: Duration,
    /// … and at most, when it comes again.
    pub(crate) longest_ban: Duration,
    /// How long one is banned whose address may be forged.
    pub(crate) unproven_ban: Duration,
    /// The longest message, in bytes.
    pub(crate) message_size: usize,
    /// How many lines a message may have before its body.
    pub(crate) header_lines: usize,
    /// Open connections in all.
    pub(crate) connections: usize,
    /// Open connections of one source.
    pub(crate) connections_per_source: usize,
    /// Connections that have come to nothing yet, whoever has opened them.
    pub(crate) half_open: HalfOpen,
}

/// By which the tools are known that look for SIP systems to break into.
const SCANNERS: [&str; 12] = [
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sipcli",
    "sip-scan",
    "sipsak",
    "vaxsipuseragent",
    "vaxasip",
    "pplsip",
    "sundayddr",
    "iwar",
    "sivus",
];

impl Default for SecuritySettings {
    fn default() -> SecuritySettings {
        SecuritySettings {
            allow: Vec::new(),
            register: Rate::per_second(50, 1_000),
            invite: Rate::per_second(10, 100),
            subscribe: Rate::per_second(50, 1_000),
            other: Rate::per_second(50, 500),
            connect: Rate::per_second(20, 400),
            strangers: Rate::per_second(2_000, 200),
            malformed: Rate::per_second(1, 20),
            denied: Some(Rate { interval: Duration::from_secs(10), burst: 30 }),
            flood: Rate::per_second(20, 1_000),
            scanners: SCANNERS.map(str::to_owned).to_vec(),
            ban: Duration::from_secs(600),
            longest_ban: Duration::from_secs(24 * 3_600),
            unproven_ban: Duration::from_secs(60),
            message_size: 65_535,
            header_lines: 256,
            connections: 16_384,
            connections_per_source: 1_024,
            half_open: HalfOpen::default(),
        }
    }
}

pub(super) fn read(root: &Table<'_, '_>, caps: &mut Caps) -> SecuritySettings {
    let usual = SecuritySettings::default();
    let table = root.table("security");
    let rate = |key, usual| table.parsed(key, rate).unwrap_or(usual);
    let allow = table.all_parsed("allow", words::network).unwrap_or_default();
    let scanners = table.all_parsed("scanners", word).map(|list| {
        let small = |word: &str| word.to_ascii_lowercase();
        list.iter().map(|placed| small(&placed.value)).collect()
    });
    let second = Duration::from_secs(1);
    let most = Duration::from_secs(366 * 24 * 3_600);
    let lasts = |key, usual| table.duration(key, second..=most).unwrap_or(usual);
    let waits = |key, usual| table.duration(key, second..=10 * 60 * second).unwrap_or(usual);
    let number =
        |key, bounds, usual: usize| table.number(key, bounds).map_or(usual, |n| n as usize);
    let settings = SecuritySettings {
        allow: allow.into_iter().map(|network| network.value).collect(),
        register: rate("register", usual.register),
        invite: rate("invite", usual.invite),
        subscribe: rate("subscribe", usual.subscribe),
        other: rate("other", usual.other),
        connect: rate("connect", usual.connect),
        strangers: rate("strangers", usual.strangers),
        malformed: rate("malformed", usual.malformed),
        denied: rate("denied", usual.denied),
        flood: rate("flood", usual.flood),
        scanners: scanners.unwrap_or(usual.scanners),
        ban: lasts("ban", usual.ban),
        longest_ban: lasts("longest_ban", usual.longest_ban),
        unproven_ban: lasts("unproven_ban", usual.unproven_ban),
        message_size: number("message_size", 1_024..=65_535, usual.message_size),
        header_lines: number("header_lines", 32..=4_096, usual.header_lines),
        connections: number("connections", 1..=1_000_000, usual.connections),
        connections_per_source: number(
            "connections_per_source",
            1..=1_000_000,
            usual.connections_per_source,
        ),
        half_open: HalfOpen {
            handshake: waits("handshake_timeout", usual.half_open.handshake),
            message: waits("message_timeout", usual.half_open.message),
            handshakes: number("handshakes", 1..=1_000_000, usual.half_open.handshakes),
            handshakes_per_source: number(
                "handshakes_per_source",
                1..=1_000_000,
                usual.half_open.handshakes_per_source,
            ),
        },
    };
    let most = 1..=10_000_000;
    caps.transactions = number("transactions", 1_000..=10_000_000, caps.transactions);
    caps.legs = number("legs", most.clone(), caps.legs);
    caps.subscriptions = number("subscriptions", most.clone(), caps.subscriptions);
    caps.bindings = number("bindings", most.clone(), caps.bindings);
    caps.bindings_per_extension =
        number("bindings_per_extension", most, caps.bindings_per_extension);
    if settings.longest_ban < settings.ban {
        table.doubt("longest_ban", "it is shorter than ban, with which a source begins");
    }
    table.close();
    settings
}

/// A rate: `50/s burst 1000`, or `off`.
fn rate(text: &str) -> Result<Option<Rate>, String> {
    if text == "off" {
        return Ok(None);
    }
    let wrong = || {
        format!(
            "{text:?} is no rate; write \"50/s burst 1000\" (or /m, /h), or \"off\" for no limit"
        )
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let [pace, "burst", burst] = words[..] else { return Err(wrong()) };
    let (count, unit) = pace.split_once('/').ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    let count: u32 = count.parse().map_err(|_| wrong())?;
    let burst: u32 = burst.parse().map_err(|_| wrong())?;
    if !(1..=100_000).contains(&count) || !(1..=1_000_000).contains(&burst) {
        return Err(format!(
            "{text:?} is out of bounds: 1 to 100000 a unit, and a burst of 1 to 1000000"
        ));
    }
    Ok(Some(Rate {
        interval: Duration::from_micros(seconds * 1_000_000 / u64::from(count)),
        burst,
    }))
}

fn word(text: &str) -> Result<String, String> {
    // A shorter one is in the names of honest phones.
    if text.trim().len() < 4 {
        return Err(format!(
            "{text:?} is too short to tell a scanner by; write at least 4 letters"
        ));
    }
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_by_the_second_minute_and_hour_and_may_be_off() {
        let read = |text| rate(text).unwrap().map(|rate| (rate.interval.as_micros(), rate.burst));
        assert_eq!(read("50/s burst 1000"), Some((20_000, 1_000)));
        assert_eq!(read("6/m burst 30"), Some((10_000_000, 30)));
        assert_eq!(read("1/h  burst 1"), Some((3_600_000_000, 1)));
        assert_eq!(read("off"), None);
    }

    #[test]
    fn a_wrong_rate_is_told_with_what_to_write() {
        for text in ["50", "50/s", "50/s burst", "50/d burst 3", "x/s burst 3", "50/s at once 3"] {
            assert!(rate(text).unwrap_err().contains("write \"50/s burst 1000\""), "{text}");
        }
        assert!(rate("0/s burst 1").unwrap_err().contains("out of bounds"));
    }
}
