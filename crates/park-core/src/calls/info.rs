//! Asks that come as INFO within a call: a command whose answer is an INFO too, a body that a
//! configured rule knows, and keys that are pressed one by one until they are a code. Keys may come
//! in the sound too.

use base::{Flow, Side};
use dialects::{Codes, InfoAsk, InfoVerb, Key, KeyOutcome, KeySource, Keys, ParkCommand};
use sip_core::ServerKey;
use sip_msg::Message;

use crate::calls::leg::{Leg, Stage};
use crate::calls::{own, park, quirks, send};
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, Errand, LegKey, ParkedKey};
use crate::lots::{self, Teller};
use crate::refusal::Refusal;
use crate::told::Asked;

/// Takes an INFO of a phone, if it asks something of us; then it has been dealt with.
pub(crate) fn take(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: &Flow,
    key: LegKey,
) -> bool {
    if flow.side != Side::Phones {
        return false;
    }
    let ask = match InfoAsk::read(request, &house.settings.info_rules) {
        Ok(Some(ask)) => ask,
        Ok(None) => return false,
        Err(bad) => {
            house.refuse_ask(
                server,
                request,
                Asked::Park,
                &Refusal::Status(bad.status, bad.why.into()),
            );
            return true;
        }
    };
    match ask {
        InfoAsk::Command(command) => by_command(house, server, request, key, command),
        InfoAsk::Matched { asks: InfoVerb::Park, slot, .. } => {
            by_rule(house, server, request, key, slot.as_deref());
        }
        // A call within a call is asked for by dialling.
        InfoAsk::Matched { asks: InfoVerb::Retrieve, .. } => return false,
        InfoAsk::Digit { key: pressed, .. } => return press(house, server, request, key, pressed),
    }
    true
}

/// Who asks in a leg, and whether they may.
fn asker(house: &House, key: LegKey) -> Result<Aor, Refusal> {
    let leg = house.legs.get(key).ok_or(Refusal::NotAnswered)?;
    lots::entitled(house, leg, &leg.dialog.flow)?;
    lots::speaker(house, leg).ok_or(Refusal::NotEntitled)
}

/// Parks the call of a leg at `slot`, or where there is room if the parker has named no place.
pub(crate) fn park_at(
    house: &mut House,
    key: LegKey,
    slot: Option<&str>,
) -> Result<ParkedKey, Refusal> {
    let aor = asker(house, key)?;
    let ask = match slot {
        Some(slot) => lots::named_ask(house, &aor, slot)?,
        None => lots::any_ask(house, &aor).ok_or(Refusal::LotFull)?,
    };
    park::do_park(house, key, &ask)
}

/// A command: answered at once, and its outcome told by an INFO of ours.
fn by_command(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    key: LegKey,
    command: ParkCommand,
) {
    house.answer(server, request, 200);
    match park_at(house, key, None) {
        Ok(parked) => park::go(house, parked, Teller::Command(key, command)),
        Err(refusal) => {
            let who = house.legs.get(key).map(Leg::name).unwrap_or_default();
            house.tell_refused(request.call_id(), Asked::Park, who, &refusal);
            refuse_command(house, key, &command, refusal.status(), &refusal.to_string());
        }
    }
}

/// The parker is told with which number its call is retrieved; then its leg ends.
pub(crate) fn command_done(house: &mut House, key: LegKey, command: &ParkCommand, number: &str) {
    let body = command.parked(number);
    answer_command(house, key, body);
    house.alarms.set(Alarm::Bye(key), house.at + quirks::bye_grace(house, key));
}

/// The parker is told that nothing was parked.
pub(crate) fn refuse_command(
    house: &mut House,
    key: LegKey,
    command: &ParkCommand,
    status: u16,
    why: &str,
) {
    answer_command(house, key, command.refused(status, why));
}

fn answer_command(house: &mut House, key: LegKey, body: dialects::Body) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let draft = leg.dialog.request("INFO").body(&body.content_type, body.bytes);
    send::send_own(house, key, draft, Errand::Answer);
}

/// A body that a configured rule knows: its own answer tells the outcome.
fn by_rule(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    key: LegKey,
    slot: Option<&str>,
) {
    match park_at(house, key, slot) {
        Ok(parked) => park::go(house, parked, Teller::Answer(key, server)),
        Err(refusal) => house.refuse_ask(server, request, Asked::Park, &refusal),
    }
}

/// A key is pressed. It is held back while it may become a code; whether it has been dealt with.
fn press(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    key: LegKey,
    pressed: Key,
) -> bool {
    let other = house.legs.get(key).and_then(Leg::partner);
    let in_order =
        other.and_then(|key| house.legs.get(key)).is_some_and(|leg| leg.keys_due.is_empty());
    let keys = house.legs.get(key).and_then(|leg| leg.keys.as_deref());
    let nothing_held = keys.is_none_or(|keys| keys.held().is_empty());
    let Some(outcome) = collect(house, key, pressed, KeySource::Info) else { return false };
    let is_only_this =
        matches!(&outcome, KeyOutcome::NotOurs(keys) if keys.as_slice() == [pressed]);
    if is_only_this && nothing_held && in_order {
        return false;
    }
    house.answer(server, request, 200);
    follow(house, key, outcome);
    true
}

/// A key has come in the sound of a watched leg; its packets have gone on.
pub(crate) fn pressed_in_sound(house: &mut House, key: LegKey, event: u8, timestamp: u32) {
    let Some(pressed) = Key::from_event(event) else { return };
    if let Some(outcome) = collect(house, key, pressed, KeySource::Rtp { timestamp }) {
        follow(house, key, outcome);
    }
}

/// Adds a key to those that may become a code, where somebody may park by keys.
fn collect(house: &mut House, key: LegKey, pressed: Key, source: KeySource) -> Option<KeyOutcome> {
    let aor = asker(house, key).ok()?;
    let lots = lots::with_keys(house, &aor);
    let leg = house.legs.get(key)?;
    house.legs.get(leg.partner()?)?;
    if lots.is_empty() || leg.stage != Stage::Up {
        return None;
    }
    let (at, patience) = (house.at, house.settings.key_patience);
    let codes: Vec<&Codes> = lots.iter().filter_map(|lot| house.codes.get(*lot)).collect();
    let leg = house.legs.get_mut(key)?;
    let keys = leg.keys.get_or_insert_with(|| Box::new(Keys::new(patience)));
    Some(keys.press(at, pressed, source, &codes))
}

/// The pause after the last key is long enough.
pub(crate) fn pause_over(house: &mut House, key: LegKey) {
    let aor = house.legs.get(key).and_then(|leg| lots::speaker(house, leg));
    let lots = aor.map(|aor| lots::with_keys(house, &aor)).unwrap_or_default();
    let codes: Vec<&Codes> = lots.iter().filter_map(|lot| house.codes.get(*lot)).collect();
    let at = house.at;
    let Some(keys) = house.legs.get_mut(key).and_then(|leg| leg.keys.as_mut()) else { return };
    if let Some(outcome) = keys.expire(at, &codes) {
        follow(house, key, outcome);
    }
}

fn follow(house: &mut House, key: LegKey, outcome: KeyOutcome) {
    match outcome {
        KeyOutcome::Ours(code) => by_keys(house, key, &code),
        KeyOutcome::NotOurs(keys) => pass_keys(house, key, &keys),
        KeyOutcome::Collecting | KeyOutcome::Repeated => {}
    }
    let due = house.legs.get(key).and_then(|leg| leg.keys.as_ref()?.wake_at());
    if let Some(due) = due {
        house.alarms.set(Alarm::Keys(key), due);
    } else {
        house.alarms.stop(Alarm::Keys(key));
    }
}

/// Keys that turned out to be no code go on, one INFO each. The next waits for the answer to the one
/// before: what comes out of order is refused (RFC 3261 §12.2.2).
fn pass_keys(house: &mut House, key: LegKey, keys: &[Key]) {
    let other = house.legs.get(key).and_then(Leg::partner);
    let Some(other) = other.and_then(|key| Some((key, house.legs.get_mut(key)?))) else { return };
    let (to, leg) = other;
    let idle = leg.keys_due.is_empty();
    leg.keys_due.extend(keys);
    if idle {
        pass_key(house, to);
    }
}

fn pass_key(house: &mut House, to: LegKey) {
    const USUAL_MS: u32 = 160;
    let Some(leg) = house.legs.get_mut(to) else { return };
    let Some(key) = leg.keys_due.first() else { return };
    let body = key.dtmf_relay(USUAL_MS);
    let draft = leg.dialog.request("INFO").body(&body.content_type, body.bytes);
    send::send_own(house, to, draft, Errand::Key);
}

/// A key has arrived, or has not: on to the next.
pub(crate) fn key_passed(house: &mut House, to: LegKey) {
    if let Some(leg) = house.legs.get_mut(to)
        && !leg.keys_due.is_empty()
    {
        leg.keys_due.remove(0);
    }
    pass_key(house, to);
}

/// After a restart: the key that was under way may have arrived; on to the next, if one waits.
pub(crate) fn keys_go_on(house: &mut House, to: LegKey) {
    if house.legs.get(to).is_some_and(|leg| !leg.keys_due.is_empty()) {
        key_passed(house, to);
    }
}

/// The keys are a code: the call is parked there, and the parker's leg ended by us.
fn by_keys(house: &mut House, key: LegKey, code: &str) {
    let Some(leg) = house.legs.get(key) else { return };
    let call_id = leg.dialog.call_id().to_string();
    let Some(aor) = lots::speaker(house, leg) else { return };
    let parked = lots::park_ask(house, &aor, code)
        // A retrieve code, in a call: there is nothing that it could mean.
        .ok_or(Refusal::Status(404, "these keys park nowhere".into()))
        .and_then(|ask| park::do_park(house, key, &ask));
    match parked {
        Ok(parked) => park::go(house, parked, Teller::Keys(key)),
        Err(refusal) => {
            house.tell_refused(&call_id, Asked::Park, aor.extension.to_string(), &refusal);
        }
    }
}

/// A call that was parked by keys stands parked: nobody waits for a word, so its leg ends.
pub(crate) fn keys_done(house: &mut House, key: LegKey) {
    own::bye(house, key, None);
}
