//! A board of parked calls that knows nothing but the facts that the house tells: what whoever follows
//! them has to do, and the proof that nothing is missing in them.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Moment;
use park_core::{Fact, ParkedState, ParkedView, Told};

/// A parked call, as far as facts have told of it.
#[derive(Debug, Clone)]
struct Card {
    view: ParkedView,
    recall_at: Option<Moment>,
}

/// The board.
#[derive(Debug, Default)]
pub(crate) struct Board {
    cards: BTreeMap<String, Card>,
}

impl Board {
    /// Takes in a fact.
    ///
    /// # Errors
    /// A fact about a call of which the board does not know.
    pub(crate) fn told(&mut self, now: Moment, told: &Told) -> Result<(), String> {
        let fact = &told.fact;
        let Some(of) = fact.parked() else { return Ok(()) };
        if let Fact::Parked { .. } = fact {
            let card = Card::new(now, told);
            return match card.and_then(|card| self.cards.insert(of.park.clone(), card)) {
                Some(_) => Err(format!("{fact}: {} was parked already", of.park)),
                None => Ok(()),
            };
        }
        if let Fact::StillParked { .. } = fact {
            let card = self.cards.remove(&of.park).ok_or_else(|| format!("{fact}: never told"))?;
            self.cards.insert(of.park.clone(), card.again(now, fact)?);
            return Ok(());
        }
        let Some(card) = self.cards.get_mut(&of.park) else {
            return Err(format!("{fact}: {} is not on the board", of.park));
        };
        if fact.is_end_of_park() {
            self.cards.remove(&of.park);
        } else {
            card.take(now, fact);
        }
        Ok(())
    }

    /// What it shows, in the order of the house's own list.
    fn shown(&self, now: Moment) -> Vec<ParkedView> {
        let mut views: Vec<ParkedView> = self.cards.values().map(|card| card.shown(now)).collect();
        views.sort_by(in_order);
        views
    }

    /// Holds it against the house's own list; parks that do not stand yet have not been told.
    ///
    /// # Errors
    /// What differs.
    pub(crate) fn equals(&self, now: Moment, listed: &[ParkedView]) -> Result<(), String> {
        let stands = |view: &&ParkedView| view.state != ParkedState::Parking;
        let mut listed: Vec<ParkedView> = listed.iter().filter(stands).cloned().collect();
        listed.sort_by(in_order);
        let shown = self.shown(now);
        match shown == listed {
            true => Ok(()),
            false => Err(format!(
                "by facts these are parked:\n{shown:#?}\nand by the list:\n{listed:#?}"
            )),
        }
    }
}

fn in_order(a: &ParkedView, b: &ParkedView) -> std::cmp::Ordering {
    let key = |view: &ParkedView| (view.since_us, view.at.park.clone());
    key(a).cmp(&key(b))
}

fn after(now: Moment, within: Option<Duration>) -> Option<Moment> {
    within.map(|within| now + within)
}

impl Card {
    fn new(now: Moment, told: &Told) -> Option<Card> {
        let Fact::Parked { of, parked, recall_in, took, free: _ } = &told.fact else {
            return None;
        };
        let view = ParkedView {
            at: of.clone(),
            parked: parked.clone(),
            since_us: now.as_micros() - took.as_micros() as u64,
            parked_for_s: 0,
            recall_in_s: None,
            attempt: 0,
            state: ParkedState::Parked,
            who: None,
            call_id: told.call.clone().unwrap_or_default(),
        };
        Some(Card { view, recall_at: after(now, *recall_in) })
    }

    /// What is told of it after a restart must be what was known of it before; what is under way is told
    /// after it.
    fn again(mut self, now: Moment, fact: &Fact) -> Result<Card, String> {
        let Fact::StillParked { of, parked, waited, recall_in, attempt } = fact else {
            return Err(format!("{fact} is no such fact"));
        };
        let view = &mut self.view;
        let since_us = now.as_micros() - waited.as_micros() as u64;
        let was = (&view.at, &view.parked, view.since_us, view.attempt);
        if was != (of, parked, since_us, *attempt) {
            return Err(format!("{fact:?}, and before the restart {view:?}"));
        }
        (view.state, view.who) = (ParkedState::Parked, None);
        self.recall_at = after(now, *recall_in);
        Ok(self)
    }

    fn take(&mut self, now: Moment, fact: &Fact) {
        let view = &mut self.view;
        let becomes = |state, who: &str| (state, Some(who.to_owned()));
        match fact {
            Fact::Claimed { by, .. } => {
                (view.state, view.who) = becomes(ParkedState::Claimed, by);
            }
            Fact::Moved { of, group, retrieve, recall_in, .. } => {
                (view.at.slot, view.parked.group) = (of.slot.clone(), group.clone());
                view.parked.retrieve = retrieve.clone();
                self.recall_at = after(now, *recall_in);
            }
            Fact::Delivering { to, .. } => {
                (view.state, view.who) = becomes(ParkedState::Delivering, to);
            }
            Fact::Released { .. } => (view.state, view.who) = (ParkedState::Parked, None),
            Fact::Recalling { to, attempt, .. } => {
                (view.state, view.who) = becomes(ParkedState::Recalling, to);
                view.attempt = *attempt;
                self.recall_at = None;
            }
            Fact::Waiting { recall_in, attempt, .. } => {
                (view.state, view.who) = (ParkedState::Parked, None);
                view.attempt = *attempt;
                self.recall_at = after(now, *recall_in);
            }
            Fact::RecallUnanswered { then, .. } => {
                (view.state, view.who) = match then.as_str() {
                    "stay" => (ParkedState::Parked, None),
                    then => becomes(ParkedState::Recalling, then),
                };
                self.recall_at = None;
            }
            _ => {}
        }
    }

    fn shown(&self, now: Moment) -> ParkedView {
        // One that fell due while somebody was taking the call begins when they fail.
        let left = self.recall_at.filter(|at| *at > now).map(|at| at.since(now).as_secs());
        let waited = now.since(Moment::from_micros(self.view.since_us)).as_secs();
        ParkedView { parked_for_s: waited, recall_in_s: left, ..self.view.clone() }
    }
}
