"""Stories of phones that watch: keys with lamps for slots, whole lots and extensions."""

from stage import DOMAIN, eventually
from steps import (
    ALICE, CALLER, JAMES, LOT, OTHER, OUTSIDE, PARKED, check, hears_music, retrieve, talk, unbroken,
)
from watching import CALLPARK, lamp, lists, notices, replaces, shows, shows_woven, watches_no_more


def watch(stage, device, watched):
    """That device watches; what it is told first."""
    phone = stage.phone("phone_watches", device, watched=watched, waits=False)
    first = lamp(phone, 1)
    check(first.entity == f"sip:{watched}", f"{watched} is told of as {first.entity}")
    return phone, first


def park(stage, pbx, end, at, call=0, **how):
    """103 calls the outside party with that RTP end, and parks it."""
    james = stage.end(JAMES)
    parker = stage.phone("phone_parks_and_leaves", "103", james, dials=OUTSIDE, park_at=at, **how)
    eventually("the call is up", lambda: len(pbx.facts("up")) == call + 1)
    talk(stage, parker, james, pbx, end, call=call)
    stage.cue(parker)
    parker.done()
    hears_music(end, "the parkee")


def a_slots_lamp_is_lit_by_a_park_and_put_out_by_a_retrieve(stage):
    stage.open(LOT)
    stage.register("103", "105", "106")
    caller = stage.end(CALLER)
    pbx = stage.pbx("pbx_answers", caller)
    # The parameter changes nothing but what the phone will compare.
    phone, first = watch(stage, "106", f"701@{DOMAIN};user=phone")
    shows(first)
    park(stage, pbx, caller, "701")
    lit = lamp(phone, 2)
    shows(lit, OUTSIDE)
    check(lit.entity == first.entity, f"the slot is told of as {lit.entity}")
    retrieve(stage, "105", "701", pbx, caller)
    shows(lamp(phone, 3))
    pbx.done()
    shows(watches_no_more(stage, phone, 3))
    unbroken(caller, "the parkee")


def pressing_a_lamp_retrieves_the_call_that_it_shows(stage):
    stage.open(LOT)
    stage.register("103", "105", "106")
    first, second = stage.end(CALLER), stage.end(OTHER)
    pbx = stage.pbx("pbx_answers", first, second)
    phone, _ = watch(stage, "106", f"701@{DOMAIN}")
    park(stage, pbx, first, "701")
    shows(lamp(phone, 2), OUTSIDE)
    park(stage, pbx, second, "701", call=1)
    # The one that came later: dialling the slot would get the other.
    dialogs = shows(lamp(phone, 3), OUTSIDE, OUTSIDE)
    earlier = notices(phone)[1].dialogs[0].get("id")
    later = [dialog for dialog in dialogs if dialog.get("id") != earlier]
    check(len(later) == 1, "the dialog of the first call has another id now")
    line = {"invite_line": f"Replaces: {replaces(later[0])}"}
    retrieve(stage, "105", "701", pbx, second, parts=line)
    hears_music(first, "the one that came first")
    left = shows(lamp(phone, 4), OUTSIDE)[0]
    check(left.get("id") == earlier, "the lamp shows the call that was retrieved")
    retrieve(stage, "105", "701", pbx, first, parts={"invite_line": f"Replaces: {replaces(left)}"})
    shows(lamp(phone, 5))
    pbx.done()
    watches_no_more(stage, phone, 5)
    for end in (first, second):
        unbroken(end, "a parkee")


def an_extensions_lamp_shows_the_pbxs_dialogs_and_the_parked_call(stage):
    stage.open(LOT)
    stage.register("103", "105", "106")
    caller = stage.end(CALLER)
    # Its calls are the subscription and the one to the outside.
    pbx = stage.pbx("pbx_tells_of_an_extension", caller, caller)
    phone, first = watch(stage, "106", f"105@{DOMAIN}")
    check(first.body == notices(pbx, "sent")[0].body, "what the PBX tells was changed with nothing parked")
    owner = stage.phone("phone_is_told_parked", "105")
    park(stage, pbx, caller, PARKED["park_at"])
    owner.done()
    shows_woven(lamp(phone, 2), notices(pbx, "sent")[0], OUTSIDE)
    stage.cue(pbx, pbx.fact("watch"))
    lit = lamp(phone, 3)
    pbx.fact("told")
    talks = notices(pbx, "sent")[1]
    check(len(talks.dialogs) == 1, "the PBX tells of no dialog")
    shows_woven(lit, talks, OUTSIDE)
    retrieve(stage, "105", "*88", pbx, caller)
    shows_woven(lamp(phone, 4), talks)
    last = watches_no_more(stage, phone, 4)
    pbx.done()
    _, _, again, over = notices(pbx, "sent")
    shows_woven(notices(phone)[4], again)
    shows_woven(last, over)
    unbroken(caller, "the parkee")


def a_lots_lamp_shows_all_that_is_parked_there(stage):
    stage.open(LOT)
    stage.register("103", "105", "106")
    first, second = stage.end(CALLER), stage.end(OTHER)
    pbx = stage.pbx("pbx_answers_and_hangs_up", first, second)
    phone, empty = watch(stage, "106", f"700@{DOMAIN}")
    shows(empty)
    park(stage, pbx, first, "703")
    shows(lamp(phone, 2), OUTSIDE)
    park(stage, pbx, second, "701", call=1)
    shows(lamp(phone, 3), OUTSIDE, OUTSIDE)
    stage.cue(pbx, pbx.facts("call-id")[0])
    left = shows(lamp(phone, 4), OUTSIDE)[0]
    alice = stage.end(ALICE)
    line = {"invite_line": f"Replaces: {replaces(left)}"}
    retriever = stage.phone("phone_retrieves_until_hung_up", "105", alice, dials="701", parts=line)
    talk(stage, retriever, alice, pbx, second)
    shows(lamp(phone, 5))
    stage.cue(pbx, pbx.facts("call-id")[1])
    retriever.done()
    pbx.done()
    shows(watches_no_more(stage, phone, 5))
    unbroken(second, "the parkee")


def what_is_parked_for_an_extension_is_listed_by_call_info(stage):
    stage.open(LOT)
    stage.register("103", "105", "106")
    caller = stage.end(CALLER)
    pbx = stage.pbx("pbx_answers", caller)
    phone = stage.phone("phone_watches", "105", watched=f"105@{DOMAIN}", waits=False, parts=CALLPARK)
    lists(phone, 1)
    park(stage, pbx, caller, PARKED["park_at"])
    lists(phone, 2, OUTSIDE)
    retrieve(stage, "106", "*88105", pbx, caller)
    lists(phone, 3)
    pbx.done()
    stage.cue(phone)
    lists(phone, 4)
    stage.cue(phone)
    phone.done()
    lists(phone, 5)
    unbroken(caller, "the parkee")


STORIES = [
    a_slots_lamp_is_lit_by_a_park_and_put_out_by_a_retrieve,
    pressing_a_lamp_retrieves_the_call_that_it_shows,
    an_extensions_lamp_shows_the_pbxs_dialogs_and_the_parked_call,
    a_lots_lamp_shows_all_that_is_parked_there,
    what_is_parked_for_an_extension_is_listed_by_call_info,
]
