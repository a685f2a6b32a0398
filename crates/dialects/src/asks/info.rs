//! What an INFO in a call asks: a command, a key, or what was configured.
//!
//! All that phones are known to send is of the older kind, without `Info-Package` (RFC 6086 §9.3),
//! told by the type of its body. An INFO of a package belongs to who listed that package in its
//! `Recv-Info`; it passes on unless a rule names it.

use serde_json::Value;
use sip_msg::{Message, Method, Name};

use crate::asks::bad::BadAsk;
use crate::asks::command::ParkCommand;
use crate::asks::dtmf::{DTMF_TYPES, is_dtmf, key_in};
use crate::asks::info_rule::{InfoMatcher, InfoVerb};
use crate::asks::key::Key;
use crate::asks::part::{is_encoded, media_type, part};

/// Longer bodies are not read (bytes).
const MOST: usize = 16 * 1024;

/// What an INFO asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InfoAsk {
    /// To park; the answer is an INFO too.
    Command(ParkCommand),
    /// A key was pressed.
    Digit {
        /// Which.
        key: Key,
        /// For how long, in milliseconds.
        duration_ms: u32,
    },
    /// A configured rule fits.
    Matched {
        /// The number of the rule, in the order given.
        rule: usize,
        /// What it asks for.
        asks: InfoVerb,
        /// Where, for [`Codes::orbit`](crate::Codes::orbit) or
        /// [`Codes::dialled`](crate::Codes::dialled); none if the body does not say.
        slot: Option<String>,
    },
}

impl InfoAsk {
    /// What `request` asks; none if it is no INFO, or asks nothing of us: then it passes on. Rules
    /// come before what is built in, and of several rules that fit the first counts. A body of more
    /// than 16 KiB is not read.
    ///
    /// # Errors
    /// 400 for a body that says it is JSON and is not, a command to which no answer can be given,
    /// and a slot that is no text.
    pub fn read(request: &Message, rules: &[InfoMatcher]) -> Result<Option<InfoAsk>, BadAsk> {
        let body = request.body();
        let readable = !body.is_empty() && body.len() <= MOST && !is_encoded(request);
        if !request.is(&Method::Info) || !readable {
            return Ok(None);
        }
        let Some(content_type) = request.content_type() else { return Ok(None) };
        let mut packages = request.values(Name::InfoPackage);
        let package = packages.next().map(|package| media_type(package).0);
        if packages.next().is_some() {
            return Ok(None);
        }
        let rules: Vec<_> =
            rules.iter().enumerate().filter(|(_, rule)| rule.is_of(package.as_deref())).collect();
        let plain = package.is_none();
        let wanted = |kind: &str| {
            rules.iter().any(|(_, rule)| rule.reads(kind))
                || (plain && (is_dtmf(kind) || is_json(kind)))
        };
        let Some((kind, body)) = part(content_type, &body, wanted) else { return Ok(None) };
        let json = json_in(&kind, body)?;
        for (number, rule) in rules {
            if rule.reads(&kind)
                && let Some(slot) = rule.matches(json.as_ref(), body)?
            {
                return Ok(Some(InfoAsk::Matched { rule: number, asks: rule.asks(), slot }));
            }
        }
        match &json {
            _ if !plain => Ok(None),
            Some(json) => Ok(ParkCommand::read(json)?.map(InfoAsk::Command)),
            None => {
                let digit = |(key, duration_ms)| InfoAsk::Digit { key, duration_ms };
                Ok(key_in(&kind, body).map(digit))
            }
        }
    }
}

/// The status of an INFO in a call that has nobody on its other side, so that it cannot pass on:
/// 469 for a package (RFC 6086 §4.2.2), 200 for what phones send without asking whether anybody reads
/// it, and for an empty body, 415 for the rest.
pub fn info_status(request: &Message) -> u16 {
    if request.has(Name::InfoPackage) {
        return 469;
    }
    let kind = request.content_type().map(|content_type| media_type(content_type).0);
    match kind {
        _ if request.body().is_empty() => 200,
        Some(kind) if is_dtmf(&kind) || is_json(&kind) => 200,
        _ => 415,
    }
}

/// What goes with such a refusal: the packages that are read (for `Recv-Info`; mostly none), and the
/// types of bodies that are (for `Accept`).
pub fn info_taken(rules: &[InfoMatcher]) -> (String, String) {
    let listed = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    let packages = rules.iter().filter_map(InfoMatcher::package).collect();
    let own = rules.iter().filter(|rule| rule.package().is_none()).map(InfoMatcher::content_type);
    (listed(packages), listed(own.chain(DTMF_TYPES).chain([JSON]).collect()))
}

const JSON: &str = "application/json";

fn is_json(kind: &str) -> bool {
    kind == JSON
}

/// The JSON in a body whose type says so (`application/json`, `…+json`).
fn json_in(kind: &str, body: &[u8]) -> Result<Option<Value>, BadAsk> {
    if !is_json(kind) && !kind.ends_with("+json") {
        return Ok(None);
    }
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    serde_json::from_slice(body).map(Some).map_err(|_| BadAsk::request("Bad JSON"))
}
