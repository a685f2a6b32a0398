//! Phones that differ from others, by their profiles.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use dialects::{ProfileText, Profiles};
use simnet::{CallState, MUSIC, NOTHING, World, play, stories};

/// Phones that call themselves so differ as this says.
fn differs(w: &mut World, agent: &str, how: impl FnOnce(&mut ProfileText)) {
    let mut text =
        ProfileText { name: "odd".into(), user_agent: agent.to_owned(), ..ProfileText::default() };
    how(&mut text);
    w.settings(|s| s.profiles = Profiles::new(&[text]).unwrap());
}

/// Registers a phone that calls itself so.
fn odd_phone(w: &mut World, name: &str) {
    w.new_phones([name]).account(name, |account| account.user_agent = "Odd 1.0".into());
    w.register(name, 3600).settle();
}

/// Presses Park in somebody's call, as a Cisco phone that monitors what comes of it.
fn park_monitored(w: &mut World, name: &str) {
    let call = w.phone(name).current().unwrap();
    let (call_id, ours) = (&call.dialog.call_id, &call.dialog.local_tag);
    let theirs = call.dialog.remote_tag.clone().unwrap();
    let body = format!(
        "<x-cisco-remotecc-request><softkeyeventmsg><softkeyevent>ParkMonitor</softkeyevent>\
         <dialogid><callid>{call_id}</callid><localtag>{ours}</localtag>\
         <remotetag>{theirs}</remotetag></dialogid></softkeyeventmsg></x-cisco-remotecc-request>"
    );
    let kind = "application/x-cisco-remotecc-request+xml";
    let lines = ["Refer-To: <cid:park1@10.0.0.101>"];
    w.ask(name, "REFER", "", &lines, Some((kind, body.as_bytes()))).settle();
}

/// The bodies of the NOTIFYs that a monitoring phone has heard.
fn monitored(w: &World, name: &str) -> Vec<String> {
    let heard =
        w.phone(name).heard().iter().filter(|message| {
            message.content_type().is_some_and(|kind| kind.contains("dialog-info"))
        });
    heard.map(|message| String::from_utf8_lossy(&message.body()).into_owned()).collect()
}

/// What the house has answered to somebody's REFERs.
fn refer_answers(w: &World, name: &str) -> Vec<u16> {
    let heard = w.ladder().messages("house", name).into_iter();
    heard.filter(|m| !m.is_request() && m.cseq().1 == "REFER").map(|m| m.status()).collect()
}

stories! {
    fn a_refer_is_answered_as_the_phone_wants_it(w) {
        differs(w, "^Odd", |text| text.refer_status = Some(200));
        odd_phone(w, "ben");
        w.phones(["carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "carl").transfer("carl", "702").settle();
        w.parked_at(&["701", "702"]).transfer_came_to("ben", 200).transfer_came_to("carl", 200);
        assert!(refer_answers(w, "ben").iter().all(|status| *status == 200));
        assert!(refer_answers(w, "carl").iter().all(|status| *status == 202));
    }

    fn a_phone_that_says_refer_sub_false_and_waits_for_a_notify_gets_one(w) {
        differs(w, "^Odd", |text| text.refer_sub = Some(false));
        odd_phone(w, "ben");
        w.callers(["anna"]).habits("ben", |h| h.no_refer_subscription = true);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.parked_at(&["701"]).transfer_came_to("ben", 200).ended("ben");
        assert_eq!(w.phone("ben").latest_transfer().unwrap().progress, Some(200));
    }

    fn a_phone_that_says_so_is_refused_by_notify_too(w) {
        differs(w, "^Odd", |text| text.refer_sub = Some(false));
        w.lot(|lot| { lot.slots = vec![(701, 701, 3)]; lot.max_calls_per_slot = 1; });
        odd_phone(w, "ben");
        w.callers(["anna", "axel"]).habits("ben", |h| h.no_refer_subscription = true);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben").transfer("ben", "701").settle();
        w.transfer_came_to("ben", 486).talking("axel", "ben");
        assert_eq!(refer_answers(w, "ben").last(), Some(&202));
    }

    fn a_monitored_park_is_spelled_as_the_phone_reads_it(w) {
        differs(w, "^Odd", |text| text.cisco_spelling = Some("parmams".into()));
        odd_phone(w, "ben");
        w.phones(["carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben");
        park_monitored(w, "ben");
        w.talk("axel", "carl");
        park_monitored(w, "carl");
        w.hears("anna", MUSIC).hears("axel", MUSIC);
        assert!(monitored(w, "ben").iter().all(|body| body.contains("parmams")));
        let usual = monitored(w, "carl");
        assert!(!usual.is_empty() && usual.iter().all(|body| body.contains("params")));
        assert!(!monitored(w, "ben").is_empty());
    }
}

#[test]
fn each_phone_has_its_own_time_to_hang_up() {
    let mut w = World::new();
    differs(&mut w, "^Odd", |text| text.bye_grace = Some(Duration::from_secs(4)));
    odd_phone(&mut w, "ben");
    w.phones(["carl"]).callers(["anna", "axel"]);
    for name in ["ben", "carl"] {
        w.habits(name, |h| h.byes_after_transfer = false);
    }
    w.talk("anna", "ben").talk("axel", "carl");
    w.transfer("ben", "701").transfer("carl", "702").pass(Duration::from_millis(2_500));
    w.ended("carl").has_calls("ben", 1).pass(Duration::from_secs(3));
    w.ended("ben").tidy();
}

#[test]
fn a_phone_that_dials_a_slot_and_completes_into_it_has_its_own_time_too() {
    let mut w = World::new();
    differs(&mut w, "^Odd", |text| text.bye_grace = Some(Duration::from_secs(4)));
    odd_phone(&mut w, "ben");
    w.callers(["anna"]).habits("ben", |h| h.byes_after_transfer = false);
    w.talk("anna", "ben").hold("ben").settle();
    w.dial("ben", "701").pass_until(Duration::from_millis(800), |w| {
        w.phone("ben").current().is_some_and(|c| c.state == CallState::Up)
    });
    w.transfer_attended("ben").pass(Duration::from_millis(2_500));
    w.has_calls("ben", 2).pass(Duration::from_secs(3));
    w.ended("ben").tidy();
}

/// Phones that have no use for early media.
fn no_early_media(w: &mut World) {
    differs(w, "", |text| text.early_media = Some(false));
}

/// The provisional responses that somebody got.
fn provisional(w: &World, name: &str) -> Vec<(u16, bool)> {
    let heard = w.ladder().messages("house", name).into_iter();
    let heard = heard.filter(|m| !m.is_request() && (101..200).contains(&m.status()));
    heard.map(|m| (m.status(), m.sdp().is_some())).collect()
}

#[test]
fn a_phone_without_use_for_early_media_rings_instead() {
    play(|w| {
        no_early_media(w);
        w.phones(["ben"]).callers(["anna"]).habits("anna", |h| h.early_media = true);
        w.dial("ben", "anna").rings_soon("anna").settle();
        assert_eq!(provisional(w, "ben"), [(180, false)]);
        w.hears_ringing("ben").hears("ben", NOTHING).answer("anna").settle();
        w.talking("ben", "anna");
    });
}

#[test]
fn early_media_that_is_reliable_passes_to_every_phone() {
    play(|w| {
        no_early_media(w);
        w.behind_a_proxy().phones(["ben", "carl"]);
        w.habits("carl", |h| {
            h.reliable = true;
            h.early_media = true;
        });
        w.dial("ben", "carl").rings_soon("carl").settle();
        assert_eq!(provisional(w, "ben"), [(183, true)]);
        w.answer("carl").settle();
        w.talking("ben", "carl");
    });
}

#[test]
fn the_pbx_hears_the_early_media_of_such_a_phone() {
    play(|w| {
        no_early_media(w);
        w.phones(["ben"]).callers(["anna"]).habits("ben", |h| h.early_media = true);
        w.dial("anna", "ben").rings_soon("ben").settle();
        w.hears("anna", "ben").answer("ben").settle();
        w.talking("anna", "ben");
    });
}
