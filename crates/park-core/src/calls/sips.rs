//! `sips` URIs: TLS from hop to hop, or not at all (RFC 3261 §26.2.2, RFC 5630).

use base::{Flow, Transport};
use sip_msg::SipUri;

use crate::calls::leg::Leg;
use crate::house::House;
use crate::refusal::Refusal;

/// Whether a URI asks for TLS all the way.
pub(crate) fn is_sips(uri: &str) -> bool {
    SipUri::read(uri).is_some_and(|uri| uri.is_sips())
}

/// Our Contact URI in a leg.
pub(crate) fn own_contact(house: &House, leg: &Leg) -> String {
    house.contact(&leg.dialog.flow, &leg.token, leg.is_sips)
}

/// Whether a request with this Request-URI may come by this flow.
///
/// # Errors
/// It asks for TLS, and has come without.
pub(crate) fn may_come(house: &House, uri: &str, flow: &Flow) -> Result<(), Refusal> {
    match flow.transport {
        Transport::Udp | Transport::Tcp if is_sips(uri) => Err(match house.settings.speaks_tls {
            true => Refusal::SipsNotAllowed("it came without TLS"),
            false => Refusal::NoSips,
        }),
        _ => Ok(()),
    }
}

/// The hops by which a request with this Request-URI may go on to the PBX.
///
/// # Errors
/// The PBX cannot be reached at all, or not by TLS, which is asked for.
pub(crate) fn may_go(uri: &str, hops: Vec<Flow>) -> Result<Vec<Flow>, Refusal> {
    if hops.is_empty() {
        return Err(Refusal::NoPbx);
    }
    if !is_sips(uri) {
        return Ok(hops);
    }
    let hops: Vec<Flow> = hops.into_iter().filter(|h| h.transport == Transport::Tls).collect();
    match hops.is_empty() {
        true => Err(Refusal::SipsNotAllowed("the PBX is not reached by TLS")),
        false => Ok(hops),
    }
}

/// Whether a request with this Request-URI may go to a phone that is bound by this flow with this
/// Contact (RFC 5630 §5.3: one that is no `sips` itself does not do).
///
/// # Errors
/// It asks for TLS, and the phone has not registered so.
pub(crate) fn may_reach(uri: &str, contact: &str, flow: &Flow) -> Result<(), Refusal> {
    let is_safe = flow.transport == Transport::Tls && is_sips(contact);
    match is_safe || !is_sips(uri) {
        true => Ok(()),
        false => Err(Refusal::SipsNotAllowed("the phone is not registered with a sips Contact")),
    }
}
