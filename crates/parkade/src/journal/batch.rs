//! Changes as bytes: what one batch of the log holds. For each its kind, its number and its length, in network
//! byte order, and the record; a length of all ones says that there is no such record any more.

use park_core::{RecordKey, RecordKind};

const HEAD: usize = 13;
const NONE: u32 = u32::MAX;

/// Adds a change.
pub(super) fn add(batch: &mut Vec<u8>, key: RecordKey, record: Option<&[u8]>) {
    let length = record.map_or(NONE, |record| u32::try_from(record.len()).unwrap_or(NONE));
    batch.push(key.kind.number());
    batch.extend_from_slice(&key.number.to_be_bytes());
    batch.extend_from_slice(&length.to_be_bytes());
    batch.extend_from_slice(record.unwrap_or_default());
}

/// The changes of a batch. Those of a kind that this version does not know are passed over.
///
/// # Errors
/// [`Broken`] once, at the end of what can be read.
pub(super) fn read(batch: &[u8]) -> impl Iterator<Item = Result<Change<'_>, Broken>> {
    let mut rest = batch;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let Some(((kind, number, record), after)) = split(rest) else {
                rest = &[];
                return Some(Err(Broken));
            };
            rest = after;
            if let Some(kind) = RecordKind::of(kind) {
                return Some(Ok((RecordKey { kind, number }, record)));
            }
        }
        None
    })
}

/// A record that was written, or that there is none any more.
pub(super) type Change<'b> = (RecordKey, Option<&'b [u8]>);

/// A batch ends in the middle of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// Kind, number and record; and what comes after them.
type Split<'b> = ((u8, u64, Option<&'b [u8]>), &'b [u8]);

fn split(batch: &[u8]) -> Option<Split<'_>> {
    let (head, rest) = batch.split_first_chunk::<HEAD>()?;
    let number = u64::from_be_bytes(head[1..9].try_into().ok()?);
    let length = u32::from_be_bytes(head[9..].try_into().ok()?);
    if length == NONE {
        return Some(((head[0], number, None), rest));
    }
    let (record, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some(((head[0], number, Some(record)), rest))
}
