//! What the operator orders while the program runs.

use crate::config::Settings;

/// An order to the running program.
#[derive(Debug)]
pub enum Order {
    /// Refuse new calls, keep what is parked until the grace ends, then end; given twice: end at once.
    End,
    /// Take these settings as far as they can change while the program runs.
    Reload(Box<Settings>),
}
