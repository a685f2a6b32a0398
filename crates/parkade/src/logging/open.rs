//! The log itself: text or JSON, written by a thread of its own so that no call waits for a reader.

use std::io::IsTerminal;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{Registry, fmt};

use crate::config::{LogFormat, LogSettings};

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
        let lines = fmt::layer().with_writer(writer).with_target(false).with_ansi(colours);
        let lines: Box<dyn Layer<_> + Send + Sync> = match settings.format {
            LogFormat::Text => lines.boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        tracing::subscriber::set_global_default(Registry::default().with(filter).with(lines))?;
        Ok(Log { level: LevelOfLog(handle), _writer: guard })
    }

    /// What changes the level.
    pub fn level(&self) -> LevelOfLog {
        self.level.clone()
    }
}
