//! The program as it always runs, on a thread of its own: the same configuration, engine, sockets,
//! media workers and admin door.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc as std_mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base::Side;
use park_core::{Counts, ParkedView};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::admin::{Asker, ParkedList};
use crate::config::{FastPath, Problems, Settings, check};
use crate::demo::failed::DemoFailed;
use crate::demo::seats::HOUSE;
use crate::shell::{CannotStart, Order, Program};

/// A house without calls ends at once when it is told to.
const LEAVING: Duration = Duration::from_secs(5);

/// How many houses this process has had: each has an admin door of its own.
static HOUSES: AtomicU32 = AtomicU32::new(0);

/// The running program.
#[derive(Debug)]
pub(super) struct House {
    /// Where the phones reach it.
    pub(super) phones: SocketAddr,
    /// Where the PBX reaches it.
    pub(super) pbx: SocketAddr,
    folder: PathBuf,
    orders: mpsc::Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread says once the program is open: where it is reached from either side.
type Opened = Result<[SocketAddr; 2], CannotStart>;

impl House {
    /// Starts the program before this PBX, with this path for sound, and more of a configuration.
    pub(super) fn open(
        pbx: SocketAddr,
        fast_path: FastPath,
        more: &str,
    ) -> Result<House, DemoFailed> {
        let number = HOUSES.fetch_add(1, Ordering::Relaxed);
        let name = format!("parkade-demo-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let text = configuration(pbx, &door(&folder)) + more;
        let mut settings = check(&text, Path::new(""), None).map_err(|list| {
            let file = "the demo's configuration".to_owned();
            Problems { file, list }
        })?;
        settings.media.fast_path = fast_path;
        let (opened, is_open) = std_mpsc::channel();
        let (orders, taken) = mpsc::channel(4);
        let thread =
            thread::Builder::new().name("house".into()).spawn(|| serve(settings, opened, taken))?;
        let mut house = House { phones: pbx, pbx, folder, orders, thread: Some(thread) };
        // The thread says one or the other before it ends, unless it panics.
        let [phones, pbx] = is_open.recv().map_err(|_| DemoFailed::Interrupted)??;
        (house.phones, house.pbx) = (phones, pbx);
        Ok(house)
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What is parked, as `parkade parked` is told.
    pub(super) fn parked(&self) -> Result<Vec<ParkedView>, String> {
        let list: ParkedList = self.ask("/api/parked")?;
        Ok(list.parked.into_iter().map(|dated| dated.call).collect())
    }

    /// What the streams of its calls are like.
    #[cfg(test)]
    pub(super) fn streams(&self) -> Result<Vec<park_core::StreamView>, String> {
        Ok(self.ask::<crate::admin::StreamList>("/api/streams")?.streams)
    }

    /// What is in the house.
    pub(super) fn counts(&self) -> Result<Counts, String> {
        self.ask("/api/counts")
    }

    /// Where operators ask.
    #[cfg(test)]
    pub(super) fn socket(&self) -> PathBuf {
        door(&self.folder)
    }

    /// An operator.
    #[cfg(test)]
    pub(super) fn asker(&self) -> Result<Asker, crate::admin::CannotAsk> {
        Asker::at(&[self.socket()])
    }

    fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let asker = Asker::at(&[door(&self.folder)]).map_err(|error| error.to_string())?;
        asker.get(path).map_err(|error| error.to_string())
    }

    /// Tells it to end.
    pub(super) fn order_end(&self) {
        // It may have ended already.
        let _ = self.orders.blocking_send(Order::End);
    }

    /// Tells it to end, and waits until it has; says how long that took, or that it did not.
    pub(super) fn end(mut self) -> Result<Duration, String> {
        let begun = Instant::now();
        self.order_end();
        while !self.is_over() {
            if begun.elapsed() > LEAVING {
                return Err(format!("it is still there after {LEAVING:?}"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err("it ended in a panic".to_owned()),
            _ => Ok(begun.elapsed()),
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // A demo that has failed leaves nothing behind either; a thread that hangs ends with us.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn door(folder: &Path) -> PathBuf {
    folder.join("admin.sock")
}

/// The demo's configuration: a recall that comes soon, a group, and ports that nobody else has.
fn configuration(pbx: SocketAddr, door: &Path) -> String {
    let [phones_side, pbx_side] = HOUSE;
    format!(
        r#"
[phones]
listen = ["udp:{phones_side}:0"]
[pbx]
target = ["sip:{pbx}"]
listen = ["udp:{pbx_side}:0"]
[media]
phones_address = "{phones_side}"
pbx_address = "{pbx_side}"
[[lot]]
name = "office"
[lot.recall]
after = "3s"
[[lot.group]]
name = "sales"
members = ["101", "102", "103", "105"]
[admin]
socket = {door:?}
listen = "off"
[shutdown]
grace = "1s"
"#
    )
}

fn serve(settings: Settings, opened: std_mpsc::Sender<Opened>, orders: mpsc::Receiver<Order>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say(&opened, Err(error.into())),
    };
    runtime.block_on(async {
        let program = match Program::open(settings, None) {
            Ok(program) => program,
            Err(error) => return say(&opened, Err(error)),
        };
        let at = |side| program.bound().iter().find(|(s, ..)| *s == side).map(|found| found.2);
        let [Some(phones), Some(pbx)] = [at(Side::Phones), at(Side::Pbx)] else { return };
        say(&opened, Ok([phones, pbx]));
        tokio::select! {
            () = program.serve(orders) => {}
            // Ends the house, and with it the demo.
            _ = tokio::signal::ctrl_c() => {}
        }
    });
    runtime.shutdown_background();
}

fn say(opened: &std_mpsc::Sender<Opened>, what: Opened) {
    // The other end waits for it.
    let _ = opened.send(what);
}
