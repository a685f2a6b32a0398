//! Datagrams, answers, time and orders at the engine, in any order. The first byte of each step says what comes and by
//! whom; see `step`.

use std::time::Duration;

use base::{Chance, ConnId, Moment, Side};
use bytes::Bytes;
use park_core::{Command, Counts, Engine, Input, Output, ParkedView, RecordKey, Reply, Settings};
use rtp_flow::{MediaNotice, Pair, PairId, Plan, WorkerId};

use crate::bytes::Choices;
use crate::parties::{self, Party};

/// One input is never followed by more than so much: what came may be told to some dozens of phones.
const MOST_OUTPUTS: usize = 2_000;
/// The longest input that is played to its end.
const MOST_STEPS: usize = 400;

/// A house among those around it.
pub(crate) struct Stage {
    engine: Engine,
    now: Moment,
    wake_at: Option<Moment>,
    parties: [Party; 5],
    pairs: u32,
    /// What became known outside while the engine was busy.
    next: Vec<Input>,
    parked: Vec<ParkedView>,
    counts: Option<Counts>,
}

/// Plays all steps, then lets hours pass: whatever was said, everything is over then.
///
/// # Panics
/// If a promise is broken.
pub fn engine(bytes: &[u8]) {
    let mut stage = Stage::open(Vec::new());
    stage.play(&mut Choices::of(bytes));
    stage.end();
}

impl Stage {
    /// A house with the calls that these records tell of.
    pub(crate) fn open(records: Vec<(RecordKey, Vec<u8>)>) -> Stage {
        let targets = vec!["sip:192.0.2.50:5060".into()];
        let settings =
            Settings { pbx_targets: targets, journal: Some(Duration::ZERO), ..Settings::default() };
        let now = Moment::ZERO;
        let mut stage = Stage {
            engine: Engine::restore(settings, Chance::from_seed(1), now, records),
            now,
            wake_at: None,
            parties: parties::all(),
            pairs: 0,
            next: Vec::new(),
            parked: Vec::new(),
            counts: None,
        };
        stage.drain();
        stage.settle();
        stage
    }

    /// Plays the steps that these bytes say.
    pub(crate) fn play(&mut self, choices: &mut Choices<'_>) {
        for _ in 0..MOST_STEPS {
            if self.step(choices).is_none() {
                break;
            }
            self.settle();
        }
    }

    /// Ends all calls and lets hours pass: nothing may be left then.
    pub(crate) fn end(mut self) {
        self.take(Input::Command { ticket: 1, command: Command::EndAll });
        self.pass(Duration::from_secs(3 * 3_600));
        self.take(Input::Command { ticket: 2, command: Command::Counts });
        let left = self.counts.unwrap_or_default();
        let quiet =
            [left.legs, left.parked, left.pending, left.watches, left.transactions, left.pairs];
        assert_eq!(quiet, [0; 6], "something is left: {left:?}");
    }

    fn step(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let kind = choices.byte()?;
        let who = usize::from(kind >> 4) % self.parties.len();
        match kind & 0x0f {
            0 | 1 => {
                let bytes = Bytes::copy_from_slice(choices.piece()?);
                self.take(Input::Sip { flow: self.parties[who].flow, bytes });
            }
            2..=4 => {
                let (method, number, call, body) =
                    (choices.byte()?, choices.byte()?, choices.byte()?, choices.byte()?);
                let text = self.parties[who].asks(method, number, call, body);
                self.say(who, text);
            }
            5..=7 => {
                let (which, method, number, body) =
                    (choices.byte()?, choices.byte()?, choices.byte()?, choices.byte()?);
                if let Some(text) = self.parties[who].goes_on(which, method, number, body) {
                    self.say(who, text);
                }
            }
            8..=10 => {
                let (which, status, body) = (choices.byte()?, choices.byte()?, choices.byte()?);
                if let Some(text) = self.parties[who].answers(which, status, body) {
                    self.say(who, text);
                }
            }
            // An answer as it comes mostly: the newest request, 200.
            11 => {
                if let Some(text) = self.parties[who].answers(0, 3, 0) {
                    self.say(who, text);
                }
            }
            12 => self.pass(Duration::from_millis(u64::from(choices.word()?) * 10)),
            13 => self.pass(Duration::from_secs(u64::from(choices.byte()?) * 10)),
            14 => {
                let command = self.order(choices.byte()?, choices.byte()?);
                self.take(Input::Command { ticket: 7, command });
            }
            _ => {
                let input = self.mishap(choices.byte()?, choices.byte()?, who);
                self.take(input);
            }
        }
        Some(())
    }

    fn say(&mut self, who: usize, text: String) {
        self.take(Input::Sip { flow: self.parties[who].flow, bytes: text.into() });
    }

    fn order(&self, which: u8, park: u8) -> Command {
        let call = self.parked.get(usize::from(park) % self.parked.len().max(1));
        let park = call.map(|call| call.at.park.clone()).unwrap_or_default();
        match which % 8 {
            0 => Command::Parked,
            1 => Command::Retrieve { park, to: "105".into() },
            2 => Command::Recall { park },
            3 => Command::Move { park, slot: "705".into() },
            4 => Command::HangUp { park },
            5 => Command::Calls { call: None },
            6 => Command::Streams { call: None },
            _ => Command::EndAll,
        }
    }

    fn mishap(&self, which: u8, what: u8, who: usize) -> Input {
        let mark = u64::from(what);
        let pair = PairId(u32::from(what) % self.pairs.max(1));
        match which % 6 {
            0 => Input::Closed { conn: ConnId(1) },
            1 => Input::Unreachable { flow: self.parties[who].flow },
            2 => Input::Media(MediaNotice::Key {
                mark,
                event: what % 17,
                timestamp: 8 * u32::from(what),
            }),
            3 => Input::Media(MediaNotice::Silence { mark, silent: what & 1 == 0 }),
            4 => Input::Media(MediaNotice::Latched { pair, from: self.parties[who].flow.peer }),
            _ => Input::Resolved { target: usize::from(what & 1), hops: Vec::new() },
        }
    }

    /// Lets time pass, with all that is due meanwhile.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.wake_at.filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.take(Input::Wake);
            assert!(self.wake_at.is_none_or(|next| next > at), "the same moment again and again");
            self.settle();
        }
        self.now = until;
    }

    fn settle(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            let Some(input) = self.next.pop() else { return };
            self.take(input);
        }
        panic!("the house asks for ever more");
    }

    fn take(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            match self.engine.poll() {
                Output::Send { flow, bytes } => {
                    assert!(!bytes.is_empty() && bytes.len() < 200_000, "{} bytes", bytes.len());
                    let is_his = |party: &&mut Party| party.flow.peer == flow.peer;
                    if let Some(party) = self.parties.iter_mut().find(is_his) {
                        party.hears(bytes);
                    }
                }
                Output::Media(Plan::Stock { side, count }) => {
                    let notice = self.stocked(side, count);
                    self.next.push(Input::Media(notice));
                }
                Output::Resolve { target, .. } => {
                    let hops = vec![self.parties[3].flow];
                    self.next.push(Input::Resolved { target, hops });
                }
                Output::Reply { reply: Reply::Parked { calls, .. }, .. } => self.parked = calls,
                Output::Reply { reply: Reply::Counts(counts), .. } => self.counts = Some(counts),
                Output::Media(_)
                | Output::Journal(_)
                | Output::Cluster(_)
                | Output::Told(_)
                | Output::Reply { .. } => {}
                Output::Idle { wake_at, .. } => {
                    self.wake_at = wake_at;
                    return;
                }
            }
        }
        panic!("one input is followed by ever more");
    }

    /// Ports are bound as they are wanted, until there are many.
    fn stocked(&mut self, side: Side, count: u16) -> MediaNotice {
        let count = u32::from(count).min(200_u32.saturating_sub(self.pairs));
        if count == 0 {
            return MediaNotice::Exhausted { side, refused: false };
        }
        let first = self.pairs;
        self.pairs += count;
        let pair = |number: u32| {
            let port = 20_000 + 2 * number as u16;
            Pair { id: PairId(number), side, worker: WorkerId(0), port }
        };
        MediaNotice::Stocked { pairs: (first..self.pairs).map(pair).collect() }
    }
}
