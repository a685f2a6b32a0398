//! The load of `scripts/bench notices`: thousands of phones, each on a port of its own, that watch one
//! lot, and a call that is parked there and hangs up again. Orders come on standard input, one a line;
//! each is answered by a line of JSON when it is done.
//!
//! `watchers parkade SERVER HERE PHONES SOCKETS PBX`, or `watchers presence SERVER HERE PHONES SOCKETS`
//! for a presence server, where the state changes by PUBLISH instead.
#![expect(clippy::unwrap_used, reason = "a load that cannot go on ends by panicking")]

mod call;
mod phones;
mod publisher;
mod wire;

use std::io::BufRead;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mio::{Events, Waker};
use serde_json::json;
use sip_msg::Message;

use crate::call::Call;
use crate::phones::Phones;
use crate::publisher::Publisher;
use crate::wire::{ORDERS, Wire};

/// After so long whoever has not been told will not be.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who changes the state that is watched.
enum Changes {
    Call(Call),
    Publisher(Publisher),
}

impl Changes {
    fn ready(&mut self, wire: &mut Wire) {
        if let Changes::Call(call) = self {
            call.dial(wire);
        }
    }

    fn is_ready(&self) -> bool {
        match self {
            Changes::Call(call) => call.is_up(),
            Changes::Publisher(_) => true,
        }
    }

    fn change(&mut self, wire: &mut Wire, on: bool) {
        match (self, on) {
            (Changes::Call(call), true) => call.park(wire),
            (Changes::Call(call), false) => call.hang_up(wire),
            (Changes::Publisher(publisher), on) => publisher.publish(wire, on),
        }
    }

    /// Deals with a message that is not the phones'.
    fn hear(&mut self, wire: &mut Wire, socket: usize, from: SocketAddr, message: &Message) {
        match self {
            Changes::Call(call) => call.hear(wire, socket, from, message),
            Changes::Publisher(publisher) => publisher.hear(message),
        }
    }

    fn answered(&self) -> Option<(u16, Instant)> {
        match self {
            Changes::Call(call) => call.answered,
            Changes::Publisher(publisher) => publisher.answered,
        }
    }
}

/// What is being done.
enum Job {
    Nothing,
    /// Each phone asks in turn.
    Asks,
    /// The call is being set up.
    Ready,
    /// The phones are being told of a change.
    Told(Instant),
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [mode, server, here, phones, sockets, rest @ ..] = &given[..] else {
        panic!("watchers parkade|presence SERVER HERE PHONES SOCKETS [PBX]");
    };
    let server: SocketAddr = server.parse().unwrap();
    let mut wire = Wire::new(here.parse().unwrap());
    let mut changes = match mode.as_str() {
        "parkade" => Changes::Call(Call::new(&mut wire, server, rest[0].parse().unwrap())),
        _ => Changes::Publisher(Publisher::new(&mut wire, server)),
    };
    let count = phones.parse().unwrap();
    let mut phones = Phones::new(&mut wire, server, count, sockets.parse().unwrap());
    let orders = orders(&wire);
    let mut events = Events::with_capacity(1024);
    let mut job = Job::Nothing;
    loop {
        wire.poll.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
        for event in &events {
            if event.token() == ORDERS {
                continue;
            }
            let socket = event.token().0;
            while let Some((from, message)) = wire.take(socket) {
                if !phones.hear(&mut wire, from, &message) {
                    changes.hear(&mut wire, socket, from, &message);
                }
            }
        }
        match orders.try_recv() {
            Ok(order) => job = begin(&order, &mut wire, &mut phones, &mut changes),
            Err(mpsc::TryRecvError::Disconnected) => return,
            Err(mpsc::TryRecvError::Empty) => {}
        }
        phones.go_on(&mut wire);
        if let Some(outcome) = outcome(&job, &mut phones, &changes) {
            println!("{outcome}");
            job = Job::Nothing;
        }
    }
}

/// Orders as they are read; the thread ends with its input.
fn orders(wire: &Wire) -> mpsc::Receiver<String> {
    let (tell, orders) = mpsc::channel();
    let waker = Waker::new(wire.poll.registry(), ORDERS).unwrap();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if tell.send(line.unwrap()).is_err() {
                return;
            }
            waker.wake().unwrap();
        }
    });
    orders
}

fn begin(order: &str, wire: &mut Wire, phones: &mut Phones, changes: &mut Changes) -> Job {
    match order.split_once(' ').unwrap_or((order, "")) {
        ("register", _) => phones.register(),
        ("subscribe", count) => phones.subscribe(count.parse().unwrap()),
        ("ready", _) => {
            changes.ready(wire);
            return Job::Ready;
        }
        ("change", to) => {
            phones.forget();
            let begun = Instant::now();
            changes.change(wire, to == "parked");
            return Job::Told(begun);
        }
        _ => panic!("{order:?} is no order"),
    }
    Job::Asks
}

/// What there is to tell of a job once it is done.
fn outcome(job: &Job, phones: &mut Phones, changes: &Changes) -> Option<serde_json::Value> {
    match job {
        Job::Nothing => None,
        Job::Asks => phones.asked(),
        Job::Ready => changes.is_ready().then(|| json!({})),
        Job::Told(begun) => {
            let told = phones.told();
            let done = told.count == phones.subscribed() && changes.answered().is_some();
            if !done && begun.elapsed() < PATIENCE {
                return None;
            }
            let since = |at: Instant| at.duration_since(*begun).as_secs_f64() * 1000.0;
            let (status, answered) = changes.answered().unzip();
            Some(json!({
                "status": status,
                "answered_ms": answered.map(since),
                "first_ms": told.first.map(since),
                "last_ms": told.last.map(since),
                "told": told.count,
                "of": phones.subscribed(),
                "notices": told.notices,
                "repeated": told.repeated,
            }))
        }
    }
}
