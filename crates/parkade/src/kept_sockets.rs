//! Sockets that outlive the program. A service manager that keeps descriptors (sd_notify(3), `FDSTORE`) gets a copy of
//! each, and hands it to the next run, after a crash too: what comes in between waits in the socket, nobody is told
//! that nobody is there, and no one else can take the port.

use std::collections::HashMap;
use std::env;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sd_notify::NotifyState;
use socket2::{Socket, Type};

use crate::lock::lock;

/// What a socket is for. Those of one purpose can only be given up together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// It listens for SIP.
    Sip,
    /// It is one of a pair of media ports.
    Media,
}

impl Purpose {
    const ALL: [Purpose; 2] = [Purpose::Sip, Purpose::Media];

    /// By which the service manager knows it. Short: all names go to the next run in one variable.
    fn name(self) -> &'static str {
        match self {
            Purpose::Sip => "sip",
            Purpose::Media => "rtp",
        }
    }
}

/// Which socket.
type Key = (Purpose, SocketAddr, bool);

/// The sockets of the run before, as long as nobody has claimed them; and whoever keeps those of this one.
#[derive(Debug, Default)]
pub(crate) struct KeptSockets {
    given: Mutex<HashMap<Key, Socket>>,
    /// How many more the service manager keeps.
    room: AtomicUsize,
}

impl KeptSockets {
    /// Takes over what the service manager has kept. What is not `wanted` any more is given up.
    pub(crate) fn take_over(wanted: impl Fn(Purpose, SocketAddr) -> bool) -> KeptSockets {
        // systemd says since its version 254 how many it keeps; for older ones the unit does.
        let room = env::var("FDSTORE").ok().and_then(|most| most.parse().ok()).unwrap_or(0);
        let kept = KeptSockets { given: Mutex::default(), room: AtomicUsize::new(room) };
        let mut given = HashMap::new();
        let mut stale = Vec::new();
        for (purpose, socket) in given_to_us() {
            match key_of(purpose, &socket).filter(|(_, address, _)| wanted(purpose, *address)) {
                Some(key) => drop(given.insert(key, socket)),
                None => stale.push(purpose),
            }
        }
        if !given.is_empty() {
            tracing::info!("{} sockets of the run before are taken over", given.len());
        }
        for purpose in Purpose::ALL {
            if stale.contains(&purpose) {
                tell(&[NotifyState::FdStoreRemove, NotifyState::FdName(purpose.name())], &[]);
            }
            for (_, socket) in given.iter().filter(|((of, ..), _)| *of == purpose) {
                match stale.contains(&purpose) {
                    true => kept.keep(purpose, socket),
                    false => drop(kept.takes_room()),
                }
            }
        }
        *lock(&kept.given) = given;
        kept
    }

    /// A socket of the run before that is bound there.
    pub(crate) fn claim(
        &self,
        purpose: Purpose,
        address: SocketAddr,
        stream: bool,
    ) -> Option<Socket> {
        lock(&self.given).remove(&(purpose, address, stream))
    }

    /// Has a socket kept for the next run, if anybody keeps any.
    pub(crate) fn keep(&self, purpose: Purpose, socket: &impl AsFd) {
        if self.takes_room() {
            // One whose peers cannot be reached reports an error, and would be given up for it.
            let states = [
                NotifyState::FdStore,
                NotifyState::FdName(purpose.name()),
                NotifyState::Custom("FDPOLL=0"),
            ];
            tell(&states, &[socket.as_fd()]);
        }
    }

    fn takes_room(&self) -> bool {
        let taken = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.is_ok()
    }
}

fn tell(states: &[NotifyState<'_>], sockets: &[BorrowedFd<'_>]) {
    let told = match sockets {
        [] => sd_notify::notify(states),
        sockets => sd_notify::notify_with_fds(states, sockets),
    };
    if let Err(error) = told {
        tracing::debug!(%error, "the service manager could not be told of a socket");
    }
}

/// The descriptors that this process was started with, once.
fn given_to_us() -> Vec<(Purpose, Socket)> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Vec::new();
    }
    let given: Vec<_> = match sd_notify::listen_fds_with_names() {
        Ok(given) => given.collect(),
        Err(error) => {
            tracing::warn!(%error, "the sockets of the run before cannot be taken over");
            return Vec::new();
        }
    };
    let purposed = given.into_iter().filter_map(|(fd, name)| {
        let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.name() == name)?;
        // SAFETY: the service manager has opened this descriptor for this process, which takes it nowhere else
        // (sd_listen_fds(3)), and this function gives it out once.
        Some((purpose, unsafe { Socket::from_raw_fd(fd) }))
    });
    purposed.collect()
}

fn key_of(purpose: Purpose, socket: &Socket) -> Option<Key> {
    let address = socket.local_addr().ok()?.as_socket()?;
    Some((purpose, address, socket.r#type().ok()? == Type::STREAM))
}
