//! Numbers and names in the user part of a URI.

/// Whether `user` is a telephone number rather than a name (RFC 3261 §19.1.6).
pub(crate) fn is_number_to_dial(user: &str) -> bool {
    let digits = user.strip_prefix('+').unwrap_or(user);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}
