//! What of new settings can be taken while the program runs.

use crate::config::{AdminSettings, MediaSettings, Settings};

/// The new settings with all that cannot change left as it is, and the names of what was left.
pub(super) fn merge(old: &Settings, new: Settings) -> (Settings, Vec<&'static str>) {
    let mut merged = new;
    let mut left = Vec::new();
    let mut keep = |same: bool, name: &'static str| {
        if !same {
            left.push(name);
        }
    };
    keep(old.phones_listen == merged.phones_listen, "phones.listen");
    keep(old.pbx_listen == merged.pbx_listen, "pbx.listen");
    keep(old.engine.pbx_targets == merged.engine.pbx_targets, "pbx.target");
    keep(old.media.phones_address == merged.media.phones_address, "media.phones_address");
    keep(old.media.pbx_address == merged.media.pbx_address, "media.pbx_address");
    let ports = (old.media.first_port, old.media.last_port);
    keep(ports == (merged.media.first_port, merged.media.last_port), "media.ports");
    keep(old.media.workers == merged.media.workers, "media.workers");
    keep(old.media.pin == merged.media.pin, "media.pin");
    keep(old.media.io == merged.media.io, "media.io");
    keep(old.media.fast_path == merged.media.fast_path, "media.fast_path");
    keep(old.media.one_ssrc == merged.media.one_ssrc, "media.one_ssrc");
    keep(old.admin.socket == merged.admin.socket, "admin.socket");
    keep(old.admin.listen == merged.admin.listen, "admin.listen");
    keep(old.admin.tls == merged.admin.tls, "admin.certificate");
    keep(old.log.format == merged.log.format, "log.format");
    keep(old.state == merged.state, "state");
    keep(old.cluster == merged.cluster, "cluster");
    merged.phones_listen.clone_from(&old.phones_listen);
    merged.pbx_listen.clone_from(&old.pbx_listen);
    merged.engine.pbx_targets.clone_from(&old.engine.pbx_targets);
    // It is of this start of the program, not of the file.
    merged.engine.first_version = old.engine.first_version;
    merged.engine.journal = old.engine.journal;
    merged.state.clone_from(&old.state);
    merged.cluster.clone_from(&old.cluster);
    merged.engine.cluster.clone_from(&old.engine.cluster);
    let is_shared = old.cluster.as_ref().is_some_and(|cluster| cluster.journal);
    merged.keeps_calls &= old.state.is_some() || is_shared;
    let MediaSettings { music, prompts, .. } = std::mem::take(&mut merged.media);
    merged.media = MediaSettings { music, prompts, ..old.media.clone() };
    let AdminSettings { tokens, open_metrics, records, webhooks, .. } =
        std::mem::take(&mut merged.admin);
    merged.admin = AdminSettings { tokens, open_metrics, records, webhooks, ..old.admin.clone() };
    merged.log.format = old.log.format;
    (merged, left)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::check;

    fn settings(text: &str) -> Settings {
        check(text, Path::new(""), Some("sip:192.0.2.50")).unwrap()
    }

    #[test]
    fn lots_and_the_log_level_change_and_sockets_do_not() {
        let old = settings("");
        let new = settings(
            "[phones]\nlisten = [\"udp:127.0.0.1:5070\"]\n[media]\nports = \"20000-29999\"\n\
             [log]\nlevel = \"debug\"\n[[lot]]\nname = \"hall\"\nslots = \"801-810\"",
        );
        let (merged, left) = merge(&old, new);
        assert_eq!(left, ["phones.listen", "media.ports"]);
        assert_eq!(merged.phones_listen, old.phones_listen);
        assert_eq!(merged.media, old.media);
        assert_eq!(merged.engine.lots[0].slots, [(801, 810, 3)]);
        assert_eq!(merged.log.level, tracing::Level::DEBUG);
    }

    #[test]
    fn ways_to_ask_and_profiles_change_and_the_first_version_stays_that_of_the_start() {
        let mut old = settings("");
        old.engine.first_version = 4711;
        let new = settings(
            "[dialect]\nkey_patience = \"1s\"\n[[dialect.info]]\ncontent_type = \"text/plain\"\n\
             regex = \"park\"\nasks = \"park\"\n[[lot]]\nname = \"office\"\ndtmf = true\n\
             [[profile]]\nname = \"lobby\"\nuser_agent = \"^X7\"",
        );
        let (merged, left) = merge(&old, new);
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(merged.engine.key_patience.as_secs(), 1);
        assert_eq!(merged.engine.info_rules.len(), 1);
        assert!(merged.engine.lots[0].dtmf);
        assert_eq!(merged.engine.profiles.of(Some("X7")).name, "lobby");
        assert_eq!(merged.engine.first_version, 4711);
    }

    #[test]
    fn the_same_settings_leave_nothing_out() {
        let old = settings("");
        assert!(merge(&old, settings("")).1.is_empty());
    }
}
