"""Stories in which Parkade ends while there are calls, and starts again: nobody who talked or waited is lost.

Names of scenarios are files in scenarios/.
"""

import signal
import time

from stage import StoryFailed, eventually
from steps import ALICE, CALLER, JAMES, LOT, OUTSIDE, PARKED, check, hears, hears_music, talk


def parked(stage, pbx_scenario="pbx_answers"):
    """103 has parked a caller at 105, and has hung up."""
    stage.open(LOT, journal=True)
    stage.register("103", "105")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    pbx = stage.pbx(pbx_scenario, caller, polite=True)
    parker = stage.phone("phone_parks", "103", james, **PARKED)
    talk(stage, parker, james, pbx, caller)
    told = stage.phone("phone_is_told_parked", "105")
    stage.cue(parker)
    parker.fact("parked")
    told.done()
    parker.done(5)
    hears_music(caller, "the parkee")
    return pbx, caller


def taken(stage, pbx, caller):
    """105 takes the parked call, talks, and hangs up."""
    alice = stage.end(ALICE)
    retriever = stage.phone("phone_retrieves", "105", alice, dials="*88", polite=True)
    check(retriever.fact("identity") == OUTSIDE, f"the retriever is shown {retriever.fact('identity')}")
    talk(stage, retriever, alice, pbx, caller)
    stage.cue(retriever)
    retriever.done()
    pbx.done()


def music_comes_back_within_a_second(stage, caller, begun):
    before = len(caller.packets)
    while len(caller.packets) == before:
        if time.monotonic() > begun + 1:
            raise StoryFailed("the parkee hears nothing a second after the start")
        time.sleep(0.005)
    hears_music(caller, "the parkee, after the restart,")


def a_parked_call_outlives_a_kill(stage):
    pbx, caller = parked(stage)
    stage.stop(signal.SIGKILL)
    begun = time.monotonic()
    stage.start()
    stage.told("restored 1 parked calls")
    music_comes_back_within_a_second(stage, caller, begun)
    taken(stage, pbx, caller)


def a_parked_call_outlives_a_restart_by_the_service_manager(stage):
    pbx, caller = parked(stage)
    stage.stop(signal.SIGTERM)
    check(stage.parkade.returncode == 0, f"parkade ended with {stage.parkade.returncode}")
    begun = time.monotonic()
    stage.start()
    music_comes_back_within_a_second(stage, caller, begun)
    taken(stage, pbx, caller)


def who_talks_while_it_is_killed_talks_on_and_is_parked(stage):
    stage.open(LOT, journal=True)
    stage.register("103", "105")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    pbx = stage.pbx("pbx_answers", caller, polite=True)
    parker = stage.phone("phone_parks", "103", james, polite=True, **PARKED)
    talk(stage, parker, james, pbx, caller)
    stage.stop(signal.SIGKILL)
    stage.start()
    stage.told("restored 0 parked calls, 2 legs")
    hears(james, caller.hertz, parker.name)
    hears(caller, james.hertz, pbx.name)
    told = stage.phone("phone_is_told_parked", "105")
    stage.cue(parker)
    parker.fact("parked")
    told.done()
    parker.done(5)
    hears_music(caller, "the parkee")
    taken(stage, pbx, caller)


def a_journal_that_cannot_be_read_is_told_and_new_calls_go_on(stage):
    stage.open(LOT, journal=True)
    journal = stage.folder / "state" / "journal.redb"
    eventually("there is a journal", journal.exists)
    stage.stop(signal.SIGKILL)
    journal.write_bytes(b"not what it was" * 1000)
    stage.start()
    stage.told("was set aside as")
    stage.register("103")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    pbx = stage.pbx("pbx_answers", caller)
    phone = stage.phone("phone_calls", "103", james, dials=OUTSIDE)
    talk(stage, phone, james, pbx, caller)
    stage.cue(phone)
    phone.done()
    pbx.done()


STORIES = [
    a_parked_call_outlives_a_kill,
    a_parked_call_outlives_a_restart_by_the_service_manager,
    who_talks_while_it_is_killed_talks_on_and_is_parked,
    a_journal_that_cannot_be_read_is_told_and_new_calls_go_on,
]
