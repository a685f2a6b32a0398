//! The program: everything around the engine. It owns what the lower floors may not have: sockets
//! ([`Program`] binds them), the clock, DNS, threads, files and the terminal. One task on one thread
//! feeds the engine one input at a time and does what it wants done; media runs on threads of its
//! own. Configuration is TOML, checked whole before anything is bound ([`check`], [`Problems`]).
//! - `cli`: the command line; `config`: settings; `profiles`: phones' kinds as a list; `logging`: one
//!   line per fact; `host`: what the machine can do; `hostile`: what text from outside must not hold; `lock`: locks that
//!   outlive a panic;
//! - `sip`: UDP and TCP sockets; `resolve`: RFC 3263; `media`: workers and music;
//! - `journal`: what must outlive the program, on disk; `kept_sockets`: sockets that do; `cluster`: the store that nodes share;
//! - `admin`: what operators see and steer, on a thread of its own; `shell`: the task that holds it all
//!   together;
//! - `console`: the same for a terminal;
//! - `demo`: the program among simulated phones, verified.

mod admin;
mod cli;
mod clock;
mod cluster;
mod config;
mod console;
mod demo;
mod host;
mod hostile;
mod journal;
mod kept_sockets;
mod limits;
mod lock;
mod logging;
mod media;
mod profiles;
mod resolve;
mod shell;
mod signals;
mod sip;
mod tls;

pub use admin::{CannotAsk, Steering};
pub use cli::main;
pub use cluster::StoreAddress;
pub use config::{
    AdminListen, AdminSettings, AdminToken, ClusterSettings, EVENT_KINDS, FastPath, HepSettings,
    KeepMode, Listen, LogFormat, LogSettings, MediaIo, MediaSettings, Music, Problem, Problems,
    RecordSettings, Role, SecuritySettings, Settings, StateSettings, TraceSettings, USUAL_HTTP,
    WebhookSettings, check, default_sockets, defaults_with, load,
};
pub use logging::{LevelOfLog, Log};
pub use shell::{CannotStart, Order, Program, run};
pub use sip::CannotBind;
pub use tls::{CertificateFiles, ClientCertificates, PeerSettings, TlsSettings};
