//! A request that cannot be understood, with the answer that it gets.

use thiserror::Error;

/// Why a request asks for nothing that can be done; carries its own answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{status} {why}")]
pub struct BadAsk {
    /// The status to answer with.
    pub status: u16,
    /// Why, fit for a reason phrase.
    pub why: &'static str,
}

impl BadAsk {
    /// 400, because of `why`.
    pub(crate) const fn request(why: &'static str) -> BadAsk {
        BadAsk { status: 400, why }
    }
}
