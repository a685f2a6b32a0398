//! The journal: what must outlive the program, as records. A turn's changes come out as one step before
//! anything of that turn is sent; an engine that is opened with the records has the same calls.

mod changes;
mod record;
mod restore;
mod write;

pub(crate) use changes::Changes;
pub use record::{JOURNAL_FORMAT, JournalStep, RecordKey, RecordKind};
pub(crate) use restore::restore;
pub(crate) use write::{Written, write};
