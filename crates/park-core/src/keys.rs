//! Keys of what lives in the house, who owns a transaction, and which alarms there are.

use serde::{Deserialize, Serialize};
use slotmap::new_key_type;

new_key_type! {
    /// A leg.
    pub(crate) struct LegKey;
    /// A request that is being passed on.
    pub(crate) struct PassKey;
    /// A binding.
    pub(crate) struct BindingKey;
    /// A parked call.
    pub(crate) struct ParkedKey;
    /// A subscription to what is ours.
    pub(crate) struct WatchKey;
}

/// Why we sent a request of our own in a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Errand {
    /// To end it.
    Bye,
    /// To tell the progress of a REFER; `last` ends the telling.
    Progress { last: bool },
    /// To change what the PBX sends us and hears: the offer of a parked or retrieved call.
    Offer,
    /// To keep the session alive (RFC 4028).
    Refresh,
    /// To have the PBX take the parkee elsewhere.
    HandOver,
    /// To ring a phone.
    Ring,
    /// To pass a key on that was held back.
    Key,
    /// To tell who watches an extension what is parked there.
    Woven,
    /// To see whether the far end is still there.
    Probe,
    /// Our answer to a retriever or to who dials a park code.
    Answer,
}

/// Where a request stands to dialogs: it says what a 2xx means for which nobody waits any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Within {
    /// It opens one, or has none.
    NoDialog,
    /// It was sent in one that has an end of its own.
    Dialog,
}

/// Who owns a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Owner {
    /// A request that is being passed on, and whether in a dialog that was there before.
    Pass(PassKey, Within),
    /// A request of our own in a leg, or our answer in one.
    Leg(LegKey, Errand),
    /// A call that waits for port pairs.
    Lobby,
    /// A notice to a binding.
    Notice(BindingKey),
    /// A notice to a subscriber.
    Watch(WatchKey),
}

impl Alarm {
    /// Whether it outlives the program: it is written with what it is for. The others are set anew.
    pub(crate) fn is_kept(self) -> bool {
        matches!(
            self,
            Alarm::Recall(_)
                | Alarm::HandOver(_)
                | Alarm::Remind(_)
                | Alarm::Ring(_)
                | Alarm::Refresh(_)
                | Alarm::Events(_)
                | Alarm::Bye(_)
                | Alarm::Offer(_)
        )
    }
}

/// What an alarm is for. The order has no meaning but to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Alarm {
    /// The PBX address that a request went to keeps silent.
    Silent(PassKey),
    /// A binding expires.
    Binding(BindingKey),
    /// The phone has not ended its leg: we do.
    Bye(LegKey),
    /// A refused offer of ours is made again.
    Offer(LegKey),
    /// A session wants to be refreshed.
    Refresh(LegKey),
    /// A subscription that passes through us has run out.
    Events(LegKey),
    /// A parked call's time is up, or a pause between recalls is over.
    Recall(ParkedKey),
    /// A recall has rung long enough.
    Ring(ParkedKey),
    /// The PBX has not said whether it took the parkee.
    HandOver(ParkedKey),
    /// A pause after a key is over.
    Keys(LegKey),
    /// A PBX target is resolved again.
    Resolve(usize),
    /// A subscription to what is ours runs out, or is to be told again.
    Watch(WatchKey),
    /// More subscribers are to be told.
    Watches,
    /// A phone that could not take a notice is told again.
    Notice(BindingKey),
    /// After a restart: is the far end of a leg still there?
    Probe(LegKey),
    /// The parker of a call that waits is to be reminded.
    Remind(ParkedKey),
    /// The store that nodes share has not said whether a place is had.
    Stake(ParkedKey),
    /// That store has been away for too long to believe what was known of other nodes.
    Mirror,
}
