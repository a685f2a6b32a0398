//! Stories are played once clean, and then again with every single datagram of theirs lost, repeated,
//! overtaken or late: each time they must end the same.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::wire::Fault;
use crate::world::World;

/// How many failures a sweep collects before it gives up.
const ENOUGH: usize = 3;

/// Plays a story in a clean world, and tidies up.
#[track_caller]
pub fn play(story: impl Fn(&mut World)) {
    let mut world = World::new();
    story(&mut world);
    world.tidy();
    if std::env::var_os("LADDER").is_some() {
        println!("{}", world.ladder().text(false));
    }
}

/// Plays a story with every single fault of every datagram, and checks that it ends as the clean run
/// does. Gives the number of runs.
///
/// # Panics
/// If any run fails: with the faults and what went wrong.
#[track_caller]
pub fn sweep(story: impl Fn(&mut World)) -> usize {
    let mut clean = World::new();
    story(&mut clean);
    let datagrams = clean.datagrams();
    let wanted = clean.standing();
    clean.tidy();
    let mut failures: Vec<String> = Vec::new();
    let mut runs = 1;
    for k in 0..datagrams {
        for fault in Fault::ALL {
            runs += 1;
            if let Err(what) = run_with(&story, k, fault, &wanted) {
                failures.push(format!("{fault:?} of datagram {k} of {datagrams}: {what}"));
            }
            if failures.len() >= ENOUGH {
                break;
            }
        }
        if failures.len() >= ENOUGH {
            break;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    runs
}

/// Plays a story with one fault; the error says what went wrong.
///
/// # Errors
/// If the story fails, ends otherwise than `wanted`, or leaves something behind.
pub fn run_with(
    story: impl Fn(&mut World),
    k: u64,
    fault: Fault,
    wanted: &str,
) -> Result<(), String> {
    ends_as(story, wanted, |world| {
        world.spoil(k, fault);
    })
}

/// Plays a story in a world in which something is to go wrong; the error says what went wrong beyond that.
fn ends_as(
    story: impl Fn(&mut World),
    wanted: &str,
    spoil: impl Fn(&mut World),
) -> Result<(), String> {
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new();
        spoil(&mut world);
        story(&mut world);
        let standing = world.standing();
        if standing != wanted {
            world.remark(&format!("ends otherwise:\n{standing}\nand not\n{wanted}"));
            world.fail("the story ends otherwise");
        }
        world.tidy();
    }));
    run.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "a panic without words".to_owned())
    })
}

/// Plays a story again and again; each time the house is killed after another of the steps in which it does
/// anything, and opened again with what it had written down: it must end as the clean run does. Gives the number
/// of runs.
///
/// # Panics
/// If any run fails: with the moment and what went wrong.
#[track_caller]
pub fn sweep_restarts(story: impl Fn(&mut World)) -> usize {
    let mut clean = World::new();
    clean.note_steps();
    story(&mut clean);
    let wanted = clean.standing();
    let steps = clean.noted_steps().to_vec();
    let mut failures: Vec<String> = Vec::new();
    let mut runs = 0;
    // The last ones first: more has happened before them.
    for step in steps.iter().rev() {
        runs += 1;
        let run = ends_as(&story, &wanted, |world| {
            world.restart_after(*step);
        });
        if let Err(what) = run {
            failures.push(format!("killed after step {step}: {what}"));
        }
        if failures.len() >= ENOUGH {
            break;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    runs
}

/// Declares stories: each is a test that plays it, one that sweeps it
/// with faults, and one that restarts the house in it.
///
/// ```text
/// stories! {
///     fn a_caller_is_parked_and_retrieved(w) { w.phones(["ben"]); … }
/// }
/// ```
#[macro_export]
macro_rules! stories {
    ($($(#[$attribute:meta])* fn $name:ident($world:ident) $body:block)*) => {
        $(
            $(#[$attribute])*
            mod $name {
                #[allow(unused_imports)]
                use super::*;

                fn story($world: &mut $crate::World) $body

                #[test]
                fn plays() {
                    $crate::play(story);
                }

                #[test]
                fn survives_any_single_fault() {
                    $crate::sweep(story);
                }

                #[test]
                fn survives_a_restart() {
                    $crate::sweep_restarts(story);
                }
            }
        )*
    };
}
