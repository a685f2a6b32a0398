//! Who is registered where, and who may (RFC 3261 §10; digest).

use std::time::Duration;

use base::{Flow, Moment};
use sip_core::ServerKey;
use sip_msg::{Compose, Message, Name};

use super::state::{Pbx, Target};
use crate::dialog::uri_user;
use crate::digest;

/// One binding.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The Contact URI.
    pub uri: String,
    /// The whole Contact value with its parameters, but for `expires`.
    pub value: String,
    /// Where the REGISTER came from.
    pub flow: Flow,
    /// Until when it holds.
    pub until: Moment,
    pub(super) call_id: String,
    pub(super) cseq: u32,
}

impl Pbx {
    /// The live bindings of a user.
    pub fn bindings(&self, now: Moment, user: &str) -> Vec<Binding> {
        let all = self.bindings.get(user).into_iter().flatten();
        all.filter(|binding| binding.until > now).cloned().collect()
    }

    pub(super) fn register(
        &mut self,
        now: Moment,
        server: ServerKey,
        request: &Message,
        flow: Flow,
    ) {
        if !self.is_authorized(request, Name::Authorization) {
            self.challenge(now, server, request, 401);
            return;
        }
        let user = uri_user(request.to().uri());
        let default = request.expires().unwrap_or(3600);
        let values: Vec<String> = request.values(Name::Contact).map(str::to_owned).collect();
        let (call_id, cseq) = (request.call_id().to_owned(), request.cseq().0);
        let known = self.bindings.entry(user.clone()).or_default();
        if values.iter().any(|value| value.trim() == "*") {
            known.clear();
        }
        for value in values.iter().filter(|value| value.trim() != "*") {
            let Some(name) = sip_msg::NameAddr::read(value) else { continue };
            let expires =
                name.param("expires").and_then(|e| e.parse::<u32>().ok()).unwrap_or(default);
            // RFC 3261 §10.3 step 7: out of order within a Call-ID is not taken.
            let stale = known
                .iter()
                .any(|old| old.uri == name.uri() && old.call_id == call_id && old.cseq >= cseq);
            if stale {
                continue;
            }
            known.retain(|old| old.uri != name.uri());
            if expires > 0 {
                let expires = expires.min(self.settings.longest_registration);
                known.push(Binding {
                    uri: name.uri().to_owned(),
                    value: without_expires(value),
                    flow,
                    until: now + Duration::from_secs(u64::from(expires)),
                    call_id: call_id.clone(),
                    cseq,
                });
            }
        }
        known.retain(|binding| binding.until > now);
        let tag = self.chance.token(8);
        let mut answer = Compose::response_to(request, 200, None).to_tag(&tag);
        for binding in self.bindings(now, &user) {
            let left = binding.until.since(now).as_secs();
            answer = answer.line(Name::Contact, format!("{};expires={left}", binding.value));
        }
        self.layer.respond(now, server, 200, &answer.finish());
    }

    /// Whether the request carries right credentials, or needs none.
    pub(super) fn is_authorized(&self, request: &Message, name: Name) -> bool {
        if !self.settings.digest {
            return true;
        }
        let from = uri_user(request.from().uri());
        if self.routes.contains_key(&from) {
            return true;
        }
        let password = self.settings.password_of(&from);
        request.get(name).is_some_and(|given| {
            digest::verify(given, &password, request.cseq().1, &self.nonce).as_deref()
                == Some(&from)
        })
    }

    pub(super) fn challenge(
        &mut self,
        now: Moment,
        server: ServerKey,
        request: &Message,
        status: u16,
    ) {
        let name = match status {
            401 => Name::WwwAuthenticate,
            _ => Name::ProxyAuthenticate,
        };
        let tag = self.chance.token(8);
        let answer = Compose::response_to(request, status, None)
            .to_tag(&tag)
            .line(name, digest::challenge(&self.settings.domain, &self.nonce))
            .finish();
        self.layer.respond(now, server, status, &answer);
    }

    /// Where a user is reached: a line of the trunk, or the user's bindings.
    pub(super) fn targets(&self, now: Moment, user: &str) -> Vec<Target> {
        let user = self.settings.forwards.get(user).map_or(user, String::as_str);
        if let Some(address) = self.routes.get(user) {
            return vec![Target {
                uri: format!("sip:{user}@{address}"),
                flow: Flow { peer: *address, conn: None, ..self.own_flow() },
            }];
        }
        let found = self.bindings(now, user).into_iter();
        found.map(|binding| Target { uri: binding.uri, flow: binding.flow }).collect()
    }
}

fn without_expires(value: &str) -> String {
    let kept: Vec<&str> = value
        .split(';')
        .filter(|part| !part.trim_start().to_ascii_lowercase().starts_with("expires="))
        .collect();
    kept.join(";")
}
