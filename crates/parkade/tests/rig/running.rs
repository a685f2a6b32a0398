//! The whole program in this process on loopback, and stub peers that speak just enough SIP.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::{Side, Transport};
use parkade::{Listen, Order, Program, Settings};

/// Longer than anything takes on loopback, and shorter than a test may.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The program, served by a thread of its own.
#[derive(Debug)]
pub(crate) struct Running {
    bound: Vec<(Side, Transport, SocketAddr)>,
    orders: tokio::sync::mpsc::Sender<Order>,
    thread: Option<JoinHandle<()>>,
    /// The admin door, which outlives the program.
    socket: Option<PathBuf>,
}

/// Tests run side by side, each with its own ports for media.
static NEXT_PORTS: AtomicU16 = AtomicU16::new(0);

/// One UDP and one TCP socket on each side, on any free port of this address.
pub(crate) fn settings(ip: &str, targets: &[String]) -> Settings {
    let mut settings = Settings::default();
    let listen = |transport| {
        let address = SocketAddr::new(ip.parse().expect("an address"), 0);
        Listen { transport, address }
    };
    settings.phones_listen = vec![listen(Transport::Udp), listen(Transport::Tcp)];
    settings.pbx_listen = settings.phones_listen.clone();
    // None ends before its process does, so there is room for all of one file.
    let number = NEXT_PORTS.fetch_add(1, Ordering::Relaxed);
    let room = (std::process::id() % 12) as u16 * 768 + number % 32 * 24;
    settings.media.first_port = 20_000 + room;
    settings.media.last_port = 20_023 + room;
    settings.media.workers = Some(1);
    // Nothing of this machine is touched.
    settings.media.fast_path = parkade::FastPath::Off;
    settings.engine.music_codecs = vec![rtp_flow::Codec::Pcma];
    settings.engine.pbx_targets = targets.to_vec();
    let socket = format!("parkade-{}-{number}.sock", std::process::id());
    settings.admin.socket = Some(std::env::temp_dir().join(socket));
    settings.admin.listen = parkade::AdminListen::Off;
    settings
}

impl Running {
    /// Starts the program.
    pub(crate) fn with(settings: Settings) -> Running {
        let socket = settings.admin.socket.clone();
        let (opened, bound) = mpsc::channel();
        let (orders, taken) = tokio::sync::mpsc::channel(4);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("runtime");
            runtime.block_on(async {
                let program = Program::open(settings, None).expect("opens");
                opened.send(program.bound()).expect("awaited");
                program.serve(taken).await;
            });
        });
        let bound = bound.recv_timeout(PATIENCE).expect("opens in time");
        Running { bound, orders, thread: Some(thread), socket }
    }

    /// The port on which this side is reached.
    pub(crate) fn port(&self, side: Side, transport: Transport) -> u16 {
        let found = self.bound.iter().find(|(s, t, _)| (*s, *t) == (side, transport));
        found.expect("bound").2.port()
    }

    /// The same as an address.
    pub(crate) fn at(&self, ip: &str, side: Side, transport: Transport) -> SocketAddr {
        SocketAddr::new(ip.parse().expect("an address"), self.port(side, transport))
    }

    /// Gives an order.
    pub(crate) fn order(&self, order: Order) {
        self.orders.blocking_send(order).expect("running");
    }

    /// Waits until it has ended; tells how long that took.
    pub(crate) fn ended(mut self) -> Duration {
        let begun = Instant::now();
        self.thread.take().expect("running").join().expect("ends well");
        begun.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            // It may never have been made.
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// A UDP socket with patience.
pub(crate) fn udp(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).expect("binds");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

/// A port on which nobody listens.
pub(crate) fn closed_port() -> u16 {
    udp("127.0.0.1").local_addr().expect("bound").port()
}

/// The next datagram, and who sent it.
pub(crate) fn hear(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut room = [0; 65_536];
    let (count, from) = socket.recv_from(&mut room).expect("something comes");
    (String::from_utf8_lossy(&room[..count]).into_owned(), from)
}

/// A TCP listener with patience: accepts one connection.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("settable");
    let begun = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).expect("settable");
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                return stream;
            }
            Err(_) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("nobody connects: {error}"),
        }
    }
}

/// Whether somebody waits to be accepted.
pub(crate) fn is_wanted(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).expect("settable");
    listener.accept().is_ok()
}

/// A TCP connection with patience.
pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Reads until a blank line: one message without a body.
pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut byte).expect("something comes");
        assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("text")
}

/// Writes all of it.
pub(crate) fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).expect("writes");
}

/// A request without a body.
pub(crate) fn request(
    method: &str,
    uri: &str,
    transport: &str,
    at: SocketAddr,
    branch: &str,
) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {at};rport;branch=z9hG4bK{branch}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:103@pbx.example>;tag=f{branch}\r\n\
         To: <sip:103@pbx.example>\r\nCall-ID: {branch}@test\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:103@{at};transport={}>\r\nContent-Length: 0\r\n\r\n",
        transport.to_ascii_lowercase()
    )
}

/// The answer to a request, as a server gives it: Via, From, To, Call-ID and CSeq are copied.
pub(crate) fn answer(request: &str, status: &str) -> String {
    let copied = ["Via:", "From:", "Call-ID:", "CSeq:", "Contact:"];
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().filter(|line| !line.is_empty()) {
        if copied.iter().any(|name| line.starts_with(name)) {
            text += &format!("{line}\r\n");
        } else if line.starts_with("To:") {
            text += &format!("{line};tag=pbx\r\n");
        }
    }
    text + "Expires: 300\r\nContent-Length: 0\r\n\r\n"
}

/// The line of a message that begins like this.
pub(crate) fn line<'m>(message: &'m str, start: &str) -> &'m str {
    message.lines().find(|line| line.starts_with(start)).unwrap_or_default()
}
