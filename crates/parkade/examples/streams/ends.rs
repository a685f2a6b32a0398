//! Both ends of all calls: a pair of sockets each, in the network of its side, that sends when its
//! time has come and hears what comes.

use std::io::{ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, setsockopt, sockopt::ReceiveTimestampns,
};
use nix::sys::time::TimeSpec;

use crate::heard::Heard;
use crate::packet::{self, LENGTH, Source, Talk};

/// From one packet of an end to its next.
const FRAME: Duration = Duration::from_millis(20);
/// Rounds from one report to the next.
const REPORTS: usize = 250;
/// At most so many packets that are late are sent before what has come is read.
const AT_ONCE: usize = 256;
/// From one look at a socket to the next. The system writes on each packet when it has come, so that
/// several may be read at once, which costs far less than to be woken for each.
const LOOKS: Duration = Duration::from_millis(100);
/// Of so many looks one is for RTCP too.
const LOOKS_FOR_REPORTS: usize = 4;
/// Packets that are read at once, and bytes for each.
const READS: usize = 16;
const ROOM: usize = 512;

struct End {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    to: Option<SocketAddr>,
    source: Source,
    heard: Heard,
}

/// What is counted while a measurement runs.
#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) sent: u64,
    /// Of those that were sent.
    pub(crate) came: u64,
    /// They came to another end than they should.
    pub(crate) astray: u64,
    pub(crate) reports_sent: u64,
    pub(crate) reports_came: u64,
    /// Nanoseconds on the way, of each.
    pub(crate) ways: Vec<u32>,
    /// The system took no packet.
    pub(crate) refused: u64,
    /// How late the load itself was at worst.
    pub(crate) late: Duration,
}

/// All ends: phones with even numbers, and the PBX's end of the same call after each.
pub(crate) struct Ends {
    ends: Vec<End>,
    /// The ends, spread evenly over the ticks of one frame.
    wheel: Vec<Vec<usize>>,
    step: Duration,
    begun: Instant,
    tick: usize,
    talks: bool,
    /// The measurement for which packets are sent; 0: none.
    pub(crate) window: u32,
    /// The measurement for which they are counted, which is over a little later.
    pub(crate) counting: u32,
    /// From when to when what comes is heard, by the clock of [`packet::now`].
    pub(crate) hears: (i64, i64),
    pub(crate) counted: Counted,
    packet: [u8; LENGTH],
    /// How many looks at sockets there have been.
    looks: usize,
    room: Vec<u8>,
    headers: MultiHeaders<()>,
}

impl Ends {
    /// Ends that send, and read what has come, once in each `step`.
    pub(crate) fn new(step: Duration) -> Ends {
        let ticks = usize::try_from(FRAME.as_micros() / step.as_micros()).unwrap();
        Ends {
            ends: Vec::new(),
            wheel: vec![Vec::new(); ticks],
            step,
            begun: Instant::now(),
            tick: 0,
            talks: false,
            window: 0,
            counting: 0,
            hears: (i64::MAX, i64::MAX),
            counted: Counted::default(),
            packet: [0xd5; LENGTH],
            looks: 0,
            room: vec![0; READS * ROOM],
            headers: MultiHeaders::preallocate(READS, Some(nix::cmsg_space!(TimeSpec))),
        }
    }

    /// Opens the next end, at this port and the next.
    pub(crate) fn open(&mut self, here: IpAddr, port: u16, to: Option<SocketAddr>) {
        let number = self.ends.len();
        let bind = |port| {
            let socket = UdpSocket::bind((here, port)).unwrap();
            setsockopt(&socket, ReceiveTimestampns, &true).unwrap();
            socket
        };
        let (rtp, rtcp) = (bind(port), bind(port + 1));
        let (source, heard) = (Source::new(number), Heard::default());
        self.ends.push(End { rtp, rtcp, to, source, heard });
    }

    /// All ends are open: each gets its place among the ticks.
    pub(crate) fn spread(&mut self) {
        let ticks = self.wheel.len();
        for number in 0..self.ends.len() {
            self.wheel[number * ticks / self.ends.len()].push(number);
        }
    }

    pub(crate) fn aim(&mut self, number: usize, to: Option<SocketAddr>) {
        self.ends[number].to = to;
    }

    /// All ends that have an aim speak, or none does.
    pub(crate) fn talk(&mut self, on: bool) {
        self.talks = on;
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn heard(&self) -> impl Iterator<Item = &Heard> {
        self.ends.iter().map(|end| &end.heard)
    }

    pub(crate) fn forget(&mut self) {
        self.counted = Counted::default();
        self.ends.iter_mut().for_each(|end| end.heard.forget());
    }

    /// When the next tick is due.
    pub(crate) fn next(&self) -> Instant {
        self.begun + self.step * u32::try_from(self.tick).unwrap()
    }

    /// Sends what is due.
    pub(crate) fn send(&mut self) {
        let begun = Instant::now();
        self.counted.late = self.counted.late.max(begun.saturating_duration_since(self.next()));
        let mut sent = 0;
        while sent < AT_ONCE && self.next() <= Instant::now() {
            if self.talks {
                let (place, round) = (self.tick % self.wheel.len(), self.tick / self.wheel.len());
                sent += self.wheel[place].len();
                for index in 0..self.wheel[place].len() {
                    self.send_one(self.wheel[place][index], round);
                }
            }
            self.tick += 1;
        }
    }

    fn send_one(&mut self, number: usize, round: usize) {
        let end = &mut self.ends[number];
        let Some(to) = end.to else { return };
        end.source.next(&mut self.packet);
        let sender = u32::try_from(number).unwrap();
        Talk { window: self.window, sender, sent: packet::now() }.write(&mut self.packet);
        match end.rtp.send_to(&self.packet, to) {
            Ok(_) => self.counted.sent += u64::from(self.window != 0),
            // An ICMP error of an earlier packet.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(_) => self.counted.refused += 1,
        }
        if round % REPORTS == number % REPORTS {
            let to = SocketAddr::new(to.ip(), to.port() + 1);
            let sent = end.rtcp.send_to(&end.source.report(), to).is_ok();
            self.counted.reports_sent += u64::from(sent && self.window != 0);
        }
    }

    /// Looks at the sockets whose turn it is.
    pub(crate) fn hear(&mut self) {
        let rounds = self.begun.elapsed().as_secs_f64() / LOOKS.as_secs_f64();
        let due = (rounds * self.ends.len() as f64) as usize;
        for _ in 0..AT_ONCE.min(due.saturating_sub(self.looks)) {
            let (number, round) = (self.looks % self.ends.len(), self.looks / self.ends.len());
            self.looks += 1;
            while self.read(number, false) == READS {}
            if round % LOOKS_FOR_REPORTS == number % LOOKS_FOR_REPORTS {
                while self.read(number, true) == READS {}
            }
        }
    }

    /// Reads what has come at a socket; returns how many packets those were, at most [`READS`].
    fn read(&mut self, number: usize, is_report: bool) -> usize {
        let end = &mut self.ends[number];
        let socket = if is_report { &end.rtcp } else { &end.rtp };
        let mut parts: Vec<[IoSliceMut<'_>; 1]> =
            self.room.chunks_exact_mut(ROOM).map(|room| [IoSliceMut::new(room)]).collect();
        let (socket, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let Ok(messages) = recvmmsg(socket, &mut self.headers, &mut parts, flags, None) else {
            return 0;
        };
        let (from, until) = self.hears;
        let mut reads = 0;
        for message in messages {
            reads += 1;
            let stamp = message.cmsgs().into_iter().flatten().find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(at) => Some(at),
                _ => None,
            });
            let at =
                stamp.map_or_else(packet::now, |at| at.tv_sec() * 1_000_000_000 + at.tv_nsec());
            let in_time = from <= at && at < until;
            if is_report {
                self.counted.reports_came += u64::from(in_time);
                continue;
            }
            let Some(read) = message.iovs().next().and_then(packet::read) else { continue };
            if in_time {
                end.heard.take(at, &read);
            }
            if let Some(talk) = read.talk
                && talk.window == self.counting
                && talk.window != 0
            {
                self.counted.came += 1;
                self.counted.astray += u64::from(talk.sender as usize != number ^ 1);
                self.counted.ways.push(u32::try_from((at - talk.sent).max(0)).unwrap_or(u32::MAX));
            }
        }
        reads
    }
}
