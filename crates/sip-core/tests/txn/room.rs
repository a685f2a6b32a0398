//! One layer, a clock that only tests move, and the texts of a phone and a PBX.

use std::time::Duration;

use base::{Chance, ConnId, Flow, Moment, Side, Transport};
use bytes::Bytes;
use sip_core::{ClientKey, Heard, Layer, Oversize, ServerKey, Timing};
use sip_msg::{Compose, Draft, Message, Name};

pub(crate) const OWNER: u32 = 7;

pub(crate) fn udp() -> Flow {
    Flow {
        side: Side::Phones,
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        peer: "192.0.2.103:5062".parse().unwrap(),
        conn: None,
    }
}

pub(crate) fn tcp() -> Flow {
    Flow { transport: Transport::Tcp, conn: Some(ConnId(1)), ..udp() }
}

pub(crate) fn pbx() -> Flow {
    Flow {
        side: Side::Pbx,
        local: "192.0.2.1:5080".parse().unwrap(),
        peer: "192.0.2.50:5060".parse().unwrap(),
        ..udp()
    }
}

/// A request of ours, without Via.
pub(crate) fn draft(method: &str) -> Draft {
    outline(method).finish()
}

pub(crate) fn outline(method: &str) -> Compose {
    Compose::request(method, "sip:103@192.0.2.103:5062")
        .line(Name::Route, "<sip:edge.example;lr>")
        .line(Name::From, "\"Ann\" <sip:101@pbx.example>;tag=ours")
        .line(Name::To, "<sip:103@pbx.example>")
        .line(Name::CallId, "call-1@example")
        .line(Name::CSeq, format!("41 {method}"))
        .line(Name::MaxForwards, "70")
}

/// The ACK of ours for a 2xx with this To-tag.
pub(crate) fn ack_draft(to_tag: &str) -> Draft {
    Compose::request("ACK", "sip:103@192.0.2.103:5062")
        .line(Name::From, "\"Ann\" <sip:101@pbx.example>;tag=ours")
        .line(Name::To, format!("<sip:103@pbx.example>;tag={to_tag}"))
        .line(Name::CallId, "call-1@example")
        .line(Name::CSeq, "41 ACK")
        .finish()
}

/// What a peer asks.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) uri: &'static str,
    pub(crate) via: String,
    pub(crate) to_tag: Option<&'static str>,
    pub(crate) from_tag: &'static str,
    pub(crate) cseq: u32,
    pub(crate) extra: &'static str,
}

pub(crate) fn asked(method: &'static str) -> Asked {
    Asked {
        method,
        uri: "sip:105@pbx.example",
        via: "SIP/2.0/UDP 192.0.2.103:5062;branch=z9hG4bKphone1".into(),
        to_tag: None,
        from_tag: "theirs",
        cseq: 1,
        extra: "",
    }
}

impl Asked {
    pub(crate) fn read(&self) -> Message {
        let Asked { method, uri, via, from_tag, cseq, extra, .. } = self;
        let to_tag = self.to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n\
             From: <sip:103@pbx.example>;tag={from_tag}\r\n\
             To: <sip:105@pbx.example>{to_tag}\r\nCall-ID: call-2@phone\r\n\
             CSeq: {cseq} {method}\r\n{extra}Content-Length: 0\r\n\r\n"
        );
        Message::read(Bytes::from(text)).unwrap()
    }
}

/// The answer of a peer to what we sent, with Vias as it got them.
pub(crate) fn answer_text(to: &Message, status: u16, to_tag: &str) -> Message {
    let vias: Vec<&str> = to.values(Name::Via).collect();
    let draft = Compose::response_to(to, status, None).to_tag(to_tag).finish();
    Message::read(draft.with_vias(&vias)).unwrap()
}

pub(crate) struct Room {
    pub(crate) layer: Layer<u32>,
    pub(crate) now: Moment,
}

impl Room {
    pub(crate) fn new() -> Room {
        let layer = Layer::new(Timing::default(), Chance::from_seed(1));
        Room { layer, now: Moment::from_micros(1_000_000_000) }
    }

    pub(crate) fn ask(&mut self, flow: Flow, method: &str) -> ClientKey {
        self.layer.request(self.now, flow, OWNER, &draft(method), Oversize::Stay)
    }

    /// Everything that is to be sent.
    pub(crate) fn sent(&mut self) -> Vec<(Flow, Message)> {
        std::iter::from_fn(|| self.layer.poll())
            .map(|(flow, bytes)| (flow, Message::read(bytes).unwrap()))
            .collect()
    }

    /// The one thing that is to be sent.
    pub(crate) fn sent_one(&mut self) -> Message {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{:?}", words(&sent));
        sent.remove(0).1
    }

    /// Everything that is to be sent, by method or status.
    pub(crate) fn sent_words(&mut self) -> Vec<String> {
        words(&self.sent())
    }

    pub(crate) fn hear(&mut self, flow: Flow, message: &Message) -> Heard<u32> {
        self.layer.hear(self.now, flow, message.clone())
    }

    /// A peer's answer to what we sent.
    pub(crate) fn answer(
        &mut self,
        flow: Flow,
        to: &Message,
        status: u16,
        tag: &str,
    ) -> Heard<u32> {
        let answer = answer_text(to, status, tag);
        self.hear(flow, &answer)
    }

    /// A peer's request that must be new.
    pub(crate) fn admit(&mut self, flow: Flow, asked: &Asked) -> ServerKey {
        match self.hear(flow, &asked.read()) {
            Heard::Request { server, .. } => server,
            other => panic!("not new: {other:?}"),
        }
    }

    /// Our answer.
    pub(crate) fn respond(&mut self, server: ServerKey, status: u16, to_tag: &str) -> bool {
        let Some(request) = self.layer.request_of(server) else { return false };
        let draft = Compose::response_to(request, status, None).to_tag(to_tag).finish();
        self.layer.respond(self.now, server, status, &draft)
    }

    /// Lets time pass from alarm to alarm: what was sent and what failed meanwhile, each with the
    /// milliseconds since the call.
    pub(crate) fn pass(&mut self, ms: u64) -> Vec<(u64, String)> {
        let start = self.now;
        let end = start + Duration::from_millis(ms);
        let mut seen = Vec::new();
        while let Some(next) = self.layer.next().filter(|next| *next <= end) {
            self.now = next;
            let mut said = Vec::new();
            while let Some(heard) = self.layer.wake(next) {
                said.push(word(&heard));
            }
            said.splice(0..0, self.sent_words());
            let after = u64::try_from((next - start).as_millis()).unwrap();
            seen.extend(said.into_iter().map(|said| (after, said)));
        }
        self.now = end;
        seen
    }

    /// Nothing may be left.
    pub(crate) fn is_tidy(&self) {
        assert_eq!(self.layer.len(), 0);
        assert_eq!(self.layer.next(), None);
    }
}

/// `(500, "INVITE")` … as `pass` says it.
pub(crate) fn at(said: &str, moments: &[u64]) -> Vec<(u64, String)> {
    moments.iter().map(|ms| (*ms, said.to_owned())).collect()
}

pub(crate) fn words(sent: &[(Flow, Message)]) -> Vec<String> {
    sent.iter().map(|(_, message)| name(message)).collect()
}

pub(crate) fn name(message: &Message) -> String {
    match message.method() {
        Some(method) => method.as_str().to_owned(),
        None => message.status().to_string(),
    }
}

/// One word for what was heard.
pub(crate) fn word(heard: &Heard<u32>) -> String {
    match heard {
        Heard::Request { request, .. } => name(request),
        Heard::Ack { .. } => "ack".into(),
        Heard::Cancel { .. } => "cancel".into(),
        Heard::Response { response, owner, .. } => {
            assert_eq!(*owner, OWNER);
            name(response)
        }
        Heard::Failed { why, .. } => format!("{why:?}"),
        Heard::Unacknowledged { .. } => "Unacknowledged".into(),
        Heard::Absorbed => "-".into(),
    }
}
