//! Header names: one byte each, any case, long and compact (RFC 3261 §7.3.3, §20).

macro_rules! names {
    ($($variant:ident = $long:literal $(/ $short:literal)?;)*) => {
        /// The name of a header field; those that nobody here asks for are [`Name::Other`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Name {
            $(#[doc = concat!("`", $long, "`")] $variant,)*
            /// Any other name.
            Other,
        }

        const NAMES: &[Name] = &[$(Name::$variant),*];
        const LONG: &[&str] = &[$($long),*];
        const SHORT: &[(&str, Name)] = &[$($(($short, Name::$variant),)?)*];
    };
}

names! {
    Via = "Via" / "v";
    From = "From" / "f";
    To = "To" / "t";
    CallId = "Call-ID" / "i";
    CSeq = "CSeq";
    Contact = "Contact" / "m";
    MaxForwards = "Max-Forwards";
    Route = "Route";
    RecordRoute = "Record-Route";
    ContentType = "Content-Type" / "c";
    ContentLength = "Content-Length" / "l";
    ContentEncoding = "Content-Encoding" / "e";
    ContentDisposition = "Content-Disposition";
    ContentLanguage = "Content-Language";
    MimeVersion = "MIME-Version";
    Expires = "Expires";
    MinExpires = "Min-Expires";
    Event = "Event" / "o";
    SubscriptionState = "Subscription-State";
    AllowEvents = "Allow-Events" / "u";
    ReferTo = "Refer-To" / "r";
    ReferredBy = "Referred-By" / "b";
    ReferSub = "Refer-Sub";
    Replaces = "Replaces";
    Join = "Join";
    TargetDialog = "Target-Dialog";
    RAck = "RAck";
    RSeq = "RSeq";
    Require = "Require";
    ProxyRequire = "Proxy-Require";
    Supported = "Supported" / "k";
    Unsupported = "Unsupported";
    Allow = "Allow";
    Accept = "Accept";
    AcceptEncoding = "Accept-Encoding";
    AcceptLanguage = "Accept-Language";
    AcceptContact = "Accept-Contact" / "a";
    RejectContact = "Reject-Contact" / "j";
    RequestDisposition = "Request-Disposition" / "d";
    Authorization = "Authorization";
    ProxyAuthorization = "Proxy-Authorization";
    WwwAuthenticate = "WWW-Authenticate";
    ProxyAuthenticate = "Proxy-Authenticate";
    AuthenticationInfo = "Authentication-Info";
    UserAgent = "User-Agent";
    Server = "Server";
    SessionExpires = "Session-Expires" / "x";
    MinSe = "Min-SE";
    PAssertedIdentity = "P-Asserted-Identity";
    PPreferredIdentity = "P-Preferred-Identity";
    RemotePartyId = "Remote-Party-ID";
    Privacy = "Privacy";
    Identity = "Identity" / "y";
    HistoryInfo = "History-Info";
    Diversion = "Diversion";
    AlertInfo = "Alert-Info";
    CallInfo = "Call-Info";
    Reason = "Reason";
    RetryAfter = "Retry-After";
    ErrorInfo = "Error-Info";
    Warning = "Warning";
    Path = "Path";
    ServiceRoute = "Service-Route";
    InfoPackage = "Info-Package";
    RecvInfo = "Recv-Info";
    SipETag = "SIP-ETag";
    SipIfMatch = "SIP-If-Match";
    Subject = "Subject" / "s";
    Organization = "Organization";
    Priority = "Priority";
    Date = "Date";
    Timestamp = "Timestamp";
    InReplyTo = "In-Reply-To";
    ReplyTo = "Reply-To";
}

const SLOTS: usize = 256;
const EMPTY: u8 = u8::MAX;
static TABLE: [u8; SLOTS] = table();
static COMPACT: [Name; 26] = compact();

// Letters fall together in lower case, `-` and digits stay what they are.
const fn low(byte: u8) -> usize {
    (byte | 0x20) as usize
}

// These factors give each known name a slot of its own: the table is not built otherwise.
const fn slot_of(name: &[u8]) -> usize {
    let n = name.len();
    (low(name[0]) * 248 + low(name[n - 1]) * 9 + low(name[n / 2]) * 223 + n * 222) % SLOTS
}

const fn table() -> [u8; SLOTS] {
    let mut table = [EMPTY; SLOTS];
    let mut i = 0;
    while i < LONG.len() {
        let slot = slot_of(LONG[i].as_bytes());
        assert!(table[slot] == EMPTY, "two names share a slot: choose other factors");
        table[slot] = i as u8;
        i += 1;
    }
    table
}

const fn compact() -> [Name; 26] {
    let mut letters = [Name::Other; 26];
    let mut i = 0;
    while i < SHORT.len() {
        letters[(SHORT[i].0.as_bytes()[0] - b'a') as usize] = SHORT[i].1;
        i += 1;
    }
    letters
}

impl Name {
    /// How many names are known, for tables indexed by `name as usize`; [`Name::Other`] comes last.
    pub const COUNT: usize = LONG.len() + 1;

    /// The name that `text` says, in any case, long or compact.
    pub fn of(text: &str) -> Name {
        Name::of_bytes(text.as_bytes())
    }

    pub(crate) fn of_bytes(text: &[u8]) -> Name {
        match text {
            [] => Name::Other,
            [letter] if letter.is_ascii_alphabetic() => {
                COMPACT[(letter.to_ascii_lowercase() - b'a') as usize]
            }
            _ => match LONG.get(TABLE[slot_of(text)] as usize) {
                // Most senders spell names as the RFCs do.
                Some(long)
                    if long.as_bytes() == text || long.as_bytes().eq_ignore_ascii_case(text) =>
                {
                    NAMES[TABLE[slot_of(text)] as usize]
                }
                _ => Name::Other,
            },
        }
    }

    /// The long form; empty for [`Name::Other`].
    pub fn as_str(self) -> &'static str {
        LONG.get(self as usize).copied().unwrap_or("")
    }

    // A set of names fits one word: see `Edit`.
    pub(crate) fn bit(self) -> u128 {
        1 << (self as u8)
    }
}

const _: () = assert!(Name::COUNT <= 128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_in_any_case() {
        for &name in NAMES {
            assert_eq!(Name::of(name.as_str()), name);
            assert_eq!(Name::of(&name.as_str().to_uppercase()), name);
            assert_eq!(Name::of(&name.as_str().to_lowercase()), name);
        }
    }

    #[test]
    fn compact_forms_are_known() {
        for (short, name) in [
            ("v", Name::Via),
            ("I", Name::CallId),
            ("r", Name::ReferTo),
            ("b", Name::ReferredBy),
            ("o", Name::Event),
            ("u", Name::AllowEvents),
            ("x", Name::SessionExpires),
            ("a", Name::AcceptContact),
            ("j", Name::RejectContact),
            ("d", Name::RequestDisposition),
            ("y", Name::Identity),
        ] {
            assert_eq!(Name::of(short), name);
        }
    }

    #[test]
    fn unknown_names_are_other() {
        for text in ["", "X-Park", "Vi", "Vias", "z", "7", "-", "Callx-ID", "é"] {
            assert_eq!(Name::of(text), Name::Other, "{text}");
        }
    }
}
