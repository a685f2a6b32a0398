//! The settings of one run of the program: what its own rooms need, and what the engine needs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use base::Transport;

use crate::config::admin::AdminSettings;
use crate::config::cluster::ClusterSettings;
use crate::config::security::SecuritySettings;
use crate::config::state::StateSettings;
use crate::config::trace::TraceSettings;
use crate::tls::TlsSettings;

/// All that one run of the program needs to know. Whoever holds it may trust it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where phones reach us.
    pub phones_listen: Vec<Listen>,
    /// Where the PBX reaches us.
    pub pbx_listen: Vec<Listen>,
    /// Addresses, ports and threads of media, and the music.
    pub media: MediaSettings,
    /// The doors for operators.
    pub admin: AdminSettings,
    /// The other nodes, and the store that they share with this one.
    pub cluster: Option<ClusterSettings>,
    /// Where calls are written down, if they are.
    pub state: Option<StateSettings>,
    /// How long calls may go on after the order to end.
    pub grace: Duration,
    /// Calls are left to the next run of the program, and not ended with this one.
    pub keeps_calls: bool,
    /// Logs.
    pub log: LogSettings,
    /// Certificates of ours, and who is believed.
    pub tls: TlsSettings,
    /// What is kept of the messages that went by.
    pub trace: TraceSettings,
    /// What strangers may do.
    pub security: SecuritySettings,
    /// What the engine needs to know.
    pub engine: park_core::Settings,
}

/// One listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Its transport.
    pub transport: Transport,
    /// Its address; may be a wildcard. Port 0 is any free one (for tests).
    pub address: SocketAddr,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.in_uri(), self.address)
    }
}

/// Addresses, ports and threads of media, and the music.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaSettings {
    /// The address to bind towards the phones; may be a wildcard.
    pub phones_address: IpAddr,
    /// The address to bind towards the PBX; may be a wildcard.
    pub pbx_address: IpAddr,
    /// The first port.
    pub first_port: u16,
    /// The last port, in it.
    pub last_port: u16,
    /// How many threads carry media; none: by the machine.
    pub workers: Option<usize>,
    /// The cores that they run on, one each; none: any.
    pub pin: Vec<usize>,
    /// By which way they have their sockets.
    pub io: MediaIo,
    /// Whether the kernel forwards what needs no look at it.
    pub fast_path: FastPath,
    /// Whether a far side hears one SSRC for the whole call, whoever feeds it.
    pub one_ssrc: bool,
    /// The music list; tune numbers count it. The first is the default of every lot.
    pub music: Vec<Music>,
    /// By which the number of a slot is said: the file of each sign; none: it is not said.
    pub prompts: Vec<(char, PathBuf)>,
}

/// Whether the kernel forwards the packets of established calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FastPath {
    /// Where it can; else user space does, and the log says why.
    Auto,
    /// It must, by a table of nftables: without it the program does not start.
    Nftables,
    /// It must, by a BPF program, which keeps one SSRC: without it the program does not start.
    Bpf,
    /// User space does.
    Off,
}

/// The system's ways to many sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaIo {
    /// The faster one that there is.
    Auto,
    /// io_uring, or none.
    IoUring,
    /// epoll.
    Epoll,
}

/// The kinds of sound files that can be read, by the end of their names.
pub(crate) const SOUND_FILES: [&str; 5] = ["wav", "flac", "mp3", "ogg", "oga"];

/// Where music comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Music {
    /// The melody that the program makes itself.
    BuiltIn,
    /// A file, or a folder of files.
    Path(PathBuf),
}

/// Logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// How much is told.
    pub level: tracing::Level,
    /// How it looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The places at which the admin door is opened when none is configured, in order: the system's,
/// then that of the user who runs the program.
pub fn default_sockets() -> Vec<PathBuf> {
    let system = PathBuf::from("/run/parkade/parkade.sock");
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(|d| PathBuf::from(d).join("parkade.sock"));
    std::iter::once(system).chain(own).collect()
}

/// The sockets of both sides where the operator says nothing: the phones', then the PBX's.
pub(super) fn usual_sockets(with_tls: bool) -> (Vec<Listen>, Vec<Listen>) {
    let any = |transport, port| Listen {
        transport,
        address: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
    };
    let of = |port| {
        let tls = with_tls.then(|| any(Transport::Tls, port + 1));
        [any(Transport::Udp, port), any(Transport::Tcp, port)].into_iter().chain(tls).collect()
    };
    (of(5060), of(5080))
}

impl Default for Settings {
    /// What holds where the operator says nothing; the PBX's address has no default.
    fn default() -> Settings {
        let (phones_listen, pbx_listen) = usual_sockets(false);
        Settings {
            phones_listen,
            pbx_listen,
            media: MediaSettings::default(),
            admin: AdminSettings::default(),
            cluster: None,
            state: None,
            grace: Duration::from_secs(60),
            tls: TlsSettings::default(),
            keeps_calls: false,
            log: LogSettings { level: tracing::Level::INFO, format: LogFormat::Text },
            trace: TraceSettings::default(),
            security: SecuritySettings::default(),
            engine: park_core::Settings::default(),
        }
    }
}

impl Default for MediaSettings {
    fn default() -> MediaSettings {
        MediaSettings {
            phones_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            pbx_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            first_port: 30_000,
            last_port: 39_999,
            workers: None,
            pin: Vec::new(),
            io: MediaIo::Auto,
            fast_path: FastPath::Auto,
            one_ssrc: false,
            music: vec![Music::BuiltIn],
            prompts: Vec::new(),
        }
    }
}
