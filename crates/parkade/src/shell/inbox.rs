//! What waits for the engine: one place to look, so that nothing starves and nobody needs a lock.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use base::Moment;
use rtp_flow::MediaNotice;
use tokio::sync::mpsc;
use tokio::time::Sleep;

use crate::admin::AdminOrder;
use crate::clock::Clock;
use crate::cluster::StoreNews;
use crate::resolve::Found;
use crate::shell::order::Order;
use crate::sip::{Ends, StreamEvent};
use crate::tls::Tls;

/// Alarms go off at these beats if nothing else comes before. SIP's shortest timer is 500 ms, and a
/// busy house has thousands of alarms a second: a wake-up for each would cost more than the calls.
const BEAT: u64 = 10_000;

/// The first beat at or after `due`.
fn next_beat(due: Moment) -> Moment {
    Moment::from_micros(due.as_micros().div_ceil(BEAT).saturating_mul(BEAT))
}

/// The next thing to be handled.
#[derive(Debug)]
pub(super) enum Next {
    /// The time has come that was waited for.
    Due,
    /// Datagrams lie at this UDP socket.
    Datagrams(usize),
    /// From a stream.
    Stream(StreamEvent),
    /// From the media workers.
    Media(MediaNotice),
    /// From the resolver.
    Found(Found),
    /// From the admin door.
    Admin(AdminOrder),
    /// From the store that nodes share.
    Store(StoreNews),
    /// From the operator.
    Order(Order),
    /// From who looks after the files of TLS.
    Tls(Option<Box<Tls>>),
}

/// Where everything but datagrams arrives.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) streams: mpsc::Receiver<StreamEvent>,
    pub(super) media: mpsc::UnboundedReceiver<MediaNotice>,
    pub(super) found: mpsc::UnboundedReceiver<Found>,
    pub(super) admin: mpsc::Receiver<AdminOrder>,
    pub(super) store: mpsc::UnboundedReceiver<StoreNews>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) tls: mpsc::UnboundedReceiver<Option<Tls>>,
    pub(super) sleep: Pin<Box<Sleep>>,
    /// For when `sleep` is set.
    pub(super) armed: Option<Moment>,
}

impl Inbox {
    /// How much waits here, datagrams apart, which wait in the system.
    pub(super) fn waiting(&self) -> usize {
        let news = self.media.len() + self.found.len() + self.store.len();
        news + self.streams.len() + self.admin.len()
    }

    /// Waits for the next thing; for `wake_at` at the latest.
    pub(super) async fn next(
        &mut self,
        ends: &mut Ends,
        clock: Clock,
        wake_at: Option<Moment>,
    ) -> Next {
        poll_fn(|cx| self.poll(cx, ends, clock, wake_at)).await
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        ends: &mut Ends,
        clock: Clock,
        wake_at: Option<Moment>,
    ) -> Poll<Next> {
        if wake_at.is_some_and(|due| self.is_due(cx, clock, due)) {
            return Poll::Ready(Next::Due);
        }
        if let Poll::Ready(Some(order)) = self.orders.poll_recv(cx) {
            return Poll::Ready(Next::Order(order));
        }
        if let Poll::Ready(Some(notice)) = self.media.poll_recv(cx) {
            return Poll::Ready(Next::Media(notice));
        }
        if let Poll::Ready(Some(found)) = self.found.poll_recv(cx) {
            return Poll::Ready(Next::Found(found));
        }
        if let Poll::Ready(Some(news)) = self.store.poll_recv(cx) {
            return Poll::Ready(Next::Store(news));
        }
        if let Poll::Ready(Some(order)) = self.admin.poll_recv(cx) {
            return Poll::Ready(Next::Admin(order));
        }
        if let Poll::Ready(Some(tls)) = self.tls.poll_recv(cx) {
            return Poll::Ready(Next::Tls(tls.map(Box::new)));
        }
        if let Poll::Ready(Some(event)) = self.streams.poll_recv(cx) {
            return Poll::Ready(Next::Stream(event));
        }
        ends.udp.poll_ready(cx).map(Next::Datagrams)
    }

    /// Whether `due` has come; else sees to it that the task is woken then. An alarm that is set for
    /// an earlier time stays: one wake-up too many costs less than setting it for every message.
    fn is_due(&mut self, cx: &mut Context<'_>, clock: Clock, due: Moment) -> bool {
        if clock.now() >= due {
            return true;
        }
        loop {
            let alarm = next_beat(due);
            if self.armed.is_none_or(|armed| armed > alarm) {
                self.sleep.as_mut().reset(clock.instant(alarm));
                self.armed = Some(alarm);
            }
            if self.sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.armed = None;
            if clock.now() >= due {
                return true;
            }
        }
    }
}
