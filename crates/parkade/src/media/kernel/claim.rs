//! Whose table it is. Several instances may share a host if they do not share ports: each has a
//! table of its own, named by what it binds, and holds a lock on that name while it runs.

use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// How the names of our tables begin.
const PREFIX: &str = "parkade-";

/// What an instance binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The media ports, both ends in it.
    pub(crate) ports: RangeInclusive<u16>,
    /// The address towards the phones; may be a wildcard.
    pub(crate) phones: IpAddr,
    /// The address towards the PBX; may be a wildcard.
    pub(crate) pbx: IpAddr,
}

impl Claim {
    /// The name of the table: `parkade-30000-39999`, and the addresses that are no wildcards.
    pub(super) fn table(&self) -> String {
        let mut name = format!("{PREFIX}{}-{}", self.ports.start(), self.ports.end());
        let mut addresses = vec![self.phones, self.pbx];
        addresses.dedup();
        for address in addresses.iter().filter(|address| !address.is_unspecified()) {
            // A name that nft can read: it knows no colons in names.
            name = format!("{name}-{}", address.to_string().replace(':', "_"));
        }
        name
    }

    /// How many sockets that may be, and so how many ways: one leads in at each.
    pub(crate) fn sockets(&self) -> u32 {
        let ports = u32::from(*self.ports.end()).saturating_sub((*self.ports.start()).into()) + 1;
        if self.phones == self.pbx { ports } else { 2 * ports }
    }
}

/// Whether a table of that name is an instance's.
pub(super) fn is_instances(table: &str) -> bool {
    let mut parts = table.strip_prefix(PREFIX).unwrap_or_default().split('-');
    let mut port = || parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
    port() && port()
}

/// A lock on the name of a table. It ends with the process, however that ends, and holds for the
/// network namespace, as tables do.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "it is held, not asked")] UnixListener);

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// If another process has it.
    pub(super) fn take(table: &str) -> io::Result<Lock> {
        let name = SocketAddr::from_abstract_name(format!("nftables/{table}"))?;
        UnixListener::bind_addr(&name).map(Lock)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Claim, Lock, is_instances};

    fn claim(ports: (u16, u16), phones: &str, pbx: &str) -> Claim {
        let address = |text: &str| -> IpAddr { text.parse().unwrap() };
        Claim { ports: ports.0..=ports.1, phones: address(phones), pbx: address(pbx) }
    }

    #[test]
    fn a_table_is_named_by_what_its_instance_binds() {
        let named = |claim: Claim| claim.table();
        assert_eq!(named(claim((30_000, 39_999), "0.0.0.0", "0.0.0.0")), "parkade-30000-39999");
        let one = claim((30_000, 39_999), "192.0.2.1", "192.0.2.1");
        assert_eq!(named(one), "parkade-30000-39999-192.0.2.1");
        let two = claim((4_000, 4_001), "192.0.2.1", "2001:db8::1");
        assert_eq!(named(two), "parkade-4000-4001-192.0.2.1-2001_db8__1");
    }

    #[test]
    fn an_instances_table_is_told_from_others_by_its_name() {
        for table in ["parkade-30000-39999", "parkade-4000-4001-192.0.2.1-2001_db8__1"] {
            assert!(is_instances(table), "{table}");
        }
        for table in ["parkade", "parkade-", "parkade-music", "parkade-30000-", "other-30000-39999"]
        {
            assert!(!is_instances(table), "{table}");
        }
    }

    #[test]
    fn a_lock_is_free_when_its_holder_is_gone() {
        let held = Lock::take("a table of this test").unwrap();
        assert!(Lock::take("a table of this test").is_err());
        drop(held);
        assert!(Lock::take("a table of this test").is_ok());
    }
}
