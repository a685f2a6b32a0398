//! The floor for music: packets as large and as often as music's, sent by the plainest loop there is.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::packet::{LENGTH, Source};

const TICK: Duration = Duration::from_millis(1);
/// Ticks from one packet of a stream to the next.
const TICKS: usize = 20;

/// Sends for ever, from a socket of its own for each stream, given as (here, there).
pub(crate) fn run(streams: &[(SocketAddr, SocketAddr)]) -> ! {
    let mut sources: Vec<(UdpSocket, SocketAddr, Source)> = streams
        .iter()
        .enumerate()
        .map(|(number, &(here, there))| {
            (UdpSocket::bind(here).unwrap(), there, Source::new(number))
        })
        .collect();
    let mut packet = [0xd5; LENGTH];
    let begun = Instant::now();
    for tick in 0.. {
        for (socket, there, source) in sources.iter_mut().skip(tick % TICKS).step_by(TICKS) {
            source.next(&mut packet);
            // A far side that is not there yet is no matter.
            let _ = socket.send_to(&packet, *there);
        }
        let next = begun + TICK * u32::try_from(tick + 1).unwrap();
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    unreachable!("a loop without end")
}
