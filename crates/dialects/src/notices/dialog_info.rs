//! Parked calls as dialogs, for the lamps of phones that watch a slot or an extension (RFC 4235).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::notices::body::Body;
use crate::notices::dialog_element::{Spelling, ended_element, parked_element};
use crate::notices::weave::weave_in;
use crate::notices::xml::xml_text;

/// The event package of dialogs (RFC 4235).
pub const DIALOG: &str = "dialog";

/// The type of a dialog-info body.
pub(crate) const DIALOG_INFO: &str = "application/dialog-info+xml";

/// A parked call as a dialog of a watched slot or extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedDialog {
    /// Names the dialog as long as the call is parked; the same in every notice.
    pub id: String,
    /// With the two tags what a phone puts into `Replaces` to pick the call up; unique to this call.
    pub call_id: String,
    /// The tag of the slot's end.
    pub local_tag: String,
    /// The tag of the parkee's end.
    pub remote_tag: String,
    /// The parkee's SIP URI.
    pub parkee_uri: String,
    /// The parkee's display name.
    pub parkee_name: Option<String>,
    /// The slot or extension as a SIP URI.
    pub local_uri: String,
    /// The remote target URI: a phone that calls it retrieves, `sip:701@pbx.example`.
    pub target: String,
}

/// How a parked call lights a lamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LampState {
    /// As a call that rings: most phones blink, and offer to pick it up.
    Early,
    /// As a call that is talked on: most phones show a steady light.
    Confirmed,
}

impl LampState {
    /// The word of RFC 4235 §4.1.2.
    pub fn word(self) -> &'static str {
        match self {
            LampState::Early => "early",
            LampState::Confirmed => "confirmed",
        }
    }
}

/// How parked calls are written as dialogs, for phones of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DialogStyle {
    /// The state of their dialogs.
    pub lamp: LampState,
    /// Whether BroadWorks' `bw:callpark` says that it is a parked call, not just a busy line.
    pub callpark: bool,
    /// Whether the lamp tells who is parked.
    pub names_parkee: bool,
    /// Whether an empty slot is told by one dialog that has ended instead of none at all.
    pub empty_has_ended: bool,
}

impl DialogStyle {
    /// RFC 4235 and nothing else.
    pub fn plain(lamp: LampState) -> DialogStyle {
        DialogStyle { lamp, callpark: false, names_parkee: true, empty_has_ended: false }
    }

    /// All that is parked at `entity`, which is written as the phone named it in its SUBSCRIBE:
    /// some compare it letter by letter.
    pub fn full(&self, entity: &str, version: u64, dialogs: &[ParkedDialog]) -> Body {
        self.write(dialogs, &[]).full(entity, version)
    }

    /// The dialogs of a full state, to be told to many: those that are parked, and `ended`, the ids of
    /// calls that were told before and are parked no more, so that phones that keep dialogs apart see
    /// each one end.
    pub fn write(&self, dialogs: &[ParkedDialog], ended: &[&str]) -> WrittenDialogs {
        let nothing = ["park"];
        let is_empty = dialogs.is_empty() && ended.is_empty();
        let ended = if is_empty && self.empty_has_ended { &nothing } else { ended };
        WrittenDialogs(self.elements(&Spelling::default(), dialogs, ended))
    }

    /// What has changed at `entity`: calls that are parked now, and the ids of those that are no more
    /// (RFC 4235 §4.3: a dialog that a partial document leaves out stays as it was).
    pub fn partial(
        &self,
        entity: &str,
        version: u64,
        dialogs: &[ParkedDialog],
        ended: &[&str],
    ) -> Body {
        let written = WrittenDialogs(self.elements(&Spelling::default(), dialogs, ended));
        written.document(entity, version, "partial")
    }

    /// The PBX's own dialog-info body with our parked calls woven in: all that is the PBX's stays byte
    /// for byte, our dialogs are put before the closing tag in the PBX's own prefix. The version is
    /// replaced if one is given. `ended` are the ids of calls that are parked no more; a partial body
    /// must say so, in a full one it does no harm. None if the body cannot be understood.
    pub fn weave(
        &self,
        body: &[u8],
        version: Option<u64>,
        dialogs: &[ParkedDialog],
        ended: &[&str],
    ) -> Option<Bytes> {
        weave_in(body, version, |spelling| self.elements(spelling, dialogs, ended))
    }

    fn elements(&self, spelling: &Spelling, dialogs: &[ParkedDialog], ended: &[&str]) -> String {
        let mut text = String::with_capacity(640 * dialogs.len() + 80 * ended.len());
        for dialog in dialogs {
            parked_element(&mut text, spelling, self, dialog);
        }
        for id in ended {
            ended_element(&mut text, spelling, id);
        }
        text
    }
}

/// Dialogs as they are written: the same for all phones of one kind that watch the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenDialogs(String);

impl WrittenDialogs {
    /// The full state of `entity`, as the phone named it.
    pub fn full(&self, entity: &str, version: u64) -> Body {
        self.document(entity, version, "full")
    }

    fn document(&self, entity: &str, version: u64, state: &str) -> Body {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
             state=\"{state}\" entity=\"{}\">\r\n{}</dialog-info>\r\n",
            xml_text(entity),
            self.0,
        );
        Body { content_type: DIALOG_INFO.into(), bytes: Bytes::from(text) }
    }
}

/// The full state of `entity` in plain RFC 4235; without calls, a document without dialogs.
pub fn dialog_info(entity: &str, version: u64, state: LampState, dialogs: &[ParkedDialog]) -> Body {
    DialogStyle::plain(state).full(entity, version, dialogs)
}

/// [`DialogStyle::weave`] in plain RFC 4235, with nothing that has ended.
pub fn weave(
    body: &[u8],
    version: Option<u64>,
    state: LampState,
    dialogs: &[ParkedDialog],
) -> Option<Bytes> {
    DialogStyle::plain(state).weave(body, version, dialogs, &[])
}
