//! What must hold whatever the story: bolted on the wire, checked at every step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use base::Moment;
use sip_msg::{Description, Message, Name};

use crate::dialog::{contact_uri, uri_address};

/// One server transaction of the house, as seen from outside.
type Answered = (String, String, String, SocketAddr);
/// One direction of one dialog (or of one Call-ID, before there is a dialog).
type Direction = (String, String, String, String, SocketAddr);

/// What has been seen so far.
#[derive(Debug, Default)]
pub(crate) struct Invariants {
    finals: HashMap<Answered, (u16, String)>,
    numbers: HashMap<Direction, (u32, HashSet<String>)>,
    /// 2xx to our INVITEs that were delivered to the house: (Call-ID, CSeq number, To-tag).
    to_acknowledge: BTreeMap<(String, u32, String), Moment>,
    acknowledged: HashSet<(String, u32, String)>,
    /// By Call-ID and event, and far tag: the branch of the NOTIFY that ended it.
    terminations: HashMap<(String, String), String>,
    pub(crate) media_ips: Vec<IpAddr>,
    pub(crate) is_anchored: bool,
    /// Whether somebody has thrown in messages of its own.
    pub(crate) is_damaged: bool,
}

impl Invariants {
    /// The house has sent `message` from `local` to `peer`.
    pub(crate) fn sent(
        &mut self,
        local: SocketAddr,
        peer: SocketAddr,
        message: &Message,
    ) -> Result<(), String> {
        if message.is_request() {
            self.request_sent(peer, message)?;
        } else {
            self.response_sent(peer, message)?;
        }
        self.is_our_contact(local, message)?;
        self.is_our_media(local, message)?;
        Ok(())
    }

    fn request_sent(&mut self, peer: SocketAddr, message: &Message) -> Result<(), String> {
        let (number, method) = message.cseq();
        let branch = message.via().branch().unwrap_or_default().to_owned();
        if message.max_forwards().is_none() {
            return Err(format!("{method} without Max-Forwards"));
        }
        let to_tag = message.to_tag().unwrap_or_default().to_owned();
        if matches!(method, "ACK" | "BYE") {
            let key = (message.call_id().to_owned(), number, to_tag.clone());
            self.to_acknowledge.remove(&key);
            self.acknowledged.insert(key.clone());
            if method == "BYE" {
                self.to_acknowledge.retain(|k, _| k.0 != key.0 || k.2 != key.2);
            }
        }
        if matches!(method, "ACK" | "CANCEL") {
            return Ok(());
        }
        self.is_terminated_once(&branch, peer, message)?;
        // Before there is a dialog, forks of one INVITE go to several addresses under one number.
        // Outside of a dialog a damaged number is passed on as it came.
        if self.is_damaged && to_tag.is_empty() {
            return Ok(());
        }
        let uri = if to_tag.is_empty() { message.uri().to_owned() } else { String::new() };
        let from_tag = message.from_tag().unwrap_or_default().to_owned();
        let key = (message.call_id().to_owned(), from_tag, to_tag, uri, peer);
        let (last, branches) = self.numbers.entry(key).or_insert((0, HashSet::new()));
        // A repetition of what was sent before stays what it was.
        if !branches.insert(branch) {
            return Ok(());
        }
        if number <= *last {
            return Err(format!("CSeq {number} after {last} ({method} to {peer})"));
        }
        *last = number;
        Ok(())
    }

    /// A REFER's subscription ends once (RFC 6665 §4.1.3).
    fn is_terminated_once(
        &mut self,
        branch: &str,
        peer: SocketAddr,
        message: &Message,
    ) -> Result<(), String> {
        let over = message
            .get(Name::SubscriptionState)
            .is_some_and(|state| state.trim_start().starts_with("terminated"));
        if message.cseq().1 != "NOTIFY" || !over || message.to_tag().is_none() {
            return Ok(());
        }
        let event = message.get(Name::Event).unwrap_or_default().to_owned();
        let call = format!("{} {event} {peer}", message.call_id());
        let key = (call, message.to_tag().unwrap_or_default().to_owned());
        match self.terminations.get(&key) {
            Some(same) if same != branch => {
                Err(format!("a second NOTIFY that ends {event} of {}", message.call_id()))
            }
            _ => {
                self.terminations.insert(key, branch.to_owned());
                Ok(())
            }
        }
    }

    fn response_sent(&mut self, peer: SocketAddr, message: &Message) -> Result<(), String> {
        // A damaged copy of a request is answered by itself, whatever its original got.
        if self.is_damaged {
            return Ok(());
        }
        let status = message.status();
        let (number, method) = message.cseq();
        let branch = message.via().branch().unwrap_or_default();
        let key =
            (message.call_id().to_owned(), format!("{number} {method}"), branch.to_owned(), peer);
        if let Some((given, tag)) = self.finals.get(&key) {
            if status < 200 {
                return Err(format!("{status} to {method} after a final {given}"));
            }
            let same_tag = message.to_tag().unwrap_or_default() == tag;
            if *given != status || !same_tag {
                return Err(format!("{status} to {method} after {given}, tags equal: {same_tag}"));
            }
        } else if status >= 200 {
            self.finals.insert(key, (status, message.to_tag().unwrap_or_default().to_owned()));
        }
        Ok(())
    }

    /// Whoever begins a dialog through us finds the way back to us.
    fn is_our_contact(&self, local: SocketAddr, message: &Message) -> Result<(), String> {
        let method = message.cseq().1;
        let begins = matches!(method, "INVITE" | "SUBSCRIBE")
            && (message.is_request() || (200..300).contains(&message.status()));
        if !begins {
            return Ok(());
        }
        let Some(contact) = contact_uri(message) else {
            // Whoever names no Contact itself is passed on so.
            return if self.is_damaged { Ok(()) } else { Err(format!("{method} without Contact")) };
        };
        match uri_address(&contact) {
            Some((address, _)) if address == local => Ok(()),
            _ => Err(format!("Contact {contact} in {method} sent from {local}")),
        }
    }

    /// With anchored media every description names the house.
    fn is_our_media(&self, local: SocketAddr, message: &Message) -> Result<(), String> {
        let Some(body) = message.sdp().filter(|_| self.is_anchored) else { return Ok(()) };
        let description =
            Description::read(&body).map_err(|_| "a description that cannot be read".to_owned())?;
        for media in description.media().iter().filter(|m| m.port != 0 && m.is_udp()) {
            let ip = media.connection_ip();
            if ip.is_some_and(|ip| !self.media_ips.contains(&ip) && !ip.is_unspecified()) {
                return Err(format!("media at {ip:?} shown by {local}"));
            }
        }
        Ok(())
    }

    /// `message` has reached the house.
    pub(crate) fn reached(&mut self, now: Moment, message: &Message) {
        let (number, method) = message.cseq();
        let tag = message.to_tag().unwrap_or_default().to_owned();
        if !message.is_request() && method == "INVITE" && (200..300).contains(&message.status()) {
            let key = (message.call_id().to_owned(), number, tag);
            if !self.acknowledged.contains(&key) && !self.is_damaged {
                self.to_acknowledge.entry(key).or_insert(now);
            }
        } else if message.is_request() && method == "BYE" {
            // The far side has ended the dialog: nothing is owed any more.
            let theirs = message.from_tag().unwrap_or_default();
            self.to_acknowledge
                .retain(|key, _| key.0 != message.call_id() || (key.2 != tag && key.2 != theirs));
        }
    }

    /// At the end: every 2xx that the house got was acknowledged, or its dialog ended.
    pub(crate) fn all_acknowledged(&self) -> Result<(), String> {
        match self.to_acknowledge.first_key_value() {
            None => Ok(()),
            Some(((call, number, _), at)) => {
                Err(format!("the 2xx to INVITE {number} of {call}, heard {at}, got no ACK"))
            }
        }
    }
}
