//! Who a phone is and how it behaves: what differs from maker to maker and from story to story.

use std::net::SocketAddr;
use std::time::Duration;

use base::Transport;
use rtp_flow::Suite;

/// Who a phone is.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name in ladders.
    pub name: String,
    /// The user part of its address: an extension, or a caller's number.
    pub user: String,
    /// Its display name.
    pub display: String,
    /// The domain in its From and in what it dials.
    pub domain: String,
    /// The address that it speaks SIP from.
    pub address: SocketAddr,
    /// Where everything out of dialog goes: its outbound proxy.
    pub proxy: SocketAddr,
    /// By which transport.
    pub transport: Transport,
    /// Whether its Contact is a `sips` URI (RFC 5630).
    pub is_sips: bool,
    /// The first of its RTP ports (even), on the address's IP.
    pub rtp_base: u16,
    /// The tone that it sends, in hertz.
    pub frequency: u32,
    /// Its password at the registrar.
    pub password: String,
    /// Its User-Agent.
    pub user_agent: String,
}

/// Whether and how a phone encrypts its audio.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encrypts {
    /// It knows nothing of that.
    #[default]
    No,
    /// It offers keys in RTP/AVP, and takes what is answered.
    Offers,
    /// Only RTP/SAVP.
    Must,
    /// By DTLS, which is only described here: no packets.
    ByDtls,
}

impl Encrypts {
    /// Whether it speaks SDES.
    pub(super) fn at_all(self) -> bool {
        matches!(self, Encrypts::Offers | Encrypts::Must)
    }
}

/// How a phone behaves.
#[derive(Debug, Clone)]
pub struct Habits {
    /// Answers by itself after this long.
    pub answers_after: Option<Duration>,
    /// Refuses every call with this status.
    pub declines_with: Option<u16>,
    /// Says nothing at all to a new call, not even 180.
    pub is_mute: bool,
    /// Rings with 183 and a description, and sends audio before it is answered.
    pub early_media: bool,
    /// Rings reliably, if the caller can do that (RFC 3262).
    pub reliable: bool,
    /// Offers only in the 200, as a caller (RFC 3261 §13.2.1: an INVITE without a body).
    pub offers_late: bool,
    /// Sends `Refer-Sub: false` (RFC 4488).
    pub no_refer_subscription: bool,
    /// Ends its leg when a transfer has succeeded (RFC 5589 §6.1).
    pub byes_after_transfer: bool,
    /// Holds before it transfers.
    pub holds_to_transfer: bool,
    /// Holds with `inactive` instead of `sendonly`.
    pub holds_inactive: bool,
    /// Asks for session timers of this length (RFC 4028).
    pub session_expires: Option<u32>,
    /// Its audio payload types, best first.
    pub formats: Vec<u8>,
    /// With what it answers a NOTIFY that it did not subscribe to.
    pub notice_status: u16,
    /// The same for single events, where they differ.
    pub notice_statuses: Vec<(&'static str, u16)>,
    /// With what it answers a NOTIFY that it did subscribe to.
    pub watch_status: u16,
    /// Shows what a REFER tells it to write on its status line, as Cisco's enterprise phones do.
    pub has_status_line: bool,
    /// When it takes no notice for now, as it says in Retry-After, in seconds.
    pub retry_after: Option<u32>,
    /// The address that it says in Contact, where a NAT hides the one that it has.
    pub says_address: Option<SocketAddr>,
    /// Lines that it adds to each INVITE that begins a call: `Name: value`.
    pub extra_lines: Vec<String>,
    /// Whether and how it encrypts its audio.
    pub encrypts: Encrypts,
    /// The crypto suites that it speaks, best first.
    pub suites: Vec<Suite>,
    /// Makes new keys with each of its descriptions.
    pub new_keys: bool,
    /// Never takes other keys than the first in a call, whatever is said later.
    pub keeps_first_keys: bool,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            answers_after: None,
            declines_with: None,
            is_mute: false,
            early_media: false,
            reliable: false,
            offers_late: false,
            no_refer_subscription: false,
            byes_after_transfer: true,
            holds_to_transfer: false,
            holds_inactive: false,
            session_expires: None,
            formats: vec![8, 0],
            notice_status: 200,
            notice_statuses: Vec::new(),
            watch_status: 200,
            has_status_line: false,
            retry_after: None,
            says_address: None,
            extra_lines: Vec::new(),
            encrypts: Encrypts::No,
            suites: vec![Suite::AesCm128HmacSha1_80],
            new_keys: false,
            keeps_first_keys: false,
        }
    }
}

impl Habits {
    /// With what a NOTIFY of this event is answered that was not subscribed to.
    pub(crate) fn notice_status_of(&self, event: &str) -> u16 {
        let own = self.notice_statuses.iter().find(|(known, _)| *known == event);
        own.map_or(self.notice_status, |(_, status)| *status)
    }
}
