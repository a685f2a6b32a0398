//! The log itself: text or JSON, written by a thread of its own so that no call waits for a reader.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::writer::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{Registry, fmt};

use crate::config::{LogFormat, LogSettings};
use crate::logging::harmless::{HarmlessFields, HarmlessJson};

/// The open log. Lines are lost if it is dropped before the program ends.
#[derive(Debug)]
pub struct Log {
    level: LevelOfLog,
    _writer: WorkerGuard,
}

/// Changes how much is told.
#[derive(Debug, Clone)]
pub struct LevelOfLog(Handle<LevelFilter, Registry>);

impl LevelOfLog {
    /// From now on, this much.
    pub fn set(&self, level: Level) {
        // The log is open as long as the program runs.
        let _ = self.0.reload(LevelFilter::from_level(level));
    }
}

impl Log {
    /// Opens the log on the standard output, for the whole process.
    ///
    /// # Errors
    /// If a log is open already.
    pub fn open(settings: LogSettings) -> Result<Log, tracing::subscriber::SetGlobalDefaultError> {
        let (writer, guard) = tracing_appender::non_blocking(std::io::stdout());
        let (filter, handle) = reload::Layer::new(LevelFilter::from_level(settings.level));
        let colours = std::io::stdout().is_terminal();
        let lines = lines(settings.format, colours, writer);
        tracing::subscriber::set_global_default(Registry::default().with(filter).with(lines))?;
        Ok(Log { level: LevelOfLog(handle), _writer: guard })
    }

    /// What changes the level.
    pub fn level(&self) -> LevelOfLog {
        self.level.clone()
    }
}

/// Writes lines of that kind.
fn lines<S, W>(format: LogFormat, colours: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_target(false);
    match format {
        LogFormat::Text => {
            lines.with_ansi(colours).fmt_fields(HarmlessFields).with_writer(writer).boxed()
        }
        LogFormat::Json => {
            lines.json().flatten_event(true).with_writer(HarmlessJson(writer)).boxed()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use base::Moment;
    use park_core::{Asked, Fact, ParkedAt, Told};

    use super::*;
    use crate::hostile::{HOSTILE, is_hostile};
    use crate::logging::FactLog;

    #[derive(Debug, Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn told() -> [Told; 3] {
        let name = || HOSTILE.to_owned();
        let of = ParkedAt { park: name(), lot: name(), slot: name(), domain: name() };
        let facts = [
            Fact::Page {
                of,
                page: name(),
                retrieve: name(),
                name: Some(name()),
                parkee: name(),
                parker: name(),
            },
            Fact::Refused { asked: Asked::Park, status: 404, who: name(), why: name() },
            Fact::Unregistered { extension: HOSTILE.into(), domain: HOSTILE.into() },
        ];
        facts.map(|fact| Told { call: Some(name()), leg: None, fact })
    }

    /// What is written of the same facts, and of what is told beside facts.
    fn written(format: LogFormat, colours: bool) -> String {
        let page = Page::default();
        let writer = page.clone();
        let log = Registry::default().with(lines(format, colours, move || writer.clone()));
        tracing::subscriber::with_default(log, || {
            let mut facts = FactLog::new();
            for told in told() {
                facts.tell(Moment::ZERO, &told);
            }
            let error = std::io::Error::other(HOSTILE);
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::info!(shown = %HOSTILE, debugged = ?HOSTILE, error, "{HOSTILE}");
        });
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn whatever_a_name_holds_the_log_has_one_line_for_each_fact_and_no_raw_control_or_mark() {
        for (format, colours) in
            [(LogFormat::Text, false), (LogFormat::Text, true), (LogFormat::Json, false)]
        {
            let text = written(format, colours);
            let lines: Vec<&str> = text.split_terminator('\n').collect();
            assert_eq!(lines.len(), 4, "{text:?}");
            for line in lines {
                // The log's own colours: ESC [ NUMBERS m.
                let raw = line.replace("\x1b[", if colours { "" } else { "\x1b[" });
                assert!(!raw.chars().any(is_hostile), "{format:?}: {line:?}");
                assert!(line.contains("Jane") && line.contains("INFO forged"), "{line:?}");
                assert!(!line.starts_with("INFO forged"), "{line:?}");
            }
        }
    }

    #[test]
    fn in_json_a_hostile_name_is_read_as_it_was() {
        let text = written(LogFormat::Json, false);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((&first["parkee"], &first["call"]), (&HOSTILE.into(), &HOSTILE.into()));
    }
}
