//! Our table as messages: how it is made, changed, read and removed.

use std::io;

use netlink_bindings::consts::NLM_F_ECHO;
use netlink_bindings::nftables::{
    ExprOps, IterableSetelemAttrs, OpGetsetelemDump, OpGettableDump, PushSetelemListAttrs, Request,
    SetFlags, SetelemListElemAttrs,
};
use netlink_bindings::traits::NetlinkRequest;

use crate::media::kernel::keys::{Bytes, Family};
use crate::media::kernel::netlink::{Batch, INET, Nftables, family};
use crate::media::kernel::rules::{End, rewrite};

/// How many elements one message holds: an attribute is no longer than 64 KiB.
const CHUNK: usize = 400;

/// The two maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Map {
    /// From a source and our socket to the far side.
    To,
    /// From a source and the far side to our socket.
    By,
}

impl Map {
    fn name(self, family: Family) -> &'static str {
        match (self, family) {
            (Map::To, Family::V4) => "to4",
            (Map::To, Family::V6) => "to6",
            (Map::By, Family::V4) => "by4",
            (Map::By, Family::V6) => "by6",
        }
    }

    fn named(name: &[u8]) -> Option<Map> {
        match name {
            b"to4" | b"to6" => Some(Map::To),
            b"by4" | b"by6" => Some(Map::By),
            _ => None,
        }
    }

    /// Which end of a packet it has.
    fn end(self) -> End {
        match self {
            Map::To => End::Destination,
            Map::By => End::Source,
        }
    }

    /// When it is asked: the first behind `raw` (-300), which so sees packets as they came, and
    /// before connection tracking (-200); the second when all others have had the packet.
    fn priority(self) -> i32 {
        match self {
            Map::To => -290,
            Map::By => 290,
        }
    }
}

/// A chain of ours.
struct Chain {
    name: &'static str,
    /// The hook's number, as linux/netfilter.h has it.
    hook: u32,
    kind: &'static str,
    map: Map,
}

/// What was to stay on this host must find a new route: that takes a chain of the type route.
const CHAINS: [Chain; 4] = [
    Chain { name: "prerouting", hook: 0, kind: "filter", map: Map::To },
    Chain { name: "output", hook: 3, kind: "route", map: Map::To },
    Chain { name: "input", hook: 1, kind: "filter", map: Map::By },
    Chain { name: "postrouting", hook: 4, kind: "filter", map: Map::By },
];

/// What a map has for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) map: Map,
    pub(super) family: Family,
    pub(super) key: Bytes,
    /// What is found there. It is left out where an element is removed.
    pub(super) value: Option<Bytes>,
}

/// What an element has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    /// Packets.
    pub(crate) packets: u64,
    /// Their bytes, IP headers with them.
    pub(crate) bytes: u64,
}

/// Makes the table anew and empty, whether there was one or not.
pub(super) fn make(batch: &mut Batch, table: &str, size: u32) {
    // What is not there cannot be removed.
    add_table(batch, table);
    remove(batch, table);
    add_table(batch, table);
    for map in [Map::To, Map::By] {
        for version in Family::ALL {
            add_map(batch, table, map, version, size);
        }
    }
    for chain in &CHAINS {
        add_chain(batch, table, chain);
        for version in Family::ALL {
            let rule = batch
                .message()
                .set_create()
                .set_append()
                .op_newrule_do(&family(INET))
                .into_encoder()
                .push_table_bytes(table.as_bytes())
                .push_chain_bytes(chain.name.as_bytes())
                .nested_expressions();
            let name = chain.map.name(version);
            rewrite(rule, version, name, chain.map.end(), chain.map == Map::To).end_nested();
        }
    }
}

/// Removes the table.
pub(super) fn remove(batch: &mut Batch, table: &str) {
    batch.message().op_deltable_do(&family(INET)).encode().push_name_bytes(table.as_bytes());
}

fn add_table(batch: &mut Batch, table: &str) {
    let request = batch.message().set_create();
    request.op_newtable_do(&family(INET)).encode().push_name_bytes(table.as_bytes());
}

fn add_map(batch: &mut Batch, table: &str, map: Map, version: Family, size: u32) {
    let name = map.name(version);
    // As nft writes `ipv4_addr . ipv4_addr . inet_service . inet_service : ipv4_addr . inet_service`.
    const SERVICE: u32 = 13;
    let address = if version == Family::V4 { 7 } else { 8 };
    let joined = |types: &[u32]| types.iter().fold(0, |all, one| all << 6 | one);
    batch
        .message()
        .set_create()
        .op_newset_do(&family(INET))
        .encode()
        .push_table_bytes(table.as_bytes())
        .push_name_bytes(name.as_bytes())
        .push_flags(SetFlags::Map as u32)
        .push_key_type(joined(&[address, address, SERVICE, SERVICE]))
        .push_key_len(2 * version.address() + 8)
        .push_data_type(joined(&[address, SERVICE]))
        .push_data_len(version.address() + 4)
        // A batch knows its own sets by number.
        .push_id(map as u32 * 2 + u32::from(version == Family::V6))
        .nested_desc()
        .push_size(size)
        .end_nested()
        .nested_expr()
        .nested_data_counter()
        .end_nested()
        .end_nested();
}

fn add_chain(batch: &mut Batch, table: &str, chain: &Chain) {
    batch
        .message()
        .set_create()
        .op_newchain_do(&family(INET))
        .encode()
        .push_table_bytes(table.as_bytes())
        .push_name_bytes(chain.name.as_bytes())
        .nested_hook()
        .push_num(chain.hook)
        .push_priority(chain.map.priority())
        .end_nested()
        .push_type_bytes(chain.kind.as_bytes());
}

/// Removes these elements, which must be there. They are told back with what they have counted.
pub(super) fn take(batch: &mut Batch, table: &str, elements: &[Element]) {
    each_message(elements, |map, version, elements| {
        let request = batch.message().set_flags(NLM_F_ECHO as u16);
        let mut message = request.op_delsetelem_do(&family(INET));
        write(message.encode(), table, map.name(version), elements);
    });
}

/// Adds these elements, whose keys must not be there.
pub(super) fn put(batch: &mut Batch, table: &str, elements: &[Element]) {
    each_message(elements, |map, version, elements| {
        let mut message = batch.message().set_create().set_excl().op_newsetelem_do(&family(INET));
        write(message.encode(), table, map.name(version), elements);
    });
}

fn each_message(elements: &[Element], mut write: impl FnMut(Map, Family, &[Element])) {
    for alike in elements.chunk_by(|a, b| (a.map, a.family) == (b.map, b.family)) {
        for chunk in alike.chunks(CHUNK) {
            write(chunk[0].map, chunk[0].family, chunk);
        }
    }
}

fn write(
    message: PushSetelemListAttrs<&mut Vec<u8>>,
    table: &str,
    map: &str,
    elements: &[Element],
) {
    let message = message.push_table_bytes(table.as_bytes()).push_set_bytes(map.as_bytes());
    let mut list = message.nested_elements();
    for element in elements {
        let key = list.nested_elem().nested_key().push_value(element.key.as_slice()).end_nested();
        list = match &element.value {
            Some(value) => key.nested_data().push_value(value.as_slice()).end_nested().end_nested(),
            None => key.end_nested(),
        };
    }
}

/// Reads elements with their counts, from a dump or from what is told back.
pub(super) fn read(message: &[u8], mut each: impl FnMut(Map, Bytes, Count)) {
    let (_, list) = OpGetsetelemDump::decode_reply(message);
    let (Ok(name), Ok(elements)) = (list.get_set(), list.get_elements()) else { return };
    let Some(map) = Map::named(name.to_bytes()) else { return };
    for element in elements.filter_map(Result::ok) {
        let SetelemListElemAttrs::Elem(element) = element;
        let key = element.get_key().ok().and_then(|key| Bytes::read(key.get_value().ok()?));
        if let Some(key) = key {
            each(map, key, counted(&element).unwrap_or_default());
        }
    }
}

fn counted(element: &IterableSetelemAttrs<'_>) -> Option<Count> {
    match element.get_expr().ok()?.get_data().ok()? {
        ExprOps::Counter(counter) => {
            Some(Count { packets: counter.get_packets().ok()?, bytes: counter.get_bytes().ok()? })
        }
        _ => None,
    }
}

/// Has all elements of the table told.
///
/// # Errors
/// What the kernel says.
pub(super) fn dump(
    nftables: &mut Nftables,
    table: &str,
    mut each: impl FnMut(Map, Bytes, Count),
) -> io::Result<()> {
    for map in [Map::To, Map::By] {
        for version in Family::ALL {
            let mut request = Request::new().op_getsetelem_dump(&family(INET));
            let named = request.encode().push_table_bytes(table.as_bytes());
            named.push_set_bytes(map.name(version).as_bytes());
            nftables.dump(&request, |message| read(message, &mut each))?;
        }
    }
    Ok(())
}

/// The names of all tables of our family.
///
/// # Errors
/// What the kernel says.
pub(super) fn names(nftables: &mut Nftables) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    nftables.dump(&Request::new().op_gettable_dump(&family(INET)), |message| {
        let (_, table) = OpGettableDump::decode_reply(message);
        names.extend(table.get_name().ok().map(|name| name.to_string_lossy().into_owned()));
    })?;
    Ok(names)
}
