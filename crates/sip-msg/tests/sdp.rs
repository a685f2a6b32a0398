//! Reading and rewriting session descriptions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sip_msg::{BadSdp, Description, Direction, Rewrite};

const OFFER: &str = "v=0\r\n\
    o=- 8000 8000 IN IP4 192.0.2.10\r\n\
    s=caf\u{e9}\r\n\
    c=IN IP4 192.0.2.10\r\n\
    t=0 0\r\n\
    a=ice-lite\r\n\
    m=audio 11780 RTP/AVP 0 8 18 101\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\n\
    a=fmtp:18 annexb=no\r\n\
    a=rtcp:11781 IN IP4 192.0.2.10\r\n\
    a=ptime:20\r\n\
    a=candidate:1 1 UDP 1 192.0.2.10 11780 typ host\r\n\
    a=x-odd\r\n\
    a=sendonly\r\n\
    m=image 5000/2 udptl t38\r\n\
    i=fax\r\n\
    b=AS:9\r\n";

#[test]
fn a_description_says_what_each_stream_is() {
    let d = Description::read(OFFER.as_bytes()).unwrap();
    assert_eq!(d.origin(), "- 8000 8000 IN IP4 192.0.2.10");
    assert_eq!(d.origin_ids(), Some((8000, 8000)));
    let [audio, fax] = d.media() else { panic!("two sections") };
    assert_eq!(
        (audio.kind, audio.port, audio.proto, audio.ptime),
        ("audio", 11780, "RTP/AVP", Some(20))
    );
    let payloads: Vec<_> = audio.payloads().map(|p| (p.number, p.name, p.clock, p.fmtp)).collect();
    assert_eq!(
        payloads,
        [
            (0, "PCMU", 8000, ""),
            (8, "PCMA", 8000, ""),
            (18, "G729", 8000, "annexb=no"),
            (101, "telephone-event", 8000, "0-16")
        ]
    );
    assert_eq!(audio.direction, Direction::SendOnly);
    assert!(audio.on_hold() && audio.is_plain_rtp() && audio.ice && !audio.crypto);
    assert_eq!(audio.rtcp.unwrap().0, 11781);
    assert_eq!((fax.kind, fax.port, &fax.formats[..]), ("image", 5000, &["t38"][..]));
    assert!(fax.is_udp() && !fax.is_plain_rtp() && !fax.on_hold());
    assert_eq!(fax.connection_ip().unwrap().to_string(), "192.0.2.10");
}

#[test]
fn anchoring_all_sections_changes_only_the_named_lines() {
    let d = Description::read(OFFER.as_bytes()).unwrap();
    let ip = "198.51.100.7".parse().unwrap();
    let new = Rewrite::of(&d).anchor(0, ip, 30000).anchor(1, ip, 30002).finish();
    let expected = OFFER
        .replace("c=IN IP4 192.0.2.10", "c=IN IP4 198.51.100.7")
        .replace("m=audio 11780", "m=audio 30000")
        .replace("a=rtcp:11781 IN IP4 192.0.2.10", "a=rtcp:30001 IN IP4 198.51.100.7")
        .replace("5000/2", "30002")
        .replace("a=ice-lite\r\n", "")
        .replace("a=candidate:1 1 UDP 1 192.0.2.10 11780 typ host\r\n", "");
    assert_eq!(String::from_utf8(new).unwrap(), expected);
}

#[test]
fn anchoring_one_section_gives_it_its_own_address() {
    let d = Description::read(OFFER.as_bytes()).unwrap();
    let new = Rewrite::of(&d)
        .anchor(1, "2001:db8::7".parse().unwrap(), 30002)
        .direction(0, Direction::SendRecv)
        .direction(1, Direction::Inactive)
        .origin("- 1 2 IN IP4 0.0.0.0\r\n")
        .finish();
    let expected = OFFER
        .replace("o=- 8000 8000 IN IP4 192.0.2.10", "o=- 1 2 IN IP4 0.0.0.0  ")
        .replace("5000/2", "30002")
        .replace("i=fax\r\n", "i=fax\r\nc=IN IP6 2001:db8::7\r\n")
        .replace("a=sendonly", "a=sendrecv")
        .replace("a=ice-lite\r\n", "")
        + "a=inactive\r\n";
    assert_eq!(String::from_utf8(new).unwrap(), expected);
}

#[test]
fn nothing_asked_nothing_changed() {
    for text in [OFFER, &OFFER.replace("\r\n", "\n"), OFFER.trim_end()] {
        let d = Description::read(text.as_bytes()).unwrap();
        assert_eq!(Rewrite::of(&d).finish(), text.as_bytes());
    }
}

#[test]
fn what_is_no_description_is_refused() {
    for (text, why) in [
        ("", BadSdp::NoVersion),
        ("m=audio 1 RTP/AVP 0", BadSdp::NoVersion),
        ("v=0\r\n", BadSdp::NoOrigin),
        ("v=0\r\no=-\r\nm=audio x RTP/AVP 0", BadSdp::BadMedia),
        ("v=0\r\no=-\r\nm=audio 70000 RTP/AVP 0", BadSdp::BadMedia),
        ("v=0\r\no=-\r\nm=audio", BadSdp::BadMedia),
        ("v=0\r\no=-\r\nc=x", BadSdp::BadConnection),
    ] {
        assert_eq!(Description::read(text.as_bytes()).unwrap_err(), why, "{text}");
    }
}

#[test]
fn a_section_without_any_address_gets_one() {
    let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\na=x";
    let d = Description::read(text.as_bytes()).unwrap();
    let new = Rewrite::of(&d)
        .anchor(0, "192.0.2.1".parse().unwrap(), 30000)
        .direction(0, Direction::RecvOnly)
        .finish();
    let expected = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n\
        c=IN IP4 192.0.2.1\r\na=x\r\na=recvonly\r\n";
    assert_eq!(String::from_utf8(new).unwrap(), expected);
}

#[test]
fn the_keys_of_a_section_are_read_and_replaced_and_nothing_else_changes() {
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
        m=audio 4000 RTP/SAVP 8 101\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n\
        a=rtpmap:8 PCMA/8000\r\na=crypto:2 F8_128_HMAC_SHA1_80 uri:x\r\na=crypto:bad\r\na=ptime:20";
    let d = Description::read(text.as_bytes()).unwrap();
    let audio = d.audio().unwrap().1;
    let read: Vec<_> = audio.cryptos.iter().map(|line| (line.tag, line.key.is_some())).collect();
    assert_eq!(read, [(1, true), (2, false)]);
    assert!(
        audio.is_secure_rtp() && audio.is_rtp() && !audio.is_plain_rtp() && !audio.is_by_dtls()
    );
    let same = Rewrite::of(&d).finish();
    assert_eq!(same, text.as_bytes());
    let new = Rewrite::of(&d).crypto(0, "RTP/AVP", Vec::new()).finish();
    let plain = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20";
    assert_eq!(String::from_utf8(new).unwrap(), plain);
    let line = sip_msg::crypto_line(7, "AEAD_AES_128_GCM", b"key");
    let new = Rewrite::of(&d).crypto(0, "RTP/SAVPF", vec![line]).finish();
    let other =
        plain.replace("RTP/AVP", "RTP/SAVPF") + "\r\na=crypto:7 AEAD_AES_128_GCM inline:a2V5\r\n";
    assert_eq!(String::from_utf8(new).unwrap(), other);
}

#[test]
fn keys_by_dtls_are_told_by_the_protocol_or_the_fingerprint() {
    let section = |session: &str, proto: &str, lines: &str| {
        format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n{session}m=audio 9 {proto} 0\r\n{lines}")
    };
    let fingerprint = "a=fingerprint:sha-256 AA:BB\r\n";
    for (text, dtls) in [
        (section("", "UDP/TLS/RTP/SAVPF", ""), true),
        (section(fingerprint, "RTP/SAVPF", ""), true),
        (section("", "RTP/AVP", fingerprint), true),
        (section("", "RTP/SAVP", "a=crypto:1 X inline:AAAA\r\n"), false),
        (section("", "RTP/AVP", ""), false),
    ] {
        let d = Description::read(text.as_bytes()).unwrap();
        assert_eq!(d.media()[0].is_by_dtls(), dtls, "{text}");
    }
}
