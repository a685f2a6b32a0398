//! Records of an earlier run, whatever is in them, and then all that may happen to a house. A store has checked them as a
//! whole; a disk, a bug of another version or somebody's hand may still have made anything of one.

use park_core::{RecordKey, RecordKind};

use crate::bytes::Choices;
use crate::house::Stage;

/// More records than any sample has.
const MOST_RECORDS: usize = 64;

/// Opens a house with records, then plays steps as `engine` does. Before the steps: for each record its kind (0 ends them),
/// its number in three bytes, and the record with its length in two bytes before it.
///
/// # Panics
/// If a promise is broken.
pub fn journal(bytes: &[u8]) {
    let mut choices = Choices::of(bytes);
    let mut records = Vec::new();
    while records.len() < MOST_RECORDS
        && let Some(record) = record(&mut choices)
    {
        records.push(record);
    }
    let mut stage = Stage::open(records);
    stage.play(&mut choices);
    stage.end();
}

fn record(choices: &mut Choices<'_>) -> Option<(RecordKey, Vec<u8>)> {
    let kind = RecordKind::of(choices.byte()?)?;
    // As keys are: how often its place in the table was used, and which place that is.
    let number = u64::from(choices.byte()?) << 32 | u64::from(choices.word()?);
    Some((RecordKey { kind, number }, choices.piece()?.to_vec()))
}
