"""Stories of phones that ask otherwise than by a code: by an orbit, by a command, by keys."""

import json

from stage import DOMAIN, eventually
from steps import (
    ALICE, CALLER, JAMES, LOT, OTHER, OUTSIDE, check, hears, hears_music, james_calls_out, retrieve, talk, unbroken,
)
from stories_watching import watch
from watching import lamp, replaces, shows, watches_no_more


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


def a_private_location_is_taken_by_the_ids_that_its_lamp_shows(stage):
    stage.open(LOT)
    stage.register("103", "105", "106")
    caller = stage.end(CALLER)
    pbx = stage.pbx("pbx_answers", caller)
    lamps, _ = watch(stage, "106", f"703@{DOMAIN}")
    park_at_orbit(stage, f"sip:prk703@{DOMAIN}", pbx, caller, 0)
    lit = shows(lamp(lamps, 2), OUTSIDE)[0]
    retrieve(stage, "105", "prk703", pbx, caller, parts={"invite_line": f"Replaces: {replaces(lit)}"})
    shows(lamp(lamps, 3))
    pbx.done()
    watches_no_more(stage, lamps, 3)
    unbroken(caller, "the parkee")


def a_soft_key_parks_and_monitors_the_parked_call(stage):
    stage.open(LOT)
    registrar = stage.pbx("pbx_registers", calls=2)
    james, alice, caller = stage.end(JAMES), stage.end(ALICE), stage.end(CALLER)
    tcp = dict(over="tcp", registers=True)
    parker = stage.phone("phone_parks_by_soft_key", "103", james, dials=OUTSIDE, **tcp)
    retriever = stage.phone("phone_retrieves_until_hung_up", "105", alice, dials="701", **tcp)
    parker.fact("contact")
    retriever.fact("contact")
    registrar.done()
    contacts = dict(fact.split() for fact in registrar.facts("contact"))
    pbx = stage.pbx("pbx_answers_and_hangs_up", caller)
    stage.cue_by_parkade(parker, contacts["103"])
    talk(stage, parker, james, pbx, caller)
    stage.cue_by_parkade(parker, contacts["103"])
    slot = parker.fact("parked")
    check(slot == "701", f"the screen says that the call is parked at {slot}")
    hears_music(caller, "the parkee")
    parker.fact("free", 5)
    stage.cue_by_parkade(retriever, contacts["105"])
    talk(stage, retriever, alice, pbx, caller)
    parker.done()
    stage.cue(pbx)
    pbx.done()
    retriever.done()
    unbroken(caller, "the parkee")


def a_park_server_chooses_the_orbit(stage):
    stage.open(LOT)
    stage.register("103", "105")
    parker, _, pbx, caller = james_calls_out(stage, "phone_parks_by_park_server", "pbx_answers")
    stage.cue(parker)
    check(parker.fact("orbit").endswith(";orbit=701"), f"the parker is sent to {parker.fact('orbit')}")
    parker.fact("parked")
    hears_music(caller, "the parkee")
    parker.done(5)
    retrieve(stage, "105", "701", pbx, caller)
    pbx.done()
    unbroken(caller, "the parkee")


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


def keys_in_the_sound_park_and_reach_the_other_side(stage):
    stage.open('[dialect]\nkey_patience = "500ms"\n' + LOT + "dtmf = true\n")
    stage.register("103", "105")
    parker, james, pbx, caller = james_calls_out(stage, "phone_calls_until_hung_up", "pbx_answers")
    james.press("*68#")
    parker.done()
    hears_music(caller, "the parkee")
    keys = {(packet.timestamp, packet.payload[0]) for packet in caller.packets if packet.payload_type == 101}
    check([event for _, event in sorted(keys)][:3] == [10, 6, 8], f"the keys came as {sorted(keys)}")
    moved = len(caller.packets)
    retrieve(stage, "105", "*88103", pbx, caller)
    pbx.done()
    unbroken(caller, "the parkee", moved)


STORIES = [
    an_orbit_names_the_slot,
    an_orbit_that_nobody_has_keeps_the_call,
    a_private_location_is_taken_by_the_ids_that_its_lamp_shows,
    a_soft_key_parks_and_monitors_the_parked_call,
    a_park_server_chooses_the_orbit,
    a_command_parks_and_its_answer_names_the_slot,
    keys_that_are_no_code_pass_in_their_order_and_a_code_parks,
    keys_in_the_sound_park_and_reach_the_other_side,
]
