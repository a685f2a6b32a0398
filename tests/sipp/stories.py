"""The stories: what phones, PBX and Parkade do together, each from an empty stage.

Names of scenarios are files in scenarios/.
"""

from stage import HOST, eventually
from steps import (
    ALICE, CALLER, JAMES, LOT, OTHER, OUTSIDE, PARKED,
    check, hears, hears_music, james_calls_out, talk, unbroken,
)


def a_phone_registers_with_digest(stage):
    stage.open(LOT)
    contacts = stage.register("103", "105", "105/mobile")
    for device, contact in contacts.items():
        check(f"@{HOST}:{stage.pbx_port}" in contact, f"the PBX knows {device} at {contact}, not at us")
    check(len(set(contacts.values())) == 3, f"two bindings have the same Contact: {contacts}")


def a_call_from_a_phone_passes_through(stage):
    stage.open(LOT)
    stage.register("103")
    phone, james, pbx, caller = james_calls_out(stage, "phone_calls", "pbx_answers")
    for ours, theirs, what in [
        (phone.fact("call-id"), pbx.fact("call-id"), "the Call-ID"),
        (phone.fact("to-tag"), pbx.fact("our-tag"), "the To tag"),
    ]:
        check(ours == theirs, f"{what} is {ours} at the phone and {theirs} at the PBX")
    check(phone.fact("contact") == f"{HOST}:{stage.phones_port}", f"the phone is sent to {phone.fact('contact')}")
    check(pbx.fact("contact") == f"{HOST}:{stage.pbx_port}", f"the PBX is sent to {pbx.fact('contact')}")
    check(str(caller.port) not in phone.fact("media"), "media goes past us")
    stage.cue(phone)
    phone.done()
    pbx.done()
    unbroken(james, "the phone")
    unbroken(caller, "the caller")


def a_call_over_tcp_passes_through_to_udp(stage):
    stage.open(LOT)
    stage.register("103")
    phone, _, pbx, _ = james_calls_out(
        stage, "phone_calls_until_hung_up", "pbx_answers_and_hangs_up", over="tcp"
    )
    stage.cue(pbx)
    pbx.done()
    phone.done()


def a_call_to_a_phone_passes_through(stage):
    stage.open(LOT)
    contacts = stage.register("103")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    phone = stage.phone("phone_answers", "103", james)
    pbx = stage.pbx("pbx_calls", caller, contact=contacts["103"], extension="103")
    talk(stage, phone, james, pbx, caller)
    check(phone.fact("call-id") == pbx.fact("call-id"), "the Call-ID has changed on the way")
    stage.cue(pbx)
    pbx.done()
    phone.done()
    unbroken(james, "the phone")
    unbroken(caller, "the caller")


def a_stranger_cannot_retrieve(stage):
    stage.open(LOT)
    stage.register("105")
    for dials in ("*88", "*88105", "701"):
        stage.phone("phone_is_refused", "105/unknown", stage.end(OTHER), dials=dials).done()


def a_blind_transfer_parks_and_the_owner_retrieves(stage):
    stage.open(LOT)
    stage.register("103", "105", "105/lamp")
    james, alice, caller = stage.end(JAMES), stage.end(ALICE), stage.end(CALLER)
    pbx = stage.pbx("pbx_answers", caller)
    parker = stage.phone("phone_parks", "103", james, **PARKED)
    talk(stage, parker, james, pbx, caller)
    owners = [stage.phone("phone_is_told_parked", device) for device in ("105", "105/lamp")]
    stage.cue(parker)
    parker.fact("parked")
    hears_music(caller, "the parkee")
    for owner in owners:
        owner.done()
        check(owner.fact("parkee") == OUTSIDE, f"{owner.name} is told that {owner.fact('parkee')} is parked")
    parker.done(5)
    hears_music(caller, "the parkee, its parker gone,")
    lamp = stage.phone("phone_is_told_empty", "105/lamp")
    retriever = stage.phone("phone_retrieves", "105", alice, dials="*88")
    check(retriever.fact("identity") == OUTSIDE, f"the retriever is shown {retriever.fact('identity')}")
    talk(stage, retriever, alice, pbx, caller)
    lamp.done()
    stage.cue(retriever)
    retriever.done()
    pbx.done()
    unbroken(caller, "the parkee")


def a_group_park_hunts_and_a_member_retrieves(stage):
    stage.open(LOT + '[[lot.group]]\nname = "sales"\nmembers = ["105", "103", "106"]\n')
    stage.register("103", "105", "106")
    james, alice, caller = stage.end(JAMES), stage.end(ALICE), stage.end(CALLER)
    pbx = stage.pbx("pbx_answers_and_hangs_up", caller)
    parker = stage.phone("phone_parks_and_leaves", "103", james, dials=OUTSIDE, park_at="*58")
    talk(stage, parker, james, pbx, caller)
    members = [stage.phone("phone_is_told_parked", device) for device in ("105", "106")]
    stage.cue(parker)
    for member in members:
        check(member.fact("parkee") == OUTSIDE, f"{member.name} is told that {member.fact('parkee')} is parked")
        member.done()
    parker.done()
    check(not any("park-info" in text for _, text in parker.messages()), "the parker is told, too")
    hears_music(caller, "the parkee")
    told = stage.phone("phone_is_told_empty", "105")
    retriever = stage.phone("phone_retrieves_until_hung_up", "106", alice, dials="*88")
    talk(stage, retriever, alice, pbx, caller)
    told.done()
    stage.cue(pbx)
    pbx.done()
    retriever.done()
    unbroken(caller, "the parkee")


def park_at_105(stage, recall, pbx_scenario, devices):
    """103 parks a caller on 105, in a lot with that recall; returns the PBX and the caller's end."""
    stage.open(LOT + f"[lot.recall]\n{recall}\n")
    stage.register(*devices, "105")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    pbx = stage.pbx(pbx_scenario, caller)
    parker = stage.phone("phone_parks_and_leaves", "103", james, **PARKED)
    talk(stage, parker, james, pbx, caller)
    owner = stage.phone("phone_is_told_parked", "105")
    stage.cue(parker)
    parker.done()
    owner.done()
    return pbx, caller


def a_recall_is_answered_by_the_parker(stage):
    recall = 'after = "2s"\nring = "10s"\npause = "1s"\nattempts = 2'
    pbx, caller = park_at_105(stage, recall, "pbx_answers_and_hangs_up", ["103", "103/mobile"])
    james = stage.end(JAMES)
    mobile = stage.phone("phone_ignores_recall", "103/mobile", james)
    desk = stage.phone("phone_answers_recall", "103", james)
    owner = stage.phone("phone_is_told_empty", "105")
    hears_music(caller, "the parkee")
    talk(stage, desk, james, pbx, caller)
    check(desk.fact("caller") == OUTSIDE, f"the recall comes from {desk.fact('caller')}")
    mobile.done()
    owner.done()
    stage.cue(pbx)
    pbx.done()
    desk.done()
    unbroken(caller, "the parkee")


def a_recall_that_nobody_answers_ends_as_configured(stage):
    recall = 'after = "1s"\nring = "1s"\npause = "1s"\nattempts = 2\nthen = "hangup"'
    pbx, caller = park_at_105(stage, recall, "pbx_answers", ["103"])
    desk = stage.phone("phone_ignores_recall", "103", stage.end(JAMES), calls=2)
    eventually("the phone rings a second time", lambda: len(desk.facts("ringing")) == 2)
    hears_music(caller, "the parkee, in the second recall,")
    desk.done()
    pbx.done()
    unbroken(caller, "the parkee")


def one_of_two_retrievers_wins(stage):
    stage.open(LOT)
    stage.register("103", "105", "106")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    ends = {"105": stage.end(ALICE), "106": stage.end(OTHER)}
    pbx = stage.pbx("pbx_answers", caller)
    parker = stage.phone("phone_parks_and_leaves", "103", james, **PARKED)
    talk(stage, parker, james, pbx, caller)
    owner = stage.phone("phone_is_told_parked", "105")
    stage.cue(parker)
    parker.done()
    owner.done()
    both = {
        device: stage.phone("phone_races_to_retrieve", device, end, dials="*88105", waits=False)
        for device, end in ends.items()
    }
    def ended():
        return all(phone.facts("won") or phone.facts("lost") for phone in both.values())
    eventually("each retriever has won or lost", ended)
    winners = [device for device, phone in both.items() if phone.facts("won")]
    check(len(winners) == 1, f"{len(winners)} retrievers got the one parked call")
    winner = both.pop(winners[0])
    talk(stage, winner, ends[winners[0]], pbx, caller)
    for loser in both.values():
        loser.done()
    stage.cue(winner)
    winner.done()
    pbx.done()
    unbroken(caller, "the parkee")


def a_park_that_fails_keeps_the_call(stage):
    stage.open(LOT + "max_calls_per_slot = 1\n")
    stage.register("103", "104")
    first, james = stage.end(OTHER), stage.end(JAMES)
    waiting, caller = stage.end(ALICE), stage.end(CALLER)
    pbx = stage.pbx("pbx_answers", waiting, caller)
    neighbour = stage.phone("phone_parks_and_leaves", "104", first, dials=OUTSIDE, park_at="701")
    talk(stage, neighbour, first, pbx, waiting)
    stage.cue(neighbour)
    neighbour.done()
    hears_music(waiting, "the neighbour's parkee")

    parker = stage.phone("phone_fails_to_park", "103", james, dials=OUTSIDE, park_at="*58", then_park_at="701")
    eventually("the second call is up", lambda: len(pbx.facts("up")) == 2)
    talk(stage, parker, james, pbx, caller, call=1)
    for attempt in (1, 2):
        stage.cue(parker)
        eventually(f"park {attempt} is refused", lambda: len(parker.facts("refused")) == attempt)
        seen = len(caller.packets)
        eventually("the caller goes on hearing", lambda: len(caller.packets) > seen + 25)
        hears(caller, JAMES, "the caller")
        hears(james, CALLER, "the parker")
    stage.cue(parker)
    parker.done()
    unbroken(caller, "the caller")

    retriever = stage.phone("phone_retrieves", "104", first, dials="701")
    talk(stage, retriever, first, pbx, waiting)
    stage.cue(retriever)
    retriever.done()
    pbx.done()
    unbroken(waiting, "the neighbour's parkee")


def a_ringing_call_is_cancelled(stage):
    stage.open(LOT)
    stage.register("103")
    pbx = stage.pbx("pbx_is_cancelled", stage.end(CALLER))
    phone = stage.phone("phone_cancels", "103", stage.end(JAMES), dials=OUTSIDE)
    phone.done()
    pbx.done()


def an_answer_that_crosses_the_cancel_leaves_no_call(stage):
    stage.open(LOT)
    stage.register("103")
    pbx = stage.pbx("pbx_answers_as_the_cancel_comes", stage.end(CALLER))
    phone = stage.phone("phone_cancels_as_the_answer_comes", "103", stage.end(JAMES), dials=OUTSIDE)
    phone.done()
    pbx.done()


def a_cancel_that_crosses_the_answer_changes_nothing(stage):
    stage.open(LOT)
    stage.register("103")
    phone, james, pbx, caller = james_calls_out(stage, "phone_cancels_after_the_answer", "pbx_answers")
    stage.cue(phone)
    phone.done()
    pbx.done()


STORIES = [
    a_phone_registers_with_digest,
    a_call_from_a_phone_passes_through,
    a_call_over_tcp_passes_through_to_udp,
    a_call_to_a_phone_passes_through,
    a_stranger_cannot_retrieve,
    a_blind_transfer_parks_and_the_owner_retrieves,
    a_group_park_hunts_and_a_member_retrieves,
    a_recall_is_answered_by_the_parker,
    a_recall_that_nobody_answers_ends_as_configured,
    one_of_two_retrievers_wins,
    a_park_that_fails_keeps_the_call,
    a_ringing_call_is_cancelled,
    an_answer_that_crosses_the_cancel_leaves_no_call,
    a_cancel_that_crosses_the_answer_changes_nothing,
]
