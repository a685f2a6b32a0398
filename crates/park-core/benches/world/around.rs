//! An engine with everybody around it: one phone that calls, one that retrieves, a PBX that answers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use base::{Chance, Flow, Moment, Side, Transport};
use bytes::Bytes;
use park_core::{
    Anchor, Command, Counts, Engine, Fact, Input, LotSettings, Output, Reply, Settings,
};
use rtp_flow::{MediaNotice, Pair, PairId, Plan, WorkerId};
use sip_msg::{Compose, Message, Name};

const ALLOW: &str = "INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REGISTER, SUBSCRIBE, \
                     REFER, PUBLISH, UPDATE, MESSAGE";
fn flow(side: Side, peer: &str) -> Flow {
    let local = match side {
        Side::Phones => "198.51.100.1:5060",
        Side::Pbx => "198.51.100.1:5080",
    };
    let (local, peer) = (local.parse().unwrap(), peer.parse().unwrap());
    Flow { side, transport: Transport::Udp, local, peer, conn: None }
}

fn pbx() -> Flow {
    flow(Side::Pbx, "192.0.2.50:5060")
}

/// The phone of an extension.
fn phone(extension: u64) -> Flow {
    flow(Side::Phones, &format!("10.0.{}.{}:5060", extension >> 8, extension & 0xff))
}

fn sdp(at: &Flow) -> String {
    let ip = at.peer.ip();
    format!(
        "v=0\r\no=- 20033 20033 IN IP4 {ip}\r\ns=SDP data\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio 11786 RTP/AVP 9 0 8 18 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// The engine, and everybody around it.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) at: Moment,
    /// How long the engine has had the turn.
    pub(crate) spent: Duration,
    /// What it put out in the last turn; kept, so that the clock does not see it grow.
    out: Vec<Output>,
    /// What is under way to it.
    coming: VecDeque<(Flow, Bytes)>,
    /// All that it was sent since somebody last looked.
    pub(crate) heard: Vec<Bytes>,
    pairs: u32,
    /// For branches, tags and Call-IDs.
    number: u64,
    cseq: u32,
    /// The newest 200 to an INVITE of a phone.
    answered: Option<Message>,
    pub(crate) parked: u64,
    pub(crate) retrieved: u64,
}

impl World {
    pub(crate) fn new(anchor: Anchor) -> World {
        World::with(Settings { anchor, ..Settings::default() })
    }

    /// As many slots as calls are to wait.
    pub(crate) fn with_slots(slots: u32) -> World {
        let lot = LotSettings { slots: vec![(10_000, 9_999 + slots, 5)], ..LotSettings::default() };
        World::with(Settings { lots: vec![lot], ..Settings::default() })
    }

    fn with(mut settings: Settings) -> World {
        settings.pbx_targets = vec!["sip:192.0.2.50:5060".to_string()];
        let mut world = World {
            engine: Engine::new(settings, Chance::from_seed(1), Moment::ZERO),
            at: Moment::ZERO,
            spent: Duration::ZERO,
            out: Vec::with_capacity(64),
            coming: VecDeque::new(),
            heard: Vec::new(),
            pairs: 0,
            number: 0,
            cseq: 1,
            answered: None,
            parked: 0,
            retrieved: 0,
        };
        while !matches!(world.engine.poll(), Output::Idle { .. }) {}
        world.turn(Input::Resolved { target: 0, hops: vec![pbx()] });
        for side in [Side::Phones, Side::Pbx] {
            world.stock(side, 256);
        }
        for extension in [103, 105] {
            world.register(extension);
        }
        world
    }

    /// One turn: the only place where the clock runs.
    pub(crate) fn turn(&mut self, input: Input) {
        self.out.clear();
        let begun = Instant::now();
        self.engine.handle(self.at, input);
        loop {
            match self.engine.poll() {
                Output::Idle { .. } => break,
                output => self.out.push(output),
            }
        }
        self.spent += begun.elapsed();
        for output in std::mem::take(&mut self.out) {
            match output {
                Output::Send { flow, bytes } => self.react(flow, bytes),
                Output::Media(Plan::Stock { side, count }) => self.stock(side, count),
                Output::Told(told) => match told.fact {
                    Fact::Parked { .. } => self.parked += 1,
                    Fact::Retrieved { .. } => self.retrieved += 1,
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// Port pairs, as a media worker binds them: not part of a turn's cost.
    fn stock(&mut self, side: Side, count: u16) {
        let first = self.pairs;
        self.pairs += u32::from(count);
        let pair = |id| Pair {
            id: PairId(id),
            side,
            worker: WorkerId(0),
            port: 10_000 + (id % 25_000) as u16 * 2,
        };
        let pairs = (first..self.pairs).map(pair).collect();
        self.engine.handle(self.at, Input::Media(MediaNotice::Stocked { pairs }));
        while !matches!(self.engine.poll(), Output::Idle { .. }) {}
    }

    /// Until nothing is under way.
    pub(crate) fn settle(&mut self) {
        while let Some((flow, bytes)) = self.coming.pop_front() {
            self.heard.push(Bytes::copy_from_slice(&bytes));
            self.turn(Input::Sip { flow, bytes });
        }
    }

    /// What whoever gets this message does about it.
    fn react(&mut self, flow: Flow, bytes: Bytes) {
        let message = Message::read(bytes).unwrap();
        let (_, method) = message.cseq();
        match (message.is_request(), method) {
            (true, "ACK") => {}
            (true, "INVITE") if message.to_tag().is_none() => {
                for status in [100, 180, 200] {
                    self.answer(flow, &message, status);
                }
            }
            (true, _) => self.answer(flow, &message, 200),
            (false, "INVITE") if message.status() == 200 => {
                self.request(flow, "ACK", Some(&message), |ack| ack);
                self.answered = Some(message);
            }
            (false, _) => assert!(message.status() < 300, "{message:?}"),
        }
    }

    fn answer(&mut self, flow: Flow, request: &Message, status: u16) {
        let mut answer = Compose::response_to(request, status, None);
        if status > 100 {
            answer = answer.to_tag(&format!("8a7f1c{}", self.number)).other("Server", "PBX 1.0");
        }
        let contact = format!("<sip:200@{}>", flow.peer);
        answer = match (request.cseq().1, status) {
            ("REGISTER", _) => answer.copy(request, Name::Contact).line(Name::Expires, "86400"),
            ("INVITE", 180) => answer.line(Name::Contact, contact),
            ("INVITE", 200) => answer
                .line(Name::Contact, contact)
                .line(Name::Allow, ALLOW)
                .line(Name::Supported, "replaces,timer")
                .body("application/sdp", sdp(&flow)),
            _ => answer,
        };
        let vias: Vec<&str> = request.vias().map(|via| via.as_str()).collect();
        self.coming.push_back((flow, answer.finish().with_vias(&vias)));
    }

    /// A request in the dialog that this answer has made, or outside of any.
    fn request(
        &mut self,
        flow: Flow,
        method: &str,
        within: Option<&Message>,
        more: impl FnOnce(Compose) -> Compose,
    ) {
        self.number += 1;
        self.cseq += u32::from(method != "ACK");
        let peer = flow.peer;
        let uri = within.and_then(|answer| answer.contacts().next()).map(|to| to.uri().to_string());
        let uri = uri.unwrap_or_else(|| "sip:pbx.example".to_string());
        let mut request = Compose::request(method, &uri);
        if let Some(answer) = within {
            for name in [Name::From, Name::To, Name::CallId] {
                request = request.copy(answer, name);
            }
        }
        let cseq = match within {
            Some(answer) if method == "ACK" => answer.cseq().0,
            _ => self.cseq,
        };
        let request = more(request)
            .line(Name::CSeq, format!("{cseq} {method}"))
            .line(Name::MaxForwards, "70")
            .line(Name::UserAgent, "Yealink SIP-T54W 96.86.0.75")
            .finish();
        let via = format!("SIP/2.0/UDP {peer};branch=z9hG4bK{};rport", self.number);
        self.coming.push_back((flow, request.with_vias(&[via])));
    }

    pub(crate) fn register(&mut self, extension: u64) {
        let (flow, number) = (phone(extension), self.number);
        let who = format!("<sip:{extension}@pbx.example>");
        let contact = format!("<sip:{extension}@{}>", flow.peer);
        self.request(flow, "REGISTER", None, |request| {
            request
                .line(Name::From, format!("{who};tag=r{number}"))
                .line(Name::To, &who)
                .line(Name::CallId, format!("{extension}@{}", flow.peer.ip()))
                .line(Name::Contact, contact)
                .line(Name::Allow, ALLOW)
                .line(Name::Expires, "86400")
        });
        self.settle();
    }

    /// A phone calls, is answered and acknowledges; its answer is what later requests stand on.
    pub(crate) fn dial(&mut self, extension: u64, number: &str) -> Message {
        let (flow, id) = (phone(extension), self.number);
        let invite = Compose::request("INVITE", &format!("sip:{number}@pbx.example;user=phone"))
            .line(Name::From, format!("\"James\" <sip:{extension}@pbx.example>;tag=20874{id}"))
            .line(Name::To, format!("<sip:{number}@pbx.example;user=phone>"))
            .line(Name::CallId, format!("0_31849{id}@{}", flow.peer.ip()))
            .line(Name::CSeq, "1 INVITE")
            .line(Name::Contact, format!("<sip:{extension}@{}>", flow.peer))
            .line(Name::Allow, ALLOW)
            .line(Name::MaxForwards, "70")
            .line(Name::UserAgent, "Yealink SIP-T54W 96.86.0.75")
            .other("Allow-Events", "talk,hold,conference,refer,check-sync")
            .line(Name::Supported, "replaces,100rel,timer")
            .body("application/sdp", sdp(&flow))
            .finish();
        self.number += 1;
        let via = format!("SIP/2.0/UDP {};branch=z9hG4bK{};rport", flow.peer, self.number);
        self.coming.push_back((flow, invite.with_vias(&[via])));
        self.settle();
        self.answered.take().unwrap()
    }

    /// A phone watches a lot, by its park number, for an hour.
    #[allow(dead_code, reason = "only the test of memory watches")]
    pub(crate) fn subscribe(&mut self, extension: u64) {
        let (flow, number) = (phone(extension), self.number);
        let subscribe = Compose::request("SUBSCRIBE", "sip:700@pbx.example")
            .line(Name::From, format!("\"James\" <sip:{extension}@pbx.example>;tag=20874{number}"))
            .line(Name::To, "<sip:700@pbx.example>")
            .line(Name::CallId, format!("0_41849{number}@{}", flow.peer.ip()))
            .line(Name::CSeq, "1 SUBSCRIBE")
            .line(Name::Contact, format!("<sip:{extension}@{}>", flow.peer))
            .line(Name::MaxForwards, "70")
            .line(Name::UserAgent, "Yealink SIP-T54W 96.86.0.75")
            .line(Name::Event, "dialog")
            .line(Name::Expires, "3600")
            .line(Name::Accept, "application/dialog-info+xml")
            .finish();
        self.number += 1;
        let via = format!("SIP/2.0/UDP {};branch=z9hG4bK{};rport", flow.peer, self.number);
        self.coming.push_back((flow, subscribe.with_vias(&[via])));
        self.settle();
    }

    fn hang_up(&mut self, extension: u64, call: &Message) {
        self.request(phone(extension), "BYE", Some(call), |bye| bye);
        self.settle();
    }

    /// INVITE, 100, 180, 200, ACK; BYE, 200.
    pub(crate) fn call(&mut self) {
        let call = self.dial(103, "200");
        self.hang_up(103, &call);
    }

    /// A call; REFER to the park code, the phone's answers to its notices, its BYE; the retrieve by
    /// another phone, its BYE.
    pub(crate) fn park(&mut self) {
        self.park_at("*68");
        let retrieved = self.dial(105, "*88103");
        self.hang_up(105, &retrieved);
    }

    /// A call; REFER to a code or a slot, and the phone's BYE.
    pub(crate) fn park_at(&mut self, number: &str) {
        let call = self.dial(103, "200");
        self.request(phone(103), "REFER", Some(&call), |refer| {
            refer
                .line(Name::ReferTo, format!("<sip:{number}@pbx.example>"))
                .line(Name::ReferredBy, "<sip:103@pbx.example>")
                .line(Name::Contact, format!("<sip:103@{}>", phone(103).peer))
        });
        self.settle();
        self.hang_up(103, &call);
    }

    /// What an operator is answered.
    pub(crate) fn order(&mut self, command: Command) -> Reply {
        self.engine.handle(self.at, Input::Command { ticket: 0, command });
        let mut answer = None;
        loop {
            match self.engine.poll() {
                Output::Reply { reply, .. } => answer = Some(reply),
                Output::Idle { .. } => return answer.unwrap(),
                _ => {}
            }
        }
    }

    pub(crate) fn counts(&mut self) -> Counts {
        match self.order(Command::Counts) {
            Reply::Counts(counts) => counts,
            other => panic!("{other:?}"),
        }
    }
}
