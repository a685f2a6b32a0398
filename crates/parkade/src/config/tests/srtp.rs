//! SRTP: what is taken, and what is told of keys in the clear.

use std::path::Path;

use park_core::SrtpUse;

use super::{PBX, certificate};
use crate::config::check::check;
use crate::config::srtp::warnings;

#[test]
fn each_side_has_its_rule_and_passes_what_comes_where_none_is_written() {
    let read = |media: &str| check(&format!("{PBX}[media]\n{media}"), Path::new(""), None);
    let of = |media: &str| {
        let engine = read(media).unwrap().engine;
        (engine.phones_srtp, engine.pbx_srtp)
    };
    assert_eq!(of(""), (SrtpUse::Pass, SrtpUse::Pass));
    let both = "phones_srtp = \"require\"\npbx_srtp = \"off\"\n";
    assert_eq!(of(both), (SrtpUse::Require, SrtpUse::Off));
    let problems = read("phones_srtp = \"requires\"\n").unwrap_err();
    assert!(problems[0].what.contains("pass, offer, require or off"), "{problems:?}");
}

#[test]
fn keys_that_are_required_and_readable_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "own.pem", "own.key", &["sip.example"]);
    let read = |phones: &str, more: &str| {
        let tls = "[tls]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n";
        let text = format!("{PBX}{tls}[phones]\n{phones}[media]\n{more}");
        warnings(&check(&text, folder.path(), None).unwrap())
    };
    let require = "phones_srtp = \"require\"\n";
    let told = read("listen = [\"udp:0.0.0.0:5060\", \"tls:0.0.0.0:5061\"]\n", require);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("media.phones_srtp: ") && told[0].contains("udp:0.0.0.0:5060;"),
        "{told:?}"
    );
    assert_eq!(read("listen = [\"tls:0.0.0.0:5061\"]\n", require), Vec::<String>::new());
    assert_eq!(read("", "phones_srtp = \"offer\"\n"), Vec::<String>::new());
}
