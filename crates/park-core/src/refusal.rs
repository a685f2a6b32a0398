//! A rule said no. A refusal carries its own answer.

use std::borrow::Cow;

use base::SlotName;
use thiserror::Error;

/// Why something asked of us is not done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// The asker has no live binding by this flow, or may not speak on this side.
    #[error("not from a registered phone's own address")]
    NotEntitled,
    /// The lot names who may retrieve, and not this one.
    #[error("this extension may not retrieve here")]
    MayNotRetrieve,
    /// The call that is to be parked has not been answered.
    #[error("the call is not answered yet")]
    NotAnswered,
    /// Nothing is held that could be parked, or more than one call is.
    #[error("{0}")]
    WhichCall(&'static str),
    /// No such slot, or no phone has ever registered as this extension.
    #[error("no such place to park: {0}")]
    NoSuchPlace(SlotName),
    /// The slot holds as many calls as it may.
    #[error("slot {0} is taken")]
    SlotTaken(SlotName),
    /// No slot of the lot is free.
    #[error("the lot is full")]
    LotFull,
    /// The parker is in no park group, or no member of it can take the call.
    #[error("{0}")]
    NoGroup(&'static str),
    /// Nothing is parked there.
    #[error("nothing is parked there")]
    SlotEmpty,
    /// No call has this name, or it has gone.
    #[error("there is no such call")]
    NoSuchCall,
    /// Somebody else is taking the call.
    #[error("the call is being taken by somebody else")]
    BeingTaken,
    /// The media cannot be anchored or have no codec in common.
    #[error("{0}")]
    Media(&'static str),
    /// Encryption that is asked for, or not spoken.
    #[error("{0}")]
    Srtp(NoSrtp),
    /// A body that is no description, where one may stand.
    #[error("the body is no SDP")]
    NotSdp,
    /// The body's SDP cannot be read.
    #[error("the SDP cannot be read: {0}")]
    BadSdp(String),
    /// An offer is open already (RFC 3261 §14).
    #[error("another offer is open")]
    OfferOpen,
    /// No port pair is left.
    #[error("no RTP port is left")]
    NoPorts,
    /// Port pairs are ordered and have not come in time.
    #[error("RTP ports are still being opened")]
    PortsLate,
    /// We are shutting down.
    #[error("shutting down")]
    Draining,
    /// The phone has as many subscriptions as it may have.
    #[error("this phone has too many subscriptions")]
    TooMany,
    /// There is as much as there may be.
    #[error("too many {0}")]
    Busy(&'static str),
    /// The store that nodes share cannot be reached.
    #[error("the nodes cannot reach their store: nothing can be parked in shared places")]
    StoreAway,
    /// Another node cannot be reached.
    #[error("node {0} cannot be reached")]
    NodeAway(String),
    /// The PBX has no address.
    #[error("the PBX cannot be reached")]
    NoPbx,
    /// A `sips` URI, where no TLS is spoken at all.
    #[error("sips URIs need TLS, which is not configured here")]
    NoSips,
    /// A `sips` URI, where one of the hops has no TLS.
    #[error("sips asks for TLS all the way: {0}")]
    SipsNotAllowed(&'static str),
    /// Whatever else, with its own status.
    #[error("{1}")]
    Status(u16, Cow<'static, str>),
}

/// Why media is refused for how it is encrypted, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum NoSrtp {
    /// The side asks for it.
    #[error("SRTP is required here: offer RTP/SAVP")]
    Required,
    /// The side has none.
    #[error("SRTP is not spoken here: offer RTP/AVP")]
    NotSpoken,
    /// No line has a suite that we know.
    #[error("no crypto suite that is spoken here, and a key for it")]
    NoSuite,
    /// Its keys are for its ends only.
    #[error("keys by DTLS are known to the two ends only: use SDES, or RTP in the clear")]
    Dtls,
    /// The keys of a call are not known here.
    #[error("the keys of this media are not known here: no music can be given to it")]
    Unread,
}

impl Refusal {
    /// The status that says so.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Refusal::NotEntitled | Refusal::MayNotRetrieve => 403,
            Refusal::NotAnswered | Refusal::OfferOpen => 491,
            Refusal::NoSuchPlace(_) | Refusal::SlotEmpty | Refusal::NoSuchCall => 404,
            Refusal::NoGroup(_) => 404,
            Refusal::SlotTaken(_) | Refusal::LotFull => 486,
            Refusal::BeingTaken | Refusal::WhichCall(_) => 480,
            Refusal::Media(_) | Refusal::Srtp(_) => 488,
            Refusal::NotSdp => 415,
            Refusal::NoSips => 416,
            Refusal::SipsNotAllowed(_) => 480,
            Refusal::BadSdp(_) => 400,
            Refusal::NoPorts | Refusal::PortsLate => 503,
            Refusal::Draining | Refusal::NoPbx => 503,
            Refusal::StoreAway | Refusal::NodeAway(_) => 503,
            Refusal::TooMany | Refusal::Busy(_) => 503,
            Refusal::Status(status, _) => *status,
        }
    }

    /// The value of a Reason line (RFC 3326 §2) that says so. What was asked may stand in it: it cannot end the quotes.
    pub(crate) fn reason(&self) -> String {
        let mut value = format!("SIP;cause={};text=\"", self.status());
        for letter in self.to_string().chars() {
            if matches!(letter, '"' | '\\') {
                value.push('\\');
            }
            value.push(letter);
        }
        value + "\""
    }

    /// Which types of bodies would have done, where it was the type.
    pub(crate) fn accept(&self) -> Option<&'static str> {
        matches!(self, Refusal::NotSdp).then_some("application/sdp")
    }

    /// What a Warning says of it (RFC 5630 §6.3; RFC 3261 §20.43: 302 is about the transport protocol of
    /// a media line).
    pub(crate) fn warning(&self) -> Option<String> {
        match self {
            Refusal::SipsNotAllowed(_) => Some("380 parkade \"SIPS Not Allowed\"".into()),
            Refusal::Srtp(why) => Some(format!("302 parkade \"{why}\"")),
            _ => None,
        }
    }

    /// When to try again, in seconds, where that helps.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        match self {
            Refusal::Draining | Refusal::TooMany | Refusal::Busy(_) => Some(30),
            Refusal::NoPorts | Refusal::PortsLate | Refusal::NoPbx => Some(5),
            Refusal::StoreAway | Refusal::NodeAway(_) => Some(5),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_cannot_end_the_quotes_of_a_reason() {
        let asked = Refusal::NoSuchPlace(SlotName::from("7\";x=\\1"));
        let wanted = r#"SIP;cause=404;text="no such place to park: 7\";x=\\1""#;
        assert_eq!(asked.reason(), wanted);
    }
}
