//! The load of `scripts/bench relay` and `scripts/bench music`: both ends of many calls, phones and
//! PBX, each in a network namespace of its own; it sends, hears and measures. Orders come on standard
//! input, one a line; each is answered by a line of JSON when it is done.
//!
//! `streams STEP PHONES HERE PBX HERE`: it sends and reads once in so many microseconds; each side is
//! given as the file of its namespace and its address in there.
//! `streams floor FILE` instead sends what the file says, lines of "HERE:PORT THERE:PORT", for ever.
#![expect(clippy::unwrap_used, reason = "a load that cannot go on ends by panicking")]

mod cores;
mod ends;
mod floor;
mod heard;
mod packet;

use std::fs::File;
use std::io::BufRead;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};

use crate::cores::Cores;
use crate::ends::Ends;

/// Packets that take longer are lost; it is longer than from one look at any socket to the next.
const LATEST: Duration = Duration::from_millis(600);

/// A measurement.
struct Measure {
    begun: Instant,
    seconds: f64,
    cores: Cores,
    /// What the cores have done, once all is sent.
    done: Option<Value>,
}

/// The load.
struct Load {
    /// Each side's namespace and address.
    sides: [(File, IpAddr); 2],
    step: Duration,
    ends: Ends,
    windows: u32,
    measure: Option<Measure>,
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let (step, sides) = match &given[..] {
        [mode, file] if mode == "floor" => {
            let pairs = lines(file).into_iter().map(|line| {
                let (here, there) = line.split_once(' ').unwrap();
                (here.parse().unwrap(), there.parse().unwrap())
            });
            floor::run(&pairs.collect::<Vec<(SocketAddr, SocketAddr)>>())
        }
        [step, phones, phones_here, pbx, pbx_here] => {
            let side = |file: &str, here: &str| (File::open(file).unwrap(), here.parse().unwrap());
            let step = Duration::from_micros(step.parse().unwrap());
            (step, [side(phones, phones_here), side(pbx, pbx_here)])
        }
        _ => panic!("streams STEP PHONES HERE PBX HERE, or streams floor FILE"),
    };
    nix::sys::prctl::set_timerslack(1).unwrap();
    let orders = orders();
    let mut load = Load { sides, step, ends: Ends::new(step), windows: 0, measure: None };
    loop {
        load.ends.send();
        load.ends.hear();
        if load.measure.is_none() {
            match orders.try_recv() {
                Ok(order) => {
                    if let Some(answer) = load.obey(&order) {
                        println!("{answer}");
                    }
                }
                Err(mpsc::TryRecvError::Disconnected) => return,
                Err(mpsc::TryRecvError::Empty) => {}
            }
        } else if let Some(outcome) = load.outcome() {
            println!("{outcome}");
        }
        std::thread::sleep(load.ends.next().saturating_duration_since(Instant::now()));
    }
}

fn lines(file: &str) -> Vec<String> {
    std::fs::read_to_string(file).unwrap().lines().map(str::to_string).collect()
}

/// Orders as they are read; the thread ends with its input.
fn orders() -> mpsc::Receiver<String> {
    let (tell, orders) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if tell.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    orders
}

/// An address, or `-` for none.
fn aim(word: &str) -> Option<SocketAddr> {
    (word != "-").then(|| word.parse().unwrap())
}

impl Load {
    /// Does what is asked; what takes its time is answered later.
    fn obey(&mut self, order: &str) -> Option<Value> {
        let words: Vec<&str> = order.split(' ').collect();
        match words[..] {
            ["open", file] => {
                self.ends = Ends::new(self.step);
                for (number, line) in lines(file).iter().enumerate() {
                    let (network, here) = &self.sides[number % 2];
                    let (port, to) = line.split_once(' ').unwrap();
                    setns(network, CloneFlags::CLONE_NEWNET).unwrap();
                    self.ends.open(*here, port.parse().unwrap(), aim(to));
                }
                self.ends.spread();
            }
            ["aim", number, to] => self.ends.aim(number.parse().unwrap(), aim(to)),
            ["talk"] => self.ends.talk(true),
            ["silence"] => self.ends.talk(false),
            ["watch"] => {
                self.ends.forget();
                self.ends.hears = (packet::now(), i64::MAX);
            }
            ["switches"] => return Some(self.switches()),
            ["measure", seconds] => {
                self.begin(seconds.parse().unwrap());
                return None;
            }
            _ => panic!("{order:?} is no order"),
        }
        Some(json!({ "ends": self.ends.len() }))
    }

    fn begin(&mut self, seconds: f64) {
        self.ends.forget();
        self.windows += 1;
        (self.ends.window, self.ends.counting) = (self.windows, self.windows);
        let now = packet::now();
        self.ends.hears = (now, now + Duration::from_secs_f64(seconds).as_nanos() as i64);
        self.measure =
            Some(Measure { begun: Instant::now(), seconds, cores: Cores::read(), done: None });
    }

    /// What has been measured, once all that was sent must have come.
    fn outcome(&mut self) -> Option<Value> {
        let measure = self.measure.as_mut()?;
        let elapsed = measure.begun.elapsed();
        if measure.done.is_none() && elapsed.as_secs_f64() >= measure.seconds {
            let cores = Cores::read().since(&measure.cores);
            measure.done = Some(json!({ "seconds": elapsed.as_secs_f64(), "cores": cores }));
            self.ends.window = 0;
        }
        if elapsed < Duration::from_secs_f64(measure.seconds) + LATEST {
            return None;
        }
        let mut outcome = measure.done.take()?;
        self.measure = None;
        self.ends.counting = 0;
        let of_ends = self.of_ends();
        let counted = &mut self.ends.counted;
        counted.ways.sort_unstable();
        let way = |share: f64| {
            let last = counted.ways.len().checked_sub(1)?;
            Some(f64::from(counted.ways[(last as f64 * share) as usize]) / 1000.0)
        };
        let counts = json!({
            "sent": counted.sent, "came": counted.came, "astray": counted.astray,
            "reports_sent": counted.reports_sent, "reports_came": counted.reports_came,
            "refused": counted.refused, "late_ms": counted.late.as_secs_f64() * 1000.0,
            "way_us": { "p50": way(0.5), "p99": way(0.99), "max": way(1.0) },
        });
        for part in [counts, of_ends] {
            outcome.as_object_mut()?.extend(part.as_object()?.clone());
        }
        Some(outcome)
    }

    /// What all ends have heard; the jitter of those that have heard anything.
    fn of_ends(&self) -> Value {
        let mut jitter: Vec<f64> = self
            .ends
            .heard()
            .filter(|heard| heard.packets > 1)
            .map(|heard| heard.jitter / 1e6)
            .collect();
        jitter.sort_by(f64::total_cmp);
        json!({
            "streams": jitter.len(),
            "heard": self.ends.heard().map(|heard| heard.packets).sum::<u64>(),
            "missing": self.ends.heard().map(|heard| heard.missing).sum::<i64>(),
            "jitter_ms": { "median": jitter.get(jitter.len() / 2), "max": jitter.last() },
        })
    }

    /// The changes from talk to music and back that the PBX's ends have heard, each with its gap.
    fn switches(&self) -> Value {
        let gaps = |to_talk: bool| -> Vec<f64> {
            let switches = self.ends.heard().skip(1).step_by(2).flat_map(|heard| &heard.switches);
            let chosen = switches.filter(|switch| switch.to_talk == to_talk);
            chosen.map(|switch| switch.gap as f64 / 1e6).collect()
        };
        json!({ "to_music_ms": gaps(false), "to_talk_ms": gaps(true) })
    }
}
