//! What a step must have brought about: each check says what proves it, or what is seen in its place.

use std::time::Duration;

use simnet::{Call, CallState, Sound, frequency};

use crate::demo::seats::{CALLER, EVERYBODY};
use crate::demo::stage::Stage;

/// What is seen: proof, or what is there in its place.
pub(super) type Seen = Result<String, String>;

/// The last part of a stream that a listener is asked about.
const WINDOW: Duration = Duration::from_millis(200);

/// A second of music.
const MUSIC_PACKETS: u32 = 50;

/// Registered: the PBX has said so.
pub(super) fn registered(stage: &Stage, seat: usize) -> Seen {
    match stage.phone(seat).registered() {
        Some(200) => Ok(String::new()),
        Some(status) => Err(format!("the PBX answers {status}")),
        None => Err("no answer".to_owned()),
    }
}

/// So many bindings are known to the house.
pub(super) fn bindings(stage: &Stage, wanted: usize) -> Seen {
    match stage.house.counts()?.bindings {
        known if known == wanted => Ok(String::new()),
        known => Err(format!("{known} bindings")),
    }
}

/// Rings; proof is whom the phone shows.
pub(super) fn rings(stage: &Stage, seat: usize) -> Seen {
    let phone = stage.phone(seat);
    let ringing = phone.calls().iter().find(|call| call.state == CallState::RingingHere);
    match ringing {
        Some(call) => Ok(format!("it shows {}", from(call))),
        None => Err(format!("{} does not ring", EVERYBODY[seat].label)),
    }
}

/// Rings with a recall: the display says so, and the ring tone may be another.
pub(super) fn rings_again(stage: &Stage, seat: usize) -> Seen {
    rings(stage, seat)?;
    let call = stage.phone(seat).current();
    let recalls = call.is_some_and(|call| {
        from(call).contains("Recall: Jane")
            && call.alert_info.as_deref().is_some_and(|info| info.contains("recall"))
    });
    if recalls { rings(stage, seat) } else { Err("it rings as for any call".to_owned()) }
}

fn from(call: &Call) -> String {
    let from = call.from.as_deref().unwrap_or("nobody");
    from.split(" <").next().unwrap_or(from).to_owned()
}

/// Both hear each other's tone, measured from the packets, and nothing else.
pub(super) fn talking(stage: &Stage, one: usize, other: usize) -> Seen {
    let pairs = [(one, other), (other, one)];
    let proofs = pairs.map(|(listener, speaker)| hears(stage, listener, speaker));
    let [first, second] = proofs;
    Ok(format!("{}, {}", first?, second?))
}

fn hears(stage: &Stage, listener: usize, speaker: usize) -> Seen {
    let known: Vec<u32> = (0..EVERYBODY.len()).map(frequency).collect();
    let name = EVERYBODY[listener].label;
    let up = stage.phone(listener).calls().iter().rfind(|call| call.state == CallState::Up);
    let Some(call) = up else { return Err(format!("{name} has no call that is up")) };
    let heard = match call.media.ear.sound(stage.now(), WINDOW, &known) {
        Sound::Tone(hertz) if hertz == frequency(speaker) => {
            return Ok(format!("{name} hears {}'s {hertz} Hz", EVERYBODY[speaker].label));
        }
        Sound::Tone(hertz) => match (0..EVERYBODY.len()).find(|n| frequency(*n) == hertz) {
            Some(who) => EVERYBODY[who].label,
            None => "a strange tone",
        },
        Sound::Nothing => "nothing",
        Sound::Silence => "silence",
        Sound::Music | Sound::Noise => "neither speech nor silence",
    };
    Err(format!("{name} hears {heard}"))
}

/// The transfer was accepted, and the parker's call is over.
pub(super) fn parked_away(stage: &Stage, parker: usize) -> Seen {
    let phone = stage.phone(parker);
    let outcome = phone.latest_transfer().and_then(simnet::Transfer::outcome);
    match (outcome, phone.living_calls()) {
        (Some(200), 0) => Ok("the transfer has ended with 200, and the call with BYE".to_owned()),
        (outcome, calls) => {
            let outcome = outcome.map_or("no outcome".to_owned(), |status| status.to_string());
            Err(format!("transfer: {outcome}; calls that it still has: {calls}"))
        }
    }
}

/// The caller is parked at this slot, as the admin door says.
pub(super) fn parked_at(stage: &Stage, slot: &str) -> Seen {
    let parked = stage.house.parked()?;
    let told: Vec<String> = parked
        .iter()
        .map(|call| format!("{} at {} by {}", call.parked.parkee, call.at.slot, call.parked.parker))
        .collect();
    match parked.as_slice() {
        [call] if call.at.slot == slot && call.parked.parkee == EVERYBODY[CALLER].number => {
            Ok(told.concat())
        }
        [] => Err("nothing is parked".to_owned()),
        _ => Err(told.join(", ")),
    }
}

/// Nothing is parked, as the admin door says.
pub(super) fn nothing_parked(stage: &Stage) -> Seen {
    match stage.house.parked()?.len() {
        0 => Ok(String::new()),
        calls => Err(format!("{calls} parked calls")),
    }
}

/// Exactly these phones show a parked call: their lamps are lit.
pub(super) fn lit(stage: &Stage, wanted: &[usize]) -> Seen {
    let number = EVERYBODY[CALLER].number;
    let shows =
        |seat: &usize| stage.phone(*seat).parked_shown().is_some_and(|body| body.contains(number));
    let lit: Vec<usize> = (0..CALLER).filter(shows).collect();
    let labels: Vec<&str> = lit.iter().map(|seat| EVERYBODY[*seat].label).collect();
    let seen = match labels.is_empty() {
        true => "no lamp is lit".to_owned(),
        false => format!("lit are {}", labels.join(", ")),
    };
    if lit == wanted { Ok(seen) } else { Err(seen) }
}

/// The caller has heard a second of the tune, packet by packet.
pub(super) fn music(stage: &Stage) -> Seen {
    let (heard, at) = (stage.ear().in_a_row(), stage.ear().seconds());
    match heard >= MUSIC_PACKETS {
        true => Ok(format!("{heard} packets of the tune in a row, now at its second {at:.1}")),
        false => Err(format!("{heard} packets of the tune in a row")),
    }
}

/// The retriever's phone shows whom it got.
pub(super) fn shown(stage: &Stage, seat: usize) -> Seen {
    let shown = stage.phone(seat).current().and_then(|call| call.shown.clone());
    let number = EVERYBODY[CALLER].number;
    match shown {
        Some(identity) if identity.contains(number) => Ok(identity),
        Some(identity) => Err(identity),
        None => Err("nobody".to_owned()),
    }
}

/// What the caller heard from beginning to end is one stream (RFC 3550 §5.1).
pub(super) fn unbroken(stage: &Stage) -> Seen {
    let Some(call) = stage.phone(CALLER).latest() else { return Err("no call".to_owned()) };
    let ear = &call.media.ear;
    match ear.breaks.first() {
        None => Ok(format!(
            "{} packets, none missing, at most {} ms between two",
            ear.packets,
            ear.longest_gap.as_millis()
        )),
        Some(first) => Err(format!("{} breaks, the first at {first}", ear.breaks.len())),
    }
}

/// All sound came to the caller from one socket: whoever fed it, the far side never saw another.
pub(super) fn from_one_socket(stage: &Stage) -> Seen {
    match stage.heard_from().len() {
        1 => Ok(String::new()),
        sockets => Err(format!("from {sockets} sockets: {:?}", stage.heard_from())),
    }
}

/// Nobody has a call, and the house holds nothing but `bindings`. Transactions that only wait for
/// repetitions (up to 32 s, RFC 3261 §17) are no rest of a call.
pub(super) fn nothing_left(stage: &Stage, bindings: usize) -> Seen {
    let calls: usize = (0..EVERYBODY.len()).map(|seat| stage.phone(seat).living_calls()).sum();
    let counts = stage.house.counts()?;
    let left = [
        ("calls", calls),
        ("legs", counts.legs),
        ("parked calls", counts.parked),
        ("pending requests", counts.pending),
        ("port pairs", counts.pairs),
        ("alarms", counts.alarms),
        ("bindings too many", counts.bindings.abs_diff(bindings)),
        ("broken promises", counts.bugs as usize),
    ];
    let told: Vec<String> = left
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    match told.is_empty() {
        true => Ok("no leg, no parked call, no port, no alarm".to_owned()),
        false => Err(told.join(", ")),
    }
}
