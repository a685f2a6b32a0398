//! The profiles that need not be configured.

use std::borrow::Cow;
use std::time::Duration;

use regex::Regex;

use crate::notices::LampState::{Confirmed, Early};
use crate::profiles::kinds::Certainty::{Assumed, FromDocumentation, SeenOnTheWire};
use crate::profiles::kinds::NoticeKind::{CallInfo, CiscoRemoteCc, DialogInfo, ParkInfo};
use crate::profiles::profile::{Profile, Quirks};

/// The profile of phones that no other fits.
pub(crate) const UNKNOWN: &str = "unknown";

/// All built-in profiles but [`UNKNOWN`], in the order in which they are tried.
#[expect(
    clippy::unwrap_used,
    reason = "constant patterns; a phone must not lose its profile unseen"
)]
pub(crate) fn built_in() -> Vec<Profile> {
    let callpark = || Quirks { callpark: true, ..Quirks::default() };
    let plain = Quirks::default;
    let unasked = || vec![ParkInfo, CallInfo, DialogInfo];
    let rows = [
        (
            "fanvil",
            "(?i)^(fanvil|linkvil)",
            (unasked(), Confirmed, callpark(), FromDocumentation),
            "park-info from PortSIP's guides, call-info and parked BLF from the phone's settings; \
             the body of park-info and the state of the lamp are assumed",
        ),
        (
            "snom",
            "(?i)^snom",
            (unasked(), Confirmed, plain(), FromDocumentation),
            "park-info from PortSIP's guides, call-info from the phone's settings; the body of \
             park-info and the state of the lamp are assumed",
        ),
        (
            "yealink",
            "(?i)^yealink",
            (unasked(), Confirmed, callpark(), FromDocumentation),
            "park-info from PortSIP's guides, call-info and parked BLF from the phone's settings; \
             the body of park-info and the state of the lamp are assumed",
        ),
        (
            "grandstream",
            "(?i)^grandstream",
            (unasked(), Confirmed, plain(), FromDocumentation),
            "park-info from PortSIP's guides, call-info from the phone's settings; the body of \
             park-info and the state of the lamp are assumed",
        ),
        (
            "htek",
            "(?i)^htek",
            (unasked(), Confirmed, plain(), FromDocumentation),
            "park-info from PortSIP's guides; its body, call-info and the state of the lamp are \
             assumed",
        ),
        (
            "dinstar",
            "(?i)^dinstar",
            (vec![ParkInfo, DialogInfo], Confirmed, plain(), FromDocumentation),
            "park-info from PortSIP's guides; its body, the User-Agent and the state of the lamp are \
             assumed",
        ),
        (
            "poly",
            "(?i)^(poly|obihai|obi[0-9])",
            (vec![CallInfo, DialogInfo], Early, callpark(), FromDocumentation),
            "call-info, the ringing state of a monitored slot and bw:callpark from Obihai's \
             administrator guide; that older Polycom phones do the same is assumed",
        ),
        (
            "cisco-mpp",
            "(?i)^(linksys|sipura|cisco/spa|cisco-cp-?[a-z0-9-]*3pcc|cisco-dp-?[a-z0-9-]*3pcc)",
            (vec![CallInfo, DialogInfo], Confirmed, plain(), Assumed),
            "the settings for park and its monitoring from provisioning templates; that they mean \
             call-info, and the state of the lamp, are assumed",
        ),
        (
            "cisco-enterprise",
            "(?i)^cisco-(cp|dp)",
            (
                vec![CiscoRemoteCc, DialogInfo],
                Confirmed,
                // The phone must still have the call when it reads the notice.
                Quirks { bye_grace: Some(Duration::from_secs(1)), ..plain() },
                SeenOnTheWire,
            ),
            "bodies as captured from Cisco's call server and tried on a CP-8811; slots watched by \
             dialog-info are assumed",
        ),
        (
            "aastra",
            "(?i)^(aastra|mitel)",
            (vec![DialogInfo], Confirmed, plain(), Assumed),
            "park keys from provisioning templates; that slots are watched by dialog-info is assumed",
        ),
        (
            "panasonic",
            "(?i)^panasonic",
            (vec![CallInfo, DialogInfo], Early, plain(), Assumed),
            "the subscription from the phone's settings, a slow flash from a KX-TDE manual; that \
             they mean call-info and the early state is assumed",
        ),
    ];
    rows.into_iter()
        .map(|(name, pattern, (notices, lamp, quirks, certainty), source)| Profile {
            name: name.to_owned(),
            user_agent: Regex::new(pattern).unwrap(),
            notices,
            lamp,
            template: Cow::Borrowed("broadworks"),
            quirks,
            certainty,
            source: Cow::Borrowed(source),
        })
        .collect()
}

/// The profile of phones that no other fits: each notice is tried until it is refused.
#[expect(clippy::unwrap_used, reason = "the empty pattern is always a good one")]
pub(crate) fn unknown() -> Profile {
    Profile {
        name: UNKNOWN.to_owned(),
        user_agent: Regex::new("").unwrap(),
        notices: vec![ParkInfo, CallInfo, DialogInfo],
        lamp: Confirmed,
        template: Cow::Borrowed("broadworks"),
        quirks: Quirks::default(),
        certainty: Assumed,
        source: Cow::Borrowed(
            "what most phones understand: each notice is tried until the phone refuses it",
        ),
    }
}
