//! How phones are told: one file per kind of body. A new one (dialog-info for lamps, call-info,
//! a vendor's toast) is a new file here; all that it needs to know is in [`ParkNotice`].

mod body;
mod dialog_element;
mod dialog_info;
mod notice;
mod number;
mod sipfrag;
mod template;
mod templates;
mod weave;
mod xml;

pub use body::Body;
pub use dialog_info::{DialogStyle, LampState, ParkedDialog, dialog_info, weave};
pub use notice::{NoticeCall, PARK_INFO, ParkNotice};
pub use sipfrag::sipfrag;
pub use template::{BadTemplate, Template};
pub use templates::Templates;
