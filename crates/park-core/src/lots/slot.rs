//! A parked call and its slot: plain data.

use base::{Domain, Extension, LotName, Moment, SlotName};
use dialects::ParkCommand;
use serde::{Deserialize, Serialize};
use sip_core::ServerKey;
use smallvec::SmallVec;

use crate::calls::{Identity, Monitor};
use crate::cluster::Stake;
use crate::keys::{BindingKey, LegKey};
use crate::lots::ask::Ask;
use crate::lots::policy::Policy;
use crate::refusal::Refusal;

/// A slot, separate per lot and domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct SlotId {
    pub(crate) lot: LotName,
    pub(crate) domain: Domain,
    pub(crate) slot: SlotName,
}

/// Who waits to hear whether the park has worked.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) enum Teller {
    /// Nobody any more.
    #[default]
    Nobody,
    /// The parker's leg, by NOTIFY.
    Progress(LegKey),
    /// The parker's leg, and the one of the REFER that asked for it elsewhere, by NOTIFY.
    Apart { parker: LegKey, telling: LegKey },
    /// The parker's leg, by the final answer to its REFER (`Refer-Sub: false`).
    Answer(LegKey, ServerKey),
    /// The parker's leg, by an INFO that answers its command.
    Command(LegKey, ParkCommand),
    /// The parker's leg, whose phone pressed a soft key.
    SoftKey(LegKey),
    /// The parker's leg, which pressed the code's keys: it is only ended.
    Keys(LegKey),
    /// The parker's leg, which dialled the park code with another one.
    Dialled(LegKey, LegKey),
}

/// A retriever's grip on a parked call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) by: LegKey,
    /// The PBX has been asked to change codecs first.
    pub(crate) awaits_offer: bool,
    /// The claim is the answer to a recall.
    pub(crate) recall: bool,
}

/// The phones of an extension that an operator has rung to take a call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) to: Box<str>,
    pub(crate) legs: SmallVec<[LegKey; 4]>,
}

/// Who is rung in a recall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RecallStage {
    /// The parker.
    Parker,
    /// The group.
    Group,
}

/// How far the recall of a parked call has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Recall {
    /// The alarm is set: for the first attempt, or for the next one after a pause.
    Waiting,
    /// The time came while somebody was taking the call; if they fail, the recall begins.
    Overdue,
    /// Phones ring, those of `to`.
    Ringing {
        to: Box<str>,
        #[serde(default)]
        legs: SmallVec<[LegKey; 4]>,
    },
    /// The PBX was asked to take the parkee elsewhere.
    HandingOver { to: String, last: bool },
    /// No recall, or no more.
    Over,
}

/// A parkee's leg, held in a slot; or, of another node, what is known of one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ParkedCall {
    /// Of another node's call there is none here.
    pub(crate) leg: LegKey,
    /// The node at which it is parked, if that is another one.
    #[serde(skip)]
    pub(crate) node: Option<Box<str>>,
    /// How far its place is staked among the nodes.
    #[serde(default)]
    pub(crate) stake: Stake,
    /// What was asked for, where another place is as good.
    #[serde(skip)]
    pub(crate) sought: Option<Ask>,
    pub(crate) id: SlotId,
    /// The park group by which it was parked.
    pub(crate) group: Option<String>,
    pub(crate) parker: Extension,
    /// The very phone that parked it.
    pub(crate) parker_phone: Option<BindingKey>,
    pub(crate) parker_who: Identity,
    pub(crate) parkee: Identity,
    pub(crate) since: Moment,
    /// By which subscribers know it: a dialog of its own, never the parkee's.
    pub(crate) watch_id: Box<str>,
    /// By which operators know it, wherever it is moved.
    pub(crate) park: Box<str>,
    /// What a phone dials to take it.
    pub(crate) retrieve: String,
    #[serde(default)]
    pub(crate) teller: Teller,
    /// The phone that is told what becomes of it.
    pub(crate) monitor: Option<Box<Monitor>>,
    /// The PBX was once asked for a codec in which there is music.
    pub(crate) asked_for_codec: bool,
    pub(crate) claim: Option<Claim>,
    pub(crate) delivery: Option<Delivery>,
    pub(crate) recall: Recall,
    pub(crate) stage: RecallStage,
    pub(crate) attempt: u32,
    pub(crate) policy: Policy,
}

impl Teller {
    /// The parker's leg.
    pub(crate) fn parker(&self) -> Option<LegKey> {
        match *self {
            Teller::Nobody => None,
            Teller::Progress(parker)
            | Teller::Apart { parker, .. }
            | Teller::Answer(parker, _)
            | Teller::Command(parker, _)
            | Teller::SoftKey(parker)
            | Teller::Keys(parker)
            | Teller::Dialled(parker, _) => Some(parker),
        }
    }
}

impl ParkedCall {
    /// Whether it is parked at this node.
    pub(crate) fn is_here(&self) -> bool {
        self.node.is_none()
    }

    /// The parkee, as keys and lists show it on phones that may name it, or may not.
    pub(crate) fn shown(&self, may_be_named: bool) -> Identity {
        match may_be_named && self.policy.names_parkee {
            true => self.parkee.clone(),
            false => Identity::anonymous(),
        }
    }

    /// Whether it waits, and nobody is about to have it.
    ///
    /// # Errors
    /// Why it is not for an operator to have it brought to somebody.
    pub(crate) fn waits(&self) -> Result<(), Refusal> {
        let why = match (&self.claim, &self.recall) {
            _ if !self.stands() => "the call is being parked",
            (Some(_), _) => "the call is being taken",
            _ if self.delivery.is_some() => "phones ring for the call",
            (None, Recall::Ringing { .. }) => "the call is being recalled",
            (None, Recall::HandingOver { .. }) => "the PBX is taking the call elsewhere",
            (None, Recall::Waiting | Recall::Overdue | Recall::Over) => return Ok(()),
        };
        Err(Refusal::Status(409, why.into()))
    }

    /// Whether the park stands: until whoever waits for that has been told, nobody else is.
    pub(crate) fn stands(&self) -> bool {
        matches!(self.teller, Teller::Nobody)
    }
}
