//! The whole configuration: from text to settings, or to all that is wrong with it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::Transport;
use dialects::{Template, Templates};
use park_core::{Anchor, LotSettings, NoticeTemplate};
use rtp_flow::Codec;
use sip_msg::SipUri;
use toml::de::DeTable;

use crate::config::problem::{Problem, Problems};
use crate::config::raw::{Doubts, Table};
use crate::config::settings::{
    FastPath, Listen, LogFormat, LogSettings, MediaIo, Settings, usual_sockets,
};
use crate::config::{
    admin, cluster, dialect, lots, profiles, records, security, srtp, state, tls, trace, words,
};
use crate::tls::TlsSettings;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Reads and checks the file at `path`. With `target`, that PBX is used and not the file's.
///
/// # Errors
/// All that is wrong with it.
pub fn load(path: &Path, target: Option<&str>) -> Result<Settings, Problems> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => check(&text, path.parent().unwrap_or(Path::new("")), target)
            .map_err(|list| Problems { file, list }),
        Err(error) => {
            let what = format!("cannot be read: {error}");
            Err(Problems { file, list: vec![Problem { line: None, key: String::new(), what }] })
        }
    }
}

/// The default settings with this PBX.
///
/// # Errors
/// What is wrong with the URI.
pub fn defaults_with(target: &str) -> Result<Settings, Problems> {
    check("", Path::new(""), Some(target)).map_err(|mut list| {
        // There is no text that they could be found in.
        list.iter_mut().for_each(|problem| problem.line = None);
        Problems { file: "--pbx".to_owned(), list }
    })
}

/// Checks the text of a configuration. Relative paths in it start at `folder`.
///
/// # Errors
/// All that is wrong with it.
pub fn check(text: &str, folder: &Path, target: Option<&str>) -> Result<Settings, Vec<Problem>> {
    let (settings, problems, _) = examine(text, folder, target);
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

/// The settings as far as they could be read, all problems, and the names of all keys.
pub(super) fn examine(
    text: &str,
    folder: &Path,
    target: Option<&str>,
) -> (Settings, Vec<Problem>, BTreeSet<String>) {
    let doubts = Doubts::about(text);
    let (tree, errors) = DeTable::parse_recoverable(text);
    let root = Table::root(&doubts, tree.get_ref());
    let mut settings = Settings::default();
    media(&root, &mut settings, folder);
    let (tls, names) = tls::read(&root, folder);
    (settings.tls, settings.engine.names) = (tls, names);
    (settings.phones_listen, settings.pbx_listen) = usual_sockets(settings.tls.is_there());
    phones(&root, &mut settings, folder);
    pbx(&root, &mut settings, target, folder);
    let listen = settings.phones_listen.iter().chain(&settings.pbx_listen);
    settings.engine.speaks_tls = listen.clone().any(|l| l.transport == Transport::Tls);
    settings.engine.lots = lots::read(&root, &mut settings.media.music, folder);
    park(&root, &mut settings.engine);
    dialect::read(&root, &mut settings.engine);
    settings.engine.templates = notices(&root, folder);
    settings.engine.profiles = profiles::read(&root);
    settings.admin = admin::read(&root, folder);
    settings.trace = trace::read(&root);
    settings.admin.records = records::read(&root, folder);
    settings.security = security::read(&root, &mut settings.engine.caps);
    settings.state = state::read(&root, folder);
    cluster::read(&root, &mut settings, folder);
    program(&root, &mut settings);
    capacity(&root, &settings);
    root.close();
    doubts.note_unreadable(&errors);
    let (problems, known) = doubts.close();
    (settings, problems, known)
}

fn phones(root: &Table<'_, '_>, settings: &mut Settings, folder: &Path) {
    let table = root.table("phones");
    listen(&table, &mut settings.phones_listen, &settings.tls);
    settings.tls.phones = tls::peer(&table, folder);
    settings.engine.phones_advertise = table.parsed("advertise", words::advertised);
    if let Some(trusted) = table.all_parsed("trusted", words::network) {
        settings.engine.phones_trusted = trusted.into_iter().map(|n| n.value).collect();
    }
    table.close();
}

fn listen(table: &Table<'_, '_>, sockets: &mut Vec<Listen>, tls: &TlsSettings) {
    let Some(read) = table.all_parsed("listen", words::listen) else { return };
    for (at, one) in read.iter().enumerate() {
        if read[..at].iter().any(|other| clash(one.value, other.value)) {
            table.doubt_at(one.span.clone(), "listen", "this socket is there twice");
        }
        if one.value.transport == Transport::Tls && !tls.is_there() {
            let what = format!(
                "{} needs a certificate; write certificate = \"FILE\" and key = \"FILE\" under [tls]",
                one.value
            );
            table.doubt_at(one.span.clone(), "listen", what);
        }
    }
    if table.is_empty_list("listen") {
        table.doubt("listen", "at least one socket is needed, such as [\"udp:0.0.0.0:5060\"]");
    }
    *sockets = read.into_iter().map(|one| one.value).collect();
}

/// Whether both cannot be bound at once.
fn clash(a: Listen, b: Listen) -> bool {
    let (x, y) = (a.address, b.address);
    let alike = x.ip() == y.ip()
        || (x.is_ipv4() == y.is_ipv4() && (x.ip().is_unspecified() || y.ip().is_unspecified()));
    a.transport == b.transport && x.port() == y.port() && x.port() != 0 && alike
}

fn pbx(root: &Table<'_, '_>, settings: &mut Settings, target: Option<&str>, folder: &Path) {
    let table = root.table("pbx");
    listen(&table, &mut settings.pbx_listen, &settings.tls);
    settings.tls.pbx = tls::peer(&table, folder);
    if let Some(list) = table.all_parsed("fingerprints", tls::fingerprint) {
        settings.tls.pbx.fingerprints = list.into_iter().map(|one| one.value).collect();
    }
    let written = table.all_parsed("target", words::target);
    settings.engine.connected_line = table.flag("connected_line").unwrap_or(false);
    let named = written.as_ref().is_some_and(|list| !list.is_empty());
    match target.map(words::target) {
        Some(Ok(target)) => settings.engine.pbx_targets = vec![target],
        Some(Err(what)) => table.doubt("target", what),
        None if named => {
            let list = written.unwrap_or_default();
            for one in &list {
                if let Some(what) = out_of_reach(&one.value, &settings.pbx_listen) {
                    table.doubt_at(one.span.clone(), "target", what);
                }
            }
            settings.engine.pbx_targets = list.into_iter().map(|one| one.value).collect();
        }
        None if !table.has("target") || table.is_empty_list("target") => {
            let what = "the PBX is missing; write target = [\"sip:192.0.2.50:5060\"] under [pbx]";
            table.doubt_missing_or_here("target", what);
        }
        None => {}
    }
    settings.engine.pbx_advertise = table.parsed("advertise", words::advertised);
    let trusted = table.all_parsed("trusted", words::network);
    settings.engine.pbx_trusted =
        trusted.map(|list| list.into_iter().map(|network| network.value).collect());
    settings.engine.rewrite_domain = table.parsed("rewrite_domain", words::domain);
    let engine = &mut settings.engine;
    if let Some(after) = table.duration("failover_after", SECOND..=32 * SECOND) {
        engine.failover_after = after;
    }
    if let Some(rest) = table.duration("failover_rest", Duration::ZERO..=24 * HOUR) {
        engine.failover_rest = rest;
    }
    for (one, other) in clashes(settings) {
        table.doubt("listen", format!("{one} is one of the phones' sockets too ({other})"));
    }
    table.close();
}

fn clashes(settings: &Settings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for one in &settings.pbx_listen {
        let other = settings.phones_listen.iter().find(|other| clash(*one, **other));
        found.extend(other.map(|other| (one.to_string(), other.to_string())));
    }
    found
}

/// Why none of our sockets leads to this target, if so.
fn out_of_reach(target: &str, listen: &[Listen]) -> Option<String> {
    let uri = SipUri::read(target)?;
    let asked = Transport::of_uri(uri.is_sips(), uri.param("transport"));
    let transport = match (asked, uri.host_ip(), uri.port()) {
        (Some(asked), ..) => asked,
        (None, None, None) => return None,
        _ => Transport::Udp,
    };
    let fits = |l: &&Listen| l.transport == transport;
    if !listen.iter().any(|l| fits(&l)) {
        let name = transport.in_uri();
        let remedy = match transport {
            Transport::Tls => {
                "; write certificate and key under [tls], and where pbx.listen is written add \"tls:0.0.0.0:5081\" to it"
            }
            _ => "",
        };
        return Some(format!(
            "{target:?} is reached by {name}, but pbx.listen has no {name} socket{remedy}"
        ));
    }
    let ip = uri.host_ip()?;
    let family = |l: &Listen| match l.address.ip() {
        IpAddr::V4(_) => ip.is_ipv4(),
        IpAddr::V6(own) => ip.is_ipv6() || own.is_unspecified(),
    };
    if listen.iter().filter(fits).any(family) {
        return None;
    }
    let name = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
    Some(format!("{target:?} is an {name} address, but pbx.listen has no {name} socket"))
}

fn media(root: &Table<'_, '_>, settings: &mut Settings, folder: &Path) {
    let table = root.table("media");
    let anchor = table.choice("anchor", &[("always", Anchor::Always), ("parked", Anchor::Parked)]);
    let engine = &mut settings.engine;
    engine.anchor = anchor.unwrap_or(engine.anchor);
    engine.media_phones_advertise = table.parsed("phones_advertise", words::advertised);
    engine.media_pbx_advertise = table.parsed("pbx_advertise", words::advertised);
    srtp::read(&table, engine);
    if let Some(list) = table.all_parsed("codecs", codec) {
        if table.is_empty_list("codecs") {
            table.doubt("codecs", "without a codec there is no music; leave the key out for all");
        }
        engine.music_codecs = list.into_iter().map(|c| c.value).collect();
    }
    if let Some(after) = table.duration("silence", Duration::ZERO..=HOUR) {
        // What the kernel forwards is counted every few seconds.
        if after < 10 * SECOND && !after.is_zero() {
            table.doubt(
                "silence",
                "it is told after 10 s at the soonest; write \"10s\", or \"0s\" for never",
            );
        }
        engine.silence = Some(after).filter(|after| !after.is_zero());
    }
    let media = &mut settings.media;
    let bind = |key, usual| table.parsed(key, words::address).unwrap_or(usual);
    media.phones_address = bind("phones_address", media.phones_address);
    media.pbx_address = bind("pbx_address", media.pbx_address);
    if let Some((first, last)) = table.parsed("ports", words::ports) {
        (media.first_port, media.last_port) = (first, last);
    }
    media.workers = table.number("workers", 1..=64).map(|n| n as usize);
    media.pin = pin(&table, media.workers).unwrap_or_default();
    let ways = [("auto", MediaIo::Auto), ("io_uring", MediaIo::IoUring), ("epoll", MediaIo::Epoll)];
    media.io = table.choice("io", &ways).unwrap_or(media.io);
    let paths = [
        ("auto", FastPath::Auto),
        ("nftables", FastPath::Nftables),
        ("bpf", FastPath::Bpf),
        ("off", FastPath::Off),
    ];
    media.fast_path = table.choice("fast_path", &paths).unwrap_or(media.fast_path);
    media.one_ssrc = table.flag("one_ssrc").unwrap_or(media.one_ssrc);
    match (media.fast_path, media.one_ssrc) {
        (FastPath::Nftables, true) => table.doubt(
            "fast_path",
            "nftables forwards packets as they are, so a switch shows another SSRC; write fast_path = \"auto\" \
             or \"bpf\", or one_ssrc = false",
        ),
        (FastPath::Bpf, false) => table.doubt(
            "fast_path",
            "the BPF program is for one_ssrc = true; without that write fast_path = \"auto\" or \"nftables\"",
        ),
        _ => {}
    }
    if let Some(music) = table.parsed("music", |text| words::music(text, folder)) {
        media.music = vec![music];
    }
    media.prompts =
        table.parsed("prompts", |text| words::prompts(text, folder)).unwrap_or_default();
    table.close();
}

/// The cores of the media threads.
fn pin(table: &Table<'_, '_>, workers: Option<usize>) -> Option<Vec<usize>> {
    let entries = table.numbers("pin", 0..=1_023)?;
    let cores: Vec<usize> = entries.iter().flatten().map(|core| *core as usize).collect();
    let twice = |(at, core): &(usize, &usize)| cores[..*at].contains(core);
    if let Some((_, core)) = cores.iter().enumerate().find(twice) {
        table.doubt("pin", format!("core {core} is named twice; name one for each worker"));
    } else if let Some(workers) = workers.filter(|workers| *workers != entries.len()) {
        let what = format!("{} cores for {workers} workers; name one for each", entries.len());
        table.doubt("pin", what);
    }
    Some(cores)
}

fn codec(text: &str) -> Result<Codec, String> {
    let named = |c: &Codec| c.encoding_name().eq_ignore_ascii_case(text);
    Codec::ALL.into_iter().find(named).ok_or_else(|| {
        let all = Codec::ALL.map(Codec::encoding_name);
        format!("{text:?} is none of {}", crate::config::raw::listed(&all))
    })
}

fn park(root: &Table<'_, '_>, engine: &mut park_core::Settings) {
    let table = root.table("park");
    if let Some(grace) = table.duration("bye_grace", Duration::ZERO..=30 * SECOND) {
        engine.bye_grace = grace;
    }
    if let Some(confirm) = table.duration("confirm", Duration::ZERO..=30 * SECOND) {
        engine.confirm = confirm;
    }
    table.close();
}

fn notices(root: &Table<'_, '_>, folder: &Path) -> Vec<NoticeTemplate> {
    let mut templates = Vec::new();
    for table in root.tables("notice") {
        let user_agent = table.parsed("user_agent", words::pattern);
        let content_type = table.text("content_type").map(|t| t.value).unwrap_or_default();
        let template = table.text("template");
        if !table.has("user_agent") {
            table.doubt("user_agent", "say which phones it is for, such as \"(?i)fanvil\"");
        }
        if !table.has("template") {
            let names: Vec<&str> = Templates::built_in().collect();
            let what = format!("name a file, or a built-in template: {}", names.join(", "));
            table.doubt("template", what);
        }
        if let (Some(user_agent), Some(template)) = (user_agent, template) {
            let read = template_text(&template.value, folder).and_then(|text| {
                let tried = Template {
                    user_agent: user_agent.clone(),
                    content_type: content_type.clone(),
                    template: text.clone(),
                };
                Templates::check(&[tried]).map(|()| text).map_err(|bad| {
                    let bad = bad.into_iter().next();
                    let line = bad.as_ref().and_then(|b| b.line);
                    let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
                    let why = bad.map(|b| b.why).unwrap_or_default();
                    format!("{:?}{line}: {why}", template.value)
                })
            });
            match read {
                Ok(template) => {
                    templates.push(NoticeTemplate { user_agent, content_type, template });
                }
                Err(what) => table.doubt_at(template.span, "template", what),
            }
        }
        table.close();
    }
    templates
}

fn template_text(name: &str, folder: &Path) -> Result<String, String> {
    if Templates::built_in().any(|own| own == name) {
        return Ok(name.to_owned());
    }
    let path: PathBuf = folder.join(name);
    std::fs::read_to_string(path).map_err(|error| format!("{name:?} cannot be read: {error}"))
}

fn program(root: &Table<'_, '_>, settings: &mut Settings) {
    let table = root.table("shutdown");
    if let Some(grace) = table.duration("grace", Duration::ZERO..=24 * HOUR) {
        settings.grace = grace;
    }
    let calls = table.choice("calls", &[("keep", true), ("end", false)]);
    let is_shared = settings.cluster.as_ref().is_some_and(|cluster| cluster.journal);
    let has_journal = settings.state.is_some() || is_shared;
    if calls == Some(true) && !has_journal {
        table.doubt(
            "calls",
            "calls are kept by a journal; write [state] path = \"/var/lib/parkade\"",
        );
    }
    settings.keeps_calls = calls.unwrap_or(true) && has_journal;
    table.close();
    let table = root.table("log");
    let levels = [
        ("error", tracing::Level::ERROR),
        ("warn", tracing::Level::WARN),
        ("info", tracing::Level::INFO),
        ("debug", tracing::Level::DEBUG),
        ("trace", tracing::Level::TRACE),
    ];
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    settings.log = LogSettings {
        level: table.choice("level", &levels).unwrap_or(settings.log.level),
        format: table.choice("format", &formats).unwrap_or(settings.log.format),
    };
    table.close();
}

/// Holds the media ports against the slots and the SIP sockets.
fn capacity(root: &Table<'_, '_>, settings: &Settings) {
    let table = root.table("media");
    let media = &settings.media;
    let ports = u32::from(media.last_port) - u32::from(media.first_port) + 1;
    // Two legs, each with a port for RTP and one for RTCP.
    let calls = ports / 4;
    let slots: usize = settings.engine.lots.iter().map(LotSettings::slot_count).sum();
    if (calls as usize) < slots {
        let what = format!(
            "{ports} ports carry {calls} calls (2 legs, RTP and RTCP), but the lots have {slots} \
             slots; write a wider range"
        );
        table.doubt("ports", what);
    }
    let range = media.first_port..=media.last_port;
    let sip = settings.phones_listen.iter().chain(&settings.pbx_listen);
    let within = |l: &&Listen| l.transport == Transport::Udp && range.contains(&l.address.port());
    if let Some(listen) = sip.into_iter().find(within) {
        table.doubt("ports", format!("the SIP socket {listen} is in this range"));
    }
}
