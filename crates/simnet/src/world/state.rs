//! What the world consists of.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::{Chance, ConnId, Moment};
use park_core::{ClusterOrder, Engine, Input, RecordKey, Reply, Settings, Told};

use crate::board::Board;
use crate::invariants::Invariants;
use crate::ladder::Ladder;
use crate::media::Media;
use crate::pbx::{Pbx, PbxSettings};
use crate::phone::Phone;
use crate::wire::{Fault, Parcel, Wire};

/// The domain of the PBX and its phones.
pub(crate) const DOMAIN: &str = "pbx.example";
/// How long a datagram takes.
pub(crate) const DELAY_MS: u64 = 10;

/// Where things are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Map {
    pub phones_side: SocketAddr,
    pub pbx_side: SocketAddr,
    pub pbx: SocketAddr,
    pub phones_net: IpAddr,
    pub callers_net: IpAddr,
}

impl Map {
    pub(crate) fn v4() -> Map {
        Map {
            phones_side: ([10, 0, 0, 1], 5060).into(),
            pbx_side: ([192, 0, 2, 10], 5080).into(),
            pbx: ([192, 0, 2, 50], 5060).into(),
            phones_net: [10, 0, 0, 100].into(),
            callers_net: [198, 51, 100, 0].into(),
        }
    }

    pub(crate) fn v6() -> Map {
        Map {
            phones_side: ([0xfd00, 0, 0, 1, 0, 0, 0, 1], 5060).into(),
            pbx_side: ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10], 5080).into(),
            pbx: ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x50], 5060).into(),
            phones_net: [0xfd00, 0, 0, 1, 0, 0, 0, 0x100].into(),
            callers_net: [0x2001, 0xdb8, 1, 0, 0, 0, 0, 0].into(),
        }
    }

    /// The `n`-th address after `net`.
    pub(crate) fn host(net: IpAddr, n: u8) -> IpAddr {
        match net {
            IpAddr::V4(net) => IpAddr::V4((u32::from(net) + u32::from(n)).into()),
            IpAddr::V6(net) => IpAddr::V6((u128::from(net) + u128::from(n)).into()),
        }
    }
}

/// A phone and what the world knows of it.
#[derive(Debug)]
pub(crate) struct Seat {
    pub name: String,
    pub phone: Phone,
    /// Whether it stands on the phones' side; a caller stands behind the PBX.
    pub is_phone: bool,
    pub registers: bool,
    pub takes_tcp: bool,
}

/// The world.
pub struct World {
    pub(crate) now: Moment,
    pub(crate) settings: Settings,
    pub(crate) pbx_settings: PbxSettings,
    pub(crate) map: Map,
    pub(crate) real_media: bool,
    pub(crate) fast_paths: bool,
    pub(crate) port_pairs: u16,
    pub(crate) port_pace: Option<(Duration, u16)>,
    /// The number of the first party's tone.
    pub(crate) first_tone: usize,
    pub(crate) engine: Option<Engine>,
    pub(crate) wake_at: Option<Moment>,
    pub(crate) inputs: VecDeque<Input>,
    pub(crate) seats: Vec<Seat>,
    pub(crate) pbx: Option<Pbx>,
    pub(crate) wire: Wire,
    pub(crate) media: Option<Media>,
    pub(crate) chance: Chance,
    pub(crate) conns: BTreeMap<(SocketAddr, SocketAddr), ConnId>,
    pub(crate) next_conn: u64,
    /// What a name resolves to; a target with a literal address needs none.
    pub(crate) names: HashMap<String, Vec<SocketAddr>>,
    pub(crate) dead: Vec<SocketAddr>,
    pub(crate) replies: HashMap<u64, Reply>,
    pub(crate) next_ticket: u64,
    pub(crate) told: Vec<(Moment, Told)>,
    pub(crate) ladder: Ladder,
    pub(crate) invariants: Invariants,
    pub(crate) board: Board,
    /// What the house has written down, as it stands.
    pub(crate) journal: BTreeMap<RecordKey, Vec<u8>>,
    /// What the house has ordered of the store that houses share.
    pub(crate) orders: Vec<ClusterOrder>,
    /// What was sent to nobody here.
    pub(crate) outside: Vec<Parcel>,
    /// After which step the house is killed and opened again, if it is.
    pub(crate) restart_after: Option<u64>,
    /// The house has done something in this step.
    pub(crate) has_acted: bool,
    /// After which steps the house may be killed, if that is noted.
    pub(crate) cuttable: Option<Vec<u64>>,
    pub(crate) no_restart: bool,
    pub(crate) steps_now: u32,
    pub(crate) steps: u64,
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

impl World {
    /// An empty world: the house is opened when the first phone or caller comes.
    pub fn new() -> World {
        let map = Map::v4();
        let settings = Settings {
            pbx_targets: vec![format!("sip:{}", map.pbx)],
            journal: Some(Duration::ZERO),
            ..Settings::default()
        };
        World {
            now: Moment::ZERO,
            settings,
            pbx_settings: PbxSettings::at(map.pbx, DOMAIN),
            map,
            real_media: false,
            fast_paths: false,
            port_pairs: 512,
            port_pace: None,
            first_tone: 0,
            engine: None,
            wake_at: None,
            inputs: VecDeque::new(),
            seats: Vec::new(),
            pbx: None,
            wire: Wire::new(std::time::Duration::from_millis(DELAY_MS)),
            media: None,
            chance: Chance::from_seed(20_260_905),
            conns: BTreeMap::new(),
            next_conn: 1,
            names: HashMap::new(),
            dead: Vec::new(),
            replies: HashMap::new(),
            next_ticket: 1,
            told: Vec::new(),
            ladder: Ladder::default(),
            invariants: Invariants::default(),
            board: Board::default(),
            journal: BTreeMap::new(),
            orders: Vec::new(),
            outside: Vec::new(),
            restart_after: None,
            has_acted: false,
            cuttable: None,
            no_restart: false,
            steps_now: 0,
            steps: 0,
        }
    }

    /// What time it is.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// How many steps the world has made.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What went over the wire so far.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// What the house told so far.
    pub fn told(&self) -> &[(Moment, Told)] {
        &self.told
    }

    /// Makes the `k`-th datagram to or from the house, after the set-up, suffer.
    pub fn spoil(&mut self, k: u64, fault: Fault) -> &mut World {
        self.wire.spoil(k, fault);
        self
    }

    /// From now on every `n`-th datagram to or from the house suffers; 0: none.
    pub fn spoil_every(&mut self, n: u64, fault: Fault) -> &mut World {
        self.wire.spoil_every(n, fault);
        self
    }

    /// How many datagrams to or from the house there were since the set-up.
    pub fn datagrams(&self) -> u64 {
        self.wire.counted()
    }

    /// The story has gone wrong.
    #[track_caller]
    pub(crate) fn fail(&self, what: &str) -> ! {
        let whole = std::env::var("LADDER").unwrap_or_default();
        let ladder = match whole.as_str() {
            "" | "0" => "(LADDER=1 shows the ladder, LADDER=2 every message)".to_owned(),
            "2" => format!("\n{}", self.ladder.text(true)),
            _ => format!("\n{}", self.ladder.text(false)),
        };
        panic!("{} {what} {ladder}", self.now);
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.seats.iter().position(|seat| seat.name == name)
    }

    #[track_caller]
    pub(crate) fn seat(&self, name: &str) -> &Seat {
        match self.find(name) {
            Some(at) => &self.seats[at],
            None => self.fail(&format!("nobody is called {name}")),
        }
    }

    /// The phone of that name; a caller's too.
    #[track_caller]
    pub fn phone(&self, name: &str) -> &Phone {
        &self.seat(name).phone
    }

    /// The PBX.
    #[track_caller]
    pub fn pbx(&self) -> &Pbx {
        match &self.pbx {
            Some(pbx) => pbx,
            None => self.fail("the house is not open yet"),
        }
    }

    /// The user part of somebody's address: a phone's extension, a caller's number.
    #[track_caller]
    pub fn number(&self, name: &str) -> String {
        self.phone(name).account().user.clone()
    }

    /// A number as dialled: a name stands for its number, anything else for itself.
    pub(crate) fn dialled(&self, number: &str) -> String {
        match self.find(number) {
            Some(at) => self.seats[at].phone.account().user.clone(),
            None => number.to_owned(),
        }
    }

    pub(crate) fn name_of(&self, address: SocketAddr) -> String {
        if address == self.map.phones_side || address == self.map.pbx_side {
            return "house".to_owned();
        }
        if address == self.map.pbx {
            return "pbx".to_owned();
        }
        let seat = self.seats.iter().find(|seat| seat.phone.account().address == address);
        seat.map_or_else(|| address.to_string(), |seat| seat.name.clone())
    }
}
