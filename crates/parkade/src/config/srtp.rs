//! SRTP: what is asked for on each side, and what of it is worth less than it seems.

use base::Transport;
use park_core::SrtpUse;

use crate::config::raw::Table;
use crate::config::settings::{Listen, Settings};

/// Reads what stands in `[media]`.
pub(super) fn read(table: &Table<'_, '_>, engine: &mut park_core::Settings) {
    let words = [
        ("pass", SrtpUse::Pass),
        ("offer", SrtpUse::Offer),
        ("require", SrtpUse::Require),
        ("off", SrtpUse::Off),
    ];
    engine.phones_srtp = table.choice("phones_srtp", &words).unwrap_or_default();
    engine.pbx_srtp = table.choice("pbx_srtp", &words).unwrap_or_default();
}

/// Keys that are asked for, and can be read by whoever listens to the signalling: SDES writes them into it.
pub(crate) fn warnings(settings: &Settings) -> Vec<String> {
    let sides = [
        ("phones", settings.engine.phones_srtp, &settings.phones_listen),
        ("pbx", settings.engine.pbx_srtp, &settings.pbx_listen),
    ];
    let open = |listen: &&Listen| listen.transport != Transport::Tls;
    sides
        .into_iter()
        .filter(|(_, wanted, _)| *wanted == SrtpUse::Require)
        .filter_map(|(side, _, listen)| {
            let open: Vec<String> = listen.iter().filter(open).map(Listen::to_string).collect();
            (!open.is_empty()).then(|| {
                format!(
                    "media.{side}_srtp: the keys stand in the signalling, which is in the clear at {}; whoever \
                     reads it hears the call. Leave only tls: in {side}.listen, or keep that network to yourself",
                    open.join(", ")
                )
            })
        })
        .collect()
}
