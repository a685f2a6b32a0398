//! The Replaces header (RFC 3891 §6.1); Join (RFC 3911) and Target-Dialog (RFC 4538) look alike.

use crate::params::Params;
use crate::text::trim;

/// The dialog that a Replaces, Join or Target-Dialog value names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacesId {
    /// The Call-ID.
    pub call_id: String,
    /// `to-tag` (`remote-tag` in Target-Dialog is read by the caller from the parameters).
    pub to_tag: String,
    /// `from-tag`.
    pub from_tag: String,
    /// `early-only`: only a dialog that is not confirmed is meant.
    pub early_only: bool,
}

impl ReplacesId {
    /// Reads a value whose URI escapes have been undone; both tags are needed.
    pub fn read(value: &str) -> Option<ReplacesId> {
        let end = memchr::memchr(b';', value.as_bytes())?;
        let (call_id, params) = (trim(&value[..end]), Params::new(&value[end..]));
        let tag = |name| params.get(name).filter(|tag| !tag.is_empty()).map(str::to_owned);
        if call_id.is_empty() {
            return None;
        }
        Some(ReplacesId {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.has("early-only"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_read_in_any_order() {
        let r = ReplacesId::read("a@b ;from-tag=2;to-tag=1;early-only").unwrap();
        assert_eq!((&*r.call_id, &*r.to_tag, &*r.from_tag, r.early_only), ("a@b", "1", "2", true));
    }

    #[test]
    fn a_value_without_both_tags_is_none() {
        for value in ["", "a", ";to-tag=1;from-tag=2", "a;to-tag=1", "a;to-tag=;from-tag=2"] {
            assert!(ReplacesId::read(value).is_none(), "{value}");
        }
    }
}
