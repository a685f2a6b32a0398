//! A transfer: to whom or to which number, and whether it completes a consultation.

use sip_msg::{Message, Name, NameAddr, ReplacesId, SipUri};

use crate::asks::bad::BadAsk;
use crate::asks::number::number_in;
use crate::asks::orbit::{OrbitAsk, in_refer};
use crate::asks::replaces::only_one;

/// What a REFER asks (RFC 3515).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refer {
    /// The whole target URI as received, its headers (`?Replaces=…`) included.
    pub target: String,
    /// The target's user part as received, for [`Codes::dialled`](crate::Codes::dialled).
    pub user: Option<String>,
    /// The target's host; none if the target is not a SIP URI.
    pub host: Option<String>,
    /// The consultation that is to be replaced: an attended transfer (RFC 5589 §7, RFC 3891).
    pub replaces: Option<ReplacesId>,
    /// Whether the target is to be called: a REFER may also ask for another method (RFC 3515 §2.1).
    pub calls: bool,
    /// Who transfers, as a URI (RFC 3892).
    pub referred_by: Option<String>,
    /// `Refer-Sub: false`: no NOTIFY is wanted, so the answer itself must tell the outcome (RFC 4488 §4).
    pub wants_no_subscription: bool,
    /// Outside a dialog, whom it is addressed to: the user part of the Request-URI as received, for
    /// [`Codes::dialled`](crate::Codes::dialled).
    pub server: Option<String>,
    /// What is asked in a way of the orbit family, for [`Codes::orbit`](crate::Codes::orbit): by the
    /// target, or, outside a dialog, by the park server that the request is addressed to. Then
    /// `replaces` names the parkee's call (RFC 5359 §2.15, and the BLISS draft).
    pub orbit: Option<OrbitAsk>,
}

impl Refer {
    /// Reads `request`.
    ///
    /// # Errors
    /// 400 unless there is exactly one readable `Refer-To` (RFC 3515 §2.4.2), with at most one
    /// readable `Replaces`, and no two orbits.
    pub fn read(request: &Message) -> Result<Refer, BadAsk> {
        let target = only_target(request)?;
        let uri = SipUri::read(target.uri());
        let replaces = match &uri {
            Some(uri) => replaces_in(uri)?,
            None => None,
        };
        let orbit = in_refer(request, &target, replaces.is_some())?;
        let outside = request.to_tag().is_none();
        let method = uri.as_ref().and_then(|uri| uri.param("method"));
        Ok(Refer {
            target: target.uri().to_owned(),
            user: number_in(target.uri()),
            host: uri.as_ref().map(|uri| uri.host().to_owned()),
            replaces,
            calls: method.is_none_or(|method| method.eq_ignore_ascii_case("INVITE")),
            referred_by: request
                .get(Name::ReferredBy)
                .and_then(NameAddr::read)
                .map(|who| who.uri().to_owned()),
            wants_no_subscription: request.get(Name::ReferSub).is_some_and(is_false),
            server: outside.then(|| number_in(request.uri())).flatten(),
            orbit,
        })
    }
}

fn only_target(request: &Message) -> Result<NameAddr<'_>, BadAsk> {
    let mut targets = request.values(Name::ReferTo);
    let target = targets.next().ok_or(BadAsk::request("No Refer-To"))?;
    if targets.next().is_some() {
        return Err(BadAsk::request("More Than One Refer-To"));
    }
    let target = NameAddr::read(target).ok_or(BadAsk::request("Bad Refer-To"))?;
    if target.uri().is_empty() { Err(BadAsk::request("Bad Refer-To")) } else { Ok(target) }
}

fn replaces_in(uri: &SipUri<'_>) -> Result<Option<ReplacesId>, BadAsk> {
    let values: Vec<_> =
        uri.headers().filter(|(name, _)| name.eq_ignore_ascii_case("Replaces")).collect();
    only_one(values.iter().map(|(_, value)| value.as_ref()))
}

/// RFC 4488 §4: `Refer-Sub: false`, perhaps with parameters.
fn is_false(value: &str) -> bool {
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("false")
}
