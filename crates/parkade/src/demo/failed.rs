//! Why the demo ends with 1.

use std::io;

use crate::config::Problems;
use crate::shell::CannotStart;

/// Why the demo ends with 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoFailed {
    /// A step did not bring about what it should.
    #[error("the demo has failed: {step}\n  expected: {expected}\n  seen:     {seen}")]
    Missed {
        /// The step.
        step: String,
        /// What should have been seen.
        expected: String,
        /// What was seen last, before patience ended.
        seen: String,
    },
    /// The system does not give what the phones and the PBX need.
    #[error("the demo cannot be set up on loopback: {0}")]
    Stage(#[from] io::Error),
    /// The program does not start.
    #[error("the demo cannot be set up: {0}")]
    House(#[from] CannotStart),
    /// The demo's own configuration is not accepted.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The program has ended by itself, or was interrupted.
    #[error("the program ended before the demo did; was it interrupted?")]
    Interrupted,
}
