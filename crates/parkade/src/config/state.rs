//! Where calls are written down, so that they outlive the program.

use std::path::{Path, PathBuf};

use crate::config::raw::Table;

/// The journal's file.
const FILE: &str = "journal.redb";

/// How surely changes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepMode {
    /// On the disk within 50 ms.
    Batch,
    /// Each at once.
    Always,
    /// When the system finds time: a crash of the program loses nothing more than otherwise, one of
    /// the machine may lose some seconds.
    Off,
}

/// The journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSettings {
    /// Its file.
    pub file: PathBuf,
    /// How surely it is kept.
    pub sync: KeepMode,
}

/// Reads `[state]`. Without a path the folder that the service manager gives is used; without one of
/// these nothing is written down.
pub(super) fn read(root: &Table<'_, '_>, folder: &Path) -> Option<StateSettings> {
    let table = root.table("state");
    let wanted = table.flag("journal");
    let written = table.text("path").map(|text| folder.join(text.value).join(FILE));
    let modes = [("batch", KeepMode::Batch), ("always", KeepMode::Always), ("off", KeepMode::Off)];
    let sync = table.choice("sync", &modes).unwrap_or(KeepMode::Batch);
    let file = written.or_else(given);
    if file.is_none() && wanted == Some(true) {
        table.doubt("journal", "where is it written? write path = \"/var/lib/parkade\"");
    }
    table.close();
    let file = file.filter(|_| wanted != Some(false))?;
    Some(StateSettings { file, sync })
}

/// `STATE_DIRECTORY` of systemd.exec(5): of several folders, the first.
fn given() -> Option<PathBuf> {
    let folders = std::env::var_os("STATE_DIRECTORY")?;
    let first = std::env::split_paths(&folders).next()?;
    first.is_absolute().then(|| first.join(FILE))
}
