//! The admin door: where it listens, and who may come in by which token.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::config::raw::Table;
use crate::config::records::RecordSettings;
use crate::config::webhook::{self, WebhookSettings};
use crate::config::{tls, words};
use crate::tls::CertificateFiles;

/// Where the HTTP door is if the operator says nothing: on loopback, so that nobody else is let in.
pub const USUAL_HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5088);

/// What precedes the digest of a token.
const DIGEST_OF: &str = "sha256:";

/// The doors for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// The Unix socket; none: the first of [`crate::default_sockets`] that can be had.
    pub socket: Option<PathBuf>,
    /// The HTTP door.
    pub listen: AdminListen,
    /// How it is encrypted; needed where it is not on loopback.
    pub tls: Option<CertificateFiles>,
    /// Who may come in by HTTP.
    pub tokens: Vec<AdminToken>,
    /// Whether metrics are given without a token.
    pub open_metrics: bool,
    /// Where what became of parked calls is written.
    pub records: Option<RecordSettings>,
    /// Who is told of events.
    pub webhooks: Vec<WebhookSettings>,
}

/// Where the HTTP door is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminListen {
    /// At [`USUAL_HTTP`] if that can be had; a house without it still carries calls.
    Usual,
    /// Here.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

/// What its holder may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// See everything.
    View,
    /// Steer as well.
    Operate,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::View => "view",
            Role::Operate => "operate",
        })
    }
}

/// A bearer token, of which only the digest is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminToken {
    /// Whose it is, for the log.
    pub name: String,
    /// What it is good for.
    pub role: Role,
    /// Its SHA-256.
    pub digest: [u8; 32],
}

impl Default for AdminSettings {
    fn default() -> AdminSettings {
        AdminSettings {
            socket: None,
            listen: AdminListen::Usual,
            tls: None,
            tokens: Vec::new(),
            open_metrics: false,
            records: None,
            webhooks: Vec::new(),
        }
    }
}

/// The words for roles.
pub(crate) const ROLES: [(&str, Role); 2] = [("view", Role::View), ("operate", Role::Operate)];

pub(super) fn read(root: &Table<'_, '_>, folder: &Path) -> AdminSettings {
    let table = root.table("admin");
    let socket = table.text("socket").map(|text| PathBuf::from(text.value));
    if socket.as_ref().is_some_and(|path| !path.is_absolute()) {
        table.doubt("socket", "write a path that begins with /");
    }
    let listen = table.parsed("listen", words::admin_listen).unwrap_or(AdminListen::Usual);
    let tls = tls::files(&table, folder);
    if let AdminListen::At(address) = listen
        && !address.ip().is_loopback()
        && !table.has("certificate")
    {
        let what = format!(
            "{address} can be reached from outside, where tokens must not be read on the way; write \
             certificate and key, or an address such as {USUAL_HTTP}"
        );
        table.doubt("listen", what);
    }
    let open_metrics = table.flag("open_metrics").unwrap_or(false);
    let tokens = tokens(&table);
    table.close();
    let webhooks = webhook::read(root, folder);
    AdminSettings { socket, listen, tls, tokens, open_metrics, records: None, webhooks }
}

fn tokens(admin: &Table<'_, '_>) -> Vec<AdminToken> {
    let mut tokens = Vec::new();
    let mut names = BTreeSet::new();
    for table in admin.tables("token") {
        let name = table.parsed("name", words::one_line).unwrap_or_default();
        if name.is_empty() {
            table.doubt("name", "whose token is it? write name = \"…\", it stands in the log");
        } else if !names.insert(name.clone()) {
            table.doubt("name", format!("{name:?} is there twice"));
        }
        let role = table.choice("role", &ROLES).unwrap_or(Role::View);
        match table.parsed("hash", digest) {
            Some(digest) => tokens.push(AdminToken { name, role, digest }),
            None if !table.has("hash") => table.doubt("hash", HASH_WANTED),
            None => {}
        }
        table.close();
    }
    tokens
}

const HASH_WANTED: &str =
    "the token's hash is needed; parkade token makes a token and shows both, \"sha256:…\"";

fn digest(text: &str) -> Result<[u8; 32], String> {
    let hex = text.strip_prefix(DIGEST_OF).ok_or_else(|| HASH_WANTED.to_owned())?;
    let byte = |at: usize| hex.get(at * 2..at * 2 + 2).and_then(|b| u8::from_str_radix(b, 16).ok());
    let mut digest = [0; 32];
    for (at, place) in digest.iter_mut().enumerate() {
        *place = byte(at).ok_or_else(|| HASH_WANTED.to_owned())?;
    }
    if hex.len() == 64 { Ok(digest) } else { Err(HASH_WANTED.to_owned()) }
}

/// A digest as it stands in the configuration.
pub(crate) fn digest_text(digest: &[u8; 32]) -> String {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{DIGEST_OF}{hex}")
}
