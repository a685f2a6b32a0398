//! What a phone does besides calls: it registers, subscribes, sends messages and other requests.

use std::time::Duration;

use base::Moment;
use sip_core::ServerKey;
use sip_msg::{Compose, Message, Name};

use super::call::CallNo;
use super::state::{Alarm, Errand, Phone, Purpose, Subscription};
use crate::dialog::Dialog;
use crate::digest;

impl Phone {
    /// Registers for `expires` seconds and keeps it fresh; zero un-registers.
    pub fn register(&mut self, now: Moment, expires: u32) {
        self.registration.expires = expires;
        self.registration.tried = false;
        self.registration.star = false;
        self.send_register(now);
    }

    /// Un-registers every binding of its extension (`Contact: *`).
    pub fn unregister_all(&mut self, now: Moment) {
        self.registration.expires = 0;
        self.registration.tried = false;
        self.registration.star = true;
        self.send_register(now);
    }

    pub(super) fn register_again(&mut self, now: Moment) {
        self.registration.tried = false;
        self.send_register(now);
    }

    fn send_register(&mut self, now: Moment) {
        self.alarms.stop(Alarm::Refresh);
        let name = self.own_name();
        let contact = match self.registration.star {
            true => "*".to_owned(),
            false => {
                let instance = format!("{:08x}", self.account.frequency);
                format!(
                    "<{}>;+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-0000{instance}>\"",
                    self.contact()
                )
            }
        };
        let registration = &mut self.registration;
        registration.cseq += 1;
        let mut request = Compose::request("REGISTER", &format!("sip:{}", self.account.domain))
            .line(Name::MaxForwards, "70")
            .line(Name::From, format!("{name};tag={}", registration.tag))
            .line(Name::To, &name)
            .line(Name::CallId, &registration.call_id)
            .line(Name::CSeq, format!("{} REGISTER", registration.cseq))
            .line(Name::Contact, contact)
            .line(Name::Expires, registration.expires.to_string())
            .line(Name::UserAgent, &self.account.user_agent);
        if let Some(credentials) = registration.credentials.take() {
            request = request.line(Name::Authorization, credentials);
        }
        let draft = request.finish();
        let flow = self.proxy();
        self.send(now, flow, Purpose::Register, &draft);
    }

    pub(super) fn register_answered(&mut self, now: Moment, response: &Message) {
        let status = response.status();
        if status == 401
            && !self.registration.tried
            && let Some(challenge) = response.get(Name::WwwAuthenticate)
        {
            let uri = format!("sip:{}", self.account.domain);
            let (user, password) = (&self.account.user, &self.account.password);
            self.registration.credentials =
                digest::answer(challenge, user, password, "REGISTER", &uri);
            self.registration.tried = true;
            self.send_register(now);
            return;
        }
        self.registered = Some(status);
        self.register_contacts = response.values(Name::Contact).map(str::to_owned).collect();
        if status < 300 && self.registration.expires > 0 {
            let half = Duration::from_secs(u64::from(self.registration.expires / 2));
            self.alarms.set(Alarm::Refresh, now + half);
        }
    }

    /// Subscribes to `event` of `user` (RFC 6665), and says which types of bodies it takes.
    pub fn subscribe(
        &mut self,
        now: Moment,
        event: &str,
        user: &str,
        accept: Option<&'static str>,
        expires: u32,
    ) {
        let uri = format!("sip:{user}@{}", self.account.domain);
        let dialog = Dialog::asked(
            self.proxy(),
            format!("s{}@{}", self.chance.token(10), self.account.address.ip()),
            &self.own_name(),
            self.chance.token(8),
            &format!("<{uri}>"),
            &uri,
            &self.contact(),
        );
        let no = self.subscriptions.len() as u32;
        self.subscriptions.push(Subscription {
            event: event.to_owned(),
            accept,
            user: user.to_owned(),
            dialog,
            answer: None,
            bodies: Vec::new(),
            is_over: false,
            refer_to: None,
        });
        self.send_subscribe(now, no, expires);
    }

    /// Ends all subscriptions.
    pub fn unsubscribe(&mut self, now: Moment) {
        for no in 0..self.subscriptions.len() {
            if !self.subscriptions[no].is_over {
                self.send_subscribe(now, no as u32, 0);
            }
        }
    }

    /// Refreshes all subscriptions.
    pub fn subscribe_again(&mut self, now: Moment, expires: u32) {
        for no in 0..self.subscriptions.len() {
            if !self.subscriptions[no].is_over {
                self.send_subscribe(now, no as u32, expires);
            }
        }
    }

    fn send_subscribe(&mut self, now: Moment, no: u32, expires: u32) {
        let proxy = self.proxy();
        let Some(subscription) = self.subscriptions.get_mut(no as usize) else { return };
        let mut request = subscription.dialog.request("SUBSCRIBE");
        if let Some(types) = subscription.accept {
            request = request.line(Name::Accept, types);
        }
        let draft = request
            .line(Name::Event, &subscription.event)
            .line(Name::Expires, expires.to_string())
            .finish();
        let flow = match subscription.dialog.remote_tag {
            Some(_) => subscription.dialog.way(),
            None => proxy,
        };
        self.send(now, flow, Purpose::Subscribe(no), &draft);
    }

    pub(super) fn subscribe_answered(&mut self, now: Moment, no: u32, response: &Message) {
        let Some(subscription) = self.subscriptions.get_mut(no as usize) else { return };
        subscription.answer = Some(response.status());
        if response.status() < 300 && subscription.dialog.remote_tag.is_none() {
            subscription.dialog.learn(response);
        }
        if subscription.refer_to.is_some() {
            self.referred(now, no, response);
        }
    }

    /// A NOTIFY for one of our subscriptions; it may come before the 2xx (RFC 6665 §4.4.1).
    pub(super) fn subscription_notice(
        &mut self,
        now: Moment,
        server: ServerKey,
        request: &Message,
    ) -> bool {
        let ours = self.subscriptions.iter_mut().find(|s| {
            s.dialog.call_id == request.call_id()
                && request.to_tag() == Some(&s.dialog.local_tag)
                && !s.is_over
        });
        let Some(subscription) = ours else { return false };
        if subscription.dialog.remote_tag.is_none() {
            subscription.dialog.remote_tag = request.from_tag().map(str::to_owned);
            subscription.dialog.remote = request.get(Name::From).unwrap_or_default().to_owned();
            subscription.dialog.refresh(request);
            subscription.dialog.routes =
                request.values(Name::RecordRoute).map(str::to_owned).collect();
        }
        let state = request.get(Name::SubscriptionState).unwrap_or_default();
        subscription.is_over = state.trim_start().starts_with("terminated");
        let status = self.habits.watch_status;
        if status >= 300 {
            self.say(now, server, request, status);
            return true;
        }
        let body = String::from_utf8_lossy(&request.body()).into_owned();
        subscription.bodies.push(body.clone());
        if subscription.event == "call-info" && subscription.user == self.account.user {
            self.screen = body;
        }
        self.say(now, server, request, 200);
        true
    }

    /// Sends a request out of dialog; [`Phone::errand`] tells what came of it. `lines` are whole
    /// header lines, put in as they are.
    pub fn ask(
        &mut self,
        now: Moment,
        method: &str,
        user: &str,
        lines: &[&str],
        body: Option<(&str, &[u8])>,
    ) -> u32 {
        let uri = match user {
            "" => format!("sip:{}", self.account.domain),
            _ => format!("sip:{user}@{}", self.account.domain),
        };
        self.ask_at(now, method, &uri, lines, body)
    }

    /// The same, of a URI.
    pub(super) fn ask_at(
        &mut self,
        now: Moment,
        method: &str,
        uri: &str,
        lines: &[&str],
        body: Option<(&str, &[u8])>,
    ) -> u32 {
        let request = Compose::request(method, uri)
            .line(Name::MaxForwards, "70")
            .line(Name::From, format!("{};tag={}", self.own_name(), self.chance.token(8)))
            .line(Name::To, format!("<{uri}>"))
            .line(Name::CallId, format!("o{}", self.chance.token(10)))
            .line(Name::CSeq, format!("7 {method}"))
            .line(Name::Contact, format!("<{}>", self.contact()));
        let flow = self.proxy();
        self.run_errand(now, flow, method, request, lines, body)
    }

    /// Sends a request in the dialog of a call.
    pub fn ask_in_call(
        &mut self,
        now: Moment,
        no: CallNo,
        method: &str,
        lines: &[&str],
        body: Option<(&str, &[u8])>,
    ) -> Option<u32> {
        let call = self.call_mut(no)?;
        let flow = call.dialog.way();
        let request = call.dialog.request(method);
        Some(self.run_errand(now, flow, method, request, lines, body))
    }

    fn run_errand(
        &mut self,
        now: Moment,
        flow: base::Flow,
        method: &str,
        mut request: Compose,
        lines: &[&str],
        body: Option<(&str, &[u8])>,
    ) -> u32 {
        for line in lines {
            if let Some((name, value)) = line.split_once(':') {
                request = request.other(name.trim(), value.trim());
            }
        }
        if let Some((content_type, bytes)) = body {
            request = request.body(content_type, bytes.to_vec());
        }
        let no = self.errands.len() as u32;
        self.errands.push(Errand { no, method: method.to_owned(), answer: None });
        self.send(now, flow, Purpose::Other(no), &request.finish());
        no
    }

    pub(super) fn errand_answered(&mut self, no: u32, response: &Message) {
        if let Some(errand) = self.errands.iter_mut().find(|errand| errand.no == no) {
            errand.answer = Some(response.clone());
        }
    }
}
