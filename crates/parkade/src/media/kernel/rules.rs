//! What is done with a packet: the expressions of our rules. A register has four bytes here.

use netlink_bindings::nftables::{
    CmpOps, MetaKeys, PayloadBase, PushExprListAttrs, PushRuleAttrs, Registers,
};
use netlink_bindings::traits::Pusher;
use netlink_bindings::utils::{
    RequestBuf, finalize_nested_header, push_header, push_nested_header,
};

use crate::media::kernel::keys::Family;

/// Expressions of one rule.
pub(super) type Expressions<'b> = PushExprListAttrs<PushRuleAttrs<RequestBuf<'b>>>;

/// The first register; the key begins there.
const KEY: u32 = Registers::Reg3200 as u32;
/// As linux/nfnetlink.h and linux/netfilter/nf_tables.h have them.
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
const CSUM_NONE: u32 = 0;
const CSUM_INET: u32 = 1;
const CSUM_OF_PSEUDO_HEADER: u32 = 1;
/// The protocol, as IP has it.
const UDP: u8 = 17;

/// Which end of a packet a rule writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Source,
    Destination,
}

/// A rule: if `map` knows where the packet comes from and where it goes, it gets that end from it.
/// With `untracked` it is hidden from connection tracking.
pub(super) fn rewrite<'b>(
    rule: Expressions<'b>,
    family: Family,
    map: &str,
    end: End,
    untracked: bool,
) -> Expressions<'b> {
    let words = family.address() / 4;
    let value = KEY + 2 * words + 2;
    let rule = whole_datagram(rule, family);
    // Both addresses lie side by side; a port in the maps fills a register.
    let source = if family == Family::V4 { 12 } else { 8 };
    let rule = load(rule, PayloadBase::NetworkHeader, source, 8 * words, KEY);
    let rule = load(rule, PayloadBase::TransportHeader, 0, 2, KEY + 2 * words);
    let rule = load(rule, PayloadBase::TransportHeader, 2, 2, KEY + 2 * words + 1);
    let rule = look_up(rule, map, KEY, value);
    let (address, port) = match end {
        End::Source => (source, 0),
        End::Destination => (source + 4 * words, 2),
    };
    // The header of IPv6 has no checksum.
    let csum = if family == Family::V4 { CSUM_INET } else { CSUM_NONE };
    let rule = store(rule, PayloadBase::NetworkHeader, address, 4 * words, value, csum);
    // The UDP checksum is mended as for the pseudo header, and not by its place: so the kernel
    // heeds that zero means none (RFC 768), and that the network card may be about to compute it.
    let rule = store(rule, PayloadBase::TransportHeader, port, 2, value + words, CSUM_NONE);
    if untracked {
        return rule.nested_elem().push_name(c"notrack").end_nested();
    }
    rule
}

/// Goes on only with UDP that is no fragment: of a larger packet the first piece alone has ports.
fn whole_datagram(rule: Expressions<'_>, family: Family) -> Expressions<'_> {
    let version = if family == Family::V4 { NFPROTO_IPV4 } else { NFPROTO_IPV6 };
    let rule = rule
        .nested_elem()
        .nested_data_meta()
        .push_dreg(KEY)
        .push_key(MetaKeys::Nfproto as u32)
        .end_nested()
        .end_nested();
    let rule = equal(rule, KEY, &[version]);
    match family {
        Family::V4 => {
            // Flags and fragment offset, time to live, protocol; that it may not be fragmented and
            // how long it lives is all the same.
            let rule = load(rule, PayloadBase::NetworkHeader, 6, 4, KEY);
            let rule = rule
                .nested_elem()
                .nested_data_bitwise()
                .push_sreg(KEY)
                .push_dreg(KEY)
                .push_len(4)
                .nested_mask()
                .push_value(&[0x3f, 0xff, 0, 0xff])
                .end_nested()
                .nested_xor()
                .push_value(&[0; 4])
                .end_nested()
                .end_nested()
                .end_nested();
            equal(rule, KEY, &[0, 0, 0, UDP])
        }
        // A fragment, and whatever else precedes UDP, has another number here.
        Family::V6 => {
            let rule = load(rule, PayloadBase::NetworkHeader, 6, 1, KEY);
            equal(rule, KEY, &[UDP])
        }
    }
}

fn load(
    rule: Expressions<'_>,
    base: PayloadBase,
    offset: u32,
    len: u32,
    into: u32,
) -> Expressions<'_> {
    rule.nested_elem()
        .nested_data_payload()
        .push_dreg(into)
        .push_base(base as u32)
        .push_offset(offset)
        .push_len(len)
        .end_nested()
        .end_nested()
}

fn store(
    rule: Expressions<'_>,
    base: PayloadBase,
    offset: u32,
    len: u32,
    from: u32,
    csum: u32,
) -> Expressions<'_> {
    /// Where the header checksum of IPv4 stands.
    const CHECKSUM: u32 = 10;
    rule.nested_elem()
        .nested_data_payload()
        .push_sreg(from)
        .push_base(base as u32)
        .push_offset(offset)
        .push_len(len)
        .push_csum_type(csum)
        .push_csum_offset(if csum == CSUM_INET { CHECKSUM } else { 0 })
        .push_csum_flags(CSUM_OF_PSEUDO_HEADER)
        .end_nested()
        .end_nested()
}

fn equal<'b>(rule: Expressions<'b>, register: u32, value: &[u8]) -> Expressions<'b> {
    rule.nested_elem()
        .nested_data_cmp()
        .push_sreg(register)
        .push_op(CmpOps::Eq as u32)
        .nested_data()
        .push_value(value)
        .end_nested()
        .end_nested()
        .end_nested()
}

fn look_up<'b>(rule: Expressions<'b>, map: &str, key: u32, value: u32) -> Expressions<'b> {
    // As linux/netfilter/nf_tables.h numbers them: netlink-bindings 0.3.5 has SREG and DREG wrong.
    const DATA: u16 = 2;
    const SET: u16 = 1;
    const SREG: u16 = 2;
    const DREG: u16 = 3;
    let mut expression = rule.nested_elem().push_name(c"lookup");
    let bytes = expression.as_vec_mut();
    let nested = push_nested_header(bytes, DATA);
    push_header(bytes, SET, map.len() as u16 + 1);
    bytes.extend_from_slice(map.as_bytes());
    bytes.push(0);
    for (attribute, register) in [(SREG, key), (DREG, value)] {
        push_header(bytes, attribute, 4);
        bytes.extend_from_slice(&register.to_be_bytes());
    }
    finalize_nested_header(bytes, nested);
    expression.end_nested()
}
