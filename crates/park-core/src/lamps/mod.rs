//! Lamps: each binding is told what is parked for its extension, and told again when that changes. What
//! it is told is always derived from the lots, so it cannot differ from them.

mod draft;
mod line;
mod seen;
mod tell;

pub(crate) use draft::status_refer;
pub(crate) use line::{News, NoticeLine};
pub(crate) use seen::{Seen, park_notice, visible};
pub(crate) use tell::{
    answered, changed, changed_at, greet, refresh_all, remind, rested, restored, subscription_over,
};
