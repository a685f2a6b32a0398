//! What is kept and sent of the messages that went by.

use std::net::SocketAddr;

use crate::config::raw::Table;
use crate::config::words;

/// What is kept of the messages that went by, and where they are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// How many MiB of recent messages are kept; 0: none.
    pub memory: u32,
    /// Whether users and display names are taken out of what is shown or sent.
    pub redact_names: bool,
    /// Homer.
    pub hep: Option<HepSettings>,
}

/// Where messages are sent, as HEP3.
#[derive(Clone, PartialEq, Eq)]
pub struct HepSettings {
    /// Its address and UDP port.
    pub to: SocketAddr,
    /// By which it knows us.
    pub capture_id: u32,
    /// By which it trusts us.
    pub password: Option<String>,
}

impl std::fmt::Debug for HepSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (to, capture_id) = (&self.to, &self.capture_id);
        let mut fields = f.debug_struct("HepSettings");
        fields.field("to", to).field("capture_id", capture_id).finish_non_exhaustive()
    }
}

impl Default for TraceSettings {
    fn default() -> TraceSettings {
        TraceSettings { memory: 16, redact_names: false, hep: None }
    }
}

pub(super) fn read(root: &Table<'_, '_>) -> TraceSettings {
    let usual = TraceSettings::default();
    let table = root.table("trace");
    let memory = table.number("memory", 0..=4_096).unwrap_or(usual.memory);
    let redact_names = table.flag("redact_names").unwrap_or(usual.redact_names);
    table.close();
    let table = root.table("hep");
    let to = table.parsed("to", words::collector);
    let capture_id = table.number("capture_id", 0..=u32::MAX).unwrap_or(2001);
    let password = table.parsed("password", words::one_line);
    if to.is_none() && !table.has("to") && (table.has("capture_id") || table.has("password")) {
        table.doubt("to", "where is Homer? write to = \"192.0.2.9:9060\"");
    }
    table.close();
    let hep = to.map(|to| HepSettings { to, capture_id, password });
    TraceSettings { memory, redact_names, hep }
}
