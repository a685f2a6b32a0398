//! Where call detail records are written.

use std::path::{Path, PathBuf};

use crate::config::raw::Table;

/// The file of call detail records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSettings {
    /// Where it is.
    pub file: PathBuf,
    /// After how many MiB it is set aside.
    pub size: u32,
    /// How many that were set aside are kept.
    pub keep: u32,
}

pub(super) fn read(root: &Table<'_, '_>, folder: &Path) -> Option<RecordSettings> {
    let table = root.table("records");
    let file = table.text("file").map(|text| folder.join(text.value));
    let size = table.number("size", 1..=10_240).unwrap_or(100);
    let keep = table.number("keep", 1..=1_000).unwrap_or(10);
    if file.is_none() && !table.has("file") && (table.has("size") || table.has("keep")) {
        table.doubt(
            "file",
            "where are they written? write file = \"/var/log/parkade/records.jsonl\"",
        );
    }
    table.close();
    file.map(|file| RecordSettings { file, size, keep })
}
