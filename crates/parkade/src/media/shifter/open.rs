//! The one door: the program loaded, the interfaces that it is at, and the ways that it knows.

use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use aya::maps::{HashMap, Map, MapData, MapError};
use aya::programs::SchedClassifier;
use aya::programs::links::LinkOrder;
use aya::programs::tc::{TcAttachOptions, TcAttachType};
use aya::util::KernelVersion;
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use base::Moment;
use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use rtp_flow::{Passed, Sent, Shift};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::lock::lock;
use crate::media::kernel::{Bytes, Family, NotHere, Rtnetlink, Way, WayOrder};
use crate::media::shifter::links::{Link, link, towards};
use crate::media::shifter::slots::{Gone, Slots};

/// What the build script has made of `shift.bpf.c`; empty if it had no clang.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/shift.bpf.o"));
/// The first Linux on which what is attached ends with the process (tcx).
const OLDEST: KernelVersion = KernelVersion::new(6, 6, 0);
/// How long a slot rests when its way is closed: packets that were just being looked at have left it.
const REST: Duration = Duration::from_secs(1);

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoShifter {
    /// It was built without.
    #[error("this build has no BPF program: it was built without clang")]
    NotBuilt,
    /// The kernel is too old.
    #[error(
        "the kernel is older than Linux 6.6, before which a killed process would leave its program behind"
    )]
    TooOld,
    /// The process may not.
    #[error(
        "it may not load programs into the kernel: it needs the capabilities CAP_BPF and CAP_NET_ADMIN, and a \
         system call filter that allows bpf"
    )]
    NotAllowed,
    /// The kernel does not take it.
    #[error("the kernel does not take its program: {0}")]
    NotTaken(String),
}

/// What orders have come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shifted {
    /// Ways that it does not take, and why.
    pub(crate) refused: Vec<(Way, NotHere)>,
    /// Ways that have ended, and what went them.
    pub(crate) ended: Vec<(Way, Passed)>,
}

/// The program, loaded. Dropping it takes it off the interfaces. It may be shared by threads.
#[derive(Debug)]
pub(crate) struct Shifter {
    slots: Slots,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    program: Ebpf,
    ways4: HashMap<MapData, [u8; 16], u32>,
    ways6: HashMap<MapData, [u8; 40], u32>,
    netlink: Rtnetlink,
    /// The interfaces that it is at, …
    at: FxHashSet<u32>,
    /// … and those that it cannot be at, once that has been said.
    not_at: FxHashSet<u32>,
    /// What is open, by what was asked for.
    open: FxHashMap<Bytes, Open>,
    free: Vec<u32>,
    resting: VecDeque<(Instant, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    way: Way,
    shift: Option<Shift>,
    slot: u32,
}

impl Shifter {
    /// Loads the program, for ways at so many sockets. It is at no interface yet.
    ///
    /// # Errors
    /// If this build, this kernel or this process cannot.
    pub(crate) fn open(sockets: u32) -> Result<Shifter, NoShifter> {
        if OBJECT.is_empty() {
            return Err(NoShifter::NotBuilt);
        }
        if KernelVersion::current().is_ok_and(|current| current < OLDEST) {
            return Err(NoShifter::TooOld);
        }
        let mut loader = EbpfLoader::new();
        loader.btf(None);
        for map in ["ways4", "ways6", "slots"] {
            loader.map_max_entries(map, sockets);
        }
        let mut program = loader.load(OBJECT).map_err(not_taken)?;
        classifier(&mut program)?.load().map_err(not_taken)?;
        let mut take = |name| program.take_map(name).ok_or_else(|| missing(name));
        let ways4 = HashMap::try_from(take("ways4")?).map_err(not_taken)?;
        let ways6 = HashMap::try_from(take("ways6")?).map_err(not_taken)?;
        let Map::Array(array) = take("slots")? else { return Err(missing("slots")) };
        let slots = Slots::map(array.fd(), sockets as usize).map_err(not_taken)?;
        let netlink = Rtnetlink::open().map_err(not_taken)?;
        let state = State {
            program,
            ways4,
            ways6,
            netlink,
            at: FxHashSet::default(),
            not_at: FxHashSet::default(),
            open: FxHashMap::default(),
            free: (0..sockets).rev().collect(),
            resting: VecDeque::new(),
        };
        Ok(Shifter { slots, state: Mutex::new(state) })
    }

    /// Whether it could be loaded here, by this process. Nothing is left open.
    ///
    /// # Errors
    /// If not.
    pub(crate) fn try_out() -> Result<(), NoShifter> {
        const A_FEW: u32 = 64;
        Shifter::open(A_FEW).map(drop)
    }

    /// Does what is ordered at `now`, each at once: it is in effect when this returns. What is not open
    /// may be closed.
    pub(crate) fn apply(&self, now: Moment, orders: &[(WayOrder, Option<Shift>)]) -> Shifted {
        let mut state = self.state();
        let clock = Clock::at(now);
        let mut shifted = Shifted::default();
        for (order, shift) in orders {
            let (WayOrder::Open(asked) | WayOrder::Close(asked)) = order;
            shifted.ended.extend(state.close(&self.slots, asked.asked(), &clock));
            if let WayOrder::Open(way) = order
                && let Err(why) = state.open(&self.slots, way, *shift, &clock)
            {
                shifted.refused.push((*way, why));
            }
        }
        shifted
    }

    /// What has gone each way since it was opened.
    pub(crate) fn passed(&self) -> Vec<(Way, Passed)> {
        let state = self.state();
        let one = |open: &Open| {
            let Gone { came, left, bytes } = self.slots.get(open.slot as usize)?.gone();
            Some((open.way, Passed { came, left, bytes, last: None }))
        };
        state.open.values().filter_map(one).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn open(
        &mut self,
        slots: &Slots,
        asked: &Way,
        shift: Option<Shift>,
        clock: &Clock,
    ) -> Result<(), NotHere> {
        let placed = asked.place()?;
        if !placed.forwarded {
            return Err(NotHere::ThisMachine);
        }
        let way = placed.way;
        let comes_by = towards(&mut self.netlink, way.from.ip()).map_err(|_| NotHere::NoRoute)?;
        let goes_by = towards(&mut self.netlink, way.to.ip()).map_err(|_| NotHere::NoRoute)?;
        self.attach(comes_by)?;
        let mtu = link(&mut self.netlink, goes_by).map_err(|_| NotHere::NoRoute)?.mtu;
        let number = self.free_slot()?;
        let Some(slot) = slots.get(number as usize) else { return Err(NotHere::Full) };
        let at = shift.map(|shift| clock.nanoseconds(shift.last.at)).unwrap_or_default();
        slot.write(&way, shift.as_ref().map(|shift| (shift, at)), (goes_by, mtu));
        if let Err(error) = self.put(&way, number) {
            self.free.push(number);
            return Err(NotHere::Kernel(errno(&error)));
        }
        self.open.insert(asked.asked(), Open { way, shift, slot: number });
        Ok(())
    }

    fn close(&mut self, slots: &Slots, asked: Bytes, clock: &Clock) -> Option<(Way, Passed)> {
        let Open { way, shift, slot: number } = self.open.remove(&asked)?;
        let (Gone { came, left, bytes }, newest) = slots.get(number as usize)?.close();
        if let Err(error) = self.take(&way) {
            // The slot is closed: what is found there sends nothing on.
            tracing::error!(%error, "a way cannot be taken out of the kernel's map");
        }
        self.resting.push_back((Instant::now(), number));
        let last = shift.filter(|_| came > 0).map(|shift| Sent {
            sequence: newest.sequence.wrapping_add(shift.sequence),
            timestamp: newest.timestamp,
            at: clock.moment(newest.at),
        });
        Some((way, Passed { came, left, bytes, last }))
    }

    /// Puts the program at an interface, if it is not there. The first time that this cannot be done is
    /// told.
    fn attach(&mut self, interface: u32) -> Result<(), NotHere> {
        if self.at.contains(&interface) {
            return Ok(());
        }
        let link = link(&mut self.netlink, interface).map_err(|_| NotHere::NoRoute)?;
        let attached = self.attach_to(&link);
        match attached {
            Ok(()) => {
                tracing::info!(
                    interface = link.name,
                    "the kernel forwards what calls send in here"
                );
                self.at.insert(interface);
            }
            Err(why) if self.not_at.insert(interface) => tracing::warn!(
                interface = link.name,
                "packets of calls that come in here are relayed by Parkade: {why}"
            ),
            Err(_) => {}
        }
        attached
    }

    fn attach_to(&mut self, link: &Link) -> Result<(), NotHere> {
        if !link.ethernet {
            return Err(NotHere::NoEthernet);
        }
        let program = classifier(&mut self.program).map_err(|_| NotHere::Kernel(Errno::EINVAL))?;
        let options = TcAttachOptions::TcxOrder(LinkOrder::default());
        program
            .attach_with_options(&link.name, TcAttachType::Ingress, options)
            .map_err(|error| NotHere::Kernel(errno(&error)))?;
        Ok(())
    }

    fn free_slot(&mut self) -> Result<u32, NotHere> {
        if let Some((since, _)) = self.resting.front()
            && since.elapsed() >= REST
            && let Some((_, number)) = self.resting.pop_front()
        {
            return Ok(number);
        }
        self.free.pop().ok_or(NotHere::Full)
    }

    fn put(&mut self, way: &Way, slot: u32) -> Result<(), MapError> {
        match key(way) {
            Key::V4(key) => self.ways4.insert(key, slot, 0),
            Key::V6(key) => self.ways6.insert(key, slot, 0),
        }
    }

    fn take(&mut self, way: &Way) -> Result<(), MapError> {
        match key(way) {
            Key::V4(key) => self.ways4.remove(&key),
            Key::V6(key) => self.ways6.remove(&key),
        }
    }
}

/// From whom, to which socket of ours, as the maps have it.
enum Key {
    V4([u8; 16]),
    V6([u8; 40]),
}

fn key(way: &Way) -> Key {
    let pair = Bytes::pair(way.from, way.at);
    let (mut four, mut six) = ([0; 16], [0; 40]);
    if Family::of(way.from) == Family::V4 {
        four.copy_from_slice(pair.as_slice());
        Key::V4(four)
    } else {
        six.copy_from_slice(pair.as_slice());
        Key::V6(six)
    }
}

/// How the worker's moments stand to the clock by which the program tells the time.
struct Clock {
    now: Moment,
    nanoseconds: u64,
}

impl Clock {
    fn at(now: Moment) -> Clock {
        // It is always there.
        let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
        Clock { now, nanoseconds: time.as_nanos() as u64 }
    }

    fn nanoseconds(&self, moment: Moment) -> u64 {
        let ago = self.now.since(moment).as_nanos() as u64;
        self.nanoseconds.saturating_sub(ago)
    }

    fn moment(&self, nanoseconds: u64) -> Moment {
        let ago = Duration::from_nanos(self.nanoseconds.saturating_sub(nanoseconds));
        Moment::from_micros(self.now.as_micros().saturating_sub(ago.as_micros() as u64))
    }
}

fn classifier(program: &mut Ebpf) -> Result<&mut SchedClassifier, NoShifter> {
    let found = program.program_mut("shift").ok_or_else(|| missing("shift"))?;
    found.try_into().map_err(not_taken)
}

fn missing(name: &str) -> NoShifter {
    NoShifter::NotTaken(format!("it has no {name}"))
}

fn not_taken(error: impl Error + 'static) -> NoShifter {
    match errno(&error) {
        Errno::EPERM | Errno::EACCES => NoShifter::NotAllowed,
        Errno::UnknownErrno => NoShifter::NotTaken(error.to_string()),
        // The kernel's own words on a program are long.
        errno => NoShifter::NotTaken(errno.to_string()),
    }
}

/// The system's word in an error, wherever in it that is.
fn errno(error: &(dyn Error + 'static)) -> Errno {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let said = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        if let Some(code) = said {
            return Errno::from_raw(code);
        }
        cause = error.source();
    }
    Errno::UnknownErrno
}
