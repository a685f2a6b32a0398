//! What the host lets through, as /proc/sys/net says.

use std::fs;

use crate::media::kernel::keys::Family;

/// Whether the host forwards an IP version: on all interfaces, on some, or on none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Forwards {
    /// On all.
    All,
    /// On these.
    Some(Vec<String>),
    /// On none.
    None,
    /// It cannot be read.
    Unknown,
}

impl Forwards {
    /// What holds in this network namespace.
    pub(crate) fn read(family: Family) -> Forwards {
        let each = per_interface(family, "forwarding");
        let on = |(name, value): &(String, String)| (value == "1").then(|| name.clone());
        let mut on: Vec<String> = each.iter().filter_map(on).collect();
        if each.is_empty() {
            return Forwards::Unknown;
        }
        if on.iter().any(|name| name == "all") {
            return Forwards::All;
        }
        on.retain(|name| name != "default" && name != "lo");
        if on.is_empty() { Forwards::None } else { Forwards::Some(on) }
    }

    /// Whether a path between others may be tried: what comes and does not leave is seen.
    pub(crate) fn at_all(&self) -> bool {
        *self != Forwards::None
    }
}

/// A setting of every interface, with `all` and `default`, by name; empty if it cannot be read.
pub(crate) fn per_interface(family: Family, setting: &str) -> Vec<(String, String)> {
    let folder = match family {
        Family::V4 => "/proc/sys/net/ipv4/conf",
        Family::V6 => "/proc/sys/net/ipv6/conf",
    };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let one = |entry: fs::DirEntry| {
        let value = fs::read_to_string(entry.path().join(setting)).ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), value.trim().to_owned()))
    };
    let mut all: Vec<_> = entries.filter_map(Result::ok).filter_map(one).collect();
    all.sort();
    all
}
