//! Messages, streams cut into messages, and SDP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use sip_msg::{
    Compose, Description, Direction, Edit, Framed, Framer, KeepAlive, Message, Name, Rewrite,
    SipUri,
};

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);

/// A datagram, and the same bytes as a stream.
///
/// # Panics
/// If a promise is broken.
pub fn message(bytes: &[u8]) {
    let _ = KeepAlive::read(bytes, PEER);
    match Message::read(Bytes::copy_from_slice(bytes)) {
        Ok(message) => ask_everything(&message),
        Err(malformed) => {
            if let Some(answer) = malformed.answer_to(PEER) {
                assert!(answer.starts_with(b"SIP/2.0 4") || answer.starts_with(b"SIP/2.0 5"));
                assert_eq!(lines_of(&answer, b"\n\r\n"), 1, "an answer has one end of its head");
            }
            assert!(malformed.answer().is_none_or(|answer| answer.len() < 2 * bytes.len() + 512));
        }
    }
    let cut = bytes.first().map_or(0, |byte| usize::from(*byte)).min(bytes.len());
    let whole = framed(&[bytes]);
    assert_eq!(
        whole,
        framed(&[&bytes[..cut], &bytes[cut..]]),
        "where a stream is cut is all the same"
    );
}

/// Asks all that can be asked of a message, and has it go on.
fn ask_everything(message: &Message) {
    let _ =
        (message.from().display(), message.to().display(), message.from_tag(), message.to_tag());
    let _ = (message.via().rport(), message.via().received(), message.max_forwards());
    let _ = (message.expires(), message.reason(), message.sdp(), message.cseq());
    for contact in message.contacts() {
        let _ = (contact.with_uri("sip:x"), contact.sip_uri().map(|uri| uri.headers().count()));
    }
    for (name, value) in message.lines() {
        assert!(
            !value.contains('\n') && message.other(name).is_none_or(|value| !value.contains('\n'))
        );
    }
    let _ = SipUri::read(message.uri()).map(|uri| (uri.host_ip(), uri.with_host_port("h")));
    let vias = ["SIP/2.0/UDP h;branch=z9hG4bKx"];
    let draft =
        Edit::of(message).set(Name::Contact, "<sip:x>\r\nX: y").remove(Name::Route).finish();
    let again = read_again(draft.with_vias(&vias));
    let same = |again: &Message| {
        assert_eq!((again.call_id(), again.cseq()), (message.call_id(), message.cseq()));
    };
    same(&again);
    assert_eq!(again.body(), message.body());
    assert!(again.other("X").is_none() || message.other("X").is_some(), "a value adds no line");
    if message.is_request() {
        let draft =
            Compose::response_to(message, 404, Some("a\r\nX: y")).to_tag("t\r\nX: y").finish();
        same(&read_again(draft.with_vias(&vias)));
    }
}

fn read_again(bytes: Bytes) -> Message {
    match Message::read(bytes.clone()) {
        Ok(message) => message,
        Err(malformed) => panic!("we wrote {:?}: {malformed}", String::from_utf8_lossy(&bytes)),
    }
}

fn lines_of(text: &[u8], end: &[u8]) -> usize {
    text.windows(end.len()).filter(|window| *window == end).count()
}

fn framed(pieces: &[&[u8]]) -> Vec<Framed> {
    let mut framer = Framer::new();
    let mut all = Vec::new();
    for piece in pieces {
        framer.push(piece);
        all.extend(framer.by_ref());
    }
    all
}

/// A description: read, anchored at an address of ours, read again.
///
/// # Panics
/// If a promise is broken.
pub fn sdp(bytes: &[u8]) {
    let Ok(description) = Description::read(bytes) else { return };
    let _ = (description.origin(), description.origin_ids(), description.audio());
    let mut rewrite = Rewrite::of(&description);
    for (i, media) in description.media().iter().enumerate() {
        let _ = (media.is_udp(), media.is_plain_rtp(), media.on_hold(), media.connection_ip());
        assert!(media.payloads().count() <= bytes.len());
        rewrite = rewrite.anchor(i, PEER.ip(), 30_000).direction(i, Direction::SendRecv);
    }
    let written = rewrite.finish();
    let again = match Description::read(&written) {
        Ok(again) => again,
        Err(bad) => panic!("we wrote {:?}: {bad}", String::from_utf8_lossy(&written)),
    };
    assert_eq!(again.media().len(), description.media().len());
}
