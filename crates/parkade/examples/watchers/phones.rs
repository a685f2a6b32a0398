//! The phones that watch: each registers if it is to, subscribes, and answers its notices.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use sip_msg::{Compose, Message, Name};

use crate::wire::Wire;

/// Everybody's domain.
pub(crate) const DOMAIN: &str = "pbx.test";

/// What is watched: a lot, by its park number.
pub(crate) const LOT: &str = "700";

/// How many phones ask at once.
const AT_ONCE: usize = 50;

/// A request without an answer is sent again (RFC 3261 §17.1.2.2, timer E).
const AGAIN: Duration = Duration::from_millis(500);

/// A request that waits for its answer.
struct Asking {
    bytes: Bytes,
    sent: Instant,
}

struct Phone {
    socket: usize,
    asking: Option<Asking>,
    subscribed: bool,
    cseq: u32,
    /// Of the last notice.
    heard: u32,
    told_at: Option<Instant>,
}

/// What the phones have been told since [`Phones::forget`].
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) count: usize,
    pub(crate) first: Option<Instant>,
    pub(crate) last: Option<Instant>,
    pub(crate) notices: usize,
    pub(crate) repeated: usize,
}

/// All phones.
pub(crate) struct Phones {
    server: SocketAddr,
    phones: Vec<Phone>,
    /// The phones from `next` to `end` have yet to ask.
    next: usize,
    end: usize,
    method: &'static str,
    in_flight: Vec<usize>,
    refused: usize,
    again: usize,
    subscribed: usize,
    told: Told,
}

impl Phones {
    pub(crate) fn new(wire: &mut Wire, server: SocketAddr, count: usize, sockets: usize) -> Phones {
        let sockets: Vec<usize> = (0..sockets.clamp(1, count)).map(|_| wire.open(None)).collect();
        let phone = |number: usize| Phone {
            socket: sockets[number % sockets.len()],
            asking: None,
            subscribed: false,
            cseq: 0,
            heard: 0,
            told_at: None,
        };
        Phones {
            server,
            phones: (0..count).map(phone).collect(),
            next: 0,
            end: 0,
            method: "",
            in_flight: Vec::new(),
            refused: 0,
            again: 0,
            subscribed: 0,
            told: Told::default(),
        }
    }

    pub(crate) fn register(&mut self) {
        (self.method, self.next, self.end) = ("REGISTER", 0, self.phones.len());
    }

    /// So many are to be subscribed in all.
    pub(crate) fn subscribe(&mut self, count: usize) {
        (self.method, self.next, self.end) = ("SUBSCRIBE", self.subscribed, count);
    }

    pub(crate) fn subscribed(&self) -> usize {
        self.subscribed
    }

    /// What is told from now on counts.
    pub(crate) fn forget(&mut self) {
        self.told = Told::default();
        for phone in &mut self.phones {
            phone.told_at = None;
        }
    }

    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// What has become of the asks, once all are answered.
    pub(crate) fn asked(&mut self) -> Option<Value> {
        if self.next < self.end || !self.in_flight.is_empty() {
            return None;
        }
        let outcome = json!({ "refused": self.refused, "again": self.again });
        (self.refused, self.again) = (0, 0);
        Some(outcome)
    }

    /// Asks on, as many at once as may, and asks again where no answer has come.
    pub(crate) fn go_on(&mut self, wire: &mut Wire) {
        let waits = |number: &usize| self.phones[*number].asking.is_some();
        self.in_flight.retain(waits);
        while self.next < self.end && self.in_flight.len() < AT_ONCE {
            let bytes = self.ask(wire, self.next);
            let phone = &mut self.phones[self.next];
            wire.send(phone.socket, self.server, &bytes);
            phone.asking = Some(Asking { bytes, sent: Instant::now() });
            self.in_flight.push(self.next);
            self.next += 1;
        }
        for number in &self.in_flight {
            let phone = &mut self.phones[*number];
            if let Some(asking) = &mut phone.asking
                && asking.sent.elapsed() > AGAIN
            {
                wire.send(phone.socket, self.server, &asking.bytes);
                asking.sent = Instant::now();
                self.again += 1;
            }
        }
    }

    fn ask(&mut self, wire: &mut Wire, number: usize) -> Bytes {
        let phone = &mut self.phones[number];
        phone.cseq += 1;
        let (cseq, method, extension) = (phone.cseq, self.method, 10_000 + number);
        let own = format!("<sip:{extension}@{DOMAIN}>");
        let (uri, to) = match method {
            "REGISTER" => (format!("sip:{DOMAIN}"), own.clone()),
            _ => (format!("sip:{LOT}@{DOMAIN}"), format!("<sip:{LOT}@{DOMAIN}>")),
        };
        let mut draft = Compose::request(method, &uri)
            .line(Name::From, format!("{own};tag=w{number}"))
            .line(Name::To, to)
            .line(Name::CallId, format!("{number}-{method}@{}", wire.address(phone.socket).ip()))
            .line(Name::CSeq, format!("{cseq} {method}"))
            .line(Name::Contact, format!("<sip:{extension}@{}>", wire.address(phone.socket)))
            .line(Name::MaxForwards, "70")
            .line(Name::UserAgent, "Yealink SIP-T54W 96.86.0.75")
            .line(Name::Expires, "3600");
        if method == "SUBSCRIBE" {
            draft =
                draft.line(Name::Event, "dialog").line(Name::Accept, "application/dialog-info+xml");
        }
        let draft = draft.finish();
        wire.request(phone.socket, &draft)
    }

    /// Deals with a message that is one phone's; says whether it was.
    pub(crate) fn hear(&mut self, wire: &mut Wire, from: SocketAddr, message: &Message) -> bool {
        let number = message.call_id().split_once('-').and_then(|(number, _)| number.parse().ok());
        let Some(phone) = number.and_then(|number: usize| self.phones.get_mut(number)) else {
            return false;
        };
        let (cseq, method) = message.cseq();
        if !message.is_request() {
            if message.status() >= 200 && phone.asking.take().is_some() {
                self.refused += usize::from(message.status() >= 300);
                if method == "SUBSCRIBE" && message.status() < 300 && !phone.subscribed {
                    phone.subscribed = true;
                    self.subscribed += 1;
                }
            }
            return true;
        }
        let answer = Compose::response_to(message, 200, None).finish();
        wire.answer(phone.socket, from, message, &answer);
        if method == "NOTIFY" && cseq > phone.heard {
            phone.heard = cseq;
            let now = Instant::now();
            self.told.notices += 1;
            self.told.count += usize::from(phone.told_at.is_none());
            self.told.first = self.told.first.or(Some(now));
            self.told.last = Some(now);
            phone.told_at = Some(now);
        } else if method == "NOTIFY" {
            self.told.repeated += 1;
        }
        true
    }
}
