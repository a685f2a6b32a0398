//! What those around the house say: requests of their own, answers to what they were asked, and requests in calls
//! that they have heard of. All of it comes out as text, which may then be spoilt.

use std::net::SocketAddr;

use base::{ConnId, Flow, Side, Transport};
use bytes::Bytes;
use sip_msg::{Message, Name};

/// How many messages a party remembers.
const REMEMBERED: usize = 4;

const NUMBERS: [&str; 14] = [
    "105", "103", "*68", "*68105", "*88", "*88105", "*58", "700", "701", "702", "**701", "*", "0",
    "%2A68",
];
const METHODS: [&str; 12] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "REFER",
    "SUBSCRIBE",
    "UPDATE",
];
const STATUSES: [u16; 16] =
    [100, 180, 183, 200, 200, 202, 302, 400, 401, 404, 407, 408, 481, 486, 491, 503];
const BODIES: [(&str, &str); 5] = [
    ("application/sdp", SDP),
    ("application/sdp", HELD),
    ("application/dtmf-relay", "Signal=*\r\nDuration=160\r\n"),
    ("application/json", r#"{"request":{"reqid":7,"command":"callpark","slot":"701"}}"#),
    ("message/sipfrag", "SIP/2.0 200 OK"),
];
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
const HELD: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8\r\na=sendonly\r\n";

/// Somebody who speaks to the house.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) flow: Flow,
    extension: &'static str,
    heard: Vec<Message>,
    said: u32,
}

/// Three phones, one of them by a stream; the PBX; somebody on its side who is not the PBX.
pub(crate) fn all() -> [Party; 5] {
    let of = |side, transport, peer: [u8; 4], extension| {
        let port = if side == Side::Phones { 5060 } else { 5080 };
        let local = SocketAddr::from(([192, 0, 2, 1], port));
        let conn = (transport == Transport::Tcp).then_some(ConnId(1));
        let flow = Flow { side, transport, local, peer: SocketAddr::from((peer, 5060)), conn };
        Party { flow, extension, heard: Vec::new(), said: 0 }
    };
    [
        of(Side::Phones, Transport::Udp, [198, 51, 100, 3], "103"),
        of(Side::Phones, Transport::Udp, [198, 51, 100, 5], "105"),
        of(Side::Phones, Transport::Tcp, [198, 51, 100, 7], "107"),
        of(Side::Pbx, Transport::Udp, [192, 0, 2, 50], "anna"),
        of(Side::Pbx, Transport::Udp, [203, 0, 113, 9], "eve"),
    ]
}

impl Party {
    /// It is sent something.
    pub(crate) fn hears(&mut self, bytes: Bytes) {
        // What we send can be read, or is the answer to a keep-alive or to what could not be read.
        if let Ok(message) = Message::read(bytes) {
            self.heard.insert(0, message);
            self.heard.truncate(REMEMBERED);
        }
    }

    fn via(&mut self) -> String {
        self.said += 1;
        let (transport, peer) = (self.flow.transport.in_via(), self.flow.peer);
        format!(
            "Via: SIP/2.0/{transport} {peer};branch=z9hG4bK{}x{};rport\r\n",
            self.extension, self.said
        )
    }

    /// A request outside of any call.
    pub(crate) fn asks(&mut self, method: u8, number: u8, call: u8, body: u8) -> String {
        let via = self.via();
        let method = match method % 8 {
            0..=2 => "INVITE",
            3 | 4 => "REGISTER",
            5 => "SUBSCRIBE",
            _ => METHODS[usize::from(method) % METHODS.len()],
        };
        let number = NUMBERS[usize::from(number) % NUMBERS.len()];
        let (own, peer, said) = (self.extension, self.flow.peer, self.said);
        let to = if method == "REGISTER" { own } else { number };
        let event = if call & 1 == 0 { "dialog" } else { "call-info" };
        let expires = if call == 0xff { 0 } else { 3600 };
        let more = format!(
            "Event: {event}\r\nExpires: {expires}\r\nRefer-To: <sip:{number}@pbx.example>\r\n"
        );
        let head = format!(
            "{method} sip:{to}@pbx.example SIP/2.0\r\n{via}Max-Forwards: 70\r\n\
             From: <sip:{own}@pbx.example>;tag=f{call}\r\nTo: <sip:{to}@pbx.example>\r\n\
             Call-ID: {own}-{call}\r\nCSeq: {said} {method}\r\nContact: <sip:{own}@{peer}>\r\n{more}"
        );
        with_body(head, body)
    }

    /// A request in a dialog that it has heard of; none if it has heard of none.
    pub(crate) fn goes_on(
        &mut self,
        which: u8,
        method: u8,
        number: u8,
        body: u8,
    ) -> Option<String> {
        let via = self.via();
        let heard = self.heard.get(usize::from(which) % REMEMBERED)?;
        let get = |name| heard.get(name).unwrap_or_default();
        let (from, to) = match heard.is_request() {
            true => {
                (format!("{};tag={}", get(Name::To), self.extension), get(Name::From).to_owned())
            }
            false => (get(Name::From).to_owned(), get(Name::To).to_owned()),
        };
        let uri =
            heard.contacts().next().map_or("sip:x@192.0.2.1", |contact| contact.uri()).to_owned();
        let method = METHODS[usize::from(method) % METHODS.len()];
        let cseq = match method {
            "ACK" | "CANCEL" => heard.cseq().0,
            _ => 1_000 + self.said,
        };
        let number = NUMBERS[usize::from(number) % NUMBERS.len()];
        let call_id = heard.call_id();
        let head = format!(
            "{method} {uri} SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{}@{}>\r\n\
             Refer-To: <sip:{number}@pbx.example>\r\nEvent: refer\r\nSubscription-State: active\r\nRAck: 1 1 INVITE\r\n",
            self.extension, self.flow.peer
        );
        Some(with_body(head, body))
    }

    /// An answer to a request that it was sent; none if that was none.
    pub(crate) fn answers(&mut self, which: u8, status: u8, body: u8) -> Option<String> {
        let heard = self.heard.get(usize::from(which) % REMEMBERED)?;
        if !heard.is_request() {
            return None;
        }
        let status = STATUSES[usize::from(status) % STATUSES.len()];
        let mut head = format!("SIP/2.0 {status} Said\r\n");
        for (name, value) in heard.lines() {
            if matches!(name, "Via" | "From" | "Call-ID" | "CSeq" | "Record-Route") {
                head += &format!("{name}: {value}\r\n");
            }
        }
        let to = heard.get(Name::To).unwrap_or_default();
        let tag = if heard.to_tag().is_some() {
            String::new()
        } else {
            format!(";tag={}", self.extension)
        };
        head += &format!("To: {to}{tag}\r\n");
        let own = heard.contacts().next().filter(|_| heard.cseq().1 == "REGISTER");
        let contact = own.map_or_else(
            || format!("sip:{}@{}", self.extension, self.flow.peer),
            |contact| contact.uri().to_owned(),
        );
        head += &format!(
            "Contact: <{contact}>\r\nExpires: 3600\r\nAllow: UPDATE, INVITE\r\nRSeq: 1\r\n"
        );
        Some(with_body(head, body))
    }
}

/// The head with one of the bodies, or without one.
fn with_body(head: String, body: u8) -> String {
    match BODIES.get(usize::from(body) % (BODIES.len() + 3)) {
        Some((kind, text)) => {
            format!("{head}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
        }
        None => format!("{head}Content-Length: 0\r\n\r\n"),
    }
}
