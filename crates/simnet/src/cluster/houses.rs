//! Houses side by side. Each has a world of its own; what is sent to an address that is in none of them arrives
//! in the world of the house that it belongs to, and the store is between them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::{Flow, Moment, Private, Side, Transport};
use park_core::{ClusterNews, ClusterNode, ClusterOrder, ClusterSettings, Input, ParkedView};

use super::store::{Change, LEASE, Store};
use crate::tone::MUSIC;
use crate::world::World;

/// How often houses are looked after.
const STEP: Duration = Duration::from_millis(5);
/// How long the store takes to hear a node, and again to be heard.
const DELAY: Duration = Duration::from_millis(5);
/// How long a node takes to see that the store is away, and to try again.
const NOTICES: Duration = Duration::from_millis(200);
/// By when all that was begun in one moment is over.
const SETTLED: Duration = Duration::from_secs(4);

/// Longer than 64·T1 and the transactions that begin within it.
const AFTERWARDS: Duration = Duration::from_secs(110);

/// One node's way to the store.
#[derive(Debug, Default)]
struct Link {
    is_cut: bool,
    /// The next answers of the store do not come, though it has done what was asked.
    loses: usize,
    epoch: Option<u64>,
    /// When the node connects anew, or renews its lease.
    due: Moment,
    /// When it sees that the store cannot be reached any more.
    notices_at: Option<Moment>,
    seen: usize,
    living: Vec<String>,
    asked: VecDeque<(Moment, ClusterOrder)>,
    answers: VecDeque<(Moment, ClusterNews)>,
}

/// One house.
struct House {
    name: String,
    is_up: bool,
    world: World,
    link: Link,
}

/// Several houses and the store that they share.
pub struct Houses {
    houses: Vec<House>,
    store: Store,
    store_is_up: bool,
    now: Moment,
}

impl Houses {
    /// Houses with these names, open and joined. `with` sets each world up before its house is opened:
    /// settings, phones, callers.
    #[track_caller]
    pub fn new(names: &[&str], with: impl Fn(&mut World)) -> Houses {
        let mut houses = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let mut world = World::new();
            world.move_to(at as u8);
            world.settings(|settings| {
                settings.cluster = Some(ClusterSettings {
                    node: (*name).to_owned(),
                    key: Private::new(b"one for all of them".to_vec()),
                    lease: LEASE,
                });
            });
            with(&mut world);
            let link = Link::default();
            houses.push(House { name: (*name).to_owned(), is_up: true, world, link });
        }
        let store = Store::default();
        let mut all = Houses { houses, store, store_is_up: true, now: Moment::ZERO };
        all.pass(Duration::from_secs(1));
        all
    }

    fn find(&self, name: &str) -> usize {
        let found = self.houses.iter().position(|house| house.name == name);
        found.unwrap_or_else(|| panic!("no house is called {name}"))
    }

    /// The world of a house. What passes time there lets the others catch up when time passes for all.
    pub fn at(&mut self, name: &str) -> &mut World {
        let at = self.find(name);
        &mut self.houses[at].world
    }

    /// Lets time pass for all.
    #[track_caller]
    pub fn pass(&mut self, time: Duration) -> &mut Houses {
        let ahead = self.houses.iter().map(|house| house.world.now()).max();
        let until = self.now.max(ahead.unwrap_or(Moment::ZERO)) + time;
        while self.now < until {
            self.now += STEP;
            for house in self.houses.iter_mut().filter(|house| house.world.now() < self.now) {
                let behind = self.now.since(house.world.now());
                house.world.pass(behind);
            }
            self.between();
            for at in 0..self.houses.len() {
                self.look_after(at);
            }
        }
        self
    }

    /// Lets so much time pass that all that was begun is over.
    #[track_caller]
    pub fn settle(&mut self) -> &mut Houses {
        self.pass(SETTLED)
    }

    /// Carries what houses have sent to each other.
    fn between(&mut self) {
        for at in 0..self.houses.len() {
            for parcel in self.houses[at].world.take_outside() {
                let theirs = |house: &&mut House| house.world.is_house_at(parcel.to);
                if let Some(house) = self.houses.iter_mut().find(theirs) {
                    house.world.take_in(parcel);
                }
            }
        }
    }

    // The store.

    /// The store cannot be reached by anybody any more.
    pub fn store_away(&mut self) -> &mut Houses {
        self.store_is_up = false;
        self
    }

    /// It is back, with what was in it.
    pub fn store_back(&mut self) -> &mut Houses {
        self.store_is_up = true;
        self
    }

    /// It is back, and has forgotten everything.
    pub fn store_back_empty(&mut self) -> &mut Houses {
        self.store.lose_all();
        self.store_back()
    }

    /// A house is cut off from the store.
    pub fn cut(&mut self, name: &str) -> &mut Houses {
        let at = self.find(name);
        self.houses[at].link.is_cut = true;
        self
    }

    /// It is not any more.
    pub fn heal(&mut self, name: &str) -> &mut Houses {
        let at = self.find(name);
        self.houses[at].link.is_cut = false;
        self
    }

    /// The store does what a house asks next, and its answer is lost; the house then connects anew.
    pub fn lose_an_answer(&mut self, name: &str) -> &mut Houses {
        let at = self.find(name);
        self.houses[at].link.loses += 1;
        self
    }

    /// A house is killed.
    pub fn kill(&mut self, name: &str) -> &mut Houses {
        let at = self.find(name);
        let house = &mut self.houses[at];
        house.world.kill();
        (house.is_up, house.link) = (false, Link::default());
        self
    }

    /// It is opened again, there or on another machine: with its name, its address and its journal.
    #[track_caller]
    pub fn open_again(&mut self, name: &str) -> &mut Houses {
        let at = self.find(name);
        self.houses[at].world.open_again();
        self.houses[at].is_up = true;
        self
    }

    fn look_after(&mut self, at: usize) {
        let orders = self.houses[at].world.take_orders();
        if !self.houses[at].is_up {
            return;
        }
        let reaches = self.store_is_up && !self.houses[at].link.is_cut;
        let (now, house) = (self.now, &mut self.houses[at]);
        let (name, link) = (house.name.clone(), &mut house.link);
        link.asked.extend(orders.into_iter().map(|order| (now + DELAY, order)));
        let mut news = Vec::new();
        match (link.epoch, reaches) {
            (None, true) if link.due <= now => {
                let epoch = self.store.join(&name, now);
                *link = Link { epoch: Some(epoch), due: now + LEASE / 3, ..Link::default() };
                link.seen = self.store.position();
                link.living = self.store.nodes();
                let nodes = self.reachable(at, &self.store.nodes());
                news.push(ClusterNews::Joined { nodes, calls: self.store.calls() });
            }
            (Some(epoch), true) if self.store.knows(&name, epoch) != Some(true) => {
                // It joins anew, at once, or never.
                let is_forgotten = self.store.knows(&name, epoch).is_none();
                let due = if is_forgotten { now } else { Moment::from_micros(u64::MAX) };
                *link = Link { is_cut: link.is_cut, due, ..Link::default() };
                news.push(match is_forgotten {
                    true => ClusterNews::Away { why: "it had forgotten this node".into() },
                    false => ClusterNews::Fenced,
                });
            }
            (Some(_), true) => {
                link.notices_at = None;
                while let Some(order) = due(&mut link.asked, now) {
                    let answer = self.store.obey(&name, order, now);
                    if link.loses > 0 && answer.is_some() {
                        link.loses -= 1;
                        (link.epoch, link.due) = (None, now + NOTICES);
                        link.asked.clear();
                        news.push(ClusterNews::Away { why: "an answer was lost".into() });
                        break;
                    }
                    link.answers.extend(answer.map(|answer| (now + DELAY, answer)));
                }
                if link.epoch.is_some() && link.due <= now {
                    link.due = now + LEASE / 3;
                    self.store.renew(&name, now);
                }
                self.told_of_changes(at, &mut news);
            }
            (Some(_), false) => {
                // What is asked meanwhile is lost.
                link.asked.clear();
                if *link.notices_at.get_or_insert(now + NOTICES) <= now {
                    *link = Link { is_cut: link.is_cut, due: now + NOTICES, ..Link::default() };
                    news.push(ClusterNews::Away { why: "connection refused".into() });
                }
            }
            (None, _) => {}
        }
        let house = &mut self.houses[at];
        while let Some(answer) = due(&mut house.link.answers, now) {
            house.world.feed(Input::Cluster(answer));
        }
        for one in news {
            house.world.feed(Input::Cluster(one));
        }
    }

    fn told_of_changes(&mut self, at: usize, news: &mut Vec<ClusterNews>) {
        let (seen, name) = (self.houses[at].link.seen, self.houses[at].name.clone());
        for change in self.store.changes(seen) {
            match change.clone() {
                Change::Put(call) => news.push(ClusterNews::Put(call)),
                Change::Gone(park) => news.push(ClusterNews::Gone { park }),
                Change::Lost { park, node, by } if node == name => {
                    news.push(ClusterNews::Lost { park, by });
                }
                Change::Lost { .. } => {}
            }
        }
        let (position, living) = (self.store.position(), self.store.nodes());
        self.houses[at].link.seen = position;
        if self.houses[at].link.living != living {
            news.push(ClusterNews::Nodes(self.reachable(at, &living)));
            self.houses[at].link.living = living;
        }
    }

    /// These nodes, with the flows by which a house reaches them.
    fn reachable(&self, from: usize, names: &[String]) -> Vec<ClusterNode> {
        let local = self.houses[from].world.house_address(Side::Pbx);
        let node = |name: &String| {
            let house = self.houses.iter().find(|house| house.name == *name);
            let peer = house.map(|house| house.world.house_address(Side::Phones));
            let flow =
                |peer| Flow { side: Side::Pbx, transport: Transport::Udp, local, peer, conn: None };
            ClusterNode { name: name.clone(), reach: peer.map(flow) }
        };
        names.iter().map(node).collect()
    }

    /// The end of a story: all hang up, and nothing may be left in any house, and in the store.
    #[track_caller]
    pub fn tidy(&mut self) {
        self.settle();
        for _ in 0..3 {
            for house in &mut self.houses {
                house.world.all_hang_up_now();
            }
            self.pass(Duration::from_secs(5));
        }
        self.pass(AFTERWARDS);
        for house in &mut self.houses {
            house.world.nothing_left();
        }
        assert_eq!(self.store.taken(), BTreeMap::new(), "places are left in the store");
    }

    // What must be true.

    /// Somebody at one house and somebody at another hear each other.
    #[track_caller]
    pub fn talking(&mut self, one: (&str, &str), other: (&str, &str)) -> &mut Houses {
        self.pass(Duration::from_millis(400));
        for ((house, name), (far_house, far)) in [(one, other), (other, one)] {
            let hertz = self.at(far_house).phone(far).account().frequency;
            let heard = self.at(house).hertz_heard_by(name);
            assert_eq!(heard, Some(hertz), "{name} at {house} does not hear {far} at {far_house}");
        }
        self
    }

    /// Somebody hears music.
    #[track_caller]
    pub fn waits(&mut self, house: &str, name: &str) -> &mut Houses {
        self.pass(Duration::from_millis(400));
        let heard = self.at(house).hertz_heard_by(name);
        assert_eq!(heard, Some(MUSIC), "{name} at {house} hears no music");
        self
    }

    /// What has gone over the wires, house by house: for whoever looks into a story that went wrong.
    pub fn ladders(&mut self) -> String {
        let ladder =
            |house: &House| format!("== {}\n{}", house.name, house.world.ladder().text(false));
        self.houses.iter().map(ladder).collect()
    }

    /// What is parked at all houses, by house.
    pub fn parked(&mut self) -> Vec<(String, ParkedView)> {
        let mut all = Vec::new();
        for house in self.houses.iter_mut().filter(|house| house.is_up) {
            let calls = house.world.parked_calls();
            all.extend(calls.into_iter().map(|call| (house.name.clone(), call)));
        }
        all
    }

    /// The slots in which calls are parked, each with its house, in order.
    pub fn places(&mut self) -> Vec<String> {
        let parked = self.parked();
        let mut places: Vec<String> =
            parked.into_iter().map(|(house, call)| format!("{}@{house}", call.at.slot)).collect();
        places.sort();
        places
    }

    /// No call is in two slots, no slot has more than it may, and the store says what the houses have.
    #[track_caller]
    pub fn agrees(&mut self, most: usize) -> &mut Houses {
        let (mut slots, mut calls) = (BTreeMap::new(), BTreeMap::new());
        for (house, call) in self.parked() {
            let place = format!("{}|{}|{}", call.at.lot, call.at.domain, call.at.slot);
            *slots.entry(place).or_insert(0) += 1;
            let before = calls.insert(call.at.park.clone(), house);
            assert_eq!(before, None, "{} is parked twice", call.at.park);
        }
        assert!(slots.values().all(|calls| *calls <= most), "too many in a slot: {slots:?}");
        assert_eq!(self.store.taken(), slots, "the store says otherwise than the houses");
        self
    }
}

/// The next thing in a queue, if its time has come.
fn due<T>(queue: &mut VecDeque<(Moment, T)>, now: Moment) -> Option<T> {
    queue.front().filter(|(at, _)| *at <= now)?;
    queue.pop_front().map(|(_, thing)| thing)
}
