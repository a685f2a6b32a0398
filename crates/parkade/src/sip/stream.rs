//! One stream connection: bytes in cut into messages, messages out in order, and when to let go.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use base::{ConnId, Flow};
use bytes::Bytes;
use sip_msg::{Framed, Framer};
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::sip::event::StreamEvent;

/// What the peer must have made of a connection in this time: a first message, the rest of a message
/// begun, or room for what we send (64 × T1, RFC 3261 §17.1.1.2).
const PATIENCE: Duration = Duration::from_secs(32);

/// A phone may keep silent between two registrations, and its connection is how it is reached.
const IDLE: Duration = Duration::from_secs(2 * 3600);

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(4);

/// How many messages may wait at once for one peer.
pub(super) const MOST_WAITING: usize = 256;

/// The answer to a keep-alive (RFC 5626 §3.5.1).
const PONG: Bytes = Bytes::from_static(b"\r\n");

/// A message and the flow with which it was given; none for what the connection itself sends.
type Outgoing = (Option<Flow>, Bytes);

/// What one connection is carried with.
#[derive(Debug)]
pub(super) struct Carried {
    /// The flow by which its messages come; `conn` is set.
    pub(super) flow: Flow,
    /// What is to be sent.
    pub(super) orders: mpsc::Receiver<(Flow, Bytes)>,
    /// Where to tell what happens.
    pub(super) events: mpsc::Sender<StreamEvent>,
}

/// Connects from `source` (its port 0) to the peer of the flow, and carries the connection.
pub(super) async fn connect(source: SocketAddr, conn: ConnId, carried: Carried) {
    match timeout(CONNECT, connected(source, carried.flow.peer)).await {
        Ok(Ok(stream)) => carry(stream, conn, carried).await,
        Ok(Err(error)) => end(conn, carried, Vec::new(), Some(error.to_string())).await,
        Err(_) => end(conn, carried, Vec::new(), Some("no answer".to_owned())).await,
    }
}

async fn connected(source: SocketAddr, peer: SocketAddr) -> io::Result<TcpStream> {
    let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(source)?;
    socket.connect(peer).await
}

/// Carries a connection until either end closes it.
pub(super) async fn carry(stream: TcpStream, conn: ConnId, mut carried: Carried) {
    // Small messages must not wait for one another; a refusal costs only speed.
    let _ = stream.set_nodelay(true);
    let mut pipe = Pipe {
        framer: Framer::new(),
        waiting: VecDeque::new(),
        unnamed: Vec::new(),
        written: 0,
        spoken: false,
        heard_at: Instant::now(),
        moved_at: Instant::now(),
    };
    let why = loop {
        match pipe.step(&stream, &mut carried).await {
            Ok(()) => {}
            Err(why) => break why,
        }
    };
    let waiting = pipe.waiting.into_iter().filter_map(|(flow, _)| flow);
    end(conn, carried, pipe.unnamed.into_iter().chain(waiting).collect(), why).await;
}

async fn end(conn: ConnId, mut carried: Carried, mut unsent: Vec<Flow>, why: Option<String>) {
    carried.orders.close();
    while let Ok((flow, _)) = carried.orders.try_recv() {
        unsent.push(flow);
    }
    // Nobody is left to tell when the program ends.
    let _ = carried.events.send(StreamEvent::Closed { conn, unsent, why }).await;
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
    /// Whether the peer has ever said a whole message.
    spoken: bool,
    /// When the last message was whole, or the first byte after it came.
    heard_at: Instant,
    /// When something last went out, or nothing was waiting.
    moved_at: Instant,
}

/// Why a connection ends; none if that is not worth a line.
type Ended = Option<String>;

impl Pipe {
    async fn step(&mut self, stream: &TcpStream, carried: &mut Carried) -> Result<(), Ended> {
        let interest = match self.waiting.is_empty() {
            true => Interest::READABLE,
            false => Interest::READABLE | Interest::WRITABLE,
        };
        tokio::select! {
            ready = stream.ready(interest) => {
                let ready = ready.map_err(ended_by)?;
                if ready.is_writable() {
                    self.write(stream)?;
                }
                if ready.is_readable() || ready.is_read_closed() || ready.is_error() {
                    self.read(stream, carried).await?;
                }
            }
            order = carried.orders.recv(), if self.waiting.len() < MOST_WAITING => {
                let (flow, bytes) = order.ok_or(None)?;
                if self.waiting.is_empty() {
                    self.moved_at = Instant::now();
                }
                if flow.conn != carried.flow.conn && !self.unnamed.contains(&flow) {
                    self.unnamed.push(flow);
                }
                self.waiting.push_back((Some(flow), bytes));
                self.write(stream)?;
            }
            () = sleep_until(self.deadline()) => return Err(self.overdue()),
        }
        Ok(())
    }

    /// Whether a message has begun. Up to three bytes may be line ends between messages.
    fn is_midway(&self) -> bool {
        self.framer.waiting() > 3
    }

    fn deadline(&self) -> Instant {
        let heard = match self.spoken && !self.is_midway() {
            true => self.heard_at.max(self.moved_at) + IDLE,
            false => self.heard_at + PATIENCE,
        };
        if self.waiting.is_empty() { heard } else { heard.min(self.moved_at + PATIENCE) }
    }

    fn overdue(&self) -> Ended {
        let why = match (self.waiting.is_empty(), self.is_midway(), self.spoken) {
            (false, ..) => "does not take what is sent",
            (_, true, _) => "does not end its message",
            (_, _, false) => "says nothing",
            _ => return None,
        };
        Some(why.to_owned())
    }

    fn write(&mut self, stream: &TcpStream) -> Result<(), Ended> {
        while let Some((_, bytes)) = self.waiting.front() {
            match stream.try_write(&bytes[self.written..]) {
                Ok(count) => {
                    self.moved_at = Instant::now();
                    self.written += count;
                    if self.written == bytes.len() {
                        self.written = 0;
                        self.waiting.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(ended_by(error)),
            }
        }
        Ok(())
    }

    async fn read(&mut self, stream: &TcpStream, carried: &Carried) -> Result<(), Ended> {
        if !self.take(stream)? {
            return Ok(());
        }
        while let Some(framed) = self.framer.next() {
            self.heard_at = Instant::now();
            match framed {
                Framed::Message(bytes) => {
                    self.spoken = true;
                    let told = StreamEvent::Sip { flow: carried.flow, bytes };
                    carried.events.send(told).await.map_err(|_| None)?;
                }
                Framed::KeepAlive => {
                    if self.waiting.len() < MOST_WAITING {
                        self.waiting.push_back((None, PONG));
                        self.write(stream)?;
                    }
                }
                Framed::Garbage(why) => return Err(Some(why.to_string())),
            }
        }
        Ok(())
    }

    /// Takes what lies there; tells whether there was anything.
    fn take(&mut self, stream: &TcpStream) -> Result<bool, Ended> {
        // Not kept while waiting, so a silent connection costs no buffer.
        let mut room = [0u8; 16 * 1024];
        match stream.try_read(&mut room) {
            Ok(0) => Err(None),
            Ok(count) => {
                if !self.is_midway() {
                    self.heard_at = Instant::now();
                }
                self.framer.push(&room[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(ended_by(error)),
        }
    }
}

fn ended_by(error: io::Error) -> Ended {
    // A reset is how many phones hang up.
    (error.kind() != io::ErrorKind::ConnectionReset).then(|| error.to_string())
}
