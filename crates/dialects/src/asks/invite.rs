//! A call that a phone makes: what it dialled, and which call it wants to take over.

use sip_msg::{Message, Name, NameAddr, ReplacesId};

use crate::asks::bad::BadAsk;
use crate::asks::number::number_in;
use crate::asks::orbit::{OrbitAsk, in_invite};
use crate::asks::replaces::only_one;

/// What an INVITE outside a dialog asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The user part of the Request-URI as received, for [`Codes::dialled`](crate::Codes::dialled).
    pub user: Option<String>,
    /// The call to be taken over (RFC 3891).
    pub replaces: Option<ReplacesId>,
    /// Who transferred to us: with it a slot's number means park, without it retrieve (RFC 3892).
    pub referred_by: Option<String>,
    /// What the URIs ask in a way of the orbit family, for [`Codes::orbit`](crate::Codes::orbit);
    /// a `Referred-By` has been looked at.
    pub orbit: Option<OrbitAsk>,
}

impl Invite {
    /// Reads `request`.
    ///
    /// # Errors
    /// 400 if there is more than one `Replaces`, or an unreadable one (RFC 3891 §3), or if two
    /// different orbits are named.
    pub fn read(request: &Message) -> Result<Invite, BadAsk> {
        let user = number_in(request.uri());
        let replaces = only_one(request.values(Name::Replaces))?;
        let referred_by =
            request.get(Name::ReferredBy).and_then(NameAddr::read).map(|who| who.uri().to_owned());
        let orbit = in_invite(request, referred_by.is_some())?;
        Ok(Invite { user, replaces, referred_by, orbit })
    }
}
