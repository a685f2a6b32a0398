//! Waits until the network has something to report about a UDP socket: an ICMP error in its queue.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The waiting, kept between polls: that a socket is in error wakes neither its readers nor its
/// writers.
pub(super) struct Trouble {
    socket: Arc<UdpSocket>,
    waiting: Waiting,
    is_there: bool,
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Trouble {
    pub(super) fn of(socket: Arc<UdpSocket>) -> Trouble {
        let waiting = wait(Arc::clone(&socket));
        Trouble { socket, waiting, is_there: false }
    }

    /// Ready when there is a report; [`Trouble::take`] it then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.waiting = wait(Arc::clone(&self.socket));
        self.is_there = true;
        Poll::Ready(())
    }

    /// Whether there is a report to be read. Forgets it, so that the next one is noticed: read all
    /// that are there now.
    pub(super) fn take(&mut self) -> bool {
        if !std::mem::take(&mut self.is_there) {
            return false;
        }
        // "It would block" is what clears the readiness.
        let clear = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        let _ = self.socket.try_io(Interest::ERROR, clear);
        true
    }
}

fn wait(socket: Arc<UdpSocket>) -> Waiting {
    Box::pin(async move {
        // An error here is a runtime that ends.
        let _ = socket.ready(Interest::ERROR).await;
    })
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trouble").field("is_there", &self.is_there).finish_non_exhaustive()
    }
}
