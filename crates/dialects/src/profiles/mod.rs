//! Which phones understand what: a profile for each kind of phone, known by its `User-Agent`. A new kind
//! is a row in `built_in`, or an operator's own profile.

mod built_in;
mod kinds;
mod own;
mod profile;
mod register;

pub use kinds::{Certainty, NoticeKind};
pub use own::{BadProfile, ProfileText};
pub use profile::{Profile, Quirks};
pub use register::Profiles;
