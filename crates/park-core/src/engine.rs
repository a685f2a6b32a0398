//! The house's one door: one input in, then outputs out until idle.

use base::{Chance, Moment};

use crate::settings::Settings;
use crate::words::{Input, Output};

/// The whole signalling of Parkade as one machine.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    chance: Chance,
}

impl Engine {
    /// Opens the house. Poll at once: it resolves the PBX and orders port pairs first.
    pub fn new(settings: Settings, chance: Chance, _at: Moment) -> Engine {
        Engine { settings, chance }
    }

    /// Takes one input. Poll until [`Output::Idle`] before the next.
    pub fn handle(&mut self, _at: Moment, _input: Input) {}

    /// The next thing to do outside.
    pub fn poll(&mut self) -> Output {
        let _ = (&self.settings, &self.chance);
        Output::Idle { wake_at: None, why: "nothing" }
    }
}
