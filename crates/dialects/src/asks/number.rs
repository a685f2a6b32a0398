//! The number that a URI stands for.

use sip_msg::SipUri;

/// The user part of a SIP URI, or the number of a `tel:` URI with its parameters (RFC 3966), as
/// received: [`Codes::dialled`](crate::Codes::dialled) undoes escapes and drops parameters.
pub(crate) fn number_in(uri: &str) -> Option<String> {
    if let Some(uri) = SipUri::read(uri) {
        return uri.user().map(str::to_owned);
    }
    let (scheme, number) = uri.split_once(':')?;
    (scheme.eq_ignore_ascii_case("tel") && !number.is_empty()).then(|| number.to_owned())
}
