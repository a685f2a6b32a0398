//! The fast path's one door.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use rtp_flow::Passed;

use crate::media::kernel::claim::{Claim, Lock, is_instances};
use crate::media::kernel::keys::Family;
use crate::media::kernel::made::{Applied, Changes, Errand, Made, Refused, Turn};
use crate::media::kernel::netlink::{Batch, Nftables};
use crate::media::kernel::sysctl::Forwards;
use crate::media::kernel::table;
use crate::media::kernel::way::{NotHere, Way, WayOrder};

/// So many ways are read in a fifth of a millisecond.
const FEW: usize = 64;

/// Why there is no fast path.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WhyNot {
    /// The process may not.
    #[error("it may not change the network: it needs the capability CAP_NET_ADMIN")]
    NotAllowed,
    /// The process may not ask the kernel.
    #[error(
        "it may not speak netlink to the kernel: a service needs AF_NETLINK among its address \
         families, as deploy/fast-path.conf has it"
    )]
    NoNetlink,
    /// The kernel cannot.
    #[error("the kernel has not all of nf_tables that it takes (Linux 5.7 and later do): {0}")]
    NotThere(io::Error),
    /// The host forwards nothing.
    #[error(
        "this machine forwards nothing between others: set net.ipv4.ip_forward = 1 (for IPv6 \
         net.ipv6.conf.all.forwarding = 1)"
    )]
    NotForwarding,
    /// Another process has these ports' table.
    #[error("another parkade on this machine has media.ports of this range")]
    Taken,
    /// A thread cannot be started.
    #[error("its thread cannot be started: {0}")]
    Thread(io::Error),
}

/// The table, opened. Dropping it removes the table, unless it is to [`stay`](Kernel::stay). It may be
/// shared by threads.
#[derive(Debug)]
pub(crate) struct Kernel {
    made: Arc<Made>,
    forwards: [Forwards; 2],
    /// To the thread that does what nobody is to wait for; without it that ends.
    errands: Option<Sender<Errand>>,
    runner: Option<JoinHandle<()>>,
    /// The table stays when this ends.
    stays: AtomicBool,
    _lock: Lock,
}

impl Kernel {
    /// Makes the table, in place of one that an earlier process has left: what that one forwards is
    /// forwarded until then.
    ///
    /// # Errors
    /// If this process, this kernel or this host cannot.
    pub(crate) fn open(claim: &Claim) -> Result<Kernel, WhyNot> {
        Kernel::begin(claim, None)
    }

    /// The same where calls of an earlier process go on: what its table forwards is forwarded for that
    /// long still, so that nobody misses a packet while the ports are bound again; or until something is
    /// opened here.
    ///
    /// # Errors
    /// If this process, this kernel or this host cannot.
    pub(crate) fn take_over(claim: &Claim, after: Duration) -> Result<Kernel, WhyNot> {
        Kernel::begin(claim, Some(after))
    }

    fn begin(claim: &Claim, after: Option<Duration>) -> Result<Kernel, WhyNot> {
        let forwards = Family::ALL.map(Forwards::read);
        if !forwards.iter().any(Forwards::at_all) {
            return Err(WhyNot::NotForwarding);
        }
        let name = claim.table();
        let lock = Lock::take(&name).map_err(|_| WhyNot::Taken)?;
        let mut nftables = Nftables::open().map_err(why_not)?;
        let reader = Nftables::open().map_err(why_not)?;
        // Elements that leave are still there while others come.
        let size = 2 * claim.sockets();
        let dead = dead(&mut nftables).map_err(why_not)?;
        let batch = || {
            let mut batch = Batch::begin();
            dead.iter().for_each(|dead| table::remove(&mut batch, dead));
            table::make(&mut batch, &name, size);
            batch
        };
        let there = table::names(&mut nftables).map_err(why_not)?.contains(&name);
        let due = after.filter(|_| there).map(|after| Instant::now() + after);
        let waits = match due {
            Some(_) => {
                nftables.try_out(batch()).map_err(why_not)?;
                Some(batch())
            }
            None => {
                nftables.transact(batch(), |_| {}).map_err(why_not)?;
                None
            }
        };
        let made = Arc::new(Made::new(name, size, (nftables, waits), reader));
        let (errands, taken) = channel();
        let of_thread = made.clone();
        let run = move || of_thread.run(&taken, due);
        match Builder::new().name("media-paths".into()).spawn(run) {
            Ok(runner) => Ok(Kernel {
                made,
                forwards,
                errands: Some(errands),
                runner: Some(runner),
                stays: AtomicBool::new(false),
                _lock: lock,
            }),
            Err(error) => {
                made.remove();
                Err(WhyNot::Thread(error))
            }
        }
    }

    /// Removes the tables of processes that were killed: what they forward, nobody ends any more, and
    /// it would take the packets of new calls between the same ends. Gives their names.
    ///
    /// # Errors
    /// If this process may not, or this kernel has no tables.
    pub(crate) fn remove_dead() -> Result<Vec<String>, WhyNot> {
        let mut nftables = Nftables::open().map_err(why_not)?;
        let dead = dead(&mut nftables).map_err(why_not)?;
        if !dead.is_empty() {
            let mut batch = Batch::begin();
            dead.iter().for_each(|name| table::remove(&mut batch, name));
            nftables.transact(batch, |_| {}).map_err(why_not)?;
        }
        Ok(dead)
    }

    /// Whether a table could be made here, by this process. Nothing is changed.
    ///
    /// # Errors
    /// If this process or this kernel cannot.
    pub(crate) fn try_out() -> Result<(), WhyNot> {
        let mut nftables = Nftables::open().map_err(why_not)?;
        let mut batch = Batch::begin();
        table::make(&mut batch, "parkade-trial", 16);
        nftables.try_out(batch).map_err(why_not)
    }

    /// The name of the table.
    pub(crate) fn table(&self) -> &str {
        &self.made.name
    }

    /// Does what is ordered, all of it at one moment, before the next packet: it is in effect when
    /// this returns. What is open already may be opened, what is not open may be closed.
    ///
    /// # Errors
    /// If the kernel refuses; then nothing is forwarded any more.
    pub(crate) fn apply(&self, orders: &[WayOrder]) -> Result<Applied, Refused> {
        let mut changes = self.made.changes()?;
        let mut turn = Turn::default();
        for order in orders {
            match order {
                WayOrder::Open(way) => match self.fits(&changes, way) {
                    Ok(placed) => turn.open(&mut changes, way.asked(), placed),
                    Err(why) => turn.applied.refused.push((*way, why)),
                },
                WayOrder::Close(way) => turn.close(&mut changes, way.asked()),
            }
        }
        let applied = self.made.carry_out(&mut changes, turn)?;
        drop(changes);
        if !applied.ended.is_empty() {
            self.send(Errand::Tidy);
        }
        Ok(applied)
    }

    /// What has gone each way since it was opened: packets that came, packets that left, bytes that
    /// came. Of few ways it is read now. Of many that takes a while, for which nobody is to wait: it
    /// is what was read after the last call, and leaves out what was opened or changed since.
    ///
    /// # Errors
    /// If the table is lost; then nothing is forwarded any more.
    pub(crate) fn passed(&self) -> Result<Vec<(Way, Passed)>, Refused> {
        if self.made.changes()?.len() <= FEW {
            self.made.read()?;
        } else if self.made.want() {
            self.send(Errand::Read);
        }
        self.made.passed()
    }

    /// The way as packets have it, if the kernel can take it.
    fn fits(&self, changes: &Changes, way: &Way) -> Result<Way, NotHere> {
        let placed = way.place()?;
        let forwards = &self.forwards[Family::of(placed.way.from) as usize];
        if placed.forwarded && !forwards.at_all() {
            return Err(NotHere::NotForwarding);
        }
        if changes.meets(&way.asked(), &placed.way) {
            return Err(NotHere::Ambiguous);
        }
        if changes.len() >= self.made.size as usize / 2 {
            return Err(NotHere::Full);
        }
        Ok(placed.way)
    }

    /// When this ends, the table stays for the process that takes over, if it forwards anything.
    pub(crate) fn stay(&self) {
        self.stays.store(true, Ordering::SeqCst);
    }

    fn send(&self, errand: Errand) {
        if let Some(errands) = &self.errands {
            // The thread ends only with us.
            let _ = errands.send(errand);
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.errands = None;
        if self.runner.take().is_some_and(|runner| runner.join().is_err()) {
            tracing::error!("the thread of the fast path has ended in a panic");
        }
        let stays = self.stays.load(Ordering::SeqCst);
        if !stays || self.made.is_empty() {
            self.made.remove();
        }
    }
}

fn dead(nftables: &mut Nftables) -> io::Result<Vec<String>> {
    let mut names = table::names(nftables)?;
    names.retain(|name| is_instances(name) && Lock::take(name).is_ok());
    Ok(names)
}

fn why_not(error: io::Error) -> WhyNot {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => WhyNot::NotAllowed,
        Some(Errno::EAFNOSUPPORT) => WhyNot::NoNetlink,
        _ => WhyNot::NotThere(error),
    }
}
