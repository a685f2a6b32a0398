//! The orbit family: a slot's number that stands beside the user part, or behind a word in it.
//!
//! | written | by | means |
//! |---|---|---|
//! | `sip:callpark@…;orbit=N` | Linksys and Cisco SPA: the REFER of the park key; a public dial plan shows it | park at N |
//! | `sip:pickup@…`, `orbit=N` in To | the same phones' unpark key; ditto. Whether the Request-URI has it too is not known: both are read | retrieve from N |
//! | `sip:park+N@…` | Snom's Park+Orbit key; the same dial plan, and FusionPBX with `park+*5901` | N |
//! | `sip:parking@…`, `fifo=N` in To | the pickup of that key; ditto. The dial plan says that some phones say `orbit` | retrieve from N |
//! | `;orbit=N` at any user | the BLISS draft, as its server and a Snom example write it | N |
//! | `sip:prkN@…` | RingCentral's private park locations; seen in its SDK | N |
//!
//! N alone parks in a REFER, or in an INVITE that has a `Referred-By`; dialled it retrieves.

use sip_msg::{Message, NameAddr, Params, SipUri, unescape};

use crate::asks::bad::BadAsk;

/// What a URI of the orbit family asks; [`Codes::orbit`](crate::Codes::orbit) says what it means in
/// a lot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OrbitAsk {
    /// Park at that number and nowhere else.
    Park(String),
    /// Retrieve from that number.
    Retrieve(String),
    /// That number was dialled: like a slot's own number it retrieves what is there, or is a place
    /// to which the call on hold will be transferred.
    Number(String),
    /// Park where there is room: the asker has named no number.
    ParkAnywhere,
}

impl OrbitAsk {
    /// The number that is named.
    pub fn number(&self) -> Option<&str> {
        match self {
            OrbitAsk::Park(number) | OrbitAsk::Retrieve(number) | OrbitAsk::Number(number) => {
                Some(number)
            }
            OrbitAsk::ParkAnywhere => None,
        }
    }

    /// What `uri` names by itself, such as the Request-URI of a SUBSCRIBE to a slot; always
    /// [`OrbitAsk::Number`].
    pub fn of_uri(uri: &str) -> Option<OrbitAsk> {
        let uri = SipUri::read(uri)?;
        let word = Word::of(&uri.user_decoded());
        number(word, &[uri.params()]).ok().flatten().map(OrbitAsk::Number)
    }
}

/// The URI of a park server with this orbit and no other: the Contact of the `302` by which the BLISS
/// draft has the server choose a slot. None if `server` is no SIP URI.
pub fn orbit_uri(server: &str, orbit: &str) -> Option<String> {
    let uri = SipUri::read(server)?;
    let mut text = uri.without_headers(false).to_owned();
    for (name, value) in uri.params().iter_raw() {
        if !name.eq_ignore_ascii_case(ORBIT) && !name.is_empty() {
            text.push(';');
            text.push_str(name);
            if let Some(value) = value {
                text.push('=');
                text.push_str(value);
            }
        }
    }
    text.push_str(";orbit=");
    text.push_str(&sip_msg::escape_header_value(orbit));
    Some(text)
}

const ORBIT: &str = "orbit";
const FIFO: &str = "fifo";

/// A user part that is a word of the family.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// `callpark`
    CallPark,
    /// `park`, the park server of the BLISS draft and of RFC 5359
    Park,
    /// `pickup` and `parking`
    Pickup,
    /// `park+N` and `prkN`
    With(String),
    Other,
}

impl Word {
    fn of(user: &str) -> Word {
        let user = user.split(';').next().unwrap_or_default();
        match user.to_ascii_lowercase().as_str() {
            "callpark" => Word::CallPark,
            "park" => Word::Park,
            "pickup" | "parking" => Word::Pickup,
            _ => {
                let snom = behind(user, "park+");
                let ring = behind(user, "prk").filter(|id| is_digits(id));
                let number = snom.or(ring).map(plain).filter(|number| !number.is_empty());
                number.map_or(Word::Other, Word::With)
            }
        }
    }
}

/// What follows `word`, which is written in any case.
fn behind<'u>(user: &'u str, word: &str) -> Option<&'u str> {
    let (first, rest) = user.split_at_checked(word.len())?;
    first.eq_ignore_ascii_case(word).then_some(rest)
}

/// What a REFER to `target` asks. Outside a dialog it may be addressed to a park server, which then
/// says where, while the target is the parkee (`attended`: by Replaces); what else it asks is asked
/// of somebody else.
///
/// # Errors
/// 400 if it names two different orbits.
pub(crate) fn in_refer(
    request: &Message,
    target: &NameAddr<'_>,
    attended: bool,
) -> Result<Option<OrbitAsk>, BadAsk> {
    if request.to_tag().is_none() {
        return if attended { of_server(request) } else { Ok(None) };
    }
    let Some(uri) = target.sip_uri() else { return Ok(None) };
    let word = Word::of(&uri.user_decoded());
    let behind = if word == Word::CallPark { target.params() } else { Params::default() };
    let found = number(word.clone(), &[uri.params(), behind])?;
    Ok(match (word, found) {
        (Word::Pickup, found) => found.map(OrbitAsk::Retrieve),
        (Word::CallPark, None) => Some(OrbitAsk::ParkAnywhere),
        (_, found) => found.map(OrbitAsk::Park),
    })
}

/// The park server that a request is addressed to: by an orbit, or by its name alone.
fn of_server(request: &Message) -> Result<Option<OrbitAsk>, BadAsk> {
    let uri = SipUri::read(request.uri());
    let (to, word) = (request.to(), uri.as_ref().map(|uri| Word::of(&uri.user_decoded())));
    let places = [params_of(uri.as_ref()), params_of(to.sip_uri().as_ref()), to.params()];
    let Some(word) = word.filter(|word| *word != Word::Pickup) else { return Ok(None) };
    let is_server = matches!(word, Word::Park | Word::CallPark);
    // What cannot be a number names no orbit.
    let found = number(word, &places)?.filter(|number| is_dialled(number)).map(OrbitAsk::Park);
    Ok(if is_server { found.or(Some(OrbitAsk::ParkAnywhere)) } else { found })
}

/// What an INVITE asks; `referred` if somebody was transferred.
///
/// # Errors
/// 400 if it names two different orbits.
pub(crate) fn in_invite(request: &Message, referred: bool) -> Result<Option<OrbitAsk>, BadAsk> {
    let Some(uri) = SipUri::read(request.uri()) else { return Ok(None) };
    let (user, to) = (uri.user_decoded(), request.to());
    let word = Word::of(&user);
    let to_uri = to.sip_uri();
    // Behind the back of a forwarded call, To may still name what was dialled first.
    let to_is_meant =
        word != Word::Other || to_uri.as_ref().is_some_and(|to| to.user_decoded() == user);
    let (in_to, behind_to) = if to_is_meant {
        (params_of(to_uri.as_ref()), to.params())
    } else {
        (Params::default(), Params::default())
    };
    let found = number(word.clone(), &[uri.params(), in_to, behind_to])?;
    Ok(match (word, found) {
        (Word::Pickup, found) => found.map(OrbitAsk::Retrieve),
        (Word::CallPark, None) => Some(OrbitAsk::ParkAnywhere),
        (Word::CallPark, Some(number)) => Some(OrbitAsk::Park(number)),
        (_, Some(number)) if referred => Some(OrbitAsk::Park(number)),
        (_, found) => found.map(OrbitAsk::Number),
    })
}

fn params_of<'a>(uri: Option<&SipUri<'a>>) -> Params<'a> {
    uri.map(SipUri::params).unwrap_or_default()
}

/// The one number that a word and the parameters at these places name; two different ones are
/// nobody's, so that no call lands in a slot that was not meant.
fn number(word: Word, places: &[Params<'_>]) -> Result<Option<String>, BadAsk> {
    let fifo = word == Word::Pickup;
    let in_params = places
        .iter()
        .flat_map(Params::iter)
        .filter(|(name, _)| {
            name.eq_ignore_ascii_case(ORBIT) || (fifo && name.eq_ignore_ascii_case(FIFO))
        })
        .map(|(_, value)| plain(&unescape(value.unwrap_or_default())))
        .filter(|number| !number.is_empty());
    let in_user = if let Word::With(number) = word { Some(number) } else { None };
    let mut all = in_user.into_iter().chain(in_params);
    let Some(first) = all.next() else { return Ok(None) };
    if all.any(|other| other != first) {
        return Err(BadAsk::request("Two Orbits"));
    }
    Ok(Some(first))
}

/// A number without the `#` that may end its entry.
fn plain(number: &str) -> String {
    let number = number.trim();
    number.strip_suffix('#').unwrap_or(number).to_owned()
}

fn is_dialled(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
