//! Our own branches (RFC 3261 §8.1.1.7): made so that no peer can guess one, and read back from a
//! response.

use base::{Chance, Side};
use serde::{Deserialize, Serialize};
use sip_msg::{Draft, Message};

/// The magic cookie of RFC 3261 §8.1.1.7: a branch that begins with it is unique to its request.
pub(super) const COOKIE: &str = "z9hG4bK";

/// By what a response finds its transaction (RFC 3261 §17.1.3): the branch, the method, and the side
/// on which we asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Branch {
    number: u64,
    side: Side,
    asks: Asks,
}

/// As much of the method as tells apart two requests with the same branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Asks {
    Invite,
    Cancel,
    Other,
}

impl Asks {
    pub(super) fn of(method: &str) -> Asks {
        match method {
            "INVITE" => Asks::Invite,
            "CANCEL" => Asks::Cancel,
            _ => Asks::Other,
        }
    }

    pub(super) fn of_draft(draft: &Draft) -> Asks {
        draft.method().map_or(Asks::Other, |method| Asks::of(method.as_str()))
    }
}

impl Branch {
    /// A branch that has not been used.
    pub(super) fn fresh(chance: &mut Chance, side: Side, asks: Asks) -> Branch {
        Branch { number: chance.u64(), side, asks }
    }

    /// The branch of the CANCEL that goes after this INVITE (§9.1: the same on the wire).
    pub(super) fn of_its_cancel(self) -> Branch {
        Branch { asks: Asks::Cancel, ..self }
    }

    /// As written in a Via.
    pub(super) fn text(self) -> String {
        format!("{COOKIE}{:016x}", self.number)
    }

    /// The branch to which a response answers; none if it cannot be one of ours.
    pub(super) fn answered_by(response: &Message, side: Side) -> Option<Branch> {
        let digits = response.via().branch()?.strip_prefix(COOKIE)?;
        if digits.len() != 16 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let number = u64::from_str_radix(digits, 16).ok()?;
        Some(Branch { number, side, asks: Asks::of(response.cseq().1) })
    }
}
