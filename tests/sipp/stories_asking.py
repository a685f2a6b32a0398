"""Stories of phones that ask otherwise than by a code: by an orbit, by a command, by keys."""

import json

from stage import DOMAIN, eventually
from steps import (
    CALLER, JAMES, LOT, OTHER, OUTSIDE, check, hears, hears_music, james_calls_out, retrieve, talk, unbroken,
)


def park_at_orbit(stage, orbit, pbx, end, call):
    """103 calls the outside party with that RTP end, and parks it by a REFER to `orbit`."""
    james = stage.end(JAMES)
    refer = {"refer_to": orbit}
    parker = stage.phone("phone_parks_and_leaves", "103", james, dials=OUTSIDE, parts=refer)
    eventually("the call is up", lambda: len(pbx.facts("up")) == call + 1)
    talk(stage, parker, james, pbx, end, call=call)
    stage.cue(parker)
    parker.done()
    hears_music(end, f"the parkee at {orbit}")


def an_orbit_names_the_slot(stage):
    stage.open(LOT)
    stage.register("103", "105")
    first, second = stage.end(CALLER), stage.end(OTHER)
    pbx = stage.pbx("pbx_answers", first, second)
    park_at_orbit(stage, f"sip:callpark@{DOMAIN};orbit=703", pbx, first, 0)
    park_at_orbit(stage, f"sip:park+702@{DOMAIN}", pbx, second, 1)
    retrieve(stage, "105", "park+702", pbx, second)
    retrieve(stage, "105", "703", pbx, first)
    pbx.done()
    for end in (first, second):
        unbroken(end, "a parkee")


def an_orbit_that_nobody_has_keeps_the_call(stage):
    stage.open(LOT)
    stage.register("103")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    pbx = stage.pbx("pbx_answers", caller)
    first = {"refer_to": f"sip:callpark@{DOMAIN};orbit=799"}
    parker = stage.phone("phone_fails_to_park", "103", james, dials=OUTSIDE, then_park_at="park+799", parts=first)
    talk(stage, parker, james, pbx, caller)
    for attempt in (1, 2):
        stage.cue(parker)
        eventually(f"park {attempt} is refused", lambda: len(parker.facts("refused")) == attempt)
        seen = len(caller.packets)
        eventually("the caller goes on hearing", lambda: len(caller.packets) > seen + 25)
        hears(caller, JAMES, "the caller")
        hears(james, CALLER, "the parker")
    told = parker.facts("outcome")
    check(all(outcome.startswith("SIP/2.0 404 ") for outcome in told), f"the parker is told {told}")
    stage.cue(parker)
    parker.done()
    pbx.done()
    unbroken(caller, "the caller")


def a_command_parks_and_its_answer_names_the_slot(stage):
    stage.open(LOT)
    stage.register("103", "105")
    parker, james, pbx, caller = james_calls_out(stage, "phone_parks_by_command", "pbx_answers")
    stage.cue(parker)
    answer = json.loads(parker.fact("answer"))["response"]
    check((answer["reqid"], answer["command"]) == ("q-17", "callpark"), f"it is answered: {answer}")
    slot = answer["result"]["park extension"]
    check((answer["result"]["code"], slot) == (0, "701"), f"the outcome is {answer['result']}")
    parker.done()
    hears_music(caller, "the parkee")
    retrieve(stage, "105", slot, pbx, caller)
    pbx.done()
    unbroken(caller, "the parkee")


def keys_that_are_no_code_pass_in_their_order_and_a_code_parks(stage):
    stage.open('[dialect]\nkey_patience = "500ms"\n' + LOT + "dtmf = true\n")
    stage.register("103", "105")
    parker, james, pbx, caller = james_calls_out(stage, "phone_parks_by_keys", "pbx_hears_keys")
    stage.cue(parker)
    parker.fact("pressed")
    eventually("three keys have passed", lambda: len(pbx.facts("key")) == 3)
    check(pbx.facts("key") == ["*", "6", "9"], f"the keys came as {pbx.facts('key')}")
    hears(caller, JAMES, "the caller")
    stage.cue(parker)
    parker.done()
    hears_music(caller, "the parkee")
    retrieve(stage, "105", "*88103", pbx, caller)
    # It would have failed had a key of the code come to it.
    pbx.done()
    unbroken(caller, "the parkee")


STORIES = [
    an_orbit_names_the_slot,
    an_orbit_that_nobody_has_keeps_the_call,
    a_command_parks_and_its_answer_names_the_slot,
    keys_that_are_no_code_pass_in_their_order_and_a_code_parks,
]
