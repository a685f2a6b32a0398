//! The house is killed in the middle of things, and opened again with what it had written down.

use base::Chance;
use park_core::{Engine, JournalStep, RecordKey};

use super::state::World;

impl World {
    /// Keeps what the house writes down.
    pub(crate) fn write_down(&mut self, steps: Vec<JournalStep>) {
        for step in steps {
            match step {
                JournalStep::Clear => self.journal.clear(),
                JournalStep::Put { key, record } => {
                    self.journal.insert(key, record);
                }
                JournalStep::Remove { key } => {
                    self.journal.remove(&key);
                }
            }
        }
    }

    /// The house is killed after this step, counted from the opening, and opened again at once.
    pub fn restart_after(&mut self, step: u64) -> &mut World {
        self.restart_after = Some(step);
        self
    }

    /// From now on the steps are noted after which the house may be killed: those in which it did something.
    /// After any other it is as it was.
    pub fn note_steps(&mut self) -> &mut World {
        self.cuttable = Some(Vec::new());
        self
    }

    /// This story is about what a restart changes by its nature: it is not restarted.
    pub fn is_not_restarted(&mut self) -> &mut World {
        self.no_restart = true;
        self
    }

    /// Nothing that is done in this is cut by a restart: whoever listens must not be deafened.
    pub(crate) fn undisturbed(&mut self, listen: impl FnOnce(&mut World)) {
        let was = std::mem::replace(&mut self.no_restart, true);
        listen(self);
        self.no_restart = was;
    }

    /// Those steps.
    pub fn noted_steps(&self) -> &[u64] {
        self.cuttable.as_deref().unwrap_or_default()
    }

    /// A step has been made.
    #[track_caller]
    pub(crate) fn stepped(&mut self) {
        if self.restart_after == Some(self.steps) {
            self.restart_after = None;
            self.restart();
        }
        let has_acted = std::mem::take(&mut self.has_acted);
        if has_acted && self.may_be_killed() {
            let step = self.steps;
            self.cuttable.as_mut().into_iter().for_each(|steps| steps.push(step));
        }
    }

    /// The house is killed: what comes for it is lost.
    pub fn kill(&mut self) -> &mut World {
        self.engine = None;
        self.wake_at = None;
        self.inputs.clear();
        if let Some(media) = &mut self.media {
            media.killed();
        }
        // Who hears anything after this hears it from a new source.
        for seat in &mut self.seats {
            seat.phone.expects_new_sources();
        }
        // Connections end with the program.
        self.conns.clear();
        self.wire.cut_connections();
        self
    }

    /// When the house is opened the next time, others have taken all ports that it had.
    pub fn ports_are_taken(&mut self) -> &mut World {
        if let Some(media) = &mut self.media {
            media.taken = true;
        }
        self
    }

    /// The house is opened again, with what it had written down.
    #[track_caller]
    pub fn open_again(&mut self) -> &mut World {
        self.remark("the house is opened again");
        let chance = Chance::from_seed(self.chance.u64());
        let records = self.journal.iter().map(|(key, record)| (*key, record.clone())).collect();
        self.engine = Some(Engine::restore(self.settings.clone(), chance, self.now, records));
        self.inputs.clear();
        self.drain();
        while let Some(input) = self.inputs.pop_front() {
            self.feed(input);
        }
        self
    }

    /// What the house has written down, as text: kind, number and record of each line.
    pub fn journal(&self) -> String {
        let line = |(key, record): (&RecordKey, &Vec<u8>)| {
            let record: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{} {} {record}\n", key.kind.number(), key.number)
        };
        self.journal.iter().map(line).collect()
    }

    /// The first record of what the house had written down is damaged.
    pub fn damage_a_record(&mut self) -> &mut World {
        if let Some(record) = self.journal.first_entry() {
            record.into_mut().truncate(1);
        }
        self
    }

    /// Killed, and opened again at once.
    #[track_caller]
    pub fn restart(&mut self) -> &mut World {
        self.kill().open_again()
    }

    /// Whether the house may be killed now, and nobody be the worse for it. What is in a connection at that
    /// moment is lost with it, and whoever sent it knows.
    fn may_be_killed(&self) -> bool {
        !self.no_restart && self.engine.is_some() && !self.wire.carries_streams()
    }
}
