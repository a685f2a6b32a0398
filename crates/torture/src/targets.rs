//! The harnesses as a list.

use crate::bodies::{info, xml};
use crate::house::engine;
use crate::journal::journal;
use crate::sound::rtp;
use crate::wire::{message, sdp};

/// A harness.
pub type Harness = fn(&[u8]);

/// All of them, by the names of their targets.
pub const TARGETS: [(&str, Harness); 7] = [
    ("message", message),
    ("sdp", sdp),
    ("info", info),
    ("xml", xml),
    ("rtp", rtp),
    ("engine", engine),
    ("journal", journal),
];
