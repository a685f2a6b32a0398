//! What holds for every input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use proptest::prelude::*;
use sip_msg::{
    Compose, Description, Direction, Edit, Framed, Framer, Message, Name, NameAddr, ReplacesId,
    Rewrite, SipUri, Via, digest_username, escape_header_value, escape_user, sdp_part, unescape,
    via_seen_from,
};

const INVITE: &str = "INVITE sip:105@pbx.example SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK1\r\n\
    From: \"James\" <sip:103@pbx.example>;tag=f1\r\n\
    To: <sip:105@pbx.example>\r\n\
    Call-ID: abc@192.0.2.10\r\n\
    CSeq: 7 INVITE\r\n\
    Contact: <sip:103@192.0.2.10:5060>;expires=60\r\n\
    Max-Forwards: 70\r\n\
    Subject: folded\r\n  twice\r\n\tover\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 3\r\n\r\nv=0";

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
    m=audio 11780 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp:11781\r\n\
    a=candidate:1 1 UDP 1 192.0.2.10 11780 typ host\r\na=sendrecv\r\n\
    m=video 5000 RTP/AVP 31\r\nc=IN IP4 192.0.2.11\r\na=ice-ufrag:x\r\n";

// Asks everything that can be asked; nothing may panic, and what read() promises must be there.
fn ask_everything(m: &Message) {
    let _ = (m.from().display(), m.to().display(), m.from_tag(), m.to_tag(), m.cseq(), m.reason());
    let _ = (m.via().rport(), m.via().received(), m.max_forwards(), m.expires(), m.sdp());
    assert!(m.vias().count() > 0 && !m.call_id().is_empty());
    assert_ne!(m.is_request(), m.status() != 0);
    for (name, value) in m.lines() {
        let _ = (m.other(name), value.len());
    }
    for contact in m.contacts() {
        let _ = (contact.with_uri("sip:x"), contact.sip_uri().map(|u| u.headers().count()));
    }
    let _ = SipUri::read(m.uri()).map(|u| u.with_host_port("h"));
    let _ = Compose::response_to(m, 200, None).to_tag("x").finish();
    let draft = Edit::of(m).set(Name::Contact, "<sip:x>").remove(Name::Route).finish();
    let again = Message::read(draft.with_vias(&["SIP/2.0/UDP h;branch=z9hG4bKx"])).unwrap();
    assert_eq!((again.call_id(), again.cseq(), again.body()), (m.call_id(), m.cseq(), m.body()));
}

// A message as it goes out: Vias by themselves first, the rest as it came.
fn expected_without_change(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"\r\n").unwrap_or(text);
    let end = text.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let mut out = Vec::new();
    for line in text[..end].split_inclusive(|&b| b == b'\n') {
        if !line.starts_with(b"Via:") {
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(&text[end..]);
    out
}

fn param() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[a-z]{1,8}=[a-zA-Z0-9._-]{1,8}", "[a-z]{1,8}=\"[a-z;,<> ]{0,8}\""]
        .prop_filter("names that mean something", |p| {
            !["tag", "branch", "received", "rport"].iter().any(|name| p.starts_with(name))
        })
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,8}(\\.[a-z]{2,5}){0,2}".prop_map(|host| host),
        any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|ip| format!("[{ip}]")),
    ]
}

fn cuts(length: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..=length, 0..12).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

fn framed(text: &[u8], cuts: &[usize]) -> Vec<Framed> {
    let mut framer = Framer::new();
    let mut all = Vec::new();
    let mut at = 0;
    for &cut in cuts.iter().chain([&text.len()]) {
        framer.push(&text[at..cut]);
        all.extend(framer.by_ref());
        at = cut;
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        match Message::read(bytes.into()) {
            Ok(m) => ask_everything(&m),
            Err(bad) => {
                bad.answer_to("192.0.2.1:5060".parse().unwrap());
            }
        }
    }

    #[test]
    fn a_spoilt_message_is_read_without_panic(
        spoils in proptest::collection::vec((0..INVITE.len(), any::<u8>(), 0..3), 0..8),
    ) {
        let mut bytes = INVITE.as_bytes().to_vec();
        for (at, byte, how) in spoils {
            let at = at.min(bytes.len() - 1);
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"\r\n\t \",;<>:@%="[usize::from(byte) % 13]),
                _ => drop(bytes.remove(at)),
            }
        }
        match Message::read(bytes.into()) {
            Ok(m) => ask_everything(&m),
            Err(bad) => {
                // What we answer is itself fit to be read, unless what was bad is copied into it.
                prop_assert!(bad.status == 400 || bad.status == 505);
                bad.answer_to("192.0.2.1:5060".parse().unwrap());
            }
        }
    }

    #[test]
    fn text_is_read_without_panic(text in "[ \t\"<>;,:@=?%&\\[\\]\\\\a-z0-9*é/.]{0,60}") {
        let _ = NameAddr::read(&text).map(|a| (a.display().map(|d| d.len()), a.with_uri("x"), a.tag().is_some()));
        let _ = SipUri::read(&text).map(|u| (u.user_decoded().len(), u.headers().count(), u.with_host_port("x")));
        let _ = Via::read(&text).map(|v| (v.branch().is_some(), v.rport()));
        let _ = via_seen_from(&text, "192.0.2.1:5060".parse().unwrap());
        let _ = (ReplacesId::read(&text), digest_username(&text), unescape(&text), Name::of(&text));
        let _ = digest_username(&format!("Digest {text}"));
        let _ = via_seen_from(&format!("SIP/2.0/UDP {text}"), "[::1]:5060".parse().unwrap());
        let _ = sdp_part(&format!("multipart/mixed;boundary={text}"), text.as_bytes());
    }

    #[test]
    fn an_edit_without_changes_returns_the_same_bytes(
        extra in proptest::collection::vec(("[A-Z][a-z-]{2,10}", "[ -~]{0,30}"), 0..6),
        body in proptest::collection::vec(any::<u8>(), 0..80),
        leading in any::<bool>(),
        junk in proptest::collection::vec(any::<u8>(), 0..10),
    ) {
        let mut text = String::from(if leading { "\r\n" } else { "" });
        text += "MESSAGE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1\r\nf: <sip:a>;tag=1\r\nTO : <sip:b>\r\n";
        for (name, value) in &extra {
            if Name::of(name) == Name::Other {
                text += &format!("{name}: {value}\r\n");
            }
        }
        text += &format!("i: 1\r\nVia: SIP/2.0/TCP g\r\nCSeq: 1 MESSAGE\r\nl: {:04}\r\n\r\n", body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&body);
        let expected = expected_without_change(&bytes);
        bytes.extend_from_slice(&junk);
        let m = Message::read(bytes.into()).unwrap();
        let draft = Edit::of(&m).finish();
        prop_assert_eq!(Bytes::copy_from_slice(draft.as_bytes()), Bytes::from(expected));
    }

    #[test]
    fn a_via_reads_as_it_was_written(
        transport in "(UDP|TCP|TLS|WSS)", host in host(), port in proptest::option::of(1u16..),
        branch in "z9hG4bK[a-zA-Z0-9.]{0,12}", params in proptest::collection::vec(param(), 0..4),
        source in any::<std::net::SocketAddr>(), rport in any::<bool>(),
    ) {
        let port_text = port.map_or(String::new(), |port| format!(":{port}"));
        let mut text = format!("SIP/2.0/{transport} {host}{port_text};branch={branch}");
        for param in &params {
            text += &format!(";{param}");
        }
        if rport {
            text += ";rport";
        }
        let via = Via::read(&text).unwrap();
        prop_assert_eq!((via.transport(), via.port(), via.branch()), (&*transport, port, Some(&*branch)));
        prop_assert_eq!(via.host(), host.trim_matches(['[', ']']));
        let seen = via_seen_from(&text, source).unwrap();
        let seen = Via::read(&seen).unwrap();
        prop_assert_eq!((seen.branch(), seen.sent_by()), (via.branch(), via.sent_by()));
        prop_assert!(seen.received() == Some(source.ip()) || via.host_ip() == Some(source.ip()));
        prop_assert_eq!(seen.rport(), rport.then_some(Some(source.port())));
    }

    #[test]
    fn a_uri_reads_as_it_was_written(
        scheme in "sips?", user in proptest::option::of("[ -~é]{1,12}"), host in host(),
        port in proptest::option::of(any::<u16>()), params in proptest::collection::vec("[a-z]{1,5}(=[a-z0-9]{1,5})?", 0..3),
        header in proptest::option::of("[ -~é]{0,20}"),
    ) {
        let mut text = format!("{scheme}:");
        if let Some(user) = &user {
            text += &format!("{}@", escape_user(user));
        }
        let host_port = port.map_or(host.clone(), |port| format!("{host}:{port}"));
        text += &host_port;
        for param in &params {
            text += &format!(";{param}");
        }
        if let Some(header) = &header {
            text += &format!("?Replaces={}", escape_header_value(header));
        }
        let uri = SipUri::read(&text).unwrap();
        prop_assert_eq!(uri.user_decoded(), user.unwrap_or_default());
        prop_assert_eq!((uri.host_port(), uri.port()), (&*host_port, port));
        prop_assert_eq!(uri.header("replaces").map(|h| h.into_owned()), header);
        prop_assert_eq!(uri.params().iter().count(), params.len());
        prop_assert_eq!(uri.with_host_port(&host_port), &*text);
        let moved = uri.with_host_port("[2001:db8::1]:5070");
        let moved = SipUri::read(&moved).unwrap();
        prop_assert_eq!((moved.host(), moved.port(), moved.user()), ("2001:db8::1", Some(5070), uri.user()));
    }

    #[test]
    fn an_address_reads_as_it_was_written(
        display in proptest::option::of("[ -~é]{1,16}"), user in "[a-z0-9]{1,8}", host in host(),
        tag in "[a-z0-9]{1,8}", params in proptest::collection::vec(param(), 0..4),
    ) {
        let uri = format!("sip:{user}@{host};user=phone");
        let quoted = display.as_ref().map_or(String::new(), |display| {
            format!("\"{}\" ", display.replace('\\', "\\\\").replace('"', "\\\""))
        });
        let mut tail = String::new();
        for param in &params {
            tail += &format!(";{param}");
        }
        let text = format!("{quoted}<{uri}>{tail};tag={tag}");
        let address = NameAddr::read(&text).unwrap();
        prop_assert_eq!(address.display().map(|d| d.into_owned()), display);
        prop_assert_eq!((address.uri(), address.tag()), (&*uri, Some(&*tag)));
        prop_assert_eq!(address.with_uri(&uri), &*text);
        let other = address.with_uri("tel:1");
        prop_assert_eq!(other, format!("{quoted}<tel:1>{tail};tag={tag}"));
    }

    #[test]
    fn a_stream_gives_the_same_messages_however_it_is_cut(
        pieces in proptest::collection::vec(0..7usize, 1..8),
        seed in cuts(4000),
    ) {
        let mut text = Vec::new();
        for piece in pieces {
            text.extend_from_slice([
                INVITE.as_bytes(), b"\r\n\r\n", b"\r\n", b"A b SIP/2.0\nl:\n 4\n\nbody",
                b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 2\r\n\r\n\r\n", b"X\r\nl: x\r\n\r\n", b"B c SIP/2.0\r\n\r\n",
            ][piece]);
        }
        let cuts: Vec<_> = seed.into_iter().filter(|cut| *cut <= text.len()).collect();
        prop_assert_eq!(framed(&text, &cuts), framed(&text, &[]));
        let single: Vec<_> = (0..text.len()).collect();
        prop_assert_eq!(framed(&text, &single), framed(&text, &[]));
    }

    #[test]
    fn any_stream_is_framed_the_same_however_it_is_cut(
        text in "[\r\nlL: 05a]{0,60}", seed in cuts(60),
    ) {
        let cuts: Vec<_> = seed.into_iter().filter(|cut| *cut <= text.len()).collect();
        prop_assert_eq!(framed(text.as_bytes(), &cuts), framed(text.as_bytes(), &[]));
    }

    #[test]
    fn a_rewrite_changes_only_the_named_lines(
        extra in proptest::collection::vec("[abikrtuxz]=[ -~é]{0,20}", 0..6), at in any::<prop::sample::Index>(),
        ip in any::<std::net::IpAddr>(), port in any::<u16>(), section in 0..2usize,
        anchor in any::<bool>(), direction in any::<bool>(), lf in any::<bool>(),
    ) {
        let mut lines: Vec<String> = OFFER.lines().map(str::to_owned).collect();
        for line in extra {
            let at = 1 + at.index(lines.len() - 1);
            lines.insert(at, line);
        }
        let eol = if lf { "\n" } else { "\r\n" };
        let text = lines.join(eol) + eol;
        let description = Description::read(text.as_bytes()).unwrap();
        let before = description.media()[section].clone();
        let mut rewrite = Rewrite::of(&description);
        if anchor {
            rewrite = rewrite.anchor(section, ip, port);
        }
        if direction {
            rewrite = rewrite.direction(section, Direction::Inactive);
        }
        let new = rewrite.finish();
        let read = Description::read(&new).unwrap();
        prop_assert_eq!(read.media().len(), description.media().len());
        let media = &read.media()[section];
        if anchor {
            prop_assert_eq!((media.connection_ip(), media.port), (Some(ip), port));
        }
        prop_assert_eq!(media.direction, if direction { Direction::Inactive } else { before.direction });
        let other = &read.media()[1 - section];
        let other_before = &description.media()[1 - section];
        prop_assert_eq!((other.connection, other.port), (other_before.connection, other_before.port));
        // Every line that is of no kind that may change is still there, in order.
        let stays = |line: &&str| {
            let named = ["m=", "c=", "a=rtcp", "a=candidate", "a=ice-", "a=end-of-cand", "a=remote-cand"];
            let directed = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
            !named.iter().any(|n| line.starts_with(n)) && !directed.contains(&line.trim_end())
        };
        let new = String::from_utf8(new).unwrap();
        let (old_lines, new_lines): (Vec<_>, Vec<_>) =
            (text.split_inclusive('\n').filter(stays).collect(), new.split_inclusive('\n').filter(stays).collect());
        prop_assert_eq!(old_lines, new_lines);
        if !anchor && !direction {
            prop_assert_eq!(new, text);
        }
    }

    #[test]
    fn any_description_is_read_and_rewritten_without_panic(
        text in "(v=0\r?\n)?(o=x\r?\n)?([a-z]=[ -~]{0,12}\r?\n|m=audio [0-9]{1,5} RTP/AVP [0-9 ]{0,6}\r?\n|.{0,10}\n){0,8}[a-z=]{0,5}",
        port in any::<u16>(),
    ) {
        if let Ok(d) = Description::read(text.as_bytes()) {
            for media in d.media() {
                let _ = (media.payloads().count(), media.on_hold(), media.is_udp(), media.is_plain_rtp());
            }
            let mut rewrite = Rewrite::of(&d);
            for i in 0..d.media().len() + 1 {
                rewrite = rewrite.anchor(i, [192, 0, 2, 1].into(), port).direction(i, Direction::SendOnly);
            }
            let new = rewrite.finish();
            prop_assert_eq!(Description::read(&new).unwrap().media().len(), d.media().len());
        }
    }
}
