//! What groups and slots may have of their own.

use std::path::Path;

use base::Extension;
use park_core::{LotSettings, RecallThen};

use crate::config::check::{check, examine};

const PBX: &str = "[pbx]\ntarget = [\"sip:192.0.2.50:5060\"]\n";

#[track_caller]
fn lot(text: &str) -> LotSettings {
    let text = format!("{PBX}[[lot]]\nname = \"a\"\n{text}");
    check(&text, Path::new(""), None).unwrap().engine.lots.swap_remove(0)
}

#[track_caller]
fn problem(text: &str) -> String {
    let text = format!("{PBX}[[lot]]\nname = \"a\"\n{text}");
    let (_, problems, _) = examine(&text, Path::new(""), None);
    let problems: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.key, p.what)).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.concat()
}

#[test]
fn slots_and_extensions_have_policies_of_their_own_and_take_the_rest_of_a_recall_from_the_lot() {
    let lot = lot("[lot.recall]\nring = \"20s\"\n[[lot.slot]]\nnumber = \"701-703, 105\"\n\
         music = \"Cargo.toml\"\nretrievers = [\"101\"]\nmax_calls_per_slot = 1\n\
         notify_parker = true\nrecall = { then = \"hangup\" }\n");
    assert_eq!(lot.places.len(), 1);
    let place = &lot.places[0];
    assert_eq!(place.numbers, [(701, 703, 3), (105, 105, 3)]);
    assert_eq!(place.own.retrievers, Some(vec![Extension::from("101")]));
    assert_eq!(place.own.max_calls_per_slot, Some(1));
    assert_eq!(place.own.notify_parker, Some(true));
    assert_eq!(place.own.tune, Some(1));
    let recall = place.own.recall.as_ref().unwrap();
    assert_eq!((recall.ring.as_secs(), &recall.then), (20, &RecallThen::Hangup));
}

#[test]
fn a_group_has_more_of_its_own_than_a_recall() {
    let lot = lot("[[lot.group]]\nname = \"sales\"\nmembers = [\"101\"]\nretrievers = []\n\
         max_calls_per_slot = 2\nmusic = \"Cargo.toml\"\n");
    let own = &lot.groups[0].own;
    assert_eq!(own.retrievers, Some(Vec::new()));
    assert_eq!((own.max_calls_per_slot, own.tune), (Some(2), Some(1)));
    assert!(own.recall.is_none());
}

#[test]
fn a_policy_for_what_is_no_place_here_is_refused() {
    let what = problem("[[lot.slot]]\nnumber = \"719-721\"\nextensions = \"x\"\n");
    assert!(what.contains("extensions: unknown key"), "{what}");
    let what = problem("extensions = \"^1..$\"\n[[lot.slot]]\nnumber = \"719-721\"\n");
    assert!(what.contains("\"721\" in \"719-721\" is neither a slot of this lot nor an"), "{what}");
}

#[test]
fn two_policies_for_one_slot_are_refused_and_one_for_none_too() {
    let what = problem("[[lot.slot]]\nnumber = \"701-705\"\n[[lot.slot]]\nnumber = \"705\"\n");
    assert!(what.contains("overlaps \"701-705\" of an earlier [[lot.slot]]"), "{what}");
    assert!(problem("[[lot.slot]]\nmusic = \"builtin\"\n").contains("say which slots"));
}

#[test]
fn a_place_may_page_and_hide_who_is_parked_and_a_lot_too() {
    let lot = lot("page = \"zone 1\"\nnames_parkee = false\n[[lot.slot]]\nnumber = \"701\"\n\
         page = \"\"\nnames_parkee = true\n");
    assert_eq!((lot.page.as_str(), lot.names_parkee), ("zone 1", false));
    let own = &lot.places[0].own;
    assert_eq!((own.page.as_deref(), own.names_parkee), (Some(""), Some(true)));
}

#[test]
fn a_recall_by_the_pbx_cannot_choose_the_phone() {
    assert!(!lot("recall = { ignore_dnd = false }\n").recall.ignore_dnd);
    let what = problem("recall = { ignore_dnd = false, same_phone = true }\n");
    assert!(what.contains("recall.same_phone: with ignore_dnd = false the PBX decides"), "{what}");
}
