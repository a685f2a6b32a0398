//! How phones are told: one file per kind of body. A new one is a new file here.

mod body;
mod call_info;
mod cisco;
mod dialog_element;
mod dialog_info;
mod event;
mod notice;
mod number;
mod sipfrag;
mod template;
mod templates;
mod weave;
mod xml;

pub use body::Body;
pub use call_info::{CALL_INFO, CALLPARK_INFO, idle_appearances, wants_callpark_info};
pub use cisco::{
    CiscoSpelling, PhoneDialog, REMOTECC_REQUEST, StatusText, park_monitor, status_line,
};
pub use dialog_info::{
    DIALOG, DialogStyle, LampState, ParkedDialog, WrittenDialogs, dialog_info, weave,
};
pub use event::ParkEvent;
pub use notice::{NoticeCall, PARK_INFO, ParkNotice};
pub use sipfrag::{sipfrag, sipfrag_of};
pub use template::{BadTemplate, Template};
pub use templates::Templates;
pub use weave::dialog_info_version;
