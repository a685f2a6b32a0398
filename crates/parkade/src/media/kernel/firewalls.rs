//! What else on this host decides whether a packet is forwarded.

use std::io;

use netlink_bindings::nftables::{OpGetchainDump, Request, VerdictCode};
use netlink_bindings::traits::NetlinkRequest;

use crate::media::kernel::netlink::{INET, Nftables, family};

/// The families whose chains see what is forwarded, as nft names them.
const FAMILIES: [(u8, &str); 3] = [(INET, "inet"), (2, "ip"), (10, "ip6")];
/// The number of the hook, as linux/netfilter.h has it.
const FORWARD: u32 = 2;

/// A chain that drops what is forwarded unless one of its rules accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dropping {
    /// Family and table, as nft names them: `ip filter`.
    pub(crate) table: String,
    /// The chain.
    pub(crate) chain: String,
}

/// All chains that drop so, of this network namespace.
///
/// # Errors
/// If they may not be read: that takes CAP_NET_ADMIN.
pub(crate) fn dropping() -> io::Result<Vec<Dropping>> {
    let mut nftables = Nftables::open()?;
    let mut found = Vec::new();
    for (number, name) in FAMILIES {
        let request = Request::new().op_getchain_dump(&family(number));
        nftables.dump(&request, |message| {
            let (_, chain) = OpGetchainDump::decode_reply(message);
            let hook = chain.get_hook().and_then(|hook| hook.get_num());
            let drops = chain.get_policy() == Ok(VerdictCode::Drop as u32);
            if let (Ok(FORWARD), true, Ok(table), Ok(chain)) =
                (hook, drops, chain.get_table(), chain.get_name())
            {
                found.push(Dropping {
                    table: format!("{name} {}", table.to_string_lossy()),
                    chain: chain.to_string_lossy().into_owned(),
                });
            }
        })?;
    }
    Ok(found)
}
