//! The operators' room: what is ordered is done, and what is asked is read from the house as it stands.

mod calls;
mod lists;
mod metrics;
mod obey;

pub(crate) use obey::obey;
