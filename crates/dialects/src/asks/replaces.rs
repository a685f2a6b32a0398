//! The `Replaces` that an ask may carry: at most one, and readable (RFC 3891 §3).

use sip_msg::ReplacesId;

use crate::asks::bad::BadAsk;

/// The one value among `values`, if there is one.
pub(crate) fn only_one<'a>(
    mut values: impl Iterator<Item = &'a str>,
) -> Result<Option<ReplacesId>, BadAsk> {
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(BadAsk::request("More Than One Replaces"));
    }
    ReplacesId::read(value).map(Some).ok_or(BadAsk::request("Bad Replaces"))
}
