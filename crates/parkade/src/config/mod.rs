//! Configuration: TOML, checked whole before anything is bound.

mod admin;
mod check;
mod cluster;
mod dialect;
mod lots;
mod own;
mod problem;
mod profiles;
mod raw;
mod records;
mod security;
mod settings;
mod srtp;
mod state;
#[cfg(test)]
mod tests;
mod tls;
mod trace;
mod webhook;
mod words;

pub use admin::{AdminListen, AdminSettings, AdminToken, Role, USUAL_HTTP};
pub(crate) use admin::{ROLES, digest_text};
pub use check::{check, defaults_with, load};
pub use cluster::ClusterSettings;
pub use problem::{Problem, Problems};
pub use records::RecordSettings;
pub use security::SecuritySettings;
pub(crate) use security::{HalfOpen, Rate};
pub(crate) use settings::SOUND_FILES;
pub use settings::{
    FastPath, Listen, LogFormat, LogSettings, MediaIo, MediaSettings, Music, Settings,
    default_sockets,
};
pub(crate) use srtp::warnings;
pub use state::{KeepMode, StateSettings};
pub use trace::{HepSettings, TraceSettings};
pub use webhook::{EVENT_KINDS, WebhookSettings};
