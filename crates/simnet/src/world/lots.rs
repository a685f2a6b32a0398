//! What must be true of lots and of what a lot decides.

use park_core::{Command, LotView, Reply};

use super::state::World;

impl World {
    /// Somebody waits, and hears this tune.
    #[track_caller]
    pub fn hears_tune(&mut self, name: &str, tune: u16) -> &mut World {
        self.waits(name);
        let local = self.phone(name).current().map(|call| call.media.local);
        let is = local.zip(self.media.as_ref()).and_then(|(local, media)| media.tune(local));
        if is != Some(tune) {
            self.fail(&format!("{name} hears tune {is:?} and not {tune}"));
        }
        self
    }

    /// The lots, as an operator sees them.
    #[track_caller]
    pub fn lot_views(&mut self) -> Vec<LotView> {
        match self.command(Command::Parked) {
            Reply::Parked { lots, .. } => lots,
            _ => self.fail("no list of lots"),
        }
    }

    /// Of the first lot so many slots are free.
    #[track_caller]
    pub fn free_slots(&mut self, wanted: usize) -> &mut World {
        let is = self.lot_views().first().map(|lot| lot.free);
        if is != Some(wanted) {
            self.fail(&format!("{is:?} slots are free and not {wanted}"));
        }
        self
    }
}
