//! One stream connection: bytes in cut into messages, messages out in order, and when to let go. It is
//! the same for plain and for encrypted ones.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base::{ConnId, Flow};
use bytes::Bytes;
use sip_msg::{Framed, Framer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::config::HalfOpen;
use crate::sip::alias;
use crate::sip::event::{Ended, StreamEvent};
use crate::tls::Facts;

/// The peer must have made room for what we send in this time (64 × T1, RFC 3261 §17.1.1.2).
const PATIENCE: Duration = Duration::from_secs(32);

/// A phone may keep silent between two registrations, and its connection is how it is reached.
const IDLE: Duration = Duration::from_secs(2 * 3600);

/// How many messages may wait at once for one peer.
pub(super) const MOST_WAITING: usize = 256;

/// The answer to a keep-alive (RFC 5626 §3.5.1).
const PONG: Bytes = Bytes::from_static(b"\r\n");

/// The first bytes of a handshake of TLS: a record of that type, of version 3.
const HELLO: [u8; 2] = [22, 3];

/// A message and the flow with which it was given; none for what the connection itself sends.
type Outgoing = (Option<Flow>, Bytes);

/// What one connection is carried with.
#[derive(Debug)]
pub(super) struct Carried {
    /// The flow by which its messages come; `conn` is set.
    pub(super) flow: Flow,
    /// What the other end has shown of itself.
    pub(super) shown: Option<Facts>,
    /// How long it may take to come to something.
    pub(super) half_open: HalfOpen,
    /// What is to be sent.
    pub(super) orders: mpsc::Receiver<(Flow, Bytes)>,
    /// Where to tell what happens.
    pub(super) events: mpsc::Sender<StreamEvent>,
}

/// Carries a connection until either end closes it.
pub(super) async fn carry(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    conn: ConnId,
    mut carried: Carried,
) {
    let now = Instant::now();
    let mut pipe = Pipe {
        framer: Framer::new(),
        waiting: VecDeque::new(),
        unnamed: Vec::new(),
        written: 0,
        is_unflushed: false,
        within: carried.half_open.message,
        has_begun: false,
        spoken: false,
        alias: None,
        heard_at: now,
        moved_at: now,
    };
    let ended = loop {
        match pipe.step(&mut stream, &mut carried).await {
            Ok(()) => {}
            Err(ended) => break ended,
        }
    };
    let waiting = pipe.waiting.into_iter().filter_map(|(flow, _)| flow);
    end(conn, carried, pipe.unnamed.into_iter().chain(waiting).collect(), ended).await;
}

/// Tells that a connection is over.
pub(super) async fn end(conn: ConnId, mut carried: Carried, mut unsent: Vec<Flow>, ended: Ended) {
    carried.orders.close();
    while let Ok((flow, _)) = carried.orders.try_recv() {
        unsent.push(flow);
    }
    // Nobody is left to tell when the program ends.
    let _ = carried.events.send(StreamEvent::Closed { conn, unsent, ended }).await;
}

/// The state of one connection.
#[derive(Debug)]
struct Pipe {
    framer: Framer,
    waiting: VecDeque<Outgoing>,
    /// The flows that led here without naming this connection, such as those of what we opened it
    /// for. Hardly more than one.
    unnamed: Vec<Flow>,
    /// How much of the first waiting message is written.
    written: usize,
    /// Whether something that was written may still lie in the stream itself.
    is_unflushed: bool,
    /// How long a message may take to be whole, the first one from the beginning on.
    within: Duration,
    /// Whether anything has come.
    has_begun: bool,
    /// Whether the peer has ever said a whole message.
    spoken: bool,
    /// The port of the peer's for which this connection is an alias.
    alias: Option<u16>,
    /// When the last message was whole, or the first byte after it came.
    heard_at: Instant,
    /// When something last went out, or nothing was waiting.
    moved_at: Instant,
}

impl Pipe {
    async fn step(
        &mut self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        carried: &mut Carried,
    ) -> Result<(), Ended> {
        let (deadline, has_room) = (self.deadline(), self.waiting.len() < MOST_WAITING);
        tokio::select! {
            moved = poll_fn(|cx| self.poll(cx, stream)) => moved?,
            order = carried.orders.recv(), if has_room => {
                let (flow, bytes) = order.ok_or(Ended::Quietly)?;
                self.take(flow, bytes, carried.flow.conn);
            }
            // What was written meanwhile may have put it off.
            () = sleep_until(deadline) => {
                if Instant::now() >= self.deadline() {
                    return Err(self.overdue());
                }
            }
        }
        self.deliver(carried).await
    }

    fn take(&mut self, flow: Flow, bytes: Bytes, own: Option<ConnId>) {
        if !self.has_to_write() {
            self.moved_at = Instant::now();
        }
        if flow.conn != own && !self.unnamed.contains(&flow) {
            self.unnamed.push(flow);
        }
        self.waiting.push_back((Some(flow), bytes));
    }

    fn has_to_write(&self) -> bool {
        self.is_unflushed || !self.waiting.is_empty()
    }

    /// Whether a message has begun. Up to three bytes may be line ends between messages.
    fn is_midway(&self) -> bool {
        self.framer.waiting() > 3
    }

    fn deadline(&self) -> Instant {
        let heard = match self.spoken && !self.is_midway() {
            true => self.heard_at.max(self.moved_at) + IDLE,
            false => self.heard_at + self.within,
        };
        if self.has_to_write() { heard.min(self.moved_at + PATIENCE) } else { heard }
    }

    fn overdue(&self) -> Ended {
        let why = match (self.has_to_write(), self.is_midway(), self.spoken) {
            (true, ..) => "does not take what is sent",
            (_, true, _) => "does not end its message (security.message_timeout)",
            (_, _, false) => "says nothing (security.message_timeout)",
            _ => return Ended::Quietly,
        };
        Ended::For(why.to_owned())
    }

    /// Writes what waits, and reads what has come; ready when there is more to be done.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Poll<Result<(), Ended>> {
        let wrote = self.poll_write(cx, stream)?;
        // Not kept while waiting, so a silent connection costs no buffer.
        let mut room = [0u8; 16 * 1024];
        let mut room = ReadBuf::new(&mut room);
        match Pin::new(stream).poll_read(cx, &mut room) {
            Poll::Pending if wrote => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(ended_by(&error))),
            Poll::Ready(Ok(())) => Poll::Ready(self.heard(room.filled())),
        }
    }

    /// Writes what the stream takes; tells whether any message has gone.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<bool, Ended> {
        let mut wrote = false;
        while let Some((_, bytes)) = self.waiting.front() {
            match Pin::new(&mut *stream).poll_write(cx, &bytes[self.written..]) {
                Poll::Ready(Ok(count)) => {
                    self.moved_at = Instant::now();
                    self.is_unflushed = true;
                    self.written += count;
                    if self.written == bytes.len() {
                        self.written = 0;
                        self.waiting.pop_front();
                        wrote = true;
                    }
                }
                Poll::Ready(Err(error)) => return Err(ended_by(&error)),
                Poll::Pending => return Ok(wrote),
            }
        }
        if self.is_unflushed {
            match Pin::new(stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.is_unflushed = false,
                Poll::Ready(Err(error)) => return Err(ended_by(&error)),
                Poll::Pending => {}
            }
        }
        Ok(wrote)
    }

    /// Bytes have come; none is the end.
    fn heard(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        if bytes.is_empty() {
            return Err(Ended::Quietly);
        }
        if !self.has_begun && bytes.starts_with(&HELLO) {
            let why = "it speaks TLS to a socket without; TLS is for the sockets with tls:";
            return Err(Ended::For(why.to_owned()));
        }
        self.has_begun = true;
        if !self.is_midway() {
            self.heard_at = Instant::now();
        }
        self.framer.push(bytes);
        Ok(())
    }

    /// Hands on the messages that are whole.
    async fn deliver(&mut self, carried: &Carried) -> Result<(), Ended> {
        while let Some(framed) = self.framer.next() {
            self.heard_at = Instant::now();
            match framed {
                Framed::Message(bytes) => {
                    self.spoken = true;
                    self.agree(carried, &bytes).await?;
                    let told = StreamEvent::Sip { flow: carried.flow, bytes };
                    carried.events.send(told).await.map_err(|_| Ended::Quietly)?;
                }
                Framed::KeepAlive => {
                    if self.waiting.len() < MOST_WAITING {
                        self.waiting.push_back((None, PONG));
                    }
                }
                Framed::Garbage(why) => return Err(Ended::For(why.to_string())),
            }
        }
        Ok(())
    }

    /// Tells it when the other end wants to have requests by this connection (RFC 5923 §5).
    async fn agree(&mut self, carried: &Carried, message: &Bytes) -> Result<(), Ended> {
        let Some(shown) = &carried.shown else { return Ok(()) };
        let agreed = alias::wanted(shown, message);
        if agreed.is_none() || agreed == self.alias {
            return Ok(());
        }
        self.alias = agreed;
        let (Some(conn), Some(port)) = (carried.flow.conn, agreed) else { return Ok(()) };
        carried.events.send(StreamEvent::Alias { conn, port }).await.map_err(|_| Ended::Quietly)
    }
}

fn ended_by(error: &io::Error) -> Ended {
    match error.kind() {
        // A reset is how many phones hang up; so is going without a word of TLS.
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => Ended::Quietly,
        _ => Ended::For(error.to_string()),
    }
}
