//! A dialog as the world's parties keep it (RFC 3261 §12): their own reading of the RFC, so that a
//! mistake in the house's is not repeated here.

use std::net::SocketAddr;

use base::{Flow, Transport};
use sip_msg::{Compose, Message, Name, NameAddr, SipUri};

/// One party's view of a dialog.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// The Call-ID.
    pub call_id: String,
    /// Our From or To value, with our tag.
    pub local: String,
    /// Our tag.
    pub local_tag: String,
    /// The far party's From or To value, with its tag once known.
    pub remote: String,
    /// The far party's tag; none before the first response that has one.
    pub remote_tag: Option<String>,
    /// The CSeq number of our latest request.
    pub local_cseq: u32,
    /// The CSeq number of their latest request.
    pub remote_cseq: Option<u32>,
    /// Where requests go: the far party's Contact.
    pub target: String,
    /// The route set, nearest first.
    pub routes: Vec<String>,
    /// What we say in Contact.
    pub contact: String,
    /// The way on which the dialog began.
    pub flow: Flow,
}

impl Dialog {
    /// The dialog of a request that we send: `target` is its Request-URI.
    pub fn asked(
        flow: Flow,
        call_id: String,
        local: &str,
        local_tag: String,
        remote: &str,
        target: &str,
        contact: &str,
    ) -> Dialog {
        Dialog {
            call_id,
            local: format!("{local};tag={local_tag}"),
            local_tag,
            remote: remote.to_owned(),
            remote_tag: None,
            local_cseq: 0,
            remote_cseq: None,
            target: target.to_owned(),
            routes: Vec::new(),
            contact: contact.to_owned(),
            flow,
        }
    }

    /// The dialog of a request that we got and answer with `local_tag`.
    pub fn got(request: &Message, flow: Flow, local_tag: String, contact: &str) -> Dialog {
        let to = request.get(Name::To).unwrap_or_default();
        Dialog {
            call_id: request.call_id().to_owned(),
            local: format!("{to};tag={local_tag}"),
            local_tag,
            remote: request.get(Name::From).unwrap_or_default().to_owned(),
            remote_tag: request.from_tag().map(str::to_owned),
            local_cseq: 0,
            remote_cseq: Some(request.cseq().0),
            target: contact_uri(request).unwrap_or_default(),
            routes: request.values(Name::RecordRoute).map(str::to_owned).collect(),
            contact: contact.to_owned(),
            flow,
        }
    }

    /// Learns tag, target and route set from a response to our first request.
    pub fn learn(&mut self, response: &Message) {
        if let Some(tag) = response.to_tag() {
            self.remote_tag = Some(tag.to_owned());
            self.remote = response.get(Name::To).unwrap_or_default().to_owned();
            self.routes = response.values(Name::RecordRoute).map(str::to_owned).collect();
            self.routes.reverse();
        }
        self.refresh(response);
    }

    /// Takes the far party's Contact as the new target (RFC 3261 §12.2).
    pub fn refresh(&mut self, message: &Message) {
        if let Some(uri) = contact_uri(message) {
            self.target = uri;
        }
    }

    /// Whether an in-dialog request from the far party belongs here.
    pub fn owns(&self, request: &Message) -> bool {
        self.call_id == request.call_id()
            && request.to_tag() == Some(self.local_tag.as_str())
            && request.from_tag() == self.remote_tag.as_deref()
    }

    /// Whether its CSeq has risen; remembers it if so (RFC 3261 §12.2.2).
    pub fn rises(&mut self, request: &Message) -> bool {
        let number = request.cseq().0;
        let rising = self.remote_cseq.is_none_or(|last| number > last);
        if rising {
            self.remote_cseq = Some(number);
        }
        rising
    }

    /// A request in this dialog; its CSeq number is the next one.
    pub fn request(&mut self, method: &str) -> Compose {
        self.local_cseq += 1;
        self.request_numbered(method, self.local_cseq)
    }

    /// A request in this dialog with the given CSeq number: an ACK.
    pub fn request_numbered(&self, method: &str, number: u32) -> Compose {
        let mut request = Compose::request(method, &self.target)
            .line(Name::MaxForwards, "70")
            .line(Name::From, &self.local)
            .line(Name::To, &self.remote)
            .line(Name::CallId, &self.call_id)
            .line(Name::CSeq, format!("{number} {method}"));
        for route in &self.routes {
            request = request.line(Name::Route, route);
        }
        request.line(Name::Contact, format!("<{}>", self.contact))
    }

    /// By which flow its requests go: to the first route, else to the target, if that says an
    /// address; else by the flow on which it began.
    pub fn way(&self) -> Flow {
        let hop = self
            .routes
            .first()
            .and_then(|route| NameAddr::read(route).map(|r| r.uri().to_owned()))
            .unwrap_or_else(|| self.target.clone());
        match uri_address(&hop) {
            Some((peer, transport)) => {
                let conn = self.flow.conn.filter(|_| peer == self.flow.peer);
                Flow { peer, transport, conn, ..self.flow }
            }
            None => self.flow,
        }
    }

    /// What a `Replaces` says that names this dialog to the party at its far end (RFC 3891 §3).
    pub fn replaces_value(&self) -> String {
        format!(
            "{};to-tag={};from-tag={}",
            self.call_id,
            self.remote_tag.as_deref().unwrap_or("0"),
            self.local_tag
        )
    }

    /// What a `Replaces` says that names the dialog of the far side behind the house, which carries
    /// the same ids: its own tag is the remote one here.
    pub fn replaces_of_far(&self) -> String {
        format!(
            "{};to-tag={};from-tag={}",
            self.call_id,
            self.local_tag,
            self.remote_tag.as_deref().unwrap_or("0"),
        )
    }
}

/// The first Contact's URI.
pub(crate) fn contact_uri(message: &Message) -> Option<String> {
    message.contacts().next().map(|contact| contact.uri().to_owned())
}

/// Address and transport that a URI with a literal address says.
pub(crate) fn uri_address(uri: &str) -> Option<(SocketAddr, Transport)> {
    let uri = SipUri::read(uri)?;
    let asked = Transport::of_uri(uri.is_sips(), uri.param("transport"));
    let transport = asked.unwrap_or(Transport::Udp);
    let port = uri.port().unwrap_or(transport.default_port());
    Some((SocketAddr::new(uri.host_ip()?, port), transport))
}

/// The user part of a URI, decoded.
pub(crate) fn uri_user(uri: &str) -> String {
    SipUri::read(uri).map(|uri| uri.user_decoded().into_owned()).unwrap_or_default()
}
