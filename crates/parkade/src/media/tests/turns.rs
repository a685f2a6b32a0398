//! In which order a worker does what is to be done in one turn: with sockets that are none.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use base::Chance;
use rtp_flow::{Component, Outgoing, PairId, Plan, Relay};

use crate::media::counts::Published;
use crate::media::ports::{BoundPair, Numbering};
use crate::media::tests::world::{MUSIC, plan_of, rtp, stream, tunes};
use crate::media::wire::{At, Came, Troubles, Wire};
use crate::media::worker::{Post, Standing, Worker, WorkerOrder, waker};

const PHONE: PairId = PairId(0);
const PBX: PairId = PairId(1);

fn far(pair: PairId) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4_000 + pair.0 as u16))
}

/// What a worker did with its wire.
#[derive(Debug, PartialEq, Eq)]
enum Did {
    Waited,
    PassedOn(At, SocketAddr),
    LetGo,
    Played(SocketAddr),
    Sent,
}

/// Before each turn it waits until the test lets it go on, with these packets.
struct Scripted {
    turns: Receiver<Vec<PairId>>,
    coming: VecDeque<PairId>,
    bytes: Vec<u8>,
    did: Sender<Did>,
}

impl Wire for Scripted {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn take_in(&mut self, _: usize, _: BoundPair) {}

    fn wait(&mut self, _: Option<Duration>) -> io::Result<()> {
        self.did.send(Did::Waited).unwrap();
        let packets = self.turns.recv().map_err(io::Error::other)?;
        self.coming.extend(packets);
        Ok(())
    }

    fn next(&mut self) -> Option<Came> {
        let pair = self.coming.pop_front()?;
        self.bytes = rtp(pair, 1, b"hello");
        let (place, component, len) = (pair.0 as usize, Component::Rtp, self.bytes.len() as u16);
        Some(Came { place, component, from: far(pair), room: 0, len })
    }

    fn room(&mut self, _: &Came) -> &mut [u8] {
        &mut self.bytes
    }

    fn pass_on(&mut self, _: Came, _: usize, by: At, to: SocketAddr) {
        self.did.send(Did::PassedOn(by, to)).unwrap();
    }

    fn let_go(&mut self, _: Came) {
        self.did.send(Did::LetGo).unwrap();
    }

    fn play(&mut self, _: usize, outgoing: Outgoing) {
        self.did.send(Did::Played(outgoing.to)).unwrap();
    }

    fn send(&mut self) {
        self.did.send(Did::Sent).unwrap();
    }

    fn troubles(&self) -> Troubles {
        Troubles::default()
    }
}

/// A running worker, the way to it, and what it did.
struct Stage {
    post: Post,
    turns: Sender<Vec<PairId>>,
    did: Receiver<Did>,
}

impl Stage {
    fn new() -> Stage {
        let (turns, script) = channel();
        let (tell, did) = channel();
        let wire =
            Scripted { turns: script, coming: VecDeque::new(), bytes: Vec::new(), did: tell };
        let standing = Standing {
            number: 0,
            numbering: Numbering { workers: 1 },
            notify: Arc::new(|_| {}),
            published: Arc::new(Published::default()),
            past: None,
        };
        let relay = Relay::new(tunes(), Chance::from_seed(1));
        let (worker, post) = Worker::new(wire, waker().unwrap(), relay, standing);
        std::thread::spawn(move || worker.run());
        let stage = Stage { post, turns, did };
        assert_eq!(stage.did.recv(), Ok(Did::Waited));
        stage
    }

    fn order(&self, pair: PairId, hears: rtp_flow::Hears) {
        let plan = plan_of(pair, far(pair), None, hears);
        self.post.send(WorkerOrder::Plan(Plan::Stream(plan)));
    }

    /// What it does when these packets have come: all of a turn.
    fn turn(&self, packets: &[PairId]) -> Vec<Did> {
        self.turns.send(packets.to_vec()).unwrap();
        self.did.iter().take_while(|did| *did != Did::Waited).collect()
    }
}

#[test]
fn nothing_of_a_turn_is_sent_before_all_of_it_is_decided_on() {
    let stage = Stage::new();
    stage.order(PHONE, stream(PBX));
    stage.order(PBX, stream(PHONE));
    let to = |pair: PairId| Did::PassedOn((pair.0 as usize, Component::Rtp), far(pair));
    assert_eq!(stage.turn(&[PHONE, PBX, PHONE]), [to(PBX), to(PHONE), to(PBX), Did::Sent]);
    assert_eq!(stage.turn(&[]), [Did::Sent]);
}

#[test]
fn orders_hold_for_packets_that_came_before_them_but_were_not_looked_at() {
    let stage = Stage::new();
    stage.order(PHONE, stream(PBX));
    stage.order(PBX, stream(PHONE));
    assert_eq!(stage.turn(&[PHONE]).len(), 2);
    stage.order(PBX, MUSIC);
    let did = stage.turn(&[PHONE, PHONE]);
    assert_eq!(did, [Did::LetGo, Did::LetGo, Did::Sent], "talk after the order to play music");
    let mut played = Vec::new();
    while played.is_empty() {
        std::thread::yield_now();
        played = stage.turn(&[]);
        assert_eq!(played.pop(), Some(Did::Sent));
    }
    assert!(played.iter().all(|did| *did == Did::Played(far(PBX))), "{played:?}");
}
