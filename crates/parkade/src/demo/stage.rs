//! Everybody on sockets of their own, driven by one loop: what arrives is handed to whom it is for, who
//! wants to be woken is woken, and what anybody sends goes out.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use base::{Chance, Flow, Moment, Side, Transport};
use bytes::Bytes;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use rtp_flow::{Codec, Encoded, melody};
use simnet::{Party, Pbx, PbxSettings, Phone};

use crate::clock::Clock;
use crate::config::FastPath;
use crate::demo::failed::DemoFailed;
use crate::demo::house::House;
use crate::demo::ladder::Ladder;
use crate::demo::seats::{CALLER, DOMAIN, EVERYBODY, PBX, host};
use crate::demo::sockets;
use crate::demo::tune_ear::TuneEar;

/// How long a step may take that nothing but a message or two stands before.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a step is looked at until it holds.
const LOOK: Duration = Duration::from_millis(20);

/// What comes in by a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries {
    PbxSip,
    Sip(usize),
    Rtp(usize),
}

#[derive(Debug)]
struct Socket {
    at: SocketAddr,
    carries: Carries,
    socket: UdpSocket,
}

/// The stage.
#[derive(Debug)]
pub(super) struct Stage {
    clock: Clock,
    poll: Poll,
    events: Events,
    sockets: Vec<Socket>,
    phones: Vec<Phone>,
    pbx: Pbx,
    ear: TuneEar,
    /// From where the caller gets sound.
    heard_from: BTreeSet<SocketAddr>,
    /// What the ladder calls them, by address.
    names: Vec<(SocketAddr, &'static str)>,
    /// What is shown.
    pub(super) ladder: Ladder,
    /// The program.
    pub(super) house: House,
}

impl Stage {
    /// Opens the house, which forwards all sound itself, and puts everybody around it. Nothing has been
    /// said yet.
    pub(super) fn open() -> Result<Stage, DemoFailed> {
        Stage::with(FastPath::Off, "")
    }

    /// The same with another path for sound, and more of a configuration.
    pub(super) fn with(fast_path: FastPath, more: &str) -> Result<Stage, DemoFailed> {
        let (pbx_at, pbx_socket) = sockets::one(PBX)?;
        let house = House::open(pbx_at, fast_path, more)?;
        let mut settings = PbxSettings::at(pbx_at, DOMAIN);
        settings.digest = true;
        let mut names = vec![(house.phones, "house"), (house.pbx, "house"), (pbx_at, "pbx")];
        let mut all = vec![(pbx_at, Carries::PbxSip, pbx_socket)];
        let mut phones = Vec::new();
        let mut pbx = Pbx::new(settings.clone(), Chance::from_seed(7));
        for (seat, who) in EVERYBODY.iter().enumerate() {
            let (sip_at, sip) = sockets::one(host(who.host))?;
            let row = sockets::row(host(who.host))?;
            let proxy = if seat == CALLER { pbx_at } else { house.phones };
            let password = settings.password_of(who.number);
            phones.push(who.phone(seat, sip_at, row[0].0, proxy, password));
            names.push((sip_at, who.label));
            all.push((sip_at, Carries::Sip(seat), sip));
            all.extend(row.into_iter().map(|(at, socket)| (at, Carries::Rtp(seat), socket)));
            if seat == CALLER {
                pbx.route(who.number, sip_at);
            }
        }
        let poll = Poll::new()?;
        let mut sockets = Vec::new();
        for (at, carries, mut socket) in all {
            poll.registry().register(&mut socket, Token(sockets.len()), Interest::READABLE)?;
            sockets.push(Socket { at, carries, socket });
        }
        let tune = Encoded::encode(Codec::Pcma, &melody())
            .map_err(|why| io::Error::other(why.to_string()))?;
        Ok(Stage {
            clock: Clock::start(),
            poll,
            events: Events::with_capacity(64),
            sockets,
            phones,
            pbx,
            ear: TuneEar::new(tune),
            heard_from: BTreeSet::new(),
            names,
            ladder: Ladder::new(),
            house,
        })
    }

    /// What time it is.
    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Somebody.
    pub(super) fn phone(&self, seat: usize) -> &Phone {
        &self.phones[seat]
    }

    /// The ear with which the caller listens for the tune.
    pub(super) fn ear(&self) -> &TuneEar {
        &self.ear
    }

    /// From where the caller has got sound so far.
    pub(super) fn heard_from(&self) -> &BTreeSet<SocketAddr> {
        &self.heard_from
    }

    /// The caller listens for the tune anew.
    pub(super) fn listen_anew(&mut self) {
        self.ear.forget();
    }

    /// Lets somebody do something.
    pub(super) fn act<R>(&mut self, seat: usize, act: impl FnOnce(&mut Phone, Moment) -> R) -> R {
        let now = self.now();
        let result = act(&mut self.phones[seat], now);
        self.send_all();
        result
    }

    /// Changes the PBX's settings.
    pub(super) fn pbx_settings(&mut self) -> &mut PbxSettings {
        self.pbx.settings_mut()
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) -> Result<(), DemoFailed> {
        let until = self.now() + time;
        while self.now() < until {
            self.step(until)?;
        }
        Ok(())
    }

    /// Waits until `check` gives what was seen, which proves the step; if it only says what is seen in
    /// its place until patience ends, the demo has failed.
    pub(super) fn verify(
        &mut self,
        step: &str,
        expected: &str,
        check: impl Fn(&Stage) -> Result<String, String>,
    ) -> Result<(), DemoFailed> {
        self.verify_within(PATIENCE, step, expected, check)
    }

    /// The same with other patience.
    pub(super) fn verify_within(
        &mut self,
        patience: Duration,
        step: &str,
        expected: &str,
        check: impl Fn(&Stage) -> Result<String, String>,
    ) -> Result<(), DemoFailed> {
        let until = self.now() + patience;
        loop {
            match check(self) {
                Ok(seen) => {
                    self.ladder.verified(self.now(), step, &seen);
                    return Ok(());
                }
                Err(seen) if self.now() >= until => {
                    self.ladder.missed(self.now(), step);
                    let (step, expected) = (step.to_owned(), expected.to_owned());
                    return Err(DemoFailed::Missed { step, expected, seen });
                }
                Err(_) => self.pass(LOOK)?,
            }
        }
    }

    /// Hands out what arrives next, or wakes who is to be woken next; at `until` at the latest.
    fn step(&mut self, until: Moment) -> Result<(), DemoFailed> {
        if self.house.is_over() {
            return Err(DemoFailed::Interrupted);
        }
        let at = self.next().map_or(until, |at| at.min(until));
        let wait = at.since(self.now());
        if let Err(error) = self.poll.poll(&mut self.events, Some(wait))
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for socket in ready {
            self.take(socket);
        }
        self.wake();
        self.send_all();
        Ok(())
    }

    fn next(&self) -> Option<Moment> {
        let phones = self.phones.iter().flat_map(|phone| [phone.next(), phone.rtp_next()]);
        phones.chain([self.pbx.next()]).flatten().min()
    }

    /// Takes all that lies at a socket.
    fn take(&mut self, index: usize) {
        let mut room = [0; 65_536];
        while let Ok((count, from)) = self.sockets[index].socket.recv_from(&mut room) {
            let now = self.clock.now();
            let Socket { at, carries, .. } = self.sockets[index];
            let bytes = &room[..count];
            match carries {
                Carries::Rtp(seat) => {
                    self.phones[seat].hear_rtp(now, at, bytes);
                    // Odd ports are for RTCP.
                    if seat == CALLER && at.port() % 2 == 0 {
                        self.heard_from.insert(from);
                        self.ear.hear(bytes);
                    }
                }
                Carries::PbxSip => {
                    self.show(now, from, at, bytes);
                    self.pbx.handle(now, flow(at, from), Bytes::copy_from_slice(bytes));
                }
                Carries::Sip(seat) => {
                    self.show(now, from, at, bytes);
                    self.phones[seat].handle(now, flow(at, from), Bytes::copy_from_slice(bytes));
                }
            }
            self.send_all();
        }
    }

    /// Shows what the house says; what others say was shown when they sent it.
    fn show(&mut self, now: Moment, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if [self.house.phones, self.house.pbx].contains(&from) {
            let to = self.name(to);
            self.ladder.said(now, "house", to, bytes);
        }
    }

    fn wake(&mut self) {
        let now = self.now();
        for seat in 0..self.phones.len() {
            self.phones[seat].wake(now);
            for (from, to, packet) in self.phones[seat].rtp_due(now) {
                self.send(from, to, &packet);
            }
        }
        self.pbx.wake(now);
    }

    fn send_all(&mut self) {
        let now = self.now();
        loop {
            let phone = self.phones.iter_mut().find_map(Party::poll);
            let Some((flow, bytes)) = phone.or_else(|| self.pbx.poll()) else { return };
            let (from, to) = (self.name(flow.local), self.name(flow.peer));
            if flow.transport != Transport::Udp {
                // No message of theirs is so large (RFC 3261 §18.1.1).
                self.ladder.remark(&format!("{from} has no TCP to send {} bytes", bytes.len()));
                continue;
            }
            self.ladder.said(now, from, to, &bytes);
            self.send(flow.local, flow.peer, &bytes);
        }
    }

    fn send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if let Some(socket) = self.sockets.iter().find(|socket| socket.at == from) {
            // What the system does not take is lost, as on any network.
            let _ = socket.socket.send_to(bytes, to);
        }
    }

    fn name(&self, at: SocketAddr) -> &'static str {
        self.names.iter().find(|(address, _)| *address == at).map_or("?", |(_, name)| name)
    }
}

/// The flow by which something came. The side of the house means nothing to the parties.
fn flow(local: SocketAddr, peer: SocketAddr) -> Flow {
    Flow { side: Side::Phones, transport: Transport::Udp, local, peer, conn: None }
}
