//! Parked calls as dialogs: documents of our own, and our dialogs woven into the PBX's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dialects::{DialogStyle, LampState, ParkedDialog, dialog_info, dialog_info_version, weave};
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

mod shared;

use shared::alice_at;

fn alice() -> ParkedDialog {
    alice_at("701")
}

fn alice_at_105() -> ParkedDialog {
    ParkedDialog {
        local_uri: "sip:105@pbx.example".into(),
        target: "sip:*88105@pbx.example".into(),
        ..alice()
    }
}

fn callpark() -> DialogStyle {
    DialogStyle { callpark: true, ..DialogStyle::plain(LampState::Confirmed) }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A sample file, whose lines end in LF; on the wire they end in CRLF.
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("samples/dialog-info/", $name)).replace('\n', "\r\n")
    };
}

#[test]
fn a_parked_call_is_a_dialog_of_its_slot() {
    let body = dialog_info("sip:701@pbx.example", 3, LampState::Early, &[alice()]);
    assert_eq!(body.content_type, "application/dialog-info+xml");
    assert_eq!(text(&body.bytes), sample!("one-call.xml"));
}

#[test]
fn an_empty_slot_has_no_dialog() {
    let body = dialog_info("sip:701@pbx.example", 4, LampState::Early, &[]);
    assert_eq!(text(&body.bytes), sample!("no-call.xml"));
}

#[test]
fn an_empty_slot_has_one_that_has_ended_for_phones_that_need_it() {
    let style = DialogStyle { empty_has_ended: true, ..DialogStyle::plain(LampState::Early) };
    let body = style.full("sip:701@pbx.example", 4, &[]);
    assert_eq!(text(&body.bytes), sample!("no-call-ended.xml"));
    let parked = style.full("sip:701@pbx.example", 3, &[alice()]);
    assert_eq!(text(&parked.bytes), sample!("one-call.xml"));
}

#[test]
fn a_call_parked_at_an_extension_says_that_it_is_no_ordinary_call() {
    let body = callpark().partial("sip:105@pbx.example", 3, &[alice_at_105()], &["park-76"]);
    assert_eq!(text(&body.bytes), sample!("callpark-partial.xml"));
}

#[test]
fn several_calls_are_as_many_dialogs_in_their_order() {
    let bob = ParkedDialog { id: "park-78".into(), parkee_name: Some("Bob".into()), ..alice() };
    let body = dialog_info("sip:701@pbx.example", 1, LampState::Confirmed, &[alice(), bob]);
    let text = text(&body.bytes);
    assert_eq!(text.matches("<dialog id=").count(), 2);
    assert!(text.find("Alice") < text.find("Bob"));
}

#[test]
fn a_lamp_may_keep_to_itself_who_is_parked() {
    let style = DialogStyle { names_parkee: false, ..callpark() };
    let body = style.full("sip:701@pbx.example", 1, &[alice()]);
    let text = text(&body.bytes);
    assert!(!text.contains("Alice") && !text.contains("+33176000001"), "{text}");
    assert_eq!(text.matches("sip:anonymous@anonymous.invalid").count(), 2);
}

#[test]
fn the_entity_is_echoed_as_the_phone_wrote_it() {
    let body = dialog_info("sip:Park+701@PBX.example;a=b&c", 1, LampState::Early, &[]);
    let text = text(&body.bytes);
    assert!(text.contains("entity=\"sip:Park+701@PBX.example;a=b&amp;c\""), "{text}");
}

#[test]
fn our_calls_stand_behind_the_dialogs_of_the_pbx() {
    let body = sample!("pbx-asterisk.xml");
    let woven = weave(body.as_bytes(), Some(42), LampState::Early, &[alice_at_105()]).unwrap();
    assert_eq!(text(&woven), sample!("woven-asterisk.xml"));
}

#[test]
fn prefix_comments_and_character_data_of_the_pbx_mislead_nobody() {
    let body = sample!("pbx-prefixed.xml");
    let style = DialogStyle::plain(LampState::Confirmed);
    let woven = style.weave(body.as_bytes(), Some(13), &[alice_at_105()], &["park-76"]).unwrap();
    assert_eq!(text(&woven), sample!("woven-prefixed.xml"));
}

#[test]
fn an_empty_root_is_opened_for_our_calls_only() {
    let body = b"<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" />\r\n";
    assert_eq!(weave(body, None, LampState::Early, &[]).unwrap(), body[..]);
    let woven = weave(body, None, LampState::Early, &[alice()]).unwrap();
    let woven = text(&woven);
    assert!(woven.contains("version=\"0\" >\r\n  <dialog id=\"park-77\""), "{woven}");
    assert!(woven.ends_with("  </dialog>\r\n</dialog-info>\r\n"), "{woven}");
}

#[test]
fn a_version_that_is_missing_is_put_in() {
    let woven = weave(b"<d:dialog-info/>", Some(9), LampState::Early, &[]).unwrap();
    assert_eq!(text(&woven), "<d:dialog-info version=\"9\"/>");
}

#[test]
fn weaving_nothing_changes_nothing_but_the_version() {
    let body = sample!("one-call.xml");
    let same = weave(body.as_bytes(), None, LampState::Early, &[]).unwrap();
    assert_eq!(same, body);
    let newer = weave(body.as_bytes(), Some(1204), LampState::Early, &[]).unwrap();
    assert_eq!(newer, body.replace("version=\"3\"", "version=\"1204\""));
}

#[test]
fn the_version_of_the_pbx_can_be_read() {
    let version = |body: &str| dialog_info_version(body.as_bytes());
    assert_eq!(version(&sample!("pbx-prefixed.xml")), Some(12));
    assert_eq!(version("<dialog-info version=' 0 '/>"), Some(0));
    for body in ["<dialog-info/>", "<dialog-info version='-1'/>", "<dialog-info version='1'>", ""] {
        assert_eq!(version(body), None, "{body}");
    }
}

#[test]
fn letters_are_written_so_that_the_encoding_of_the_pbx_holds_them() {
    let call = ParkedDialog { parkee_name: Some("Zoë".into()), ..alice() };
    let style = LampState::Early;
    let latin =
        b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><dialog-info><!-- \xEB --></dialog-info>";
    let woven = weave(latin, None, style, std::slice::from_ref(&call)).unwrap();
    assert!(String::from_utf8_lossy(&woven).contains("display=\"Zo&#235;\">sip:"), "{woven:?}");
    let unicode = "<?xml version='1.0' encoding='utf-8'?><dialog-info/>";
    let woven = weave(unicode.as_bytes(), None, style, std::slice::from_ref(&call)).unwrap();
    assert!(text(&woven).contains("display=\"Zoë\""));
    let marked = b"\xEF\xBB\xBF<dialog-info version='1'></dialog-info>";
    let woven = weave(marked, Some(2), style, &[]).unwrap();
    assert_eq!(&woven[..], b"\xEF\xBB\xBF<dialog-info version='2'></dialog-info>");
}

#[test]
fn what_is_no_dialog_info_is_left_to_the_pbx() {
    for body in [
        "",
        " ",
        "dialog-info",
        "<presence/>",
        "<my-dialog-info/>",
        "<:dialog-info/>",
        "<dialog-info>",
        "<dialog-info",
        "<dialog-info></dialog>",
        "<dialog-info></dialog-info></dialog-info>",
        "<dialog-info/><dialog-info/>",
        "<dialog-info/>more",
        "less<dialog-info/>",
        "<dialog-info><dialog></dialog-info>",
        "<dialog-info version=1/>",
        "<dialog-info version=\"1\" version=\"2\"/>",
        "<dialog-info><dialog id=\"a\" id=\"b\"/></dialog-info>",
        "<dialog-info><!-- </dialog-info>",
        "<dialog-info/>&amp;",
        "--boundary\r\nContent-Type: application/dialog-info+xml\r\n\r\n<dialog-info/>",
    ] {
        assert_eq!(weave(body.as_bytes(), Some(1), LampState::Early, &[alice()]), None, "{body}");
    }
    let wide: Vec<u8> = "<dialog-info/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(weave(&wide, None, LampState::Early, &[]), None);
}

/// What XML has no way to say becomes a space.
fn sayable(text: &str) -> String {
    let fits = |c: char| !matches!(c, '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}');
    text.chars().map(|c| if fits(c) || c == '\t' { c } else { ' ' }).collect()
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let value = tag.try_get_attribute(name).unwrap()?;
    Some(unescape(&value.value).unwrap().into_owned())
}

/// The texts of a document, in order: each attribute that is named, and each identity.
fn texts(document: &str, names: &[&str]) -> Vec<String> {
    let mut reader = Reader::from_str(document);
    let mut texts = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => return texts,
            Event::Start(tag) => {
                texts.extend(names.iter().filter_map(|name| attribute(&tag, name)));
                if tag.local_name().as_ref() == "identity" {
                    let inside = reader.read_text(tag.name()).unwrap().into_inner();
                    texts.push(unescape(&inside).unwrap().into_owned());
                }
            }
            Event::Empty(tag) => texts.extend(names.iter().filter_map(|n| attribute(&tag, n))),
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn hostile_texts_come_back_from_a_reader_as_they_went_in(
        name in any::<String>(), uri in any::<String>(), id in any::<String>(), entity in any::<String>(),
    ) {
        let hostile = ParkedDialog {
            id: id.clone(), call_id: id.clone(), local_tag: name.clone(), remote_tag: uri.clone(),
            parkee_uri: uri.clone(), parkee_name: Some(format!("x{name}")), ..alice()
        };
        let names = ["entity", "id", "call-id", "local-tag", "remote-tag", "display", "uri"];
        let expected = |phone: bool| {
            let parkee = [format!("x{name}"), uri.clone()];
            let slot = "sip:701@pbx.example".to_owned();
            let mut all = vec![id.clone(), id.clone(), name.clone(), uri.clone()];
            all.extend(["Park 701".to_owned(), slot.clone(), slot.clone()]);
            all.extend(parkee.clone());
            all.push(slot);
            all.extend(if phone { parkee.to_vec() } else { Vec::new() });
            all.iter().map(|text| sayable(text)).collect::<Vec<_>>()
        };
        let calls = [hostile];
        let full = callpark().full(&entity, 1, &calls);
        let mut all = vec![sayable(&entity)];
        all.extend(expected(true));
        prop_assert_eq!(texts(text(&full.bytes), &names), all);
        for pbx in ["<d:dialog-info/>", "<?xml version='1.0' encoding='us-ascii'?><dialog-info/>"] {
            let woven = weave(pbx.as_bytes(), None, LampState::Early, &calls).unwrap();
            prop_assert_eq!(texts(text(&woven), &names), expected(false));
        }
    }

    #[test]
    fn no_bytes_make_weaving_panic(body in any::<Vec<u8>>(), version in any::<Option<u64>>()) {
        let _ = weave(&body, version, LampState::Early, &[alice()]);
    }

    #[test]
    fn no_markup_makes_weaving_panic(
        body in "(<|>|/|</|/>|dialog-info|d:|<dialog-info|</dialog-info>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?xml|\\?>|<!DOCTYPE|&|;| |version|=|\"|'|1|é){0,24}",
        version in any::<Option<u64>>(),
    ) {
        if let Some(woven) = weave(body.as_bytes(), version, LampState::Early, &[alice()]) {
            // What has been understood once is understood again.
            prop_assert!(weave(&woven, None, LampState::Early, &[]).is_some(), "{}", text(&woven));
        }
    }

    #[test]
    fn a_damaged_document_is_left_alone_or_stays_as_it_is(
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        for document in [sample!("pbx-prefixed.xml"), sample!("pbx-asterisk.xml")] {
            let mut bytes = document.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Some(same) = weave(&bytes, None, LampState::Early, &[]) {
                prop_assert_eq!(&same[..], &bytes[..]);
                let woven = weave(&bytes, None, LampState::Early, &[alice()]).unwrap();
                let added = woven.len() - bytes.len();
                let from = (0..=bytes.len()).find(|&i| {
                    woven.starts_with(&bytes[..i]) && woven[i + added..] == bytes[i..]
                });
                prop_assert!(from.is_some());
            }
        }
    }
}
