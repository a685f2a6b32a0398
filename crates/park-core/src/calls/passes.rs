//! Requests that are being passed on, as data.

use std::hash::{Hash, Hasher};

use base::{Changes, Flow, Side};
use rustc_hash::{FxHashMap, FxHasher};
use serde::{Deserialize, Serialize};
use sip_core::{ClientKey, ServerKey};
use sip_msg::Message;
use slotmap::SlotMap;

use crate::calls::media::Before;
use crate::journal::wire;
use crate::keys::{LegKey, PassKey, Within};

/// What a passing request is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PassKind {
    /// An INVITE that opens a call.
    Invite,
    /// An INVITE within a call.
    Reinvite,
    /// A BYE.
    Bye,
    /// A REGISTER.
    Register,
    /// A SUBSCRIBE or REFER that opens a subscription.
    Subscribe,
    /// Anything else.
    Plain,
}

/// One request under way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pass {
    pub(crate) server: ServerKey,
    #[serde(with = "wire")]
    pub(crate) request: Message,
    pub(crate) kind: PassKind,
    /// The flow by which it came.
    pub(crate) arrived: Flow,
    pub(crate) from: Option<LegKey>,
    pub(crate) to: Option<LegKey>,
    pub(crate) client: Option<ClientKey>,
    /// Its CSeq number as it goes on.
    pub(crate) cseq: u32,
    /// Where it goes, the current hop first.
    pub(crate) hops: Vec<Flow>,
    /// The descriptions before the offer in it: of `from`, then of `to`.
    pub(crate) before: Option<Box<(Before, Before)>>,
    /// Request-URI outside of a dialog.
    pub(crate) uri: Box<str>,
    /// Our word for who asks, where it goes to another node.
    pub(crate) word: Option<Box<str>>,
    pub(crate) cancelled: bool,
    /// Its legs have gone: only its answer is still passed back.
    pub(crate) detached: bool,
    /// By what it is known again when it comes back; said when it is put in its table.
    #[serde(skip)]
    merged: u64,
}

impl Pass {
    pub(crate) fn new(
        server: ServerKey,
        request: Message,
        arrived: Flow,
        kind: PassKind,
        hops: Vec<Flow>,
    ) -> Pass {
        let cseq = request.cseq().0;
        Pass {
            server,
            request,
            kind,
            arrived,
            from: None,
            to: None,
            client: None,
            cseq,
            hops,
            before: None,
            uri: Box::default(),
            word: None,
            cancelled: false,
            detached: false,
            merged: 0,
        }
    }

    pub(crate) fn opens_dialog(&self) -> bool {
        matches!(self.kind, PassKind::Invite | PassKind::Subscribe)
    }

    pub(crate) fn within(&self) -> Within {
        if self.request.to_tag().is_some() { Within::Dialog } else { Within::NoDialog }
    }
}

/// What makes two requests the same request on two ways (RFC 3261 §8.2.2.2). The same call may pass
/// twice, towards and from a proxying PBX, and be forked to several phones: side and URI count.
fn merged_key(request: &Message, side: Side) -> u64 {
    let mut hasher = FxHasher::default();
    (request.call_id(), request.from_tag(), request.cseq(), request.uri(), side).hash(&mut hasher);
    hasher.finish()
}

/// All requests under way.
#[derive(Debug, Default)]
pub(crate) struct Passes {
    passes: SlotMap<PassKey, Pass>,
    merged: FxHashMap<u64, PassKey>,
    pub(crate) changes: Changes<PassKey>,
}

impl Passes {
    pub(crate) fn get(&self, key: PassKey) -> Option<&Pass> {
        self.passes.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: PassKey) -> Option<&mut Pass> {
        self.changes.note(key);
        self.passes.get_mut(key)
    }

    /// Whether this very request is under way already: it has come back in a loop.
    pub(crate) fn is_loop(&self, request: &Message, side: Side) -> bool {
        self.merged.contains_key(&merged_key(request, side))
    }

    pub(crate) fn insert(&mut self, mut pass: Pass) -> PassKey {
        let merged = merged_key(&pass.request, pass.arrived.side);
        pass.merged = merged;
        let key = self.passes.insert(pass);
        self.changes.note(key);
        self.merged.insert(merged, key);
        key
    }

    pub(crate) fn remove(&mut self, key: PassKey) -> Option<Pass> {
        let pass = self.passes.remove(key)?;
        self.changes.note(key);
        if self.merged.get(&pass.merged) == Some(&key) {
            self.merged.remove(&pass.merged);
        }
        Some(pass)
    }

    /// The requests that came in or go out by a leg.
    pub(crate) fn of_leg(&self, leg: LegKey) -> Vec<PassKey> {
        let touches = |pass: &Pass| pass.from == Some(leg) || pass.to == Some(leg);
        self.passes.iter().filter(|(_, pass)| touches(pass)).map(|(key, _)| key).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.passes.len()
    }
}
