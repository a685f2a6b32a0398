//! A leg: one side of a call; a dialog plus its media. Legs that hear each other name each other.

use base::{Changes, Moment, Side, SlotName};
use dialects::{Key, Keys, ParkedDialog};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use sip_core::{ClientKey, Dialog, ServerKey};
use sip_msg::{Message, Name, NameAddr, SipUri};
use slotmap::SlotMap;

use crate::calls::describe::Sdp;
use crate::calls::media::LegMedia;
use crate::calls::weave::Woven;
use crate::contacts::Aor;
use crate::keys::{BindingKey, LegKey, ParkedKey};

/// What the dialog of a leg is for (RFC 5057).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Usage {
    /// A call.
    Call,
    /// A subscription, by SUBSCRIBE or by REFER.
    Events,
}

/// How far a leg has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Its INVITE or SUBSCRIBE has no final answer yet.
    Early,
    /// Answered.
    Up,
    /// A BYE is under way.
    Ending,
}

/// With whom a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum With {
    /// With nobody any more, or not yet: what comes is answered by ourselves.
    Nobody,
    /// With another leg: they hear each other, and requests pass.
    Leg(LegKey),
    /// A parkee's leg, in its slot.
    Parked(ParkedKey),
    /// A retriever's leg, before its ACK.
    Retrieving(ParkedKey),
    /// The leg of a phone that is rung for a parked call, until it has it.
    Rung(ParkedKey),
    /// Dialled a park number: answered by us, for the leg that is to be parked.
    Parking(LegKey),
    /// The dialog of a REFER apart from its call: tells what becomes of the park of that leg.
    Telling(LegKey),
}

/// A display shows no more of a name, in characters.
const LONGEST_NAME: usize = 64;
/// Nobody dials a longer URI, in bytes.
const LONGEST_URI: usize = 200;

/// Who is at the far end, for displays: never so long that a list of many fits into no datagram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) name: Option<Box<str>>,
    pub(crate) uri: Box<str>,
}

impl Identity {
    /// Somebody who is not to be known (RFC 3323 §4.1.1.3).
    pub(crate) fn anonymous() -> Identity {
        Identity { name: Some("Anonymous".into()), uri: "sip:anonymous@anonymous.invalid".into() }
    }

    /// Reads it from a name-addr value.
    pub(crate) fn read(value: &str) -> Option<Identity> {
        let address = NameAddr::read(value)?;
        let cut = |name: &str| name.chars().take(LONGEST_NAME).collect::<String>();
        let name = address.display().filter(|name| !name.is_empty()).map(|name| cut(&name).into());
        let uri = match address.uri() {
            uri if uri.len() > LONGEST_URI => Identity::anonymous().uri,
            uri => uri.into(),
        };
        Some(Identity { name, uri })
    }

    /// The identity that a message asserts, else its From (of a request) or To (of a response).
    pub(crate) fn of(message: &Message) -> Identity {
        let own = if message.is_request() { Name::From } else { Name::To };
        [Name::PAssertedIdentity, Name::RemotePartyId]
            .into_iter()
            .find_map(|name| Identity::read(message.values(name).next()?))
            .or_else(|| Identity::read(message.get(own)?))
            .unwrap_or_default()
    }

    /// The user part, or the whole URI where there is none.
    pub(crate) fn user(&self) -> String {
        let user = SipUri::read(&self.uri).and_then(|uri| Some(uri.user()?.to_string()));
        user.unwrap_or_else(|| self.uri.trim_start_matches("tel:").to_string())
    }

    /// As a name-addr.
    pub(crate) fn name_addr(&self) -> String {
        match &self.name {
            Some(name) => {
                let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{escaped}\" <{}>", self.uri)
            }
            None => format!("<{}>", self.uri),
        }
    }
}

/// An INVITE transaction in a leg and its CSeq number.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Invite<K> {
    pub(crate) key: K,
    pub(crate) cseq: u32,
    /// It has a 2xx, and waits for its ACK.
    pub(crate) answered: bool,
}

impl<K> Invite<K> {
    pub(crate) fn new(key: K, cseq: u32) -> Invite<K> {
        Invite { key, cseq, answered: false }
    }
}

/// A session timer (RFC 4028) that we keep because nobody else does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) interval_s: u32,
    /// Whether our side of this leg sends the refreshes.
    pub(crate) ours: bool,
}

/// What waits until the offer under way is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Waiting {
    /// Nothing.
    #[default]
    No,
    /// An offer of ours must be made.
    Offer,
}

/// A BYE that waits, and its reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ByeDue {
    pub(crate) why: Option<String>,
}

/// One side of a call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Leg {
    pub(crate) token: Box<str>,
    pub(crate) side: Side,
    pub(crate) usage: Usage,
    pub(crate) stage: Stage,
    /// Since when there is this leg.
    pub(crate) since: Moment,
    /// When it was answered, if it was.
    pub(crate) answered: Option<Moment>,
    /// Its phone, or who is called by it, rings.
    pub(crate) rings: bool,
    pub(crate) dialog: Dialog,
    /// It was opened with a `sips` URI: our Contact in it is one too.
    pub(crate) is_sips: bool,
    pub(crate) with: With,
    /// Whose phone it is; none on the PBX's side.
    pub(crate) binding: Option<BindingKey>,
    pub(crate) aor: Option<Aor>,
    /// Who is at the far end.
    pub(crate) who: Identity,
    pub(crate) media: LegMedia,
    /// The far end's INVITE that is not over: no final answer, or no ACK.
    pub(crate) heard: Option<Invite<ServerKey>>,
    /// Our INVITE that is not over.
    pub(crate) sent: Option<Invite<ClientKey>>,
    #[serde(default)]
    pub(crate) waiting: Waiting,
    /// Since when the far end has us on hold.
    pub(crate) held: Option<Moment>,
    /// Its dialog is another one than that of the leg it is with: ids are translated.
    pub(crate) joined: bool,
    pub(crate) session: Option<Session>,
    pub(crate) takes_update: bool,
    /// The CSeq number of the REFER by which we have asked the far end to go elsewhere.
    pub(crate) asked_to_go: Option<u32>,
    /// Why it is to be ended as soon as the ACK for our 2xx has come (RFC 3261 §15: not before).
    pub(crate) bye_due: Option<ByeDue>,
    /// A REFER whose outcome is still to be told: the value of its Event header.
    pub(crate) progress: Option<Progress>,
    /// The keys pressed in it that may become a code.
    pub(crate) keys: Option<Box<Keys>>,
    /// Keys that were held back and go out by this leg one after another; the first is under way.
    pub(crate) keys_due: Vec<Key>,
    /// The slot that it is to be told by ear as soon as it has acknowledged our answer.
    pub(crate) to_say: Option<SlotName>,
    /// For a phone that watches an extension: what it has been told of parked calls there.
    pub(crate) woven: Option<Box<Woven>>,
    /// REFERs that were passed on by this leg, the last one first.
    pub(crate) refers: Vec<PassedRefer>,
}

/// A REFER that was passed on. A NOTIFY names it by its CSeq number (RFC 3515 §2.4.6).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct PassedRefer {
    /// Its number as it went on.
    pub(crate) ours: u32,
    /// Its number as it came.
    pub(crate) theirs: u32,
    /// The leg by which it came.
    pub(crate) by: LegKey,
}

/// The telling of a REFER's outcome.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The `id` of the Event header: the REFER's CSeq number (RFC 3515 §2.4.6).
    pub(crate) id: u32,
    /// The phone has answered the first NOTIFY: the last may follow.
    pub(crate) first_answered: bool,
    /// What the last NOTIFY is to say, once it is decided.
    pub(crate) outcome: Option<u16>,
    /// The parked call, for a phone that knows it only by what this says.
    pub(crate) parked: Option<Box<ParkedDialog>>,
}

impl Progress {
    /// Nothing has been told yet about the REFER with this number.
    pub(crate) fn of(id: u32) -> Progress {
        Progress { id, first_answered: false, outcome: None, parked: None }
    }
}

impl Leg {
    /// A new leg with nobody.
    pub(crate) fn new(at: Moment, token: String, side: Side, usage: Usage, dialog: Dialog) -> Leg {
        Leg {
            token: token.into(),
            side,
            usage,
            stage: Stage::Early,
            since: at,
            answered: None,
            rings: false,
            dialog,
            is_sips: false,
            with: With::Nobody,
            binding: None,
            aor: None,
            who: Identity::default(),
            media: LegMedia::default(),
            heard: None,
            sent: None,
            waiting: Waiting::No,
            held: None,
            joined: false,
            session: None,
            takes_update: false,
            asked_to_go: None,
            bye_due: None,
            progress: None,
            keys: None,
            keys_due: Vec::new(),
            to_say: None,
            woven: None,
            refers: Vec::new(),
        }
    }

    /// It is answered, now.
    pub(crate) fn is_answered(&mut self, at: Moment) {
        self.stage = Stage::Up;
        self.answered = Some(at);
    }

    /// Who is at the far end, in a word: the extension of a phone, else the user that is shown.
    pub(crate) fn name(&self) -> String {
        self.aor.as_ref().map_or_else(|| self.who.user(), |aor| aor.extension.to_string())
    }

    /// The leg that it is with.
    pub(crate) fn partner(&self) -> Option<LegKey> {
        match self.with {
            With::Leg(other) => Some(other),
            _ => None,
        }
    }

    /// What the far end said last about where and what it receives.
    pub(crate) fn received(&self) -> Option<Sdp<'_>> {
        Sdp::read(self.media.received.as_deref()?)
    }
}

/// All legs, found by the token in our Contact.
#[derive(Debug, Default)]
pub(crate) struct Legs {
    legs: SlotMap<LegKey, Leg>,
    by_token: FxHashMap<Box<str>, LegKey>,
    /// 2xx of ours, by the token of their leg, that were not acknowledged when it ended: they are
    /// repeated until their ACK comes, or the transaction layer gives up.
    unacknowledged: FxHashMap<Box<str>, ServerKey>,
    pub(crate) changes: Changes<LegKey>,
}

impl Legs {
    pub(crate) fn insert(&mut self, leg: Leg) -> LegKey {
        let token = leg.token.clone();
        let key = self.legs.insert(leg);
        self.by_token.insert(token, key);
        self.changes.note(key);
        key
    }

    pub(crate) fn remove(&mut self, key: LegKey) -> Option<Leg> {
        let leg = self.legs.remove(key)?;
        self.by_token.remove(&leg.token);
        self.changes.note(key);
        Some(leg)
    }

    /// Keeps in mind that the ACK for a leg's 2xx may still come.
    pub(crate) fn expect_ack(&mut self, token: Box<str>, server: ServerKey) {
        self.unacknowledged.insert(token, server);
    }

    /// The 2xx that a late ACK is for.
    pub(crate) fn late_ack(&mut self, token: &str) -> Option<ServerKey> {
        self.unacknowledged.remove(token)
    }

    /// Nobody has acknowledged it in time.
    pub(crate) fn no_ack(&mut self, server: ServerKey) {
        self.unacknowledged.retain(|_, expected| *expected != server);
    }

    pub(crate) fn get(&self, key: LegKey) -> Option<&Leg> {
        self.legs.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: LegKey) -> Option<&mut Leg> {
        self.changes.note(key);
        self.legs.get_mut(key)
    }

    pub(crate) fn by_token(&self, token: &str) -> Option<LegKey> {
        self.by_token.get(token).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LegKey, &Leg)> {
        self.legs.iter()
    }

    pub(crate) fn keys(&self) -> Vec<LegKey> {
        self.legs.keys().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.legs.len()
    }
}
