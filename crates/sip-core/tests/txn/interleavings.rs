//! Two layers and a wire that loses, repeats and reorders, driven at random: nobody panics, nobody
//! hears a final answer twice, and in the end nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Chance, ConnId, Flow, Moment, Transport};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use sip_core::{ClientKey, Heard, Layer, Oversize, ServerKey, Timing};
use sip_msg::{Compose, Message};

use crate::room::{ack_draft, draft, outline, udp};

/// One thing that happens; numbers choose among what there is at the time.
#[derive(Debug, Clone)]
enum Happens {
    Ask { invite: bool, tcp: bool, large: bool },
    Deliver(usize),
    Repeat(usize),
    Lose(usize),
    Pass(u64),
    Respond(usize, u16),
    Ack(usize),
    Acked(usize),
    Cancel(usize),
    Abandon(usize),
    Unreachable { tcp: bool },
    Closed(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let which = 0..64usize;
    let status = prop::sample::select(vec![100, 180, 183, 200, 202, 302, 401, 486, 487, 603]);
    prop_oneof![
        3 => any::<(bool, bool, bool)>()
            .prop_map(|(invite, tcp, large)| Happens::Ask { invite, tcp, large }),
        12 => which.clone().prop_map(Happens::Deliver),
        2 => which.clone().prop_map(Happens::Repeat),
        2 => which.clone().prop_map(Happens::Lose),
        4 => (0..40_000u64).prop_map(Happens::Pass),
        6 => (which.clone(), status).prop_map(|(which, status)| Happens::Respond(which, status)),
        2 => which.clone().prop_map(Happens::Ack),
        1 => which.clone().prop_map(Happens::Acked),
        1 => which.clone().prop_map(Happens::Cancel),
        1 => which.prop_map(Happens::Abandon),
        1 => any::<bool>().prop_map(|tcp| Happens::Unreachable { tcp }),
        1 => (0..3u64).prop_map(Happens::Closed),
    ]
}

fn flow(tcp: bool) -> Flow {
    match tcp {
        true => Flow { transport: Transport::Tcp, conn: Some(ConnId(1)), ..udp() },
        false => udp(),
    }
}

/// What a client of ours has been told.
#[derive(Debug, Default)]
struct Told {
    invite: bool,
    refused: usize,
    failed: usize,
    success_tags: BTreeSet<String>,
}

struct World {
    now: Moment,
    asker: Layer<u32>,
    answerer: Layer<u32>,
    to_answerer: Vec<(Flow, Bytes)>,
    to_asker: Vec<(Flow, Bytes)>,
    told: BTreeMap<ClientKey, Told>,
    clients: Vec<ClientKey>,
    servers: Vec<ServerKey>,
    served: BTreeSet<ServerKey>,
    tags: u32,
}

/// The same way as the other end sees it.
fn mirrored(flow: Flow) -> Flow {
    Flow { local: flow.peer, peer: flow.local, ..flow }
}

impl World {
    fn new() -> World {
        let layer = |seed| Layer::new(Timing::default(), Chance::from_seed(seed));
        World {
            now: Moment::ZERO,
            asker: layer(1),
            answerer: layer(2),
            to_answerer: Vec::new(),
            to_asker: Vec::new(),
            told: BTreeMap::new(),
            clients: Vec::new(),
            servers: Vec::new(),
            served: BTreeSet::new(),
            tags: 0,
        }
    }

    fn collect(&mut self) {
        self.to_answerer.extend(std::iter::from_fn(|| self.asker.poll()));
        self.to_asker.extend(std::iter::from_fn(|| self.answerer.poll()));
    }

    fn hear(&mut self, heard: Heard<u32>) {
        match heard {
            Heard::Response { client, response, .. } => {
                let told = self.told.get_mut(&client).expect("a client of ours");
                assert!(told.failed == 0 && told.refused == 0, "after the end: {told:?}");
                match response.status() {
                    ..=199 => assert!(told.success_tags.is_empty(), "a provisional after a final"),
                    200..=299 if told.invite => {
                        let tag = response.to_tag().unwrap_or("").to_owned();
                        assert!(told.success_tags.insert(tag), "the same 2xx twice");
                    }
                    _ => {
                        assert!(told.success_tags.is_empty());
                        told.refused += 1;
                    }
                }
            }
            Heard::Failed { client, .. } => {
                let told = self.told.get_mut(&client).expect("a client of ours");
                assert!(told.failed == 0 && told.refused == 0 && told.success_tags.is_empty());
                told.failed += 1;
            }
            Heard::Request { server, .. } => {
                assert!(self.served.insert(server), "the same request twice");
                self.servers.push(server);
            }
            Heard::Cancel { invite, .. } => {
                assert!(self.answerer.is_pending(invite));
                self.respond(invite, 487);
            }
            Heard::Unacknowledged { server, .. } => assert!(!self.answerer.is_pending(server)),
            Heard::Ack { .. } | Heard::Absorbed => {}
        }
    }

    fn deliver(&mut self, which: usize, keep: bool) {
        let waiting = self.to_answerer.len() + self.to_asker.len();
        if waiting == 0 {
            return;
        }
        let mut which = which % waiting;
        let to_answerer = which < self.to_answerer.len();
        let queue = if to_answerer {
            &mut self.to_answerer
        } else {
            which -= self.to_answerer.len();
            &mut self.to_asker
        };
        let (flow, bytes) = if keep { queue[which].clone() } else { queue.remove(which) };
        let message = Message::read(bytes).expect("our own words");
        let layer = if to_answerer { &mut self.answerer } else { &mut self.asker };
        let heard = layer.hear(self.now, mirrored(flow), message);
        self.hear(heard);
    }

    fn lose(&mut self, which: usize) {
        let queue = match which % 2 {
            0 => &mut self.to_answerer,
            _ => &mut self.to_asker,
        };
        if !queue.is_empty() {
            queue.remove(which / 2 % queue.len());
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        while let Some(heard) = self.asker.wake(self.now) {
            self.hear(heard);
        }
        while let Some(heard) = self.answerer.wake(self.now) {
            self.hear(heard);
        }
        for next in [self.asker.next(), self.answerer.next()].into_iter().flatten() {
            assert!(next > self.now, "a wake-up in the past");
        }
    }

    fn respond(&mut self, server: ServerKey, status: u16) {
        let Some(request) = self.answerer.request_of(server) else { return };
        self.tags += 1;
        let tag = format!("t{}", self.tags % 3);
        let draft = Compose::response_to(request, status, None).to_tag(&tag).finish();
        assert!(self.answerer.respond(self.now, server, status, &draft));
        assert_eq!(self.answerer.is_pending(server), status < 200);
    }

    fn happens(&mut self, what: Happens) {
        let pick = |keys: &[ClientKey], which: usize| keys.get(which % keys.len().max(1)).copied();
        match what {
            Happens::Ask { invite, tcp, large } => {
                let method = if invite { "INVITE" } else { "OPTIONS" };
                let body = vec![b'x'; if large { 1_300 } else { 0 }];
                let draft = match large {
                    true => outline(method).body("text/plain", body).finish(),
                    false => draft(method),
                };
                let key = self.asker.request(self.now, flow(tcp), 1, &draft, Oversize::TryTcp);
                assert!(self.told.insert(key, Told { invite, ..Told::default() }).is_none());
                self.clients.push(key);
            }
            Happens::Deliver(which) => self.deliver(which, false),
            Happens::Repeat(which) => self.deliver(which, true),
            Happens::Lose(which) => self.lose(which),
            Happens::Pass(ms) => self.pass(ms),
            Happens::Respond(which, status) => {
                if let Some(server) = self.servers.get(which % self.servers.len().max(1)) {
                    self.respond(*server, status);
                }
            }
            Happens::Acked(which) => {
                if let Some(server) = self.servers.get(which % self.servers.len().max(1)) {
                    self.answerer.acked(self.now, *server);
                }
            }
            Happens::Ack(which) => {
                let Some(key) = pick(&self.clients, which) else { return };
                let tags = self.told[&key].success_tags.clone();
                for tag in tags {
                    self.asker.ack(self.now, key, flow(false), &ack_draft(&tag));
                }
            }
            Happens::Cancel(which) => {
                let Some(key) = pick(&self.clients, which) else { return };
                self.asker.cancel(self.now, key, None);
            }
            Happens::Abandon(which) => {
                let Some(key) = pick(&self.clients, which) else { return };
                self.asker.abandon(self.now, key);
            }
            Happens::Unreachable { tcp } => {
                for heard in self.asker.unreachable(self.now, &flow(tcp)) {
                    self.hear(heard);
                }
            }
            Happens::Closed(conn) => {
                for heard in self.asker.closed(self.now, ConnId(conn)) {
                    self.hear(heard);
                }
                let none = self.answerer.closed(self.now, ConnId(conn));
                assert!(none.is_empty());
            }
        }
    }

    /// Everybody answers and gives up, and time goes by.
    fn end(&mut self) {
        for server in self.servers.clone() {
            self.respond(server, 500);
        }
        for key in self.clients.clone() {
            self.asker.cancel(self.now, key, None);
        }
        self.collect();
        self.to_answerer.clear();
        self.to_asker.clear();
        for _ in 0..200 {
            self.pass(1_000);
            self.collect();
            self.to_answerer.clear();
        }
        for (layer, name) in [(&self.asker, "asker"), (&self.answerer, "answerer")] {
            assert_eq!(layer.len(), 0, "{name}");
            assert_eq!(layer.next(), None, "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_whatever_order_each_request_ends_once_and_nothing_is_left(
        story in vec(happens(), 1..120)
    ) {
        let mut world = World::new();
        for what in story {
            world.happens(what);
            world.collect();
        }
        world.end();
    }

    #[test]
    fn strangers_words_do_no_harm(
        branch in "(z9hG4bK)?[0-9a-f]{0,17}",
        method in "(INVITE|ACK|CANCEL|BYE|OPTIONS|FOO)",
        status in 100u16..700,
        is_request in any::<bool>(),
    ) {
        let mut layer: Layer<u32> = Layer::new(Timing::default(), Chance::from_seed(1));
        let start = match is_request {
            true => format!("{method} sip:105@pbx.example SIP/2.0"),
            false => format!("SIP/2.0 {status} Well"),
        };
        let text = format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.103:5062;branch={branch}x\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let message = Message::read(Bytes::from(text)).unwrap();
        for _ in 0..3 {
            let heard = layer.hear(Moment::ZERO, udp(), message.clone());
            if !is_request {
                prop_assert!(matches!(heard, Heard::Absorbed));
            }
        }
        prop_assert!(layer.len() <= 1);
    }
}
