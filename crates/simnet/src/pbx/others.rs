//! Requests out of dialog that are not calls: OPTIONS, MESSAGE, SUBSCRIBE, PUBLISH and anything else.

use base::{Flow, Moment};
use sip_core::ServerKey;
use sip_msg::{Compose, Edit, Message, Name};

use super::state::{Pbx, Purpose, Subscriber};
use crate::dialog::{Dialog, uri_user};

impl Pbx {
    pub(super) fn other(&mut self, now: Moment, server: ServerKey, request: &Message, flow: Flow) {
        match request.cseq().1 {
            "MESSAGE" | "REFER" | "NOTIFY" => self.deliver(now, server, request),
            "SUBSCRIBE" => self.subscribed(now, server, request, flow),
            "BYE" => self.say(now, server, request, 481),
            "PUBLISH" => {
                let tag = self.chance.token(8);
                let answer = Compose::response_to(request, 200, None)
                    .to_tag(&tag)
                    .line(Name::Expires, "3600")
                    .other("SIP-ETag", "e7")
                    .finish();
                self.layer.respond(now, server, 200, &answer);
            }
            // Whatever else is asked is agreed to, and its body is given back.
            _ => {
                let tag = self.chance.token(8);
                let mut answer = Compose::response_to(request, 200, None).to_tag(&tag);
                if let Some(value) = request.other("X-Story") {
                    answer = answer.other("X-Story", value);
                }
                if let Some(kind) = request.content_type() {
                    answer = answer.body(kind, request.body());
                }
                self.layer.respond(now, server, 200, &answer.finish());
            }
        }
    }

    /// Carries a request to the user's bindings; the answer goes back.
    fn deliver(&mut self, now: Moment, server: ServerKey, request: &Message) {
        let user = uri_user(request.uri());
        let Some(target) = self.targets(now, &user).into_iter().next() else {
            self.say(now, server, request, 404);
            return;
        };
        let draft = Edit::of(request).request_line(&target.uri).finish();
        self.send(now, target.flow, Purpose::Pass(server), &draft);
    }

    fn subscribed(&mut self, now: Moment, server: ServerKey, request: &Message, flow: Flow) {
        let contact = self.contact_as("presence");
        let dialog = Dialog::got(request, flow, self.chance.token(8), &contact);
        let expires = request.expires().unwrap_or(3600);
        let answer = Compose::response_to(request, 200, None)
            .to_tag(&dialog.local_tag)
            .line(Name::Contact, format!("<{contact}>"))
            .line(Name::Expires, expires.to_string())
            .finish();
        self.layer.respond(now, server, 200, &answer);
        let event = request.get(Name::Event).unwrap_or_default().to_owned();
        let user = uri_user(request.uri());
        let mut subscriber = Subscriber { dialog, event, user, told: 0 };
        self.notify_state(now, &mut subscriber, expires);
        if expires > 0 {
            self.subscriptions.push(subscriber);
        }
    }

    /// A SUBSCRIBE within a subscription: a refresh, or its end.
    pub(super) fn subscription_request(
        &mut self,
        now: Moment,
        server: ServerKey,
        request: &Message,
    ) -> bool {
        let Some(at) = self.subscriptions.iter().position(|s| s.dialog.owns(request)) else {
            return false;
        };
        let mut subscriber = self.subscriptions.remove(at);
        subscriber.dialog.rises(request);
        subscriber.dialog.refresh(request);
        let expires = request.expires().unwrap_or(3600);
        let answer = Compose::response_to(request, 200, None)
            .line(Name::Contact, format!("<{}>", subscriber.dialog.contact))
            .line(Name::Expires, expires.to_string())
            .finish();
        self.layer.respond(now, server, 200, &answer);
        self.notify_state(now, &mut subscriber, expires);
        if expires > 0 {
            self.subscriptions.push(subscriber);
        }
        true
    }

    /// Tells all who watch a user's dialogs how they stand.
    pub fn tell_watchers(&mut self, now: Moment, user: &str) {
        for mut subscriber in std::mem::take(&mut self.subscriptions) {
            if subscriber.user == user {
                self.notify_state(now, &mut subscriber, 1800);
            }
            self.subscriptions.push(subscriber);
        }
    }

    fn notify_state(&mut self, now: Moment, subscriber: &mut Subscriber, expires: u32) {
        let state = match expires {
            0 => "terminated;reason=timeout".to_owned(),
            seconds => format!("active;expires={seconds}"),
        };
        let idle = || !self.legs.values().any(|leg| leg.is_up() && leg.user == subscriber.user);
        let body = match subscriber.event.as_str() {
            "dialog" if self.settings.says_nothing_of_idle && idle() => None,
            "dialog" => Some(("application/dialog-info+xml", self.dialogs_of(subscriber))),
            _ => Some(("application/x-story", "all is well\r\n".to_owned())),
        };
        let draft = subscriber
            .dialog
            .request("NOTIFY")
            .line(Name::Event, &subscriber.event)
            .line(Name::SubscriptionState, state);
        let draft = match body {
            Some((kind, body)) => draft.body(kind, body),
            None => draft,
        };
        let draft = draft.finish();
        subscriber.told += 1;
        let flow = subscriber.dialog.way();
        self.send(now, flow, Purpose::Nothing, &draft);
    }

    /// A user's calls as RFC 4235 writes them.
    fn dialogs_of(&self, subscriber: &Subscriber) -> String {
        let user = &subscriber.user;
        let legs = self.legs.values().filter(|leg| leg.is_up() && leg.user == *user);
        let dialogs: String = legs
            .map(|leg| {
                format!("<dialog id=\"leg{}\"><state>confirmed</state></dialog>\r\n", leg.no.0)
            })
            .collect();
        format!(
            "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" \
             version=\"{}\" state=\"full\" entity=\"sip:{user}@{}\">\r\n{dialogs}</dialog-info>\r\n",
            subscriber.told, self.settings.domain
        )
    }

    /// How many subscriptions it has.
    pub fn subscribers(&self) -> usize {
        self.subscriptions.len()
    }

    /// Sends a request of its own to all bindings of a user, out of dialog.
    pub fn ask(
        &mut self,
        now: Moment,
        method: &str,
        user: &str,
        lines: &[&str],
        body: Option<(&str, &str)>,
    ) {
        for target in self.targets(now, user) {
            let domain = self.settings.domain.clone();
            let mut request = Compose::request(method, &target.uri)
                .line(Name::MaxForwards, "70")
                .line(Name::From, format!("<sip:pbx@{domain}>;tag={}", self.chance.token(8)))
                .line(Name::To, format!("<sip:{user}@{domain}>"))
                .line(Name::CallId, format!("x{}", self.chance.token(10)))
                .line(Name::CSeq, format!("3 {method}"))
                .line(Name::Contact, format!("<{}>", self.contact_as("pbx")));
            for line in lines {
                if let Some((name, value)) = line.split_once(':') {
                    request = request.other(name.trim(), value.trim());
                }
            }
            if let Some((kind, text)) = body {
                request = request.body(kind, text.to_owned());
            }
            self.send(now, target.flow, Purpose::Nothing, &request.finish());
        }
    }
}
