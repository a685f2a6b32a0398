//! Call detail records: one for each parked call, when it is parked no more.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use base::Moment;
use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use park_core::{Fact, StreamView, Told};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Clock;
use crate::config::RecordSettings;

/// What has become of a parked call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct RecordView {
    /// `record`.
    pub(crate) event: String,
    /// When it was parked no more (RFC 3339).
    pub(crate) at: String,
    /// Its name.
    pub(crate) park: String,
    /// The Call-ID of the parkee's leg.
    pub(crate) call_id: Option<String>,
    /// The lot.
    pub(crate) lot: String,
    /// The SIP domain.
    pub(crate) domain: String,
    /// The slot, the last if it was moved.
    pub(crate) slot: String,
    /// The slots in which it was before.
    pub(crate) moved_from: Vec<String>,
    /// The parkee's number or user.
    pub(crate) parkee: String,
    /// Its display name.
    pub(crate) parkee_name: Option<String>,
    /// Who parked it.
    pub(crate) parker: String,
    /// The park group, for a group park.
    pub(crate) group: Option<String>,
    /// When it was parked (RFC 3339).
    pub(crate) parked_at: String,
    /// How many milliseconds it waited.
    pub(crate) waited_ms: u64,
    /// How it ended: `retrieved`, `recalled`, `handed-over`, `abandoned` or `hung-up`.
    pub(crate) outcome: String,
    /// Who has it, or where it is.
    pub(crate) by: Option<String>,
    /// Why it was hung up.
    pub(crate) why: Option<String>,
    /// How often phones were rung to bring it back.
    pub(crate) recalls: u32,
    /// How often somebody began to take it and could not.
    pub(crate) released: u32,
    /// What the sound of the call was like until then, from each end.
    pub(crate) streams: Vec<StreamView>,
}

/// A call that is parked.
#[derive(Debug)]
struct Open {
    since: Moment,
    record: RecordView,
}

/// The records that are being made.
#[derive(Debug, Default)]
pub(super) struct Records {
    open: FxHashMap<String, Open>,
    /// Streams that have ended, of calls whose records are nearly made, by Call-ID.
    ended: FxHashMap<String, Vec<StreamView>>,
}

impl Records {
    /// A fact; the record of the call whose park it ends. Its streams are to be asked for.
    pub(super) fn hear(&mut self, clock: Clock, at: Moment, told: &Told) -> Option<RecordView> {
        if let (Fact::StreamEnded { side, quality }, Some(call)) = (&told.fact, &told.call) {
            if let Some(ended) = self.ended.get_mut(call) {
                ended.push(StreamView::of(call.clone(), *side, quality));
            }
            return None;
        }
        let of = told.fact.parked()?;
        let waited = match &told.fact {
            Fact::StillParked { waited, .. } => *waited,
            _ => Duration::ZERO,
        };
        if let Fact::Parked { parked, .. } | Fact::StillParked { parked, .. } = &told.fact {
            let since = Moment::ZERO + at.since(Moment::ZERO).saturating_sub(waited);
            let record = RecordView {
                event: "record".to_owned(),
                at: String::new(),
                park: of.park.clone(),
                call_id: told.call.clone(),
                lot: of.lot.clone(),
                domain: of.domain.clone(),
                slot: of.slot.clone(),
                moved_from: Vec::new(),
                parkee: parked.parkee.clone(),
                parkee_name: parked.parkee_name.clone(),
                parker: parked.parker.clone(),
                group: parked.group.clone(),
                parked_at: clock.date(since),
                waited_ms: 0,
                outcome: String::new(),
                by: None,
                why: None,
                recalls: 0,
                released: 0,
                streams: Vec::new(),
            };
            self.open.insert(of.park.clone(), Open { since, record });
            return None;
        }
        let open = self.open.get_mut(&of.park)?;
        let record = &mut open.record;
        match &told.fact {
            Fact::Recalling { .. } => record.recalls += 1,
            Fact::Released { .. } => record.released += 1,
            Fact::Moved { from, .. } => {
                record.moved_from.push(from.clone());
                record.slot.clone_from(&of.slot);
            }
            _ => {}
        }
        if !told.fact.is_end_of_park() {
            return None;
        }
        let (outcome, by, why) = match &told.fact {
            Fact::Retrieved { by, recall: true, .. } => ("recalled", Some(by), None),
            Fact::Retrieved { by, .. } => ("retrieved", Some(by), None),
            Fact::HandedOver { to, .. } => ("handed-over", Some(to), None),
            Fact::HungUp { why, .. } => ("hung-up", None, Some(why)),
            _ => ("abandoned", None, None),
        };
        let Open { since, mut record } = self.open.remove(&of.park)?;
        record.at = clock.date(at);
        record.waited_ms = u64::try_from(at.since(since).as_millis()).unwrap_or(u64::MAX);
        record.outcome = outcome.to_owned();
        record.by = by.cloned();
        record.why = why.cloned();
        if let Some(call) = &record.call_id {
            self.ended.insert(call.clone(), Vec::new());
        }
        Some(record)
    }

    /// The streams of a call that have ended since its park has; none are kept for it any more.
    pub(super) fn streams(&mut self, call: &str) -> Vec<StreamView> {
        self.ended.remove(call).unwrap_or_default()
    }
}

/// The file of records: a line of JSON each; a full one is set aside.
pub(super) struct RecordFile {
    settings: RecordSettings,
    file: FileRotate<AppendCount>,
}

impl std::fmt::Debug for RecordFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordFile").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl RecordFile {
    /// Opens the file; it is made if it is not there, and so is its folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn open(settings: &RecordSettings) -> io::Result<RecordFile> {
        if let Some(folder) = settings.file.parent().filter(|folder| *folder != Path::new("")) {
            std::fs::create_dir_all(folder)?;
        }
        // FileRotate takes what it cannot open for a bug of its caller's.
        std::fs::OpenOptions::new().create(true).append(true).open(&settings.file)?;
        let file = FileRotate::new(
            &settings.file,
            AppendCount::new(settings.keep as usize),
            ContentLimit::BytesSurpassed(settings.size as usize * (1 << 20)),
            Compression::None,
            None,
        );
        Ok(RecordFile { settings: settings.clone(), file })
    }

    /// Where it is, and how large it may become.
    pub(super) fn settings(&self) -> &RecordSettings {
        &self.settings
    }

    /// Writes a record.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub(super) fn write(&mut self, json: &[u8]) -> io::Result<()> {
        let mut line = Vec::with_capacity(json.len() + 1);
        line.extend_from_slice(json);
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::Side;
    use park_core::{ParkedAt, ParkedWho};
    use rtp_flow::Quality;

    use super::*;

    fn of(slot: &str) -> ParkedAt {
        let [park, lot, domain] = ["p1", "office", "pbx.example"].map(str::to_owned);
        ParkedAt { park, lot, domain, slot: slot.to_owned() }
    }

    fn parked() -> Fact {
        Fact::Parked {
            of: of("701"),
            parked: ParkedWho {
                parkee: "0301234".into(),
                parker: "103".into(),
                retrieve: "701".into(),
                ..ParkedWho::default()
            },
            recall_in: None,
            took: Duration::ZERO,
            free: None,
        }
    }

    fn told(fact: Fact) -> Told {
        Told { call: Some("a@b".into()), leg: None, fact }
    }

    #[tokio::test]
    async fn a_record_tells_the_whole_story_of_a_parked_call_once() {
        let clock = Clock::start();
        let mut records = Records::default();
        let mut at = Moment::from_micros(1_000_000);
        let mut hear = |fact| {
            at += Duration::from_secs(10);
            records.hear(clock, at, &told(fact))
        };
        assert_eq!(hear(parked()), None);
        assert_eq!(hear(Fact::Recalling { of: of("701"), to: "103".into(), attempt: 1 }), None);
        assert_eq!(hear(Fact::Released { of: of("701") }), None);
        let moved = Fact::Moved {
            of: of("702"),
            from: "701".into(),
            group: None,
            retrieve: "702".into(),
            recall_in: None,
        };
        assert_eq!(hear(moved), None);
        let end = Fact::HungUp { of: of("702"), why: "an operator".into() };
        let record = hear(end.clone()).unwrap();
        assert_eq!((record.waited_ms, record.recalls, record.released), (40_000, 1, 1));
        assert_eq!(
            (record.slot.as_str(), &record.moved_from[..]),
            ("702", &["701".to_owned()][..])
        );
        assert_eq!(
            (record.outcome.as_str(), record.why.as_deref()),
            ("hung-up", Some("an operator"))
        );
        assert_eq!(hear(end), None, "it has been told");
        let quality = Quality { received: 7, ..Quality::default() };
        assert_eq!(hear(Fact::StreamEnded { side: Side::Pbx, quality }), None);
        assert_eq!(records.streams("a@b")[0].received, 7);
        assert!(records.streams("a@b").is_empty());
    }

    #[test]
    fn a_full_file_is_set_aside_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            RecordSettings { file: folder.path().join("new/records.jsonl"), size: 1, keep: 2 };
        let mut file = RecordFile::open(&settings).unwrap();
        let record = vec![b'x'; 300_000];
        for _ in 0..18 {
            file.write(&record).unwrap();
        }
        drop(file);
        let mut again = RecordFile::open(&settings).unwrap();
        again.write(b"{}").unwrap();
        let names = std::fs::read_dir(settings.file.parent().unwrap()).unwrap();
        assert_eq!(names.count(), 3);
        let text = std::fs::read_to_string(&settings.file).unwrap();
        assert!(text.ends_with("x\n{}\n"), "what was there is still there");
    }
}
