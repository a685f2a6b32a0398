//! Configuration: TOML, checked whole before anything is bound.

mod check;
mod dialect;
mod lots;
mod own;
mod problem;
mod profiles;
mod raw;
mod settings;
#[cfg(test)]
mod tests;
mod words;

pub use check::{check, defaults_with, load};
pub use problem::{Problem, Problems};
pub(crate) use settings::SOUND_FILES;
pub use settings::{
    FastPath, Listen, LogFormat, LogSettings, MediaIo, MediaSettings, Music, Settings,
    default_sockets,
};
