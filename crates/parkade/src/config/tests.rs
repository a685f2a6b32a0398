//! The example file against the defaults, and what must be refused.

mod lots;
mod srtp;
mod tls;

use std::collections::BTreeSet;
use std::path::Path;

use base::Extension;
use dialects::LampState;
use park_core::{FindSlot, RecallThen, RecallTo};
use rtp_flow::Clip;
use toml::de::{DeTable, DeValue};

use crate::config::check::{check, examine};
use crate::config::settings::{FastPath, MediaIo, Music, Settings};
use crate::config::words::sign_name;

const EXAMPLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config.example.toml"));

const PBX: &str = "[pbx]\ntarget = [\"sip:192.0.2.50:5060\"]\n";

/// The example with every key that stands behind a # put in force.
fn example_in_full() -> String {
    let in_force = |line: &str| {
        let behind = line.strip_prefix("# ")?;
        let word = behind
            .split_once(" = ")
            .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        (word || behind.starts_with("[[")).then(|| behind.to_owned())
    };
    let lines = EXAMPLE.lines().map(|line| in_force(line).unwrap_or_else(|| line.to_owned()));
    let text: Vec<String> = lines.collect();
    text.join("\n").replace("\"lobby.flac\"", "\"builtin\"")
}

/// A certificate for these names with its key, in a folder that may be new.
fn certificate(folder: &Path, certificate: &str, key: &str, names: &[&str]) {
    std::fs::create_dir_all(folder).unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(folder.join(certificate), made.cert.pem()).unwrap();
    std::fs::write(folder.join(key), made.signing_key.serialize_pem()).unwrap();
}

/// The revocation list of an authority that has taken nothing back.
fn revocation_list() -> String {
    let issuer = rcgen::Issuer::new(
        rcgen::CertificateParams::default(),
        rcgen::KeyPair::generate().unwrap(),
    );
    let list = rcgen::CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2026, 1, 1),
        next_update: rcgen::date_time_ymd(2036, 1, 1),
        crl_number: rcgen::SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    list.signed_by(&issuer).unwrap().pem().unwrap()
}

/// A folder with prompts, of which the config looks at the names only.
fn prompts(folder: &Path, names: impl Iterator<Item = String>) {
    std::fs::create_dir(folder).unwrap();
    for name in names {
        std::fs::write(folder.join(format!("{name}.wav")), "").unwrap();
    }
}

fn keys_of(table: &DeTable<'_>, path: &str, into: &mut BTreeSet<String>) {
    for (key, value) in table {
        let name = if path.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{path}.{}", key.get_ref())
        };
        match value.get_ref() {
            DeValue::Table(inner) => keys_of(inner, &name, into),
            DeValue::Array(list) => {
                for inner in list.iter().filter_map(|entry| entry.get_ref().as_table()) {
                    keys_of(inner, &name, into);
                }
            }
            _ => {}
        }
        into.insert(name);
    }
}

#[track_caller]
fn problems(text: &str) -> Vec<String> {
    let (_, problems, _) = examine(text, Path::new(""), None);
    problems.into_iter().map(|p| format!("{}: {}", p.key, p.what)).collect()
}

#[track_caller]
fn settings(text: &str) -> Settings {
    check(text, Path::new(""), None).unwrap()
}

#[test]
fn the_example_says_the_defaults() {
    let mut defaults = Settings::default();
    defaults.engine.pbx_targets = vec!["sip:192.0.2.50:5060".to_owned()];
    assert_eq!(format!("{:#?}", settings(EXAMPLE)), format!("{defaults:#?}"));
}

#[test]
fn a_fast_path_that_does_not_fit_one_ssrc_is_not_asked_for() {
    let media = settings(&format!("{PBX}[media]\nfast_path = \"off\"\n")).media;
    assert_eq!((media.fast_path, media.one_ssrc), (FastPath::Off, false));
    let both = format!("{PBX}[media]\nfast_path = \"nftables\"\none_ssrc = true\n");
    let told = problems(&both);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("media.fast_path: nftables forwards packets as they"), "{told:?}");
    let kept = settings(&format!("{PBX}[media]\nfast_path = \"bpf\"\none_ssrc = true\n")).media;
    assert_eq!((kept.fast_path, kept.one_ssrc), (FastPath::Bpf, true));
    let told = problems(&format!("{PBX}[media]\nfast_path = \"bpf\"\n"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("media.fast_path: the BPF program is for one_ssrc"), "{told:?}");
}

#[test]
fn the_example_in_full_has_no_problems_and_documents_every_key() {
    let text = example_in_full();
    let folder = tempfile::tempdir().unwrap();
    prompts(&folder.path().join("numbers"), Clip::signs().map(sign_name));
    let authority = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(folder.path().join("crm-ca.pem"), authority).unwrap();
    let tls = folder.path().join("tls");
    certificate(&tls, "fullchain.pem", "privkey.pem", &["sip.example"]);
    certificate(&tls, "other.pem", "other.key", &["other.example"]);
    for ca in ["phones-ca.pem", "pbx-ca.pem"] {
        std::fs::copy(tls.join("other.pem"), tls.join(ca)).unwrap();
    }
    std::fs::write(tls.join("ca.crl"), revocation_list()).unwrap();
    let (_, problems, known) = examine(&text, folder.path(), None);
    assert_eq!(problems, []);
    let mut written = BTreeSet::new();
    keys_of(&DeTable::parse(&text).unwrap().into_inner(), "", &mut written);
    // What a group or a slot may have of its own has the keys of its lot.
    let documented = |key: &&String| {
        let of_lot = key.replace("lot.group.", "lot.").replace("lot.slot.", "lot.");
        !written.contains(*key) && !written.contains(&of_lot)
    };
    let missing: Vec<&String> = known.iter().filter(documented).collect();
    assert!(missing.is_empty(), "not in the example: {missing:?}");
}

#[test]
fn an_empty_file_wants_only_the_pbx() {
    assert_eq!(
        problems(""),
        ["pbx.target: the PBX is missing; write target = [\"sip:192.0.2.50:5060\"] under [pbx]"]
    );
    assert!(problems(PBX).is_empty());
}

#[test]
fn a_group_takes_what_it_does_not_say_of_recalls_from_its_lot() {
    let lots = settings(&format!(
        "{PBX}[[lot]]\nname = \"a\"\n[lot.recall]\nring = \"20s\"\nthen = \"hangup\"\n\
         [[lot.group]]\nname = \"sales\"\nmembers = [\"101\", \"102\"]\n\
         recall = {{ after = \"60s\", to = \"group\" }}\n"
    ))
    .engine
    .lots;
    let recall = lots[0].groups[0].own.recall.as_ref().unwrap();
    assert_eq!(recall.to, RecallTo::Group);
    assert_eq!(recall.after.as_secs(), 60);
    assert_eq!(recall.ring.as_secs(), 20);
    assert_eq!(recall.then, RecallThen::Hangup);
    assert_eq!(recall.group, ["101", "102"]);
}

#[test]
fn a_recall_may_name_a_group_of_its_lot() {
    let lots = settings(&format!(
        "{PBX}[[lot]]\nname = \"a\"\n[lot.recall]\nto = \"parker-then-group\"\ngroup = \"sales\"\n\
         [[lot.group]]\nname = \"sales\"\nmembers = [\"101\", \"102\"]\n"
    ))
    .engine
    .lots;
    assert_eq!(lots[0].recall.group, ["101", "102"]);
}

#[test]
fn lots_have_tunes_of_their_own() {
    let read = settings(&format!(
        "{PBX}[[lot]]\nname = \"a\"\ndomains = [\"a.example\"]\nmusic = \"Cargo.toml\"\n\
         [[lot]]\nname = \"b\"\ndomains = [\"b.example\"]\n\
         [[lot]]\nname = \"c\"\ndomains = [\"c.example\"]\nmusic = \"Cargo.toml\"\n"
    ));
    assert_eq!(read.media.music, [Music::BuiltIn, Music::Path("Cargo.toml".into())]);
    let tunes: Vec<u16> = read.engine.lots.iter().map(|lot| lot.tune).collect();
    assert_eq!(tunes, [1, 0, 1]);
}

#[test]
fn keys_and_rules_reach_the_engine() {
    let engine = settings(&format!(
        "{PBX}[dialect]\nkey_patience = \"500ms\"\n[[dialect.info]]\ncontent_type = \"text/plain\"\n\
         regex = \"^park (.+)$\"\nslot = \"1\"\nasks = \"park\"\n[[lot]]\nname = \"a\"\ndtmf = true\n"
    ))
    .engine;
    assert_eq!(engine.key_patience.as_millis(), 500);
    assert_eq!(engine.info_rules.len(), 1);
    assert!(engine.lots[0].dtmf);
}

#[test]
fn lots_of_one_domain_share_codes_and_nothing_else() {
    let two = |second: &str| {
        let first = "[[lot]]\nname = \"a\"\ndomains = [\"pbx.example\"]\n";
        let head = "[[lot]]\nname = \"b\"\ndomains = [\"pbx.example\"]\n";
        format!("{PBX}{first}{head}{second}")
    };
    let apart = two("slots = \"801-820\"\nany_slot = \"800\"\n");
    assert_eq!(problems(&apart), Vec::<String>::new());
    for (second, key) in [
        ("slots = \"715-730\"\nany_slot = \"800\"\n", "lot.slots"),
        ("slots = \"801-820\"\n", "lot.any_slot"),
        ("slots = \"801-820\"\nany_slot = \"720\"\n", "lot.any_slot"),
        (
            "slots = \"801-820\"\nany_slot = \"800\"\npark = \"*88\"\nretrieve = \"*68\"\n",
            "lot.park",
        ),
        ("slots = \"801-820\"\nany_slot = \"800\"\npark = \"*6\"\n", "lot.park"),
    ] {
        let problems = problems(&two(second));
        assert!(problems.iter().any(|problem| problem.contains(key)), "{second}: {problems:?}");
    }
}

#[test]
fn a_lot_says_how_a_slot_is_found_who_may_retrieve_and_whose_phone_is_recalled() {
    let engine = settings(&format!(
        "{PBX}[[lot]]\nname = \"a\"\nfind_slot = \"next\"\nretrievers = [\"101\"]\n\
         [lot.recall]\nsame_phone = true\n"
    ))
    .engine;
    let lot = &engine.lots[0];
    assert_eq!(lot.find_slot, FindSlot::Next);
    assert_eq!(lot.retrievers, [Extension::from("101")]);
    assert!(lot.recall.same_phone);
}

#[test]
fn a_profile_follows_the_one_that_it_is_like_and_comes_before_it() {
    let profiles = settings(&format!(
        "{PBX}[[profile]]\nname = \"lobby\"\nuser_agent = \"^Fanvil X7\"\nlike = \"fanvil\"\n\
         lamp = \"early\"\n[[profile]]\nname = \"unknown\"\nextension_lamp = \"early\"\n"
    ))
    .engine
    .profiles;
    let lobby = profiles.of(Some("Fanvil X7A 2.12"));
    assert_eq!(lobby.name, "lobby");
    assert_eq!(lobby.slot_style().lamp, LampState::Early);
    assert!(lobby.extension_style().callpark, "as fanvil says");
    assert_eq!(profiles.of(Some("Fanvil X3")).name, "fanvil");
    assert_eq!(profiles.of(Some("?")).extension_style().lamp, LampState::Early);
}

#[test]
fn all_that_is_wrong_with_a_rule_is_told_at_once() {
    let found = problems(&format!(
        "{PBX}[[dialect.info]]\ncontent_type = \"json\"\npointer = \"a\"\nslot = \"a\"\nasks = \"dance\"\n"
    ));
    let keys: Vec<&str> = found.iter().filter_map(|p| p.split(':').next()).collect();
    let all = ["content_type", "pointer", "slot", "asks"].map(|key| format!("dialect.info.{key}"));
    assert_eq!(keys, all);
}

#[test]
fn text_that_is_no_toml_is_told_with_its_lines_and_no_echoes() {
    let (_, problems, _) =
        examine("[phones]\nlisten = [\n[log]\nlevel = \"loud\"\nx = = 1\n", Path::new(""), None);
    assert!((1..=3).contains(&problems.len()), "{problems:#?}");
    assert!(problems.iter().all(|p| p.line.is_some()), "{problems:#?}");
}

#[test]
fn a_second_lot_for_the_same_phones_needs_slots_of_its_own_and_one_for_a_domain_does_not() {
    let two = |first: &str, second: &str| {
        problems(&format!("{PBX}[[lot]]\nname=\"a\"\n{first}\n[[lot]]\nname=\"b\"\n{second}\n"))
    };
    assert_eq!(two("", "").len(), 2);
    assert!(two("", "domains = [\"x.example\"]").is_empty());
    assert_eq!(two("domains = [\"X.example\"]", "domains = [\"x.example\"]").len(), 2);
}

#[test]
fn ports_that_carry_fewer_calls_than_there_are_slots_are_refused() {
    let found = problems(&format!(
        "{PBX}[media]\nports = \"30000-30099\"\n[[lot]]\nname = \"a\"\nslots = \"701-740\"\n"
    ));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("media.ports: 100 ports carry 25 calls"), "{found:?}");
}

#[test]
fn threads_of_media_have_a_core_each_or_none() {
    let read = |media: &str| check(&format!("{PBX}[media]\n{media}\n"), Path::new(""), None);
    let settings = read("pin = [3, 0]\nio = \"epoll\"").unwrap();
    assert_eq!((settings.media.pin, settings.media.io), (vec![3, 0], MediaIo::Epoll));
    assert_eq!(read("").unwrap().media.io, MediaIo::Auto);
    for (media, wanted) in [
        ("workers = 1\npin = [0, 1]", "media.pin: 2 cores for 1 workers; name one for each"),
        ("pin = []\nworkers = 2", "media.pin: 0 cores for 2 workers; name one for each"),
        ("pin = 1", "media.pin: 1 is a whole number; write a list: [1, 2]"),
        ("pin = [\"0\"]", "media.pin: \"0\" is a text; write a number from 0 to 1023"),
        ("pin = [4096]", "media.pin: 4096 is not between 0 and 1023"),
        ("pin = [2, 1, 2]", "media.pin: core 2 is named twice; name one for each worker"),
        ("io = \"uring\"", "media.io: \"uring\" is none of auto, io_uring or epoll"),
    ] {
        let found = problems(&format!("{PBX}[media]\n{media}\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(wanted), "{found:?}");
    }
}

#[test]
fn sockets_of_both_sides_must_differ() {
    let found = problems(
        "[phones]\nlisten = [\"udp:0.0.0.0:5060\"]\n[pbx]\ntarget = [\"sip:192.0.2.50\"]\n\
         listen = [\"udp:192.0.2.1:5060\"]\n",
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("pbx.listen:"), "{found:?}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_check_panic(text in "[ -~\n]{0,200}") {
        let _ = examine(&text, Path::new(""), None);
    }

    #[test]
    fn no_value_makes_the_check_panic(key in 0usize..40, value in "[ -~]{0,20}") {
        let lines: Vec<&str> = EXAMPLE.lines().collect();
        let keys: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].contains(" = ")).collect();
        let at = keys[key % keys.len()];
        let mut changed: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
        let name = lines[at].split(" = ").next().unwrap_or_default().trim_start_matches("# ");
        changed[at] = format!("{name} = {value:?}");
        let _ = examine(&changed.join("\n"), Path::new(""), None);
    }
}

#[test]
fn prompts_are_a_folder_with_a_file_for_each_sign() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers");
    prompts(&path, Clip::signs().map(sign_name).filter(|name| name != "hash"));
    let text = format!("{PBX}[media]\nprompts = \"numbers\"\n");
    let told = check(&text, folder.path(), None).unwrap_err();
    assert_eq!(told.len(), 1);
    assert!(told[0].what.contains("\"numbers\" has no hash.wav"), "{}", told[0].what);
    std::fs::write(path.join("hash.ogg"), "").unwrap();
    let read = check(&text, folder.path(), None).unwrap();
    assert_eq!(read.media.prompts.len(), 12);
    assert!(read.media.prompts.contains(&('#', path.join("hash.ogg"))));
    let nowhere = format!("{PBX}[media]\nprompts = \"nowhere\"\n");
    assert!(check(&nowhere, folder.path(), None).unwrap_err()[0].what.contains("is no folder"));
}

/// A whole `[cluster]`, with something changed.
fn cluster(change: (&str, &str)) -> String {
    let text = "[phones]\nlisten = [\"udp:10.0.0.1:5060\"]\n[cluster]\nnode = \"a\"\n\
                redis = \"redis://10.0.0.5\"\nkey = \"at least sixteen letters\"\n";
    format!("{PBX}{}", text.replace(change.0, change.1))
}

#[test]
fn a_node_has_a_name_a_store_a_key_and_an_address() {
    let settings = settings(&cluster(("", "")));
    let own = settings.cluster.unwrap();
    assert_eq!((&*own.node, own.address.to_string()), ("a", "udp:10.0.0.1:5060".to_owned()));
    assert_eq!(settings.engine.cluster.unwrap().node, "a");
    assert!(settings.engine.lots[0].shared);
}

#[test]
fn what_is_wrong_with_a_node_is_told_and_no_secret_is_repeated() {
    for (change, wanted) in [
        (("node = \"a\"", ""), "cluster.node: this node has no name"),
        (("node = \"a\"", "node = \"a b\""), "cluster.node: \"a b\" is no name"),
        (("redis = \"redis://10.0.0.5\"", ""), "cluster.redis: where is the store?"),
        (("redis://10.0.0.5", "http://u:pw@h"), "cluster.redis: this URL has an unknown scheme"),
        (("at least sixteen letters", "short"), "cluster.key: a key of 5 letters can be guessed"),
        (("at least sixteen letters", "file:nowhere"), "cluster.key: \"nowhere\" cannot be read"),
        (("udp:10.0.0.1", "udp:0.0.0.0"), "cluster.address: where do other nodes reach this one?"),
        (("node = ", "address = \"tls:10.0.0.1:5061\"\nnode = "), "cluster.address: \"tls:"),
        (("node = ", "lease = \"1s\"\nnode = "), "cluster.lease: \"1s\" is not between"),
    ] {
        let found = problems(&cluster(change));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(wanted), "{found:?}");
        assert!(!found[0].contains("pw"), "{found:?}");
    }
}
