//! Who is shown whom, when a call is retrieved or recalled.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use simnet::{World, stories};
use sip_msg::{Message, Name};

/// The last message of this kind from the house to somebody that shows an identity: both its lines.
fn shown(w: &World, to: &str, fits: impl Fn(&Message) -> bool) -> (String, String) {
    let said = w.ladder().messages("house", to).into_iter().rev().find(|m| fits(m)).unwrap();
    let line = |name| said.get(name).unwrap_or_default().to_owned();
    (line(Name::PAssertedIdentity), line(Name::RemotePartyId))
}

fn answer(message: &Message) -> bool {
    !message.is_request() && message.cseq().1 == "INVITE" && message.status() == 200
}

fn update(message: &Message) -> bool {
    message.is_request() && message.cseq().1 == "UPDATE"
}

stories! {
    fn a_retriever_is_shown_the_parkee_in_both_ways(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").is_shown("carl", "anna");
        let (asserted, remote) = shown(w, "carl", answer);
        assert!(asserted.contains("+331760000"), "{asserted}");
        assert!(remote.starts_with(&asserted) && remote.contains(";party=called;"), "{remote}");
    }

    fn a_recalled_phone_is_shown_the_parkee_in_both_ways(w) {
        w.lot(|lot| lot.recall.after = std::time::Duration::from_secs(10));
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.pass(std::time::Duration::from_secs(11)).rings("ben");
        let (asserted, remote) = shown(w, "ben", |m| m.is_request() && m.cseq().1 == "INVITE");
        assert!(asserted.contains("Recall: "), "{asserted}");
        assert!(remote.starts_with(&asserted) && remote.contains(";party=calling;"), "{remote}");
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_caller_is_shown_who_has_retrieved_it_where_the_pbx_is_to_be_told(w) {
        w.settings(|s| s.connected_line = true);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").is_shown("anna", "carl");
        let (asserted, remote) = shown(w, "pbx", update);
        assert!(asserted.contains("sip:102@pbx.example"), "{asserted}");
        assert!(remote.starts_with(&asserted) && remote.contains(";party=called;"), "{remote}");
    }

    fn who_was_called_is_shown_who_has_answered_its_recall(w) {
        w.settings(|s| s.connected_line = true).pbx_settings(|pbx| pbx.says_update = true);
        w.lot(|lot| lot.recall.after = std::time::Duration::from_secs(10));
        w.phones(["ben"]).callers(["anna"]);
        w.talk("ben", "anna").transfer("ben", "701").settle();
        w.pass(std::time::Duration::from_secs(11)).rings("ben").answer("ben").settle();
        w.talking("anna", "ben").is_shown("anna", "ben");
        let (_, remote) = shown(w, "pbx", update);
        assert!(remote.contains(";party=calling;"), "{remote}");
    }

    fn the_pbx_is_told_nothing_of_that_unless_it_is_to_be(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").settle();
        let told = w.ladder().messages("house", "pbx");
        assert!(!told.into_iter().any(update));
    }
}
