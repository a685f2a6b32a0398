//! Transfers (RFC 3515, 3891, 5589): asking for them, and being asked.

use base::Moment;
use sip_core::ServerKey;
use sip_msg::{Compose, Message, Name, NameAddr, SipUri, escape_header_value};

use super::call::{CallNo, CallState, Transfer};
use super::state::{Phone, Purpose, Subscription};
use super::user::Wanted;
use crate::dialog::{Dialog, contact_uri};

impl Phone {
    /// Blind transfer of the newest call that is up, to a number or a whole URI.
    pub fn transfer(&mut self, now: Moment, number: &str) -> bool {
        let up = self.calls.iter().rev().find(|call| call.state == CallState::Up);
        let Some(no) = up.map(|call| call.no) else { return false };
        if self.habits.holds_to_transfer && !self.calls.iter().any(|c| c.no == no && c.holds()) {
            self.hold(now);
        }
        let uri = match number.contains(':') {
            true => number.to_owned(),
            false => format!("sip:{}@{}", number.replace('#', "%23"), self.account.domain),
        };
        self.refer(now, no, &format!("<{uri}>"));
        true
    }

    /// Attended transfer: the far party of the older call gets the far party of the newer one.
    pub fn transfer_attended(&mut self, now: Moment) -> bool {
        let mut up = self.calls.iter().rev().filter(|call| call.state == CallState::Up);
        let (Some(newer), Some(older)) = (up.next(), up.next()) else { return false };
        let target = match newer.is_ours {
            true => NameAddr::read(&newer.dialog.remote).map(|n| n.uri().to_owned()),
            false => Some(newer.dialog.target.clone()),
        };
        let replaces = escape_header_value(&newer.dialog.replaces_value()).to_string();
        let no = older.no;
        let target = target.unwrap_or_default();
        self.refer(now, no, &format!("<{target}?Replaces={replaces}>"));
        true
    }

    /// Sends a REFER in a call, `refer_to` as it is.
    pub fn refer(&mut self, now: Moment, no: CallNo, refer_to: &str) {
        let by = self.own_name();
        let without = self.habits.no_refer_subscription;
        let Some(call) = self.call_mut(no) else { return };
        let mut request = call
            .dialog
            .request("REFER")
            .line(Name::ReferTo, refer_to)
            .line(Name::ReferredBy, by)
            .line(Name::Supported, "norefersub");
        if without {
            request = request.line(Name::ReferSub, "false");
        }
        call.transfer = Some(Transfer::default());
        let draft = request.finish();
        let flow = call.dialog.way();
        self.send(now, flow, Purpose::Refer(no), &draft);
    }

    /// Sends a REFER out of any dialog to `server`, `refer_to` as it is. Its outcome is told as in a
    /// subscription; a 302 is followed (RFC 3261 §8.1.3.4).
    pub fn refer_outside(&mut self, now: Moment, server: &str, refer_to: &str) {
        let mut dialog = Dialog::asked(
            self.proxy(),
            format!("f{}@{}", self.chance.token(10), self.account.address.ip()),
            &self.own_name(),
            self.chance.token(8),
            &format!("<{server}>"),
            server,
            &self.contact(),
        );
        let mut request = dialog
            .request("REFER")
            .line(Name::ReferTo, refer_to)
            .line(Name::ReferredBy, self.own_name());
        if self.habits.no_refer_subscription {
            request = request.line(Name::ReferSub, "false");
        }
        let no = self.subscriptions.len() as u32;
        self.subscriptions.push(Subscription {
            event: "refer".to_owned(),
            accept: None,
            user: String::new(),
            dialog,
            answer: None,
            bodies: Vec::new(),
            is_over: false,
            refer_to: Some(refer_to.to_owned()),
        });
        let flow = self.proxy();
        self.send(now, flow, Purpose::Subscribe(no), &request.finish());
    }

    /// A REFER out of dialog has been answered.
    pub(super) fn referred(&mut self, now: Moment, no: u32, response: &Message) {
        let Some(subscription) = self.subscriptions.get_mut(no as usize) else { return };
        let status = response.status();
        let declined = response.get(Name::ReferSub).is_some_and(|text| text.trim() == "false");
        subscription.is_over |= declined || status >= 300;
        let (refer_to, server) = (subscription.refer_to.clone(), contact_uri(response));
        if let (302, Some(refer_to), Some(server)) = (status, refer_to, server) {
            self.refer_outside(now, &server, &refer_to);
        }
    }

    pub(super) fn refer_answered(&mut self, now: Moment, no: CallNo, response: &Message) {
        let status = response.status();
        let byes = self.habits.byes_after_transfer;
        let Some(transfer) = self.call_mut(no).and_then(|call| call.transfer.as_mut()) else {
            return;
        };
        transfer.answer = Some(status);
        let declined = response.get(Name::ReferSub).is_some_and(|text| text.trim() == "false");
        transfer.without_subscription = declined;
        if status < 300 && declined && byes {
            self.bye(now, no);
        }
    }

    /// A NOTIFY of the transfer that we asked for.
    pub(super) fn transfer_notice(
        &mut self,
        now: Moment,
        no: CallNo,
        server: ServerKey,
        request: &Message,
    ) {
        let byes = self.habits.byes_after_transfer;
        let Some(transfer) = self.call_mut(no).and_then(|call| call.transfer.as_mut()) else {
            self.say(now, server, request, 481);
            return;
        };
        let body = request.body();
        let status = std::str::from_utf8(&body)
            .ok()
            .and_then(|text| text.split_whitespace().nth(1)?.parse::<u16>().ok());
        let over = request
            .get(Name::SubscriptionState)
            .is_some_and(|state| state.trim_start().starts_with("terminated"));
        transfer.terminations += u32::from(over);
        if let Some(status) = status {
            transfer.progress = Some(status);
            transfer.told.push(status);
        }
        self.say(now, server, request, 200);
        if byes && status.is_some_and(|status| (200..300).contains(&status)) {
            self.bye(now, no);
        }
    }

    /// The far party asks us to call somebody else (RFC 3515 §2.4.2): only where a REFER comes
    /// through to us, that is, behind a proxy.
    pub(super) fn asked_to_transfer(
        &mut self,
        now: Moment,
        no: CallNo,
        server: ServerKey,
        request: &Message,
    ) {
        let refer_to = request.get(Name::ReferTo).and_then(NameAddr::read);
        let Some(target) = refer_to.map(|name| name.uri().to_owned()) else {
            self.say(now, server, request, 400);
            return;
        };
        let number = request.cseq().0;
        let contact = self.contact();
        let answer = Compose::response_to(request, 202, None)
            .line(Name::Contact, format!("<{contact}>"))
            .finish();
        self.layer.respond(now, server, 202, &answer);
        self.tell_progress(now, no, number, 100);
        let replaces = SipUri::read(&target).and_then(|uri| {
            uri.headers()
                .find(|(name, _)| name.eq_ignore_ascii_case("Replaces"))
                .map(|(_, value)| value.to_string())
        });
        let bare = target.split('?').next().unwrap_or_default().to_owned();
        let wanted = Wanted {
            number: bare,
            replaces,
            for_transfer: Some((no, number)),
            referred_by: request.get(Name::ReferredBy).map(str::to_owned),
            ..Wanted::default()
        };
        self.ask_for(now, wanted);
    }

    /// Tells whoever asked us to make call `no` how it went.
    pub(super) fn tell_referrer(&mut self, now: Moment, no: CallNo, status: u16) {
        let asked = self.call_mut(no).and_then(|call| call.for_transfer.take());
        if let Some((referrer, number)) = asked {
            self.tell_progress(now, referrer, number, status);
        }
    }

    fn tell_progress(&mut self, now: Moment, no: CallNo, number: u32, status: u16) {
        let Some(call) = self.call_mut(no).filter(|call| call.state == CallState::Up) else {
            return;
        };
        let state = match status {
            100..200 => "active;expires=60",
            _ => "terminated;reason=noresource",
        };
        let fragment = format!("SIP/2.0 {status} {}\r\n", sip_msg::reason_phrase(status));
        let draft = call
            .dialog
            .request("NOTIFY")
            .line(Name::Event, format!("refer;id={number}"))
            .line(Name::SubscriptionState, state)
            .body("message/sipfrag;version=2.0", fragment)
            .finish();
        let flow = call.dialog.way();
        self.send(now, flow, Purpose::Nothing, &draft);
    }
}
