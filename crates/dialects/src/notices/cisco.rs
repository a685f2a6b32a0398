//! How Cisco's enterprise phones are told: a line on the screen of the one that asked with `Park`, and
//! dialog-info on the subscription of the one that asked with `ParkMonitor`.

use bytes::Bytes;

use crate::notices::body::Body;
use crate::notices::dialog_info::DIALOG_INFO;
use crate::notices::event::ParkEvent;
use crate::notices::xml::{ascii_only, xml_text};

/// The body's type of a REFER that has such a phone do something.
pub const REMOTECC_REQUEST: &str = "application/x-cisco-remotecc-request+xml";

/// How the namespaces are spelled, and with them the entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CiscoSpelling {
    /// `params`, and the entity is a URI, as Cisco's own call server writes.
    #[default]
    Params,
    /// `parmams`, and the entity has no scheme: a slip of the pen that some firmware insists on.
    Parmams,
}

/// A call of the phone as the phone names it, its own tag first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhoneDialog<'a> {
    /// The Call-ID.
    pub call_id: &'a str,
    /// The phone's tag.
    pub local_tag: &'a str,
    /// Our tag.
    pub remote_tag: &'a str,
}

impl PhoneDialog<'_> {
    /// No call: what is shown is about none that the phone has.
    pub const NONE: PhoneDialog<'static> =
        PhoneDialog { call_id: "", local_tag: "", remote_tag: "" };
}

/// What the phone's status line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusText<'a> {
    /// "Call Park At" in the phone's language, and the slot.
    ParkedAt(&'a str),
    /// Nothing any more.
    Cleared,
}

/// The body of a REFER that writes on the phone's status line, for `timeout_s` seconds (0 to 60). Where
/// it is about a call the phone must still have it, so it goes out before the BYE.
pub fn status_line(dialog: PhoneDialog<'_>, text: StatusText<'_>, timeout_s: u8) -> Body {
    // The phone's own phrases are a byte 0x80 and a letter, which no UTF-8 text can hold.
    let (phrase, slot) = match text {
        StatusText::ParkedAt(slot) => (b"\x80!", format!(" {}", ascii_only(&xml_text(slot)))),
        StatusText::Cleared => (b"\x80^", String::new()),
    };
    let plain = |text: &str| ascii_only(&xml_text(text));
    let before = format!(
        "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\r\n\
         <x-cisco-remotecc-request>\r\n\
         \x20 <statuslineupdatereq>\r\n\
         \x20   <action>notify_display</action>\r\n\
         \x20   <dialogid>\r\n\
         \x20     <callid>{}</callid>\r\n\
         \x20     <localtag>{}</localtag>\r\n\
         \x20     <remotetag>{}</remotetag>\r\n\
         \x20   </dialogid>\r\n\
         \x20   <statustext>",
        plain(dialog.call_id),
        plain(dialog.local_tag),
        plain(dialog.remote_tag),
    );
    let after = format!(
        "{slot}</statustext>\r\n\
         \x20   <displaytimeout>{}</displaytimeout>\r\n\
         \x20   <linenumber>0</linenumber>\r\n\
         \x20   <priority>1</priority>\r\n\
         \x20 </statuslineupdatereq>\r\n\
         </x-cisco-remotecc-request>\r\n",
        timeout_s.min(60),
    );
    let bytes = [before.as_bytes(), phrase, after.as_bytes()].concat();
    Body { content_type: REMOTECC_REQUEST.into(), bytes: Bytes::from(bytes) }
}

/// The body of a NOTIFY on the subscription of a `ParkMonitor`. `slot_uri` is the slot as a SIP URI: from
/// it the phone takes the number that it shows.
pub fn park_monitor(
    spelling: CiscoSpelling,
    version: u64,
    event: ParkEvent,
    slot_uri: &str,
    parkee_uri: &str,
) -> Body {
    let word = match spelling {
        CiscoSpelling::Params => "params",
        CiscoSpelling::Parmams => "parmams",
    };
    let slot = xml_text(slot_uri);
    let entity = match spelling {
        CiscoSpelling::Params => slot.as_str(),
        CiscoSpelling::Parmams => slot.split_once(':').map_or(slot.as_str(), |(_, rest)| rest),
    };
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <dialog-info xmlns=\"urn:ietf:{word}:xml:ns:dialog-info\"\r\n \
         xmlns:call=\"urn:x-cisco:{word}:xml:ns:dialog-info:dialog:callinfo-dialog\"\r\n \
         version=\"{version}\" state=\"full\" entity=\"{entity}\">\r\n \
         <dialog id=\"park\">\r\n  \
         <state>{state}</state>\r\n  \
         <call:park><event>{event}</event></call:park>\r\n  \
         <local><identity display=\"\">{slot}</identity></local>\r\n  \
         <remote><identity display=\"\">{parkee}</identity></remote>\r\n \
         </dialog>\r\n\
         </dialog-info>\r\n",
        state = if event.is_last() { "terminated" } else { "confirmed" },
        event = event.monitor_word(),
        parkee = xml_text(parkee_uri),
    );
    Body { content_type: DIALOG_INFO.into(), bytes: Bytes::from(text) }
}
