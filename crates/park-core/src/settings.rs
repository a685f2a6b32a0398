//! Settings as meant: whoever holds them may trust them. The program checks what was written.

use std::net::IpAddr;
use std::time::Duration;

use base::{Domain, Extension, LotName, Private, Side};
use dialects::{InfoMatcher, Profiles};
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::caps::Caps;

/// A network: address and prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Any address of it.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

impl Network {
    /// Whether `address` is in it. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(one)) => {
                let bits = 32 - u32::from(self.prefix.min(32));
                u32::from(net).checked_shr(bits) == u32::from(one).checked_shr(bits)
            }
            (IpAddr::V6(net), IpAddr::V6(one)) => {
                let bits = 128 - u32::from(self.prefix.min(128));
                u128::from(net).checked_shr(bits) == u128::from(one).checked_shr(bits)
            }
            _ => false,
        }
    }
}

/// When media goes through us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// From the first offer on.
    Always,
    /// Only while parked and after: by re-INVITE at park time.
    Parked,
}

/// What is to be with SRTP on one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SrtpUse {
    /// What comes from the other side, as it comes.
    #[default]
    Pass,
    /// It is offered (RTP/AVP with keys) also where the other side is in the clear, and what is answered
    /// holds.
    Offer,
    /// Only RTP/SAVP: who comes without is refused.
    Require,
    /// None: who offers only that is refused.
    Off,
}

/// All that the engine needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What Contact, Via and SDP say towards the phones, if not the local address.
    pub phones_advertise: Option<IpAddr>,
    /// The same towards the PBX.
    pub pbx_advertise: Option<IpAddr>,
    /// Devices on the phones' side that need not register.
    pub phones_trusted: Vec<Network>,
    /// The PBX, in order of preference: SIP URIs.
    pub pbx_targets: Vec<String>,
    /// Who may speak on the PBX side; none: what the targets resolve to.
    pub pbx_trusted: Option<Vec<Network>>,
    /// From and To hosts become this one towards the PBX.
    pub rewrite_domain: Option<Domain>,
    /// The names of ours that may stand in a Route, as our certificates have them.
    pub names: Vec<String>,
    /// Whether TLS is spoken at all, on either side.
    pub speaks_tls: bool,
    /// Whether the PBX is told who has retrieved a call, so that the parkee's phone can show it.
    pub connected_line: bool,
    /// When media goes through us.
    pub anchor: Anchor,
    /// What SDP says towards the phones, if not the address of the signalling.
    pub media_phones_advertise: Option<IpAddr>,
    /// The same towards the PBX.
    pub media_pbx_advertise: Option<IpAddr>,
    /// SRTP towards the phones.
    pub phones_srtp: SrtpUse,
    /// The same towards the PBX.
    pub pbx_srtp: SrtpUse,
    /// After how long without a packet the end of a talking call is told to be silent; none: never.
    pub silence: Option<Duration>,
    /// The codecs in which there is music.
    pub music_codecs: Vec<rtp_flow::Codec>,
    /// The lots, in order.
    pub lots: Vec<LotSettings>,
    /// Notice templates: (User-Agent pattern, content type, minijinja template). First match wins;
    /// the built-in one is the last resort.
    pub templates: Vec<NoticeTemplate>,
    /// After a park, how long the phone may take to end its leg before we do.
    pub bye_grace: Duration,
    /// How long a dialled park stays answered when it has been told the slot by ear (a phone may still
    /// transfer into it).
    pub confirm: Duration,
    /// How long a PBX address may keep silent before the next one is tried.
    pub failover_after: Duration,
    /// What INFO bodies mean that no built-in dialect knows, in order.
    pub info_rules: Vec<InfoMatcher>,
    /// The longest pause between two keys of one code.
    pub key_patience: Duration,
    /// What kinds of phones there are; the built-in ones come after these.
    pub profiles: Profiles,
    /// With which version the notices of a new subscription begin (RFC 4235 §4.1.1): later starts of
    /// the program begin with higher ones, so that no phone sees them go back.
    pub first_version: u32,
    /// How long changes are gathered before they are written down ([`Output::Journal`](crate::Output)): so
    /// much of what must outlive the program may be lost with it. None: nothing is written down.
    pub journal: Option<Duration>,
    /// The nodes that share lots with this one; none: it is alone.
    pub cluster: Option<ClusterSettings>,
    /// How long an address that kept silent is passed over.
    pub failover_rest: Duration,
    /// How much there may be of everything.
    pub caps: Caps,
}

/// What a node knows of itself and the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Its name.
    pub node: String,
    /// By which nodes believe each other.
    pub key: Private<Vec<u8>>,
    /// For how long a node lives that the store has not heard of.
    pub lease: Duration,
}

/// One lot.
#[derive(Debug, Clone)]
pub struct LotSettings {
    /// Its name.
    pub name: LotName,
    /// The domains that it serves; empty: any. Slots are separate per domain all the same.
    pub domains: Vec<Domain>,
    /// Park code: `*68`.
    pub park: String,
    /// Group park code: `*58`.
    pub group_park: String,
    /// Retrieve code: `*88`.
    pub retrieve: String,
    /// What a lamp's key dials before the number that it watches, the PBX's directed pickup: `**`;
    /// none: there is none.
    pub pickup: Option<String>,
    /// What counts as an extension.
    pub extensions: Regex,
    /// The park number that means "any free slot"; none: there is none.
    pub any_slot: Option<String>,
    /// Ranges of slots, both ends in it; numbers keep the width of the first (`001`).
    pub slots: Vec<(u32, u32, usize)>,
    /// Which free slot the park number takes.
    pub find_slot: FindSlot,
    /// Who may retrieve; empty: anybody who may park.
    pub retrievers: Vec<Extension>,
    /// How many calls may wait in one slot.
    pub max_calls_per_slot: usize,
    /// Whether the parker gets notices of a group park too.
    pub notify_parker: bool,
    /// Whether park codes may be pressed as keys during a call (DTMF): by INFO or in RTP, for which
    /// the calls of the lot's phones are always anchored.
    pub dtmf: bool,
    /// Whether keys and lists show who is parked.
    pub names_parkee: bool,
    /// Who is to be paged when a call is parked, as the log tells it; empty: nobody.
    pub page: String,
    /// Whether its places are for all nodes; else each node has them for itself.
    pub shared: bool,
    /// Which tune the parkee hears.
    pub tune: u16,
    /// Who hears a short tone at a retrieve, before the other.
    pub courtesy: Courtesy,
    /// Recall.
    pub recall: RecallSettings,
    /// Park groups.
    pub groups: Vec<GroupSettings>,
    /// Slots and extensions for which some of this is otherwise; of several that name one, the first
    /// that says something has the word.
    pub places: Vec<PlaceSettings>,
}

/// Which of a lot's free slots a call takes that was given none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindSlot {
    /// The first: few numbers are in use, and users know them.
    First,
    /// The one after the last taken: a number that was just called out is not used again at once.
    Next,
    /// Any: a number says nothing about how many wait.
    Random,
}

/// Who hears a tone of courtesy when a call is retrieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Courtesy {
    /// Nobody.
    None,
    /// The parkee.
    Parkee,
    /// The retriever.
    Retriever,
    /// Both.
    Both,
}

/// A park group.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// Its name.
    pub name: String,
    /// Its members, in the order of the hunt.
    pub members: Vec<Extension>,
    /// What is otherwise than in its lot for calls that are parked for it.
    pub own: OwnSettings,
}

/// Slots or extensions with a policy of their own.
#[derive(Debug, Clone)]
pub struct PlaceSettings {
    /// Ranges of numbers, as in [`LotSettings::slots`].
    pub numbers: Vec<(u32, u32, usize)>,
    /// What is otherwise than in their lot.
    pub own: OwnSettings,
}

/// What a group, or some slots, have otherwise than their lot. A slot's word goes before a group's, and
/// a group's before the lot's.
#[derive(Debug, Clone, Default)]
pub struct OwnSettings {
    /// See [`LotSettings::retrievers`].
    pub retrievers: Option<Vec<Extension>>,
    /// See [`LotSettings::max_calls_per_slot`].
    pub max_calls_per_slot: Option<usize>,
    /// See [`LotSettings::notify_parker`].
    pub notify_parker: Option<bool>,
    /// See [`LotSettings::names_parkee`].
    pub names_parkee: Option<bool>,
    /// See [`LotSettings::page`].
    pub page: Option<String>,
    /// See [`LotSettings::shared`].
    pub shared: Option<bool>,
    /// See [`LotSettings::tune`].
    pub tune: Option<u16>,
    /// See [`LotSettings::courtesy`].
    pub courtesy: Option<Courtesy>,
    /// The whole recall.
    pub recall: Option<RecallSettings>,
}

/// Who is recalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecallTo {
    /// The parker.
    Parker,
    /// The parker; when the attempts are over, the group.
    ParkerThenGroup,
    /// The group.
    Group,
}

/// What comes after the last attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecallThen {
    /// The call stays parked.
    Stay,
    /// The parkee is hung up.
    Hangup,
    /// The PBX transfers the parkee there: a SIP URI, or a number.
    Transfer(String),
}

/// How a parked call is brought back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecallSettings {
    /// After how long; zero: never.
    pub after: Duration,
    /// At which interval the parker is reminded while the call waits; zero: never.
    pub reminder: Duration,
    /// To whom.
    pub to: RecallTo,
    /// Whether the parker's phones are rung directly, whatever the PBX knows of do-not-disturb and
    /// forwarding; else the PBX is asked to bring the call to the parker's number.
    pub ignore_dnd: bool,
    /// Whether only the very phone is rung that parked the call, as long as it is registered; else all
    /// phones of the parker's extension.
    pub same_phone: bool,
    /// How long each attempt rings.
    pub ring: Duration,
    /// How long between attempts.
    pub pause: Duration,
    /// How many attempts at each target.
    pub attempts: u32,
    /// The group to ring: extensions, or a number that the PBX knows.
    pub group: Vec<String>,
    /// And then.
    pub then: RecallThen,
    /// What precedes the parkee's name on a recalled phone; `{slot}` in it stands for the slot.
    pub prefix: String,
    /// The `Alert-Info` of a recall; empty: none.
    pub alert_info: String,
}

/// A notice body for phones of one kind.
#[derive(Debug, Clone)]
pub struct NoticeTemplate {
    /// Which phones, by User-Agent.
    pub user_agent: Regex,
    /// The body's content type.
    pub content_type: String,
    /// The minijinja template.
    pub template: String,
}

impl LotSettings {
    /// How many slots it has.
    pub fn slot_count(&self) -> usize {
        self.slots.iter().map(|&(first, last, _)| (last - first + 1) as usize).sum()
    }
}

impl Default for Settings {
    /// What holds where the operator says nothing; `pbx_targets` has no default.
    fn default() -> Settings {
        Settings {
            phones_advertise: None,
            pbx_advertise: None,
            phones_trusted: Vec::new(),
            pbx_targets: Vec::new(),
            pbx_trusted: None,
            rewrite_domain: None,
            names: Vec::new(),
            speaks_tls: false,
            connected_line: false,
            anchor: Anchor::Always,
            media_phones_advertise: None,
            media_pbx_advertise: None,
            phones_srtp: SrtpUse::Pass,
            pbx_srtp: SrtpUse::Pass,
            music_codecs: rtp_flow::Codec::ALL.to_vec(),
            lots: vec![LotSettings::default()],
            templates: Vec::new(),
            silence: Some(Duration::from_secs(30)),
            bye_grace: Duration::from_secs(1),
            confirm: Duration::from_secs(2),
            failover_after: Duration::from_secs(4),
            info_rules: Vec::new(),
            key_patience: Duration::from_secs(3),
            profiles: Profiles::default(),
            first_version: 0,
            journal: None,
            cluster: None,
            failover_rest: Duration::from_secs(30),
            caps: Caps::default(),
        }
    }
}

impl Settings {
    /// What is to be with SRTP on a side.
    pub(crate) fn srtp(&self, side: Side) -> SrtpUse {
        match side {
            Side::Phones => self.phones_srtp,
            Side::Pbx => self.pbx_srtp,
        }
    }
}

impl Default for LotSettings {
    fn default() -> LotSettings {
        LotSettings {
            name: LotName::from("office"),
            domains: Vec::new(),
            park: "*68".into(),
            group_park: "*58".into(),
            retrieve: "*88".into(),
            pickup: Some("**".into()),
            extensions: any_extension(),
            any_slot: Some("700".into()),
            slots: vec![(701, 720, 3)],
            find_slot: FindSlot::First,
            retrievers: Vec::new(),
            max_calls_per_slot: 5,
            notify_parker: false,
            dtmf: false,
            names_parkee: true,
            page: String::new(),
            shared: true,
            tune: 0,
            courtesy: Courtesy::None,
            recall: RecallSettings::default(),
            groups: Vec::new(),
            places: Vec::new(),
        }
    }
}

impl Default for RecallSettings {
    fn default() -> RecallSettings {
        RecallSettings {
            after: Duration::from_secs(300),
            reminder: Duration::ZERO,
            to: RecallTo::Parker,
            ignore_dnd: true,
            same_phone: false,
            ring: Duration::from_secs(30),
            pause: Duration::from_secs(10),
            attempts: 3,
            group: Vec::new(),
            then: RecallThen::Stay,
            prefix: "Recall: ".into(),
            alert_info: "<http://localhost>;info=recall".into(),
        }
    }
}

fn any_extension() -> Regex {
    #[expect(clippy::unwrap_used, reason = "a constant pattern, held by the tests")]
    Regex::new("^[1-9][0-9]{1,5}$").unwrap()
}
