//! What each stranger has used up, in a table of a fixed size: an attacker who makes up addresses must not make it
//! grow.

use std::net::{IpAddr, Ipv6Addr};

use rustc_hash::FxHashMap;

use crate::sip::guard::pace::Pace;

/// How many sources one generation holds.
const GENERATION: usize = 16_384;
/// So many times what came may be sent to whoever has not shown that it hears us (as QUIC has it, RFC 9000 §8.1).
const FACTOR: u32 = 3;
/// No more is saved up, in bytes.
const MOST_CREDIT: u32 = 64 * 1024;

/// One source: an IPv4 address, or what one IPv6 customer has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Source {
    pub(super) register: Pace,
    pub(super) invite: Pace,
    pub(super) subscribe: Pace,
    pub(super) other: Pace,
    pub(super) connect: Pace,
    pub(super) malformed: Pace,
    pub(super) denied: Pace,
    pub(super) flood: Pace,
    /// How many bytes may be sent there by UDP.
    credit: u32,
    /// Ports from which it has shown that it hears what we send there, the latest first.
    proven: [u16; 4],
}

impl Source {
    /// So many bytes have come by UDP.
    pub(super) fn came(&mut self, bytes: usize) {
        let more = u32::try_from(bytes).unwrap_or(u32::MAX).saturating_mul(FACTOR);
        self.credit = self.credit.saturating_add(more).min(MOST_CREDIT);
    }

    /// Whether so many bytes may be sent by UDP; takes them if so.
    pub(super) fn spend(&mut self, port: u16, bytes: usize) -> bool {
        if self.proven.contains(&port) {
            return true;
        }
        let left = u32::try_from(bytes).ok().and_then(|bytes| self.credit.checked_sub(bytes));
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }

    /// It has heard something that we have sent to this port.
    pub(super) fn prove(&mut self, port: u16) {
        if !self.proven.contains(&port) {
            self.proven.rotate_right(1);
            self.proven[0] = port;
        }
    }
}

/// The address under which a source is known: the /64 of an IPv6 address, of which one customer has them all.
pub(super) fn source_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 64 << 64)),
    }
}

/// All sources that were heard lately. When one generation is full the one before is forgotten.
#[derive(Debug, Default)]
pub(super) struct Sources {
    young: FxHashMap<IpAddr, Source>,
    old: FxHashMap<IpAddr, Source>,
}

impl Sources {
    /// The source at this address; a new one if it is not known.
    pub(super) fn at(&mut self, ip: IpAddr) -> &mut Source {
        let key = source_of(ip);
        if !self.young.contains_key(&key) {
            let known = self.old.remove(&key).unwrap_or_default();
            if self.young.len() >= GENERATION {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(key, known);
        }
        self.young.entry(key).or_default()
    }

    /// The source at this address, if it is known.
    pub(super) fn known(&mut self, ip: IpAddr) -> Option<&mut Source> {
        let key = source_of(ip);
        self.young.get_mut(&key).or_else(|| self.old.get_mut(&key))
    }

    /// Forgets the source at this address.
    pub(super) fn forget(&mut self, ip: IpAddr) {
        let key = source_of(ip);
        self.young.remove(&key);
        self.old.remove(&key);
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_addresses_are_made_up_the_table_does_not_grow() {
        let mut sources = Sources::default();
        for number in 0..200_000u32 {
            sources.at(IpAddr::from(number.to_be_bytes())).came(1);
            assert!(sources.len() <= 2 * GENERATION);
        }
        assert!(sources.known(IpAddr::from(199_999u32.to_be_bytes())).is_some());
        assert!(sources.known(IpAddr::from(1u32.to_be_bytes())).is_none());
    }

    #[test]
    fn one_customers_ipv6_addresses_are_one_source() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(source_of(ip("2001:db8:1:2:3::4")), source_of(ip("2001:db8:1:2::9")));
        assert_ne!(source_of(ip("2001:db8:1:2::")), source_of(ip("2001:db8:1:3::")));
        assert_eq!(source_of(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }
}
