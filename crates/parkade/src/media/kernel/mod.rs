//! The fast path: one nftables table of our own, which sends packets of established calls on from
//! within the kernel. User space gets everything else, and everything if there is no such table.
//!
//! Two maps for each IP version, and nothing else. `to`: from (source, port, our address, port) to
//! (far side's address, port). It is asked in prerouting and in output, behind `raw` and before
//! connection tracking, which such packets are kept from. `by`: from (source, port, far side's
//! address, port), which is what the packet is then, to (our address, port). It is asked in
//! postrouting and in input: a packet that came from outside with an address of ours as its source
//! would be dropped as a martian. The whole source is in the first key, so what a stranger sends
//! comes to our socket as ever. Both count, so it is seen where packets come and none leave. That
//! serves two interfaces, one interface with one address, and a PBX on this host.
//!
//! No state: NAT of tracked connections costs the same (ARCHITECTURE.md), and a connection that is
//! remembered outlives its path.
//! - `way`: one path in addresses; `keys`, `elements`: as the maps have it; `netlink`: the socket,
//!   batches; `rules`: what is done with a packet; `table`: the table as messages; `made`: what is in
//!   it, and how that changes; `claim`: whose it is;
//! - `open`: the one door, [`Kernel`]; `routes`: which address leads to a peer; `sysctl`: what the
//!   host lets through; `firewalls`: what others on it do not.

mod claim;
mod elements;
mod firewalls;
mod keys;
mod made;
mod netlink;
mod open;
mod routes;
mod rules;
mod sysctl;
mod table;
mod way;

#[cfg(test)]
mod tests;

pub(crate) use claim::Claim;
pub(crate) use firewalls::{Dropping, dropping};
pub(in crate::media) use keys::Bytes;
pub(crate) use keys::Family;
pub(crate) use made::{Applied, Refused};
pub(in crate::media) use netlink::Rtnetlink;
pub(crate) use open::{Kernel, WhyNot};
pub(crate) use sysctl::{Forwards, per_interface};
pub(crate) use table::Count;
pub(crate) use way::{NotHere, Way, WayOrder};
