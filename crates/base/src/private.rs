//! What must never reach a log.

use std::fmt;

/// A value that prints as `…`: credentials and the like.
#[derive(Clone, PartialEq, Eq)]
pub struct Private<T>(T);

impl<T> Private<T> {
    /// Wraps `value`.
    pub fn new(value: T) -> Private<T> {
        Private(value)
    }

    /// The value itself, for use and not for print.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
