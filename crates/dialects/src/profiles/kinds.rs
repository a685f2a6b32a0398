//! The ways of telling that a phone may understand, and how sure a profile is of it.

use serde::{Deserialize, Serialize};

/// A way of telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NoticeKind {
    /// A NOTIFY that nobody asked for, `Event: park-info`.
    ParkInfo,
    /// BroadWorks' `Event: call-info` for the phone's own extension.
    CallInfo,
    /// Dialogs of a slot or an extension, `Event: dialog` (RFC 4235).
    DialogInfo,
    /// The status line and the monitored park of Cisco's enterprise phones, for the one that parks.
    CiscoRemoteCc,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [NoticeKind; 4] = [
        NoticeKind::ParkInfo,
        NoticeKind::CallInfo,
        NoticeKind::DialogInfo,
        NoticeKind::CiscoRemoteCc,
    ];

    /// The word for it in a profile.
    pub fn word(self) -> &'static str {
        match self {
            NoticeKind::ParkInfo => "park-info",
            NoticeKind::CallInfo => "call-info",
            NoticeKind::DialogInfo => "dialog-info",
            NoticeKind::CiscoRemoteCc => "cisco-remotecc",
        }
    }

    /// The kind that a word in a profile means.
    pub fn read(word: &str) -> Option<NoticeKind> {
        NoticeKind::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word.trim()))
    }
}

/// How sure a profile is of what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// Somebody has captured it between such a phone and a server.
    SeenOnTheWire,
    /// The vendor's or a server's documents, or its phones' settings, say so.
    FromDocumentation,
    /// The best guess.
    Assumed,
    /// An operator says so.
    Configured,
}

impl Certainty {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Certainty::SeenOnTheWire => "seen on the wire",
            Certainty::FromDocumentation => "from documentation",
            Certainty::Assumed => "assumed",
            Certainty::Configured => "configured",
        }
    }
}
