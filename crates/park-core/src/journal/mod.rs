//! The journal: what must outlive the program, as records. What has changed for a while comes out at once,
//! as it stands at the end of a turn; an engine that is opened with the records has the same calls.

mod names;
mod record;
mod restore;
pub(crate) mod wire;
mod write;

pub use record::{JOURNAL_FORMAT, JournalStep, RecordKey, RecordKind};
pub(crate) use restore::restore;
pub(crate) use write::{Written, keep};
