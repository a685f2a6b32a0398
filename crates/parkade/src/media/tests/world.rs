//! Far sides on loopback around running workers.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use base::Side;
use rtp_flow::{
    Codec, Hears, MediaNotice, Pair, PairId, PayloadMap, Plan, StreamKind, StreamPlan, Tune, Tunes,
};

use crate::config::MediaIo;
use crate::media::forwarder::Forwarder;
use crate::media::ring::Ring;
use crate::media::worker::waker;
use crate::media::{MediaConfig, MediaWorkers};

/// How long anything on loopback may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) const MUSIC: Hears =
    Hears::Music { tune: 0, codec: Codec::Pcma, payload_type: 8, ptime: 20 };

/// Makes of functions that take a [`MediaIo`] tests by epoll and tests by io_uring, which are skipped
/// where the kernel refuses it.
macro_rules! both_ways {
    ($($name:ident,)*) => {
        mod by_epoll {
            $(
                #[test]
                fn $name() {
                    super::$name(crate::config::MediaIo::Epoll);
                }
            )*
        }
        mod by_io_uring {
            $(
                #[test]
                fn $name() {
                    if crate::media::tests::world::has_io_uring() {
                        super::$name(crate::config::MediaIo::IoUring);
                    }
                }
            )*
        }
    };
}
pub(super) use both_ways;

/// Whether the kernel lets us have an io_uring; if not, says so.
pub(super) fn has_io_uring() -> bool {
    // On a thread of its own: the end of a ring interrupts what the thread that made it waits for.
    let asked = thread::spawn(|| Ring::new(waker().unwrap(), 16).err());
    let refused = asked.join().unwrap();
    if let Some(error) = &refused {
        eprintln!("skipped: the kernel refuses io_uring: {error}");
    }
    refused.is_none()
}

/// Where whoever tells a notice is held while the gate is shut, as by a machine that is busy elsewhere.
#[derive(Default)]
pub(super) struct Gate {
    shut: Mutex<()>,
    held: AtomicU32,
}

impl Gate {
    fn pass(&self) {
        self.held.fetch_add(1, Ordering::SeqCst);
        drop(self.shut.lock().unwrap());
        self.held.fetch_sub(1, Ordering::SeqCst);
    }

    /// Shuts it until the guard is dropped.
    pub(super) fn shut(&self) -> MutexGuard<'_, ()> {
        self.shut.lock().unwrap()
    }

    /// Whether somebody stands at it.
    pub(super) fn holds(&self) -> bool {
        self.held.load(Ordering::SeqCst) > 0
    }
}

pub(super) struct World {
    pub(super) workers: MediaWorkers,
    notices: Receiver<MediaNotice>,
    addresses: (IpAddr, IpAddr),
    /// What each notice must pass.
    pub(super) gate: Arc<Gate>,
    stock: Vec<Pair>,
}

/// A party: a socket for RTP and one for RTCP, and the pair that faces it.
pub(super) struct Party {
    pub(super) pair: Pair,
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    /// Where the pair receives RTP.
    pub(super) house: SocketAddr,
}

pub(super) fn tunes() -> Tunes {
    let noise = |n: u32| (n.wrapping_mul(2_654_435_761) >> 18) as i16 - 8_192;
    let pcm: Vec<i16> = (0..115_200).map(noise).collect();
    Tunes::new(vec![Tune::encode(&pcm, &[Codec::Pcma]).unwrap()])
}

/// The first of `count` ports of which nobody uses any just now, below those that the system gives
/// to whoever asks for any, and elsewhere than the other tests look.
pub(super) fn free_ports(count: u16) -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: u16| UdpSocket::bind(("0.0.0.0", port)).is_ok();
    (0..500)
        .map(|_| ASKED.fetch_add(1, Ordering::Relaxed) + 61 * std::process::id())
        .map(|place| 10_000 + (place % 300 * 66) as u16)
        .find(|first| (*first..*first + count).all(is_free))
        .unwrap()
}

impl World {
    /// Two workers, and some ports.
    pub(super) fn on(phones: &str, pbx: &str, io: MediaIo) -> World {
        let first = free_ports(64);
        World::with((phones, pbx), first..=first + 63, 2, io)
    }

    pub(super) fn with(
        (phones, pbx): (&str, &str),
        ports: RangeInclusive<u16>,
        workers: usize,
        io: MediaIo,
    ) -> World {
        World::beside(None, (phones, pbx), ports, workers, io)
    }

    /// One past which the kernel forwards.
    pub(super) fn beside(
        forwarder: Option<Arc<Forwarder>>,
        (phones, pbx): (&str, &str),
        ports: RangeInclusive<u16>,
        workers: usize,
        io: MediaIo,
    ) -> World {
        let addresses = (phones.parse().unwrap(), pbx.parse().unwrap());
        let config = MediaConfig {
            phones: addresses.0,
            pbx: addresses.1,
            ports,
            workers: Some(workers),
            pin: Vec::new(),
            io,
        };
        let (tell, notices) = channel();
        let gate = Arc::new(Gate::default());
        let at_gate = gate.clone();
        let notify = move |notice| {
            at_gate.pass();
            tell.send(notice).unwrap_or_default();
        };
        let workers =
            MediaWorkers::start(&config, &tunes(), forwarder, Arc::default(), notify).unwrap();
        World { workers, notices, addresses, gate, stock: Vec::new() }
    }

    pub(super) fn notice(&self) -> MediaNotice {
        self.notices.recv_timeout(PATIENCE).expect("a notice")
    }

    /// Orders pairs and takes those that come.
    pub(super) fn stock(&mut self, side: Side, count: u16) -> Vec<Pair> {
        self.workers.order(Plan::Stock { side, count });
        match self.notice() {
            MediaNotice::Stocked { pairs } => {
                self.stock.extend(&pairs);
                pairs
            }
            other => panic!("{other:?} in place of pairs"),
        }
    }

    /// A party whose sockets are on `address`, facing a pair of `worker`.
    pub(super) fn party(&mut self, side: Side, worker: u8, address: &str) -> Party {
        let pair = self.pair(side, worker);
        let bound = if side == Side::Phones { self.addresses.0 } else { self.addresses.1 };
        let house = match (bound.is_unspecified(), address.contains(':')) {
            (false, _) => bound,
            (true, false) => "127.0.0.1".parse().unwrap(),
            (true, true) => "::1".parse().unwrap(),
        };
        let socket = || {
            let socket = UdpSocket::bind((address, 0)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        };
        Party { pair, rtp: socket(), rtcp: socket(), house: SocketAddr::new(house, pair.port) }
    }

    /// A pair of `worker`.
    pub(super) fn pair(&mut self, side: Side, worker: u8) -> Pair {
        let fits = |pair: &Pair| pair.side == side && pair.worker.0 == worker;
        if !self.stock.iter().any(fits) {
            self.stock(side, 8);
        }
        let at = self.stock.iter().position(fits).unwrap();
        self.stock.remove(at)
    }

    pub(super) fn hears(&self, party: &Party, hears: Hears) {
        let (far, far_rtcp) = (party.rtp.local_addr().unwrap(), party.rtcp.local_addr().ok());
        let plan = plan_of(party.pair.id, far, far_rtcp, hears);
        self.workers.order(Plan::Stream(plan));
    }

    /// The two hear each other.
    pub(super) fn join(&self, a: &Party, b: &Party) {
        self.hears(a, stream(b.pair.id));
        self.hears(b, stream(a.pair.id));
    }
}

impl Party {
    pub(super) fn say(&self, seq: u16, payload: &[u8]) {
        self.rtp.send_to(&rtp(self.pair.id, seq, payload), self.house).unwrap();
    }

    /// What comes next: sequence number, SSRC, payload.
    pub(super) fn hear(&self) -> (u16, u32, Vec<u8>) {
        let bytes = receive(&self.rtp);
        assert_eq!(bytes[0], 0x80);
        let ssrc = u32::from_be_bytes(bytes[8..12].try_into().unwrap());
        (u16::from_be_bytes([bytes[2], bytes[3]]), ssrc, bytes[12..].to_vec())
    }

    /// Hears until a packet fits.
    pub(super) fn hear_until(&self, fits: impl Fn(&[u8]) -> bool) -> (u16, u32, Vec<u8>) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let heard = self.hear();
            if fits(&heard.2) {
                return heard;
            }
        }
        panic!("it was never heard");
    }
}

pub(super) fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2_048];
    let (len, _) = socket.recv_from(&mut buffer).expect("a packet");
    buffer[..len].to_vec()
}

/// What a far side is to hear, without anything special.
pub(super) fn plan_of(
    pair: PairId,
    far: SocketAddr,
    far_rtcp: Option<SocketAddr>,
    hears: Hears,
) -> StreamPlan {
    StreamPlan {
        pair,
        kind: StreamKind::Rtp,
        srtp: None,
        far: Some(far),
        far_rtcp,
        rtcp_mux: false,
        guard: [far.ip()].into_iter().collect(),
        keys: None,
        silence: None,
        hears,
        opening: None,
    }
}

/// Waits until `is` holds: counts are published a moment after what they count.
pub(super) fn soon(mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "it never came to hold");
        std::thread::yield_now();
    }
}

pub(super) fn stream(from: PairId) -> Hears {
    Hears::Stream { from, payloads: PayloadMap::new() }
}

pub(super) fn rtp(pair: PairId, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, 8];
    bytes.extend(seq.to_be_bytes());
    bytes.extend((u32::from(seq) * 160).to_be_bytes());
    bytes.extend((0x1000 + pair.0).to_be_bytes());
    bytes.extend(payload);
    bytes
}
