//! The state of one dialog as we hold it, and the requests that go out in it.

use base::Flow;
use serde::{Deserialize, Serialize, Serializer};
use sip_msg::{Compose, Edit, Message, Name};

use crate::dialog::party::Party;

/// What the far end has told about itself in one early dialog of a forked INVITE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Its tag.
    pub tag: Box<str>,
    /// Its Contact URI.
    pub target: Box<str>,
    /// The route set towards it, in the order of our requests.
    pub routes: Box<[Box<str>]>,
}

/// Why a request does not belong into a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOurs {
    /// Call-ID or tags differ: 481.
    NoSuchDialog,
    /// The CSeq has been seen or passed: 500 (RFC 3261 §12.2.2).
    OutOfOrder,
}

/// One dialog as we hold it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dialog {
    call_id: Box<str>,
    /// For whom we speak here.
    pub local: Party,
    /// The far end.
    pub remote: Party,
    /// Kept as a number that will not be reached for a while: not each request need be written down.
    #[serde(serialize_with = "ahead")]
    local_cseq: u32,
    remote_cseq: Option<u32>,
    target: Box<str>,
    routes: Box<[Box<str>]>,
    #[serde(default)]
    forks: Vec<Fork>,
    opened: bool,
    /// The way to the far end.
    pub flow: Flow,
}

impl Dialog {
    /// The dialog that the far end opens with `request`; our tag comes later, with the first response.
    pub fn heard(request: &Message, flow: Flow) -> Dialog {
        let routes = request.values(Name::RecordRoute).map(Into::into).collect();
        Dialog {
            call_id: request.call_id().into(),
            local: Party::read(request.get(Name::To).unwrap_or_default()),
            remote: Party::read(request.get(Name::From).unwrap_or_default()),
            local_cseq: 0,
            remote_cseq: Some(request.cseq().0),
            target: contact_of(request).unwrap_or_default().into(),
            routes,
            forks: Vec::new(),
            opened: false,
            flow,
        }
    }

    /// The dialog that we open; `cseq` is the number of its first request.
    pub fn opened(call_id: &str, local: Party, remote: Party, cseq: u32, flow: Flow) -> Dialog {
        Dialog {
            call_id: call_id.into(),
            local,
            remote,
            local_cseq: cseq,
            remote_cseq: None,
            target: Box::default(),
            routes: Box::default(),
            forks: Vec::new(),
            opened: true,
            flow,
        }
    }

    /// Whether we sent the request that opened it: for the wait after a glare (RFC 3261 §14.1).
    pub fn is_opened_by_us(&self) -> bool {
        self.opened
    }

    /// The Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The Call-ID of a dialog that has ended.
    pub fn into_call_id(self) -> Box<str> {
        self.call_id
    }

    /// Where our requests go when nothing has been heard from the far end: the first Request-URI.
    pub fn set_target(&mut self, uri: &str) {
        self.target = uri.into();
    }

    /// The far end's Contact.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The route set in the order of our requests.
    pub fn routes(&self) -> &[Box<str>] {
        &self.routes
    }

    /// Learns from a response to our opening request: each tag is an early dialog of its own.
    /// Returns whether the tag is new.
    pub fn learn(&mut self, response: &Message) -> bool {
        let Some(tag) = response.to_tag() else { return false };
        let routes: Vec<Box<str>> = response.values(Name::RecordRoute).map(Into::into).collect();
        let contact = contact_of(response);
        if let Some(fork) = self.forks.iter_mut().find(|fork| &*fork.tag == tag) {
            if let Some(contact) = contact {
                fork.target = contact.into();
            }
            if !routes.is_empty() {
                fork.routes = routes.into_iter().rev().collect();
            }
            return false;
        }
        let target = contact.map_or_else(|| self.target.clone(), Into::into);
        let routes = routes.into_iter().rev().collect();
        self.forks.push(Fork { tag: tag.into(), target, routes });
        true
    }

    /// Makes the early dialog with this tag the dialog; the others are forgotten.
    pub fn settle_on(&mut self, tag: &str) {
        self.remote.set_tag(tag);
        if let Some(fork) = self.forks.iter().find(|fork| &*fork.tag == tag) {
            self.target = fork.target.clone();
            self.routes = fork.routes.clone();
        }
        self.forks = Vec::new();
    }

    /// The early dialogs heard of so far.
    pub fn forks(&self) -> &[Fork] {
        &self.forks
    }

    /// Whether the far end's `request` belongs here, and is newer than what was heard before.
    ///
    /// # Errors
    /// [`NotOurs`], which says how to answer.
    pub fn admit(&mut self, request: &Message) -> Result<(), NotOurs> {
        if request.call_id() != &*self.call_id {
            return Err(NotOurs::NoSuchDialog);
        }
        if let (Some(known), Some(heard)) = (self.local.tag(), request.to_tag())
            && known != heard
        {
            return Err(NotOurs::NoSuchDialog);
        }
        let from = request.from_tag().unwrap_or_default();
        let known = match self.remote.tag() {
            Some(tag) => tag == from,
            None => self.forks.is_empty() || self.forks.iter().any(|fork| &*fork.tag == from),
        };
        if !known {
            return Err(NotOurs::NoSuchDialog);
        }
        let (number, _) = request.cseq();
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return Err(NotOurs::OutOfOrder);
        }
        self.remote_cseq = Some(number);
        Ok(())
    }

    /// Takes over the far end's new Contact from a target refresh (RFC 3261 §12.2.1.2, §12.2.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Some(contact) = contact_of(message) {
            self.target = contact.into();
        }
    }

    /// The number of our next request.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq += 1;
        self.local_cseq
    }

    /// The number of our last request.
    pub fn last_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// A request of our own in this dialog, complete but for Via and Contact.
    pub fn request(&mut self, method: &str) -> Compose {
        let cseq = self.next_cseq();
        self.numbered(method, cseq)
    }

    /// The same with a given number: for ACK, which has its INVITE's.
    pub fn numbered(&self, method: &str, cseq: u32) -> Compose {
        let mut draft = Compose::request(method, &self.target)
            .line(Name::From, self.local.text())
            .line(Name::To, self.remote.text())
            .line(Name::CallId, self.call_id.as_ref())
            .line(Name::CSeq, format!("{cseq} {method}"))
            .line(Name::MaxForwards, "70");
        for route in &self.routes {
            draft = draft.line(Name::Route, route);
        }
        draft
    }

    /// Makes a foreign request one of this dialog: Request-URI, Route, From, To, Call-ID and CSeq.
    /// While the dialog is early the tags are those of the fork that the request is about:
    /// `tags` are its From tag and its To tag.
    #[must_use]
    pub fn address<'m>(
        &self,
        edit: Edit<'m>,
        cseq: u32,
        method: &str,
        tags: (Option<&str>, Option<&str>),
    ) -> Edit<'m> {
        let fork = tags.1.and_then(|tag| self.forks.iter().find(|fork| &*fork.tag == tag));
        let (target, routes) = match fork {
            Some(fork) => (&fork.target, &fork.routes),
            None => (&self.target, &self.routes),
        };
        edit.request_line(target)
            .set_all(Name::Route, routes.iter().map(ToString::to_string).collect())
            .set(Name::From, self.local.text_with_tag(self.local.tag().or(tags.0)))
            .set(Name::To, self.remote.text_with_tag(self.remote.tag().or(tags.1)))
            .set(Name::CallId, self.call_id.as_ref())
            .set(Name::CSeq, format!("{cseq} {method}"))
    }
}

/// How many numbers at a time are kept as used up. A gap is no error (RFC 3261 §12.2.2).
const RESERVED: u32 = 64;

/// Writes a number as one that is higher than the next ones: the same for 64 of them.
///
/// # Errors
/// As the format has them.
pub fn ahead<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32((number / RESERVED + 1).saturating_mul(RESERVED))
}

fn contact_of(message: &Message) -> Option<&str> {
    message.contacts().next().map(|contact| contact.uri())
}
