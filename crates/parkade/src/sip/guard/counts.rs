//! What was turned away, and why.

/// Why a message was not heard, or not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// On the PBX's side, by somebody else.
    Foreign,
    /// From somebody who is banned.
    Banned,
    /// From a tool that looks for systems to break into.
    Scanner,
    /// One source has sent too many.
    Limited,
    /// All strangers together have sent too many.
    Crowded,
    /// It is too long, or has too many lines.
    TooLong,
    /// An answer to an address that may be forged, longer than what came from there allows.
    Unproven,
    /// A connection: too many, or too often.
    Connection,
}

impl Turned {
    /// All of them, as they are numbered.
    pub(crate) const ALL: [Turned; 8] = [
        Turned::Foreign,
        Turned::Banned,
        Turned::Scanner,
        Turned::Limited,
        Turned::Crowded,
        Turned::TooLong,
        Turned::Unproven,
        Turned::Connection,
    ];

    /// As it is written in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Turned::Foreign => "foreign",
            Turned::Banned => "banned",
            Turned::Scanner => "scanner",
            Turned::Limited => "limited",
            Turned::Crowded => "crowded",
            Turned::TooLong => "too-long",
            Turned::Unproven => "unproven",
            Turned::Connection => "connection",
        }
    }
}

/// What the guard has counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GuardCounts {
    /// Messages turned away, by [`Turned::ALL`].
    pub(crate) turned: [u64; Turned::ALL.len()],
    /// Bans so far.
    pub(crate) bans: u64,
    /// Who is banned now.
    pub(crate) banned: usize,
    /// Strangers that are remembered.
    pub(crate) sources: usize,
}
