//! What happens: a caller is answered, parked on a colleague's extension, retrieved, parked to the
//! group, and recalled.

use std::time::Duration;

use crate::demo::failed::DemoFailed;
use crate::demo::seats::{CALLER, EVERYBODY};
use crate::demo::stage::Stage;
use crate::demo::steps::{
    bindings, from_one_socket, lit, music, nothing_left, nothing_parked, parked_at, parked_away,
    registered, rings, rings_again, shown, talking, unbroken,
};

const CAROL: usize = 0;
const DAVE: usize = 1;
const JAMES: usize = 2;
const ALICE: usize = 4;

/// How long a call rings before it is answered, so that the ladder can be followed.
const RINGING: Duration = Duration::from_millis(400);

/// How long two talk before it is said that they hear each other.
const TALKING: Duration = Duration::from_millis(400);

/// The recall comes after 3 s.
const UNTIL_RECALL: Duration = Duration::from_secs(8);

/// How long registrations last, in seconds; the demo is over long before.
const REGISTERED: u32 = 3600;

/// Plays the demo on the standard output.
///
/// # Errors
/// The first step that did not bring about what it should.
pub(crate) fn play() -> Result<(), DemoFailed> {
    let mut stage = Stage::open()?;
    let s = &mut stage;
    s.ladder.remark(
        "Parkade (the house) runs here as it always does, on loopback, with a PBX, the phones",
    );
    s.ladder
        .remark("101 to 105, and Jane, who calls from outside. Each voice is a tone of its own.");
    s.ladder.remark("What is marked ✓ was verified. Times are in seconds.");
    phones_register(s)?;
    caller_comes_in(s)?;
    james_parks_for_alice(s)?;
    alice_retrieves(s)?;
    alice_parks_to_the_group(s)?;
    alice_is_recalled(s)?;
    everybody_leaves(s)?;
    the_house_ends(stage)
}

fn phones_register(s: &mut Stage) -> Result<(), DemoFailed> {
    s.ladder.act("The phones register with the PBX, through the house");
    for seat in 0..EVERYBODY.len() {
        s.act(seat, |phone, now| phone.speak(now, true));
    }
    s.act(JAMES, |phone, now| phone.register(now, REGISTERED));
    s.verify("103 is registered", "200", |s| registered(s, JAMES))?;
    s.ladder.hush();
    for seat in (0..CALLER).filter(|seat| *seat != JAMES) {
        s.act(seat, |phone, now| phone.register(now, REGISTERED));
    }
    s.verify("so are 101, 102, 104 and 105", "200 for each", |s| {
        (0..CALLER).try_for_each(|seat| registered(s, seat).map(drop))?;
        bindings(s, CALLER)
    })?;
    let left_out = s.ladder.unhush();
    s.ladder.remark(&format!("({left_out} messages as those above)"));
    // A trunk is known by its address.
    s.pbx_settings().digest = false;
    Ok(())
}

fn caller_comes_in(s: &mut Stage) -> Result<(), DemoFailed> {
    s.ladder.act("Jane calls from outside, and James answers on 103");
    s.act(CALLER, |phone, now| phone.dial(now, EVERYBODY[JAMES].number));
    s.verify("103 rings", "a call from Jane", |s| rings(s, JAMES))?;
    s.pass(RINGING)?;
    s.act(JAMES, |phone, now| phone.answer(now));
    they_talk(s, JAMES)
}

fn they_talk(s: &mut Stage, seat: usize) -> Result<(), DemoFailed> {
    s.pass(TALKING)?;
    let step = format!("the caller and {} hear each other", EVERYBODY[seat].label);
    s.verify(&step, "each one's tone at the other", |s| talking(s, CALLER, seat))
}

fn james_parks_for_alice(s: &mut Stage) -> Result<(), DemoFailed> {
    s.ladder.act("James parks the call for Alice: he transfers it to *68105");
    s.act(JAMES, |phone, now| phone.transfer(now, "*68105"));
    s.verify("103 is rid of the call", "outcome 200, no call left", |s| parked_away(s, JAMES))?;
    s.verify("the call is parked", "one call, at 105", |s| parked_at(s, "105"))?;
    s.verify("105's lamp lights", "the lamp of 105, and no other", |s| lit(s, &[ALICE]))?;
    s.listen_anew();
    s.verify("the caller hears music", "a second of the built-in tune", music)
}

fn alice_retrieves(s: &mut Stage) -> Result<(), DemoFailed> {
    s.ladder.act("Alice dials *88 and has the call");
    s.act(ALICE, |phone, now| phone.dial(now, "*88"));
    they_talk(s, ALICE)?;
    s.verify("105 shows whom it got", "Jane's number", |s| shown(s, ALICE))?;
    s.verify("105's lamp goes out", "no lamp", |s| lit(s, &[]))?;
    s.verify("nothing is parked any more", "no parked call", nothing_parked)
}

fn alice_parks_to_the_group(s: &mut Stage) -> Result<(), DemoFailed> {
    s.ladder.act("Alice parks the call for her group: she transfers it to *58");
    s.act(ALICE, |phone, now| phone.transfer(now, "*58"));
    s.verify("105 is rid of the call", "outcome 200, no call left", |s| parked_away(s, ALICE))?;
    s.verify("the call is parked at the first free member", "one call, at 101", |s| {
        parked_at(s, "101")
    })?;
    s.verify("the lamps of the group light", "those of 101, 102 and 103", |s| {
        lit(s, &[CAROL, DAVE, JAMES])
    })?;
    s.listen_anew();
    s.verify("the caller hears music", "a second of the built-in tune", music)
}

fn alice_is_recalled(s: &mut Stage) -> Result<(), DemoFailed> {
    s.ladder.act("Nobody takes it, so the call comes back to Alice after 3 seconds");
    s.verify_within(UNTIL_RECALL, "105 rings", "a recall of Jane's call", |s| {
        rings_again(s, ALICE)
    })?;
    s.listen_anew();
    s.pass(RINGING)?;
    s.verify("the caller hears music while it rings", "the built-in tune", music)?;
    s.act(ALICE, |phone, now| phone.answer(now));
    they_talk(s, ALICE)?;
    s.verify("all lamps go out", "no lamp", |s| lit(s, &[]))
}

fn everybody_leaves(s: &mut Stage) -> Result<(), DemoFailed> {
    s.ladder.act("Jane hangs up, and nothing is left");
    s.act(CALLER, |phone, now| phone.hang_up(now));
    s.verify("no call is left anywhere", "nothing but the bindings", |s| nothing_left(s, CALLER))?;
    s.verify("all that the caller heard was one stream", "no break in it", unbroken)?;
    s.verify("it came from one address and port", "one", from_one_socket)?;
    s.ladder.hush();
    for seat in 0..CALLER {
        s.act(seat, |phone, now| phone.register(now, 0));
    }
    s.verify("the phones leave the registrar", "no binding", |s| nothing_left(s, 0))?;
    s.ladder.unhush();
    Ok(())
}

fn the_house_ends(stage: Stage) -> Result<(), DemoFailed> {
    let Stage { house, ladder, .. } = stage;
    let (step, expected) = ("the house ends when it is told to".to_owned(), "at once".to_owned());
    match house.end() {
        Ok(after) => {
            ladder.remark(&format!("✓ {step}: after {} ms", after.as_millis()));
            ladder.remark("All steps were verified.");
            Ok(())
        }
        Err(seen) => Err(DemoFailed::Missed { step, expected, seen }),
    }
}
