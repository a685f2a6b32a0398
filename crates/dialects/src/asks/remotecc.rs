//! The soft keys of Cisco's enterprise phones (78xx, 88xx): a REFER outside of any dialog whose body
//! says in XML which key was pressed, in which call.
//!
//! As public patches and modules for other servers read it, one of them tested with a CP-8811: only
//! `softkeyevent` and the three ids of `dialogid` count. The spelling of the namespaces differs
//! between loads, so elements are known by their local names. Entities are not expanded, and a
//! document type is refused.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};
use sip_msg::{Message, Method, Name, NameAddr};

use crate::asks::bad::BadAsk;
use crate::asks::part::{is_encoded, media_type, part};

const REQUEST: &str = "application/x-cisco-remotecc-request+xml";
/// Longer bodies are not read (bytes).
const MOST: usize = 16 * 1024;
/// Elements nest no deeper than so.
const DEEPEST: usize = 16;

/// What a REFER of this kind asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteCc {
    /// A soft key was pressed.
    SoftKey {
        /// Which.
        key: SoftKey,
        /// In which call; always there for the two park keys.
        call: Option<CiscoCall>,
    },
    /// News that want nothing but a 202: registration of a token, an alarm, a location, the outcome
    /// of a request of ours.
    News,
}

/// A soft key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SoftKey {
    /// Park, and tell the slot by a text on the display: older phones.
    Park,
    /// Park, and tell the call's fate by NOTIFYs on this REFER's subscription: the 88xx.
    ParkMonitor,
    /// Nothing to be done: 202.
    Cancel,
    /// Any other, by its name; other servers answer 603.
    Other(String),
}

/// A call as the phone names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiscoCall {
    /// The Call-ID.
    pub call_id: String,
    /// The phone's own tag.
    pub local_tag: String,
    /// The far end's tag.
    pub remote_tag: String,
}

impl CiscoCall {
    /// Whether it is the call with this Call-ID and these tags. Tags are compared in both orders,
    /// as other servers do: not every load means itself by "local".
    pub fn is(&self, call_id: &str, phones_tag: &str, our_tag: &str) -> bool {
        let named = (self.local_tag.as_str(), self.remote_tag.as_str());
        self.call_id == call_id
            && (named == (phones_tag, our_tag) || named == (our_tag, phones_tag))
    }
}

impl RemoteCc {
    /// What `request` asks; none if it is no REFER of this kind, or a request other than a soft key.
    /// To be asked before [`Refer`](crate::Refer) is: the Refer-To names only the body.
    ///
    /// # Errors
    /// 413 for more than 16 KiB; 400 for XML that is broken, nests too deep or has a document type,
    /// and for a park key without a call.
    pub fn read(request: &Message) -> Result<Option<RemoteCc>, BadAsk> {
        if !request.is(&Method::Refer) {
            return Ok(None);
        }
        let content_type = request.content_type().unwrap_or_default();
        if is_news(request, content_type) {
            return Ok(Some(RemoteCc::News));
        }
        let body = request.body();
        let Some((_, body)) = part(content_type, &body, |kind| kind == REQUEST) else {
            return Ok(None);
        };
        if is_encoded(request) {
            return Err(BadAsk { status: 415, why: "Encoding Not Supported" });
        }
        if body.len() > MOST {
            return Err(BadAsk { status: 413, why: "Body Too Large" });
        }
        let found = Found::read(&String::from_utf8_lossy(body))?;
        let key = found.key.as_deref().map(str::trim).filter(|key| !key.is_empty());
        let Some(key) = key else { return Ok(None) };
        let key = match key {
            "Park" => SoftKey::Park,
            "ParkMonitor" => SoftKey::ParkMonitor,
            "Cancel" => SoftKey::Cancel,
            other => SoftKey::Other(other.to_owned()),
        };
        let call = found.call();
        if call.is_none() && matches!(key, SoftKey::Park | SoftKey::ParkMonitor) {
            return Err(BadAsk::request("No Dialog Named"));
        }
        Ok(Some(RemoteCc::SoftKey { key, call }))
    }
}

fn is_news(request: &Message, content_type: &str) -> bool {
    let kind = media_type(content_type).0;
    let target = request.get(Name::ReferTo).and_then(NameAddr::read);
    let target = target.map(|target| target.uri().to_ascii_lowercase()).unwrap_or_default();
    matches!(
        kind.as_str(),
        "application/x-cisco-alarm+xml" | "application/x-cisco-remotecc-response+xml"
    ) || target == "urn:x-cisco-remotecc:token-registration"
}

/// The four texts that count.
#[derive(Debug, Default)]
struct Found {
    key: Option<String>,
    call_id: Option<String>,
    local_tag: Option<String>,
    remote_tag: Option<String>,
}

impl Found {
    fn read(text: &str) -> Result<Found, BadAsk> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        let (mut found, mut path) = (Found::default(), Vec::new());
        loop {
            let event = reader.read_event().map_err(|_| BadAsk::request("Bad XML"))?;
            match event {
                Event::Start(element) => {
                    if path.len() == DEEPEST {
                        return Err(BadAsk::request("XML Too Deep"));
                    }
                    path.push(element.local_name().as_ref().to_ascii_lowercase());
                    if let Some(place) = found.place(&path) {
                        if place.is_some() {
                            return Err(BadAsk::request("Element Repeated"));
                        }
                        *place = Some(String::new());
                    }
                }
                Event::End(_) => {
                    path.pop();
                }
                Event::Text(text) => found.add(&path, text.as_ref()),
                Event::CData(text) => found.add(&path, text.as_ref()),
                Event::GeneralRef(name) => match reference(&name) {
                    Some(sign) => found.add(&path, sign.encode_utf8(&mut [0; 4])),
                    None => return Err(BadAsk::request("Unknown Entity")),
                },
                Event::DocType(_) => return Err(BadAsk::request("Document Type Not Allowed")),
                Event::Eof if path.is_empty() => return Ok(found),
                Event::Eof => return Err(BadAsk::request("Bad XML")),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    /// Where the text of the element at `path` belongs.
    fn place(&mut self, path: &[String]) -> Option<&mut Option<String>> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            [.., "softkeyeventmsg", "softkeyevent"] => Some(&mut self.key),
            [.., "softkeyeventmsg", "dialogid", "callid"] => Some(&mut self.call_id),
            [.., "softkeyeventmsg", "dialogid", "localtag"] => Some(&mut self.local_tag),
            [.., "softkeyeventmsg", "dialogid", "remotetag"] => Some(&mut self.remote_tag),
            _ => None,
        }
    }

    fn add(&mut self, path: &[String], text: &str) {
        if let Some(Some(place)) = self.place(path) {
            place.push_str(text);
        }
    }

    fn call(&self) -> Option<CiscoCall> {
        let text = |found: &Option<String>| {
            found.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        Some(CiscoCall {
            call_id: text(&self.call_id)?,
            local_tag: text(&self.local_tag)?,
            remote_tag: text(&self.remote_tag)?,
        })
    }
}

/// A character by its number, or one of the five that every document knows; nothing else is ever
/// put in its place.
fn reference(name: &BytesRef<'_>) -> Option<char> {
    match name.resolve_char_ref() {
        Ok(None) => resolve_predefined_entity(name)?.chars().next(),
        Ok(sign) => sign,
        Err(_) => None,
    }
}
