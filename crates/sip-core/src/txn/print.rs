//! By what a request finds its transaction (RFC 3261 §17.2.3), as one keyed fingerprint: 128 bits
//! instead of five strings to keep, and nobody who does not know the key can make two that meet.

use std::hash::Hasher;

use base::{Chance, Side};
use sip_msg::Message;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::branch::COOKIE;

/// The fingerprint of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Print(u128);

/// Makes fingerprints.
#[derive(Debug, Clone)]
pub(super) struct Press {
    keys: (u64, u64),
}

impl Press {
    pub(super) fn new(chance: &mut Chance) -> Press {
        Press { keys: (chance.u64(), chance.u64()) }
    }

    /// The fingerprint of `request` as if its method were `method`: an ACK or a CANCEL looks for its
    /// INVITE.
    pub(super) fn of(&self, request: &Message, side: Side, method: &str) -> Print {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        hasher.write_u8(match side {
            Side::Phones => 0,
            Side::Pbx => 1,
        });
        let mut part = |text: &str| {
            hasher.write(text.as_bytes());
            hasher.write_u8(b'\n');
        };
        part(method);
        // The RFC asks for branch and sent-by alone. A retransmission, an ACK and a CANCEL carry
        // these two as well, and they tell apart the requests of a phone that reuses its branches.
        part(request.call_id());
        let via = request.via();
        let unique = via.branch().filter(|branch| {
            branch.len() > COOKIE.len()
                && branch.is_char_boundary(COOKIE.len())
                && branch[..COOKIE.len()].eq_ignore_ascii_case(COOKIE)
        });
        match unique {
            Some(branch) => {
                part(branch);
                part(&via.host().to_ascii_lowercase());
                hasher.write_u16(via.port().unwrap_or(0));
            }
            // RFC 2543 wants the To-tag too, but that of an ACK is the one of the answer.
            None => {
                part(request.uri());
                part(request.from_tag().unwrap_or(""));
                part(request.values(sip_msg::Name::Via).next().unwrap_or(""));
            }
        }
        hasher.write_u32(request.cseq().0);
        Print(hasher.finish128().as_u128())
    }
}
