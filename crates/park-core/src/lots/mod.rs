//! Lots and slots: where calls are parked, who may take them, and who is told.

mod ask;
mod lot;
mod place;
mod policy;
mod slot;
mod view;

pub(crate) use ask::{
    Ask, any_ask, aor_of, asker, entitled, invite_ask, is_extension, is_trusted, named_ask,
    park_ask, refer_ask, server_ask, speaker, typed_ask, wanted, watch_ask, with_keys,
};
pub(crate) use lot::Lots;
pub use lot::MOST_TOLD;
pub(crate) use place::{hold, spot};
pub(crate) use policy::{Policy, policy_of, resolve_policies};
pub(crate) use slot::{Delivery, ParkedCall, Recall, RecallStage, SlotId, Teller};
pub(crate) use view::{free_beside, views};
