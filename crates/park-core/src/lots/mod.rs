//! Lots and slots: where calls are parked, who may take them, and who is told.

mod ask;
mod lot;
mod place;
mod slot;

pub(crate) use ask::{
    Ask, aor_of, asker, dialled_ask, domain_of, entitled, is_trusted, refer_ask, wanted,
};
pub(crate) use lot::Lots;
pub(crate) use place::{place, policy_of};
pub(crate) use slot::{ParkedCall, Recall, RecallStage, SlotId, Teller};
