//! REGISTER passes to the PBX with our Contact in place of the phone's, so that the PBX needs no Path;
//! who is bound, and until when, is learnt from its answer.

use std::time::Duration;

use base::Flow;
use sip_core::ServerKey;
use sip_msg::{Edit, Message, Name, NameAddr, SipUri};

use crate::calls::{Pass, PassKind, is_sips, may_go, start, uri_towards_pbx};
use crate::caps;
use crate::contacts::{Aor, Binding, token_of};
use crate::house::House;
use crate::keys::{Alarm, BindingKey};
use crate::lamps::{self, NoticeLine};
use crate::lots;
use crate::told::Fact;

/// A phone registers.
pub(crate) fn pass_on(house: &mut House, server: ServerKey, request: Message, flow: Flow) {
    let hops = match may_go(request.uri(), house.uplink.hops(house.at)) {
        Ok(hops) => hops,
        Err(refusal) => return house.refuse(server, &request, &refusal),
    };
    if let Err(refusal) = caps::room_for_binding(house, &flow) {
        return house.refuse(server, &request, &refusal);
    }
    let uri = uri_towards_pbx(house, &request, &flow, hops.first());
    let mut pass = Pass::new(server, request, flow, PassKind::Register, hops);
    pass.uri = uri.into();
    start(house, pass);
}

fn aor(house: &House, request: &Message, flow: &Flow) -> Option<Aor> {
    lots::aor_of(house, request.to().uri(), flow)
}

fn token(aor: &Aor, contact: &NameAddr<'_>, flow: &Flow) -> String {
    token_of(aor, contact.uri(), contact.param("+sip.instance"), flow)
}

/// Our Contacts in place of the phone's, with all their parameters; `*` stays.
pub(crate) fn contacts_towards_pbx<'m>(
    house: &House,
    request: &Message,
    arrived: &Flow,
    hop: &Flow,
    edit: Edit<'m>,
) -> Edit<'m> {
    let Some(aor) = aor(house, request, arrived) else { return edit };
    let own = |value: &str| match NameAddr::read(value) {
        Some(contact) if value.trim() != "*" => {
            let token = token(&aor, &contact, arrived);
            contact.with_uri(&house.contact(hop, &token, is_sips(contact.uri())))
        }
        _ => value.to_string(),
    };
    let contacts: Vec<String> = request.values(Name::Contact).map(own).collect();
    if contacts.is_empty() { edit } else { edit.set_all(Name::Contact, contacts) }
}

/// The phones' own Contacts in place of ours, in the PBX's answer.
pub(crate) fn own_contacts_back<'m>(
    house: &House,
    request: &Message,
    response: &Message,
    arrived: &Flow,
    edit: Edit<'m>,
) -> Edit<'m> {
    let aor = aor(house, request, arrived);
    let asked: Vec<(String, &str)> = request
        .contacts()
        .filter_map(|contact| Some((token(aor.as_ref()?, &contact, arrived), contact.uri())))
        .collect();
    let back = |value: &str| {
        let Some(contact) = NameAddr::read(value) else { return value.to_string() };
        let user = SipUri::read(contact.uri()).and_then(|uri| Some(uri.user()?.to_string()));
        let Some(user) = user else { return value.to_string() };
        let asked = asked.iter().find(|(token, _)| *token == user).map(|(_, uri)| *uri);
        let known = || house.contacts.by_token(&user).map(|(_, binding)| &*binding.contact);
        match asked.or_else(known) {
            Some(uri) => contact.with_uri(uri),
            None => value.to_string(),
        }
    };
    let contacts: Vec<String> = response.values(Name::Contact).map(back).collect();
    if contacts.is_empty() { edit } else { edit.set_all(Name::Contact, contacts) }
}

/// The PBX has agreed: bindings are learnt, refreshed or gone.
pub(crate) fn learn(house: &mut House, pass: &Pass, response: &Message) {
    let request = &pass.request;
    let Some(aor) = aor(house, request, &pass.arrived) else { return };
    if request.get(Name::Contact).is_some_and(|value| value.trim() == "*") {
        for key in house.contacts.of(&aor) {
            unbind(house, key);
        }
        return;
    }
    for contact in request.contacts() {
        let token = token(&aor, &contact, &pass.arrived);
        let expires = expires_of(request, response, &contact, &token);
        if expires == 0 {
            if let Some((key, _)) = house.contacts.by_token(&token) {
                unbind(house, key);
            }
            continue;
        }
        let binding = Binding {
            aor: aor.clone(),
            contact: contact.uri().into(),
            token: token.into(),
            flow: pass.arrived,
            expires: house.at + Duration::from_secs(u64::from(expires)),
            user_agent: request.get(Name::UserAgent).unwrap_or_default().into(),
            call_id: request.call_id().into(),
            line: NoticeLine::default(),
        };
        bind(house, binding);
    }
}

fn bind(house: &mut House, binding: Binding) {
    let (expires, at, aor) = (binding.expires, binding.flow.peer, binding.aor.clone());
    let (extension, domain) = (binding.aor.extension.to_string(), binding.aor.domain.to_string());
    let (key, fresh, wants_to_know) = house.contacts.bind(binding);
    house.alarms.set(Alarm::Binding(key), expires);
    house.tell(None, Fact::Registered { extension, domain, at, fresh });
    if let Some(first) =
        house.contacts.too_many(&aor, key, house.settings.caps.bindings_per_extension)
    {
        unbind(house, first);
    }
    if wants_to_know {
        house.to_greet.push(key);
    }
}

/// How long the PBX keeps a binding: what it says of our Contact, else what holds for all, else what
/// was asked (RFC 3261 §10.3, step 8). Zero if it does not keep it.
fn expires_of(request: &Message, response: &Message, asked: &NameAddr<'_>, token: &str) -> u32 {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let wanted = asked.param("expires").and_then(number).or(request.expires());
    if wanted == Some(0) {
        return 0;
    }
    let ours = response
        .contacts()
        .find(|contact| SipUri::read(contact.uri()).is_some_and(|uri| uri.user() == Some(token)));
    match ours {
        Some(contact) => contact
            .param("expires")
            .and_then(number)
            .or(response.expires())
            .or(wanted)
            .unwrap_or(3600),
        // Some registrars list no Contacts in their answer.
        None if response.contacts().next().is_none() => {
            response.expires().or(wanted).unwrap_or(3600)
        }
        None => 0,
    }
}

/// Takes a binding out.
pub(crate) fn unbind(house: &mut House, key: BindingKey) {
    house.alarms.stop(Alarm::Binding(key));
    house.alarms.stop(Alarm::Notice(key));
    if let Some(binding) = house.contacts.unbind(key) {
        let (extension, domain) =
            (binding.aor.extension.to_string(), binding.aor.domain.to_string());
        house.tell(None, Fact::Unregistered { extension, domain });
    }
}

/// Phones that have registered anew, or are heard of again, are told what is parked for them, after the answer to their
/// REGISTER has gone out.
pub(crate) fn greet(house: &mut House) {
    for key in std::mem::take(&mut house.to_greet) {
        lamps::greet(house, key);
    }
}
