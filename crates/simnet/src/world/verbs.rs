//! What happens in a story.

use std::net::SocketAddr;
use std::time::Duration;

use base::Transport;
use park_core::{Input, Settings};

use super::state::World;
use crate::phone::{CallNo, CallState, Phone};
use crate::wire::{Carries, Parcel};

/// The wire has been still for so long that nothing more will come of what was done: longer than the
/// house's graces and a repetition of what was lost.
const STILL: Duration = Duration::from_millis(2_500);
/// A story that is not still by then never will be.
const LONGEST_SETTLING: Duration = Duration::from_secs(70);

impl World {
    /// Lets somebody act at once; no time passes.
    #[track_caller]
    pub(crate) fn act<R>(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Phone, base::Moment) -> R,
    ) -> R {
        match self.find(name) {
            Some(at) => self.with_phone(at, act),
            None => self.fail(&format!("nobody is called {name}")),
        }
    }

    /// Lets time pass until the wire has been still for a while.
    #[track_caller]
    pub fn settle(&mut self) -> &mut World {
        let begun = self.now;
        loop {
            let still_at = self.wire.last_sip().max(begun) + STILL;
            if !self.wire.carries_sip() && self.now >= still_at {
                self.check_parked();
                return self;
            }
            if self.now.since(begun) > LONGEST_SETTLING {
                return self;
            }
            let until = match self.wire.carries_sip() {
                true => self.now + STILL,
                false => still_at,
            };
            self.step(until);
        }
    }

    /// Lets time pass until `holds`, at most this long; says whether it came to hold.
    #[track_caller]
    pub fn pass_until(&mut self, most: Duration, holds: impl Fn(&World) -> bool) -> bool {
        let until = self.now + most;
        loop {
            if holds(self) {
                return true;
            }
            if !self.step(until) {
                return holds(self);
            }
        }
    }

    /// Registers, for this many seconds; zero un-registers.
    #[track_caller]
    pub fn register(&mut self, name: &str, expires: u32) -> &mut World {
        self.act(name, |phone, now| phone.register(now, expires));
        self
    }

    /// Un-registers every binding of somebody's extension at once.
    #[track_caller]
    pub fn unregister_all(&mut self, name: &str) -> &mut World {
        self.act(name, |phone, now| phone.unregister_all(now));
        self
    }

    /// Dials: a name stands for its number.
    #[track_caller]
    pub fn dial(&mut self, name: &str, number: &str) -> &mut World {
        let number = self.dialled(number);
        self.act(name, |phone, now| phone.dial(now, &number));
        self
    }

    /// Dials with a Replaces header.
    #[track_caller]
    pub fn dial_replacing(&mut self, name: &str, number: &str, replaces: &str) -> &mut World {
        let number = self.dialled(number);
        self.act(name, |phone, now| phone.dial_replacing(now, &number, replaces));
        self
    }

    /// Answers.
    #[track_caller]
    pub fn answer(&mut self, name: &str) -> &mut World {
        if !self.act(name, |phone, now| phone.answer(now)) {
            self.fail(&format!("{name} is not ringing"));
        }
        self
    }

    /// Refuses the call that rings.
    #[track_caller]
    pub fn decline(&mut self, name: &str, status: u16) -> &mut World {
        if !self.act(name, |phone, now| phone.decline(now, status)) {
            self.fail(&format!("{name} is not ringing"));
        }
        self
    }

    /// Ends the newest call, by BYE, CANCEL or a refusal as it may be.
    #[track_caller]
    pub fn hang_up(&mut self, name: &str) -> &mut World {
        if !self.act(name, |phone, now| phone.hang_up(now)) {
            self.fail(&format!("{name} has no call to end"));
        }
        self
    }

    /// Ends the oldest call that is still there: the one on hold, where there are two.
    #[track_caller]
    pub fn hang_up_oldest(&mut self, name: &str) -> &mut World {
        let oldest = self.phone(name).calls().iter().find(|call| call.is_alive()).map(|c| c.no);
        if let Some(no) = oldest {
            self.act(name, |phone, now| phone.hang_up_call(now, no));
        }
        self
    }

    /// Holds.
    #[track_caller]
    pub fn hold(&mut self, name: &str) -> &mut World {
        if !self.act(name, |phone, now| phone.hold(now)) {
            self.fail(&format!("{name} has no call to hold"));
        }
        self
    }

    /// Resumes.
    #[track_caller]
    pub fn resume(&mut self, name: &str) -> &mut World {
        if !self.act(name, |phone, now| phone.resume(now)) {
            self.fail(&format!("{name} has no call to resume"));
        }
        self
    }

    /// Blind transfer (REFER) to a number; a name stands for its number.
    #[track_caller]
    pub fn transfer(&mut self, name: &str, number: &str) -> &mut World {
        let number = self.dialled(number);
        if !self.act(name, |phone, now| phone.transfer(now, &number)) {
            self.fail(&format!("{name} has no call to transfer"));
        }
        self
    }

    /// REFER in somebody's newest call that is up, with this Refer-To value as it is.
    #[track_caller]
    pub fn refer(&mut self, name: &str, refer_to: &str) -> &mut World {
        let no = self.up_call(name);
        self.act(name, |phone, now| phone.refer(now, no, refer_to));
        self
    }

    /// REFER in this call, whatever its state.
    #[track_caller]
    pub fn refer_in(&mut self, name: &str, no: CallNo, refer_to: &str) -> &mut World {
        self.act(name, |phone, now| phone.refer(now, no, refer_to));
        self
    }

    /// REFER out of any dialog to `server`, a user or a whole URI, that names somebody's newest call
    /// that is up as the one to take over.
    #[track_caller]
    pub fn ask_park_server(&mut self, name: &str, server: &str) -> &mut World {
        let no = self.up_call(name);
        let dialog = self.phone(name).call(no).map(|call| call.dialog.clone());
        let target = dialog.as_ref().map_or("", |dialog| &dialog.target).to_owned();
        let id = dialog.map(|dialog| dialog.replaces_value()).unwrap_or_default();
        let id = sip_msg::escape_header_value(&id);
        self.refer_outside(name, server, &format!("<{target}?Replaces={id}&Require=replaces>"))
    }

    /// REFER out of any dialog to `server`, a user or a whole URI, with this Refer-To value as it is.
    #[track_caller]
    pub fn refer_outside(&mut self, name: &str, server: &str, refer_to: &str) -> &mut World {
        let uri = match server.contains(':') {
            true => server.to_owned(),
            false => format!("sip:{}@{}", self.dialled(server), self.phone(name).account().domain),
        };
        self.act(name, |phone, now| phone.refer_outside(now, &uri, refer_to));
        self
    }

    /// Attended transfer (REFER with Replaces) of the older of two calls to the newer one.
    #[track_caller]
    pub fn transfer_attended(&mut self, name: &str) -> &mut World {
        if !self.act(name, |phone, now| phone.transfer_attended(now)) {
            self.fail(&format!("{name} has no two calls"));
        }
        self
    }

    /// `caller` calls `called`, who answers; both talk.
    #[track_caller]
    pub fn talk(&mut self, caller: &str, called: &str) -> &mut World {
        self.dial(caller, called);
        self.rings_soon(called);
        self.answer(called).settle();
        self.talking(caller, called)
    }

    /// Waits until somebody rings.
    #[track_caller]
    pub fn rings_soon(&mut self, name: &str) -> &mut World {
        if !self.pass_until(Duration::from_secs(5), |world| world.phone(name).rings()) {
            self.fail(&format!("{name} does not ring"));
        }
        self
    }

    /// The plug is pulled and put in again: the phone forgets everything and says nothing.
    #[track_caller]
    pub fn reboot(&mut self, name: &str) -> &mut World {
        self.act(name, |phone, _| {
            phone.switch_off();
            phone.switch_on();
        });
        self
    }

    /// The plug is pulled.
    #[track_caller]
    pub fn switch_off(&mut self, name: &str) -> &mut World {
        self.act(name, |phone, _| phone.switch_off());
        self
    }

    /// Somebody's network cable is pulled or put in again.
    #[track_caller]
    pub fn plug(&mut self, name: &str, into_network: bool) -> &mut World {
        self.act(name, |phone, _| phone.plug(into_network));
        self
    }

    /// Subscribes to an event of somebody; a name stands for its number.
    #[track_caller]
    pub fn subscribe(&mut self, name: &str, event: &str, of: &str) -> &mut World {
        let user = self.dialled(of);
        self.act(name, |phone, now| phone.subscribe(now, event, &user, None, 600));
        self
    }

    /// Subscribes to what is parked for somebody as BroadWorks tells it; a name stands for its number.
    #[track_caller]
    pub fn watch_line(&mut self, name: &str, of: &str) -> &mut World {
        let user = self.dialled(of);
        let accept = Some("application/x-broadworks-callpark-info+xml");
        self.act(name, |phone, now| phone.subscribe(now, "call-info", &user, accept, 600));
        self
    }

    /// Refreshes all subscriptions of somebody.
    #[track_caller]
    pub fn subscribe_again(&mut self, name: &str) -> &mut World {
        self.act(name, |phone, now| phone.subscribe_again(now, 600));
        self
    }

    /// Ends all subscriptions of somebody.
    #[track_caller]
    pub fn unsubscribe(&mut self, name: &str) -> &mut World {
        self.act(name, |phone, now| phone.unsubscribe(now));
        self
    }

    /// Sends a MESSAGE (RFC 3428); a name stands for its number.
    #[track_caller]
    pub fn message(&mut self, name: &str, to: &str, text: &str) -> &mut World {
        let body = text.as_bytes().to_vec();
        self.ask(name, "MESSAGE", to, &[], Some(("text/plain", &body)))
    }

    /// Sends any request out of dialog; a name stands for its number, `""` for the PBX itself.
    #[track_caller]
    pub fn ask(
        &mut self,
        name: &str,
        method: &str,
        to: &str,
        lines: &[&str],
        body: Option<(&str, &[u8])>,
    ) -> &mut World {
        let user = self.dialled(to);
        self.act(name, |phone, now| phone.ask(now, method, &user, lines, body));
        self
    }

    /// Sends any request in somebody's newest call that is up.
    #[track_caller]
    pub fn ask_in_call(
        &mut self,
        name: &str,
        method: &str,
        lines: &[&str],
        body: Option<(&str, &[u8])>,
    ) -> &mut World {
        let no = self.up_call(name);
        self.act(name, |phone, now| phone.ask_in_call(now, no, method, lines, body));
        self
    }

    #[track_caller]
    pub(crate) fn up_call(&self, name: &str) -> CallNo {
        let calls = self.phone(name).calls();
        match calls.iter().rev().find(|call| call.state == CallState::Up) {
            Some(call) => call.no,
            None => self.fail(&format!("{name} has no call that is up")),
        }
    }

    /// Everybody who has a call speaks, or nobody does. Only with real media.
    pub fn speak(&mut self, on: bool) -> &mut World {
        for at in 0..self.seats.len() {
            self.with_phone(at, |phone, now| phone.speak(now, on));
        }
        self
    }

    /// Presses keys in somebody's newest call, as telephone-events in RTP, and waits until that is
    /// done: some 220 ms for each. Only with real media.
    #[track_caller]
    pub fn press(&mut self, name: &str, keys: &str) -> &mut World {
        self.press_badly(name, keys, &[])
    }

    /// As [`World::press`], but of the seven packets of each key, the last three of which say that it
    /// is over, those whose places are in `lost` do not arrive.
    #[track_caller]
    pub fn press_badly(&mut self, name: &str, keys: &str, lost: &[u8]) -> &mut World {
        if !self.real_media {
            self.fail("keys can be pressed with real media only");
        }
        if !self.act(name, |phone, now| phone.press(now, keys, lost)) {
            self.fail(&format!("{name} has no call in which keys could be pressed"));
        }
        // A key that is pressed during a restart may be heard as two: its packets have another source then.
        self.undisturbed(|world| {
            world.pass(Duration::from_millis(240 * keys.chars().count() as u64 + 40));
        });
        self
    }

    /// The PBX ends every leg that it has with somebody.
    #[track_caller]
    pub fn pbx_hangs_up(&mut self, name: &str) -> &mut World {
        let user = self.number(name);
        self.with_pbx(|pbx, now| pbx.hang_up_user(now, &user));
        self
    }

    /// The PBX sends a request of its own to somebody's bindings.
    #[track_caller]
    pub fn pbx_asks(
        &mut self,
        method: &str,
        name: &str,
        lines: &[&str],
        body: Option<(&str, &str)>,
    ) -> &mut World {
        let user = self.number(name);
        self.with_pbx(|pbx, now| pbx.ask(now, method, &user, lines, body));
        self
    }

    /// The PBX tells all who watch somebody how many calls they have.
    #[track_caller]
    pub fn pbx_tells_of(&mut self, name: &str) -> &mut World {
        let user = self.number(name);
        self.with_pbx(|pbx, now| pbx.tell_watchers(now, &user));
        self
    }

    /// The PBX goes dead, or comes back with its registrations and without its calls.
    pub fn pbx_power(&mut self, on: bool) -> &mut World {
        self.with_pbx(|pbx, _| pbx.power(on));
        self
    }

    /// Somebody sends these bytes to the house as they are, by UDP.
    #[track_caller]
    pub fn throw(&mut self, name: &str, bytes: &[u8]) -> &mut World {
        let from = self.phone(name).account().address;
        let to = self.map.phones_side;
        self.throw_from(from, to, bytes)
    }

    /// The PBX sends these bytes to the house as they are, by UDP.
    pub fn pbx_throws(&mut self, bytes: &[u8]) -> &mut World {
        let (from, to) = (self.map.pbx, self.map.pbx_side);
        self.throw_from(from, to, bytes)
    }

    /// Somebody who is not the PBX sends these bytes to the PBX's side of the house, by UDP.
    pub fn intruder_throws(&mut self, bytes: &[u8]) -> &mut World {
        let from = SocketAddr::new(super::state::Map::host(self.map.callers_net, 66), 5060);
        let to = self.map.pbx_side;
        self.throw_from(from, to, bytes)
    }

    fn throw_from(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> &mut World {
        self.invariants.is_damaged = true;
        let carries = Carries::Sip(Transport::Udp, None);
        let parcel = Parcel { from, to, carries, bytes: bytes.to_vec().into() };
        let text = String::from_utf8_lossy(bytes.get(..60).unwrap_or(bytes)).into_owned();
        let name = self.name_of(from);
        self.ladder.remark(self.now, format!("{name} throws {text:?}"));
        self.wire.put(self.now, parcel, true);
        self
    }

    /// Somebody's TCP connections to the house end.
    #[track_caller]
    pub fn disconnect(&mut self, name: &str) -> &mut World {
        let address = self.phone(name).account().address;
        let gone: Vec<_> =
            self.conns.keys().filter(|(a, b)| *a == address || *b == address).copied().collect();
        for key in gone {
            if let Some(conn) = self.conns.remove(&key) {
                self.feed(Input::Closed { conn });
            }
        }
        self
    }

    /// New settings for the running house.
    #[track_caller]
    pub fn reload(&mut self, change: impl FnOnce(&mut Settings)) -> &mut World {
        change(&mut self.settings);
        let settings = self.settings.clone();
        self.feed(Input::Reload(Box::new(settings)));
        self
    }

    /// A remark in the ladder.
    pub fn remark(&mut self, text: &str) -> &mut World {
        self.ladder.remark(self.now, text.to_owned());
        self
    }
}
