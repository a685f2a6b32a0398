//! The test messages of RFC 4475, written out in `torture/`: what is accepted, what is refused and how.
//! What only the user of a message can judge (schemes, extensions, authentication, hops) is accepted here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use bytes::Bytes;
use sip_msg::{Description, Edit, Malformed, Message, Name};

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Accepted,
    /// Answered with this status.
    Answered(u16),
    /// Refused without an answer.
    Dropped,
}
use Fate::{Accepted, Answered, Dropped};

const FATES: &[(&str, Fate)] = &[
    // Valid messages (§3.1.1).
    ("wsinv", Accepted),
    ("intmeth", Accepted),
    ("esc01", Accepted),
    ("escnull", Accepted),
    ("esc02", Accepted),
    ("lwsdisp", Accepted),
    ("longreq", Accepted),
    ("dblreq", Accepted),
    ("semiuri", Accepted),
    ("transports", Accepted),
    ("mpart01", Accepted),
    ("unreason", Accepted),
    ("noreason", Accepted),
    // Invalid messages (§3.1.2).
    ("badinv01", Answered(400)),
    ("clerr", Answered(400)),
    ("ncl", Answered(400)),
    ("scalar02", Answered(400)),
    ("scalarlg", Dropped),
    ("quotbal", Answered(400)),
    ("ltgtruri", Answered(400)),
    ("lwsruri", Answered(400)),
    ("lwsstart", Answered(400)),
    ("trws", Answered(400)),
    ("escruri", Answered(400)),
    // Nobody here reads Date.
    ("baddate", Accepted),
    // The next three say what they mean clearly enough; the PBX may think otherwise.
    ("regbadct", Accepted),
    ("badaspec", Accepted),
    ("baddn", Accepted),
    ("badvers", Answered(505)),
    ("mismatch01", Answered(400)),
    ("mismatch02", Answered(400)),
    ("bigcode", Dropped),
    // Transaction layer (§3.2), application layer (§3.3), backward compatibility (§3.4).
    ("badbranch", Accepted),
    ("insuf", Answered(400)),
    ("unkscm", Accepted),
    ("novelsc", Accepted),
    ("unksm2", Accepted),
    ("bext01", Accepted),
    ("invut", Accepted),
    ("regaut01", Accepted),
    ("multi01", Answered(400)),
    ("mcl01", Answered(400)),
    ("bcast", Accepted),
    ("zeromf", Accepted),
    ("cparam01", Accepted),
    ("cparam02", Accepted),
    ("regescrt", Accepted),
    ("sdp01", Accepted),
    ("inv2543", Accepted),
];

fn bytes_of(name: &str) -> Bytes {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    std::fs::read(folder.join(name).with_extension("dat")).unwrap().into()
}

fn read(name: &str) -> Message {
    Message::read(bytes_of(name)).unwrap()
}

fn refused(name: &str) -> Malformed {
    Message::read(bytes_of(name)).unwrap_err()
}

#[test]
fn every_message_meets_its_fate() {
    for &(name, expected) in FATES {
        let fate = match Message::read(bytes_of(name)) {
            Ok(_) => Accepted,
            Err(malformed) => match malformed.answer() {
                None => Dropped,
                Some(answer) => {
                    let line = format!("SIP/2.0 {} ", malformed.status);
                    assert!(answer.starts_with(line.as_bytes()), "{name}: {answer:?}");
                    Answered(malformed.status)
                }
            },
        };
        assert_eq!(fate, expected, "{name}");
    }
}

#[test]
fn every_accepted_message_goes_on_as_it_came() {
    for &(name, _) in FATES.iter().filter(|(_, fate)| *fate == Accepted) {
        let message = read(name);
        let vias: Vec<_> = message.vias().map(|via| via.as_str().to_owned()).collect();
        let sent = Edit::of(&message).finish().with_vias(&vias);
        let again = Message::read(sent).unwrap();
        let lines = |message: &Message| -> Vec<(String, String)> {
            let mine = |(name, _): &(&str, &str)| Name::of(name) != Name::Via;
            let all = message.lines().filter(mine);
            all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let (before, mut after) = (lines(&message), lines(&again));
        if !message.has(Name::ContentLength) {
            assert_eq!(after.pop().unwrap().0, "Content-Length");
        }
        assert_eq!(before, after, "{name}");
        assert_eq!(message.body(), again.body(), "{name}");
        assert_eq!(again.vias().count(), vias.len(), "{name}");
    }
}

#[test]
fn the_tortuous_invite_says_what_it_says() {
    let m = read("wsinv");
    assert_eq!(
        (m.to().uri(), m.to_tag()),
        ("sip:vivekg@chair-dnrc.example.com", Some("1918181833n"))
    );
    assert_eq!(
        (m.from().display().unwrap(), m.from_tag()),
        (r#"J Rosenberg \""#.into(), Some("98asjd8"))
    );
    assert_eq!((m.max_forwards(), m.cseq(), m.body().len()), (Some(68), (9, "INVITE"), 150));
    let vias: Vec<_> = m.vias().map(|v| (v.transport(), v.host(), v.branch().unwrap())).collect();
    let expected = [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ];
    assert_eq!(vias.len(), 3);
    for (via, expected) in vias.iter().zip(expected) {
        assert_eq!(*via, expected);
    }
    assert_eq!(m.get(Name::Subject), Some(""));
    assert_eq!(m.other("newfangledheader"), Some("newfangled value   continued newfangled value"));
    assert_eq!(m.other("UnknownHeaderWithUnusualValue"), Some(";;,,;;,;"));
    let route = m.addresses(Name::Route).next().unwrap();
    assert_eq!(route.sip_uri().unwrap().param("unknown-no-value"), Some(""));
    let contact = m.contacts().next().unwrap();
    assert_eq!(contact.display().unwrap(), r#"Quoted string """#);
    assert_eq!((contact.param("newparam"), contact.param("q")), (Some("newvalue"), Some("0.33")));
    assert!(contact.has_param("secondparam"));
    let sdp = m.sdp().unwrap();
    assert_eq!(Description::read(&sdp).unwrap().media().len(), 2);
}

#[test]
fn wide_characters_are_read_as_they_are() {
    let m = read("intmeth");
    assert_eq!(m.method().unwrap().as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(m.to().display().unwrap(), "BEL:\x07 NUL:\0 DEL:\x7f");
    assert_eq!(
        m.to().sip_uri().unwrap().user(),
        Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    );
    assert_eq!(m.from().display().unwrap(), "token1~` token2'+_ token3*%!.-");
    assert_eq!(m.from().param("fromParam''~+*_!.-%"), Some("работающий"));
    assert_eq!(m.from_tag(), Some("_token~1'+`*%!-."));
    assert_eq!(m.call_id(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(m.other("extensionheader-!.%*+_`'~"), Some("\u{feff}大停電"));
    assert_eq!(read("unreason").reason(), "= 2**3 * 5**2 но сто девяносто девять - простое");
    assert_eq!((read("noreason").status(), read("noreason").reason()), (100, ""));
}

#[test]
fn percent_is_an_escape_only_where_it_is_one() {
    let m = read("esc01");
    assert_eq!(m.to().sip_uri().unwrap().user_decoded(), "user");
    assert_eq!(m.from().sip_uri().unwrap().user_decoded(), "I have spaces");
    let m = read("escnull");
    let users: Vec<_> =
        m.contacts().map(|c| c.sip_uri().unwrap().user_decoded().into_owned()).collect();
    assert_eq!(users, ["\0", "\0\0"]);
    let m = read("esc02");
    assert_eq!(m.method().unwrap().as_str(), "RE%47IST%45R");
    assert_eq!(m.contacts().count(), 2);
    assert_eq!(m.to().display().unwrap(), "%Z%45");
    assert_eq!(read("semiuri").to().uri(), "sip:j_user@example.com");
}

#[test]
fn what_follows_the_body_is_not_part_of_the_message() {
    let m = read("dblreq");
    assert!(m.body().is_empty());
    assert!(m.bytes().ends_with(b"Content-Length: 0\r\n\r\n"));
    assert!(bytes_of("dblreq").len() > m.bytes().len());
}

#[test]
fn contact_parameters_belong_to_the_header_unless_bracketed() {
    let m = read("cparam01");
    assert!(m.contacts().next().unwrap().has_param("unknownparam"));
    let m = read("cparam02");
    let contact = m.contacts().next().unwrap();
    assert!(!contact.has_param("unknownparam"));
    assert_eq!(contact.sip_uri().unwrap().param("unknownparam"), Some(""));
    let m = read("regescrt");
    let contact = m.contacts().next().unwrap();
    assert_eq!(contact.sip_uri().unwrap().header("route").unwrap(), "<sip:sip.example.com>");
}

#[test]
fn unknown_schemes_are_addresses_too() {
    let m = read("unksm2");
    assert_eq!((m.to().uri(), m.from().uri()), ("isbn:2983792873", "http://www.example.com"));
    assert!(m.to().sip_uri().is_none());
    assert_eq!(read("novelsc").uri(), "soap.beep://192.0.2.103:3002");
}

#[test]
fn answers_take_over_what_survived() {
    let answer = |name: &str| String::from_utf8(refused(name).answer().unwrap().to_vec()).unwrap();
    assert!(
        answer("badvers").contains("\r\nVia: SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw\r\n")
    );
    assert!(answer("badinv01").contains("\r\nVia: SIP/2.0/UDP 192.0.2.15\r\n"));
    assert!(answer("quotbal").contains("\r\nTo: \"Mr. J. User <sip:j.user@example.com>;tag="));
    assert!(answer("insuf").contains("\r\nCSeq: 193942 INVITE\r\n"));
    assert!(answer("lwsruri").contains("To: sip:user@example.com;tag=3xfe-9921883-z9f\r\n"));
}
