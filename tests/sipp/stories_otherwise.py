"""Stories of the less usual: calls on hold, other ways to park and retrieve, direct media, TCP."""

from stage import HOST, eventually
from steps import (
    ALICE, CALLER, JAMES, LOT, OTHER, OUTSIDE, PARKED,
    check, hears, hears_music, hears_nothing, james_calls_out, retrieve, talk, unbroken,
)


def hold(stage, phone, end, pbx, caller, way):
    """The phone puts the call on hold, and all parties do as that says."""
    stage.cue(phone)
    phone.fact("held")
    caller.hush()
    if way == "inactive":
        end.hush()
    expected = {"sendonly": "recvonly", "inactive": "inactive"}[way]
    check(pbx.facts("offered") == [way], f"the hold came to the PBX as {pbx.facts('offered')}")
    check(phone.facts("answered") == [expected], f"the hold was answered with {phone.facts('answered')}")


def a_hold_and_a_resume_pass_through(stage):
    stage.open(LOT)
    stage.register("103")
    phone, james, pbx, caller = james_calls_out(stage, "phone_holds_and_resumes", "pbx_answers_offers", hold="sendonly")
    hold(stage, phone, james, pbx, caller, "sendonly")
    hears_nothing(james, "the phone that holds")
    hears(caller, JAMES, "the held caller")
    stage.cue(phone)
    phone.fact("resumed")
    caller.speak()
    hears(james, CALLER, "the phone that has resumed")
    hears(caller, JAMES, "the caller, resumed,")
    check(pbx.facts("offered") == ["sendonly", "sendrecv"], f"the PBX was offered {pbx.facts('offered')}")
    check(phone.facts("answered") == ["recvonly", "sendrecv"], f"the phone was answered {phone.facts('answered')}")
    for party in (phone, pbx):
        check(len(set(party.facts("media"))) == 1, f"{party.name} was sent to {party.facts('media')}")
    stage.cue(phone)
    phone.done()
    pbx.done()
    unbroken(james, "the phone")
    unbroken(caller, "the caller")


def a_park_of_a_held_call_has_the_pbx_listen(stage):
    stage.open(LOT)
    stage.register("103", "105")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    pbx = stage.pbx("pbx_answers_offers", caller)
    parker = stage.phone("phone_holds_and_parks", "103", james, hold="inactive", dials=OUTSIDE, park_at="*68")
    talk(stage, parker, james, pbx, caller)
    hold(stage, parker, james, pbx, caller, "inactive")
    hears_nothing(caller, "the held caller")
    stage.cue(parker)
    parker.fact("parked")
    hears_music(caller, "the parkee")
    check(pbx.facts("offered") == ["inactive", "sendrecv"], f"the PBX was offered {pbx.facts('offered')}")
    check(len(set(pbx.facts("media"))) == 1, f"the PBX was sent to {pbx.facts('media')}")
    parker.done(5)
    caller.speak()
    retrieve(stage, "105", "*88103", pbx, caller)
    pbx.done()
    check(len(pbx.facts("offered")) == 2, "the retrieve asked the PBX for something")
    unbroken(caller, "the parkee")


def park_from_hold(stage, scenario, consults):
    """103 holds a call and dials `consults`; returns both SIPps and the caller's end."""
    stage.open(LOT)
    stage.register("103", "105")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    second = dict(consults=consults, second_rtp_port=stage.end(OTHER).port)
    pbx = stage.pbx("pbx_answers_offers", caller)
    parker = stage.phone(scenario, "103", james, dials=OUTSIDE, hold="sendonly", **second)
    talk(stage, parker, james, pbx, caller)
    hold(stage, parker, james, pbx, caller, "sendonly")
    return parker, pbx, james, caller


def is_parked_from_hold(parker, pbx, james, caller):
    """The parkee hears music, its PBX having been asked to listen, and both legs of the parker have gone."""
    james.hush()
    hears_music(caller, "the parkee")
    check(pbx.facts("offered") == ["sendonly", "sendrecv"], f"the PBX was offered {pbx.facts('offered')}")
    parker.done(5)
    both = {parker.call_id, f"second///{parker.call_id}"}
    check(set(parker.facts("ended")) == both, f"the parker was hung up on in {parker.facts('ended')}")
    caller.speak()


def attended_transfer(stage, number):
    parker, pbx, james, caller = park_from_hold(stage, "phone_parks_by_attended_transfer", number)
    stage.cue(parker)
    parker.fact("consults")
    stage.cue(parker)
    parker.fact("parked")
    outcomes = parker.facts("outcome")
    check(outcomes[-1].startswith("SIP/2.0 200"), f"the parker is told {outcomes}")
    is_parked_from_hold(parker, pbx, james, caller)
    retrieve(stage, "105", "701", pbx, caller)
    pbx.done()
    unbroken(caller, "the parkee")


def an_attended_transfer_to_a_slot_parks_there(stage):
    attended_transfer(stage, "701")


def an_attended_transfer_to_the_park_number_parks_in_a_free_slot(stage):
    attended_transfer(stage, "700")


def a_park_code_that_is_dialled_parks_the_held_call(stage):
    parker, pbx, james, caller = park_from_hold(stage, "phone_parks_by_dialling", "*68")
    stage.cue(parker)
    parker.fact("consults")
    is_parked_from_hold(parker, pbx, james, caller)
    retrieve(stage, "105", "*88103", pbx, caller)
    pbx.done()
    unbroken(caller, "the parkee")


def direct_call(stage, scenario, pbx_scenario, **keys):
    """103 and a caller talk, and their media goes past us."""
    stage.open(LOT, anchor="parked")
    stage.register("103", "105")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    pbx = stage.pbx(pbx_scenario, caller)
    parker = stage.phone(scenario, "103", james, **keys)
    talk(stage, parker, james, pbx, caller)
    check(pbx.facts("media") == [f"{HOST} {james.port}"], f"the PBX was sent to {pbx.facts('media')}")
    check(parker.facts("media") == [f"{HOST} {caller.port}"], f"the phone was sent to {parker.facts('media')}")
    for giver, taker in ((parker, pbx), (pbx, parker)):
        given, taken = ({t.partition("\n\n")[2] for w, t in p.messages() if w == way and "\nv=0\n" in t}
                        for p, way in ((giver, "sent"), (taker, "received")))
        check(given and given == taken, f"the SDP of {giver.name} came to {taker.name} changed: {given} became {taken}")
    return parker, pbx, james, caller


def is_anchored(stage, pbx, james, caller):
    """The PBX has been asked to send its media to us, and the parkee hears music, in one stream from now on."""
    james.hush()
    check(pbx.facts("offered") == ["sendrecv"], f"the PBX was offered {pbx.facts('offered')}")
    ours = pbx.facts("media")[-1]
    check(ours not in (f"{HOST} {james.port}", f"{HOST} {caller.port}"), f"the PBX was sent to {ours}")
    stage.connect(caller, pbx, call=1)
    hears_music(caller, "the parkee")
    return len(caller.packets)


def direct_media_comes_to_us_when_it_is_parked(stage):
    parker, pbx, james, caller = direct_call(stage, "phone_parks", "pbx_answers_offers", **PARKED)
    stage.cue(parker)
    parker.fact("parked")
    since = is_anchored(stage, pbx, james, caller)
    parker.done(5)
    retrieve(stage, "105", "*88", pbx, caller)
    pbx.done()
    check(len(pbx.facts("offered")) == 1, "the retrieve asked the PBX for something")
    unbroken(caller, "the parkee", since)


def a_quiet_park_is_answered_when_it_stands(stage):
    parker, pbx, james, caller = direct_call(stage, "phone_parks_quietly", "pbx_answers_an_offer_late", **PARKED)
    stage.cue(parker)
    pbx.fact("offered")
    seen = len(caller.packets)
    eventually("the call goes on until the PBX has answered", lambda: len(caller.packets) > seen + 25)
    check(not parker.facts("parked"), "the REFER was answered before the PBX had agreed")
    stage.cue(pbx)
    parker.fact("parked")
    since = is_anchored(stage, pbx, james, caller)
    parker.done(5)
    check(not any(text.startswith("NOTIFY ") for _, text in parker.messages()), "the parker was sent a NOTIFY")
    retrieve(stage, "105", "*88", pbx, caller)
    pbx.done()
    unbroken(caller, "the parkee", since)


def phones_over_tcp_park_and_retrieve(stage):
    stage.open(LOT)
    registrar = stage.pbx("pbx_registers", calls=2)
    james, alice, caller = stage.end(JAMES), stage.end(ALICE), stage.end(CALLER)
    tcp = dict(over="tcp", registers=True)
    parker = stage.phone("phone_parks", "103", james, **PARKED, **tcp)
    retriever = stage.phone("phone_retrieves_until_hung_up", "105", alice, dials="*88", **tcp)
    for phone in (parker, retriever):
        check(phone.fact("contact").endswith(";transport=tcp"), f"its Contact came back as {phone.fact('contact')}")
    registrar.done()
    contacts = dict(fact.split() for fact in registrar.facts("contact"))
    pbx = stage.pbx("pbx_answers_and_hangs_up", caller)
    stage.cue_by_parkade(parker, contacts["103"])
    talk(stage, parker, james, pbx, caller)
    stage.cue_by_parkade(parker, contacts["103"])
    parker.fact("parked")
    hears_music(caller, "the parkee")
    parker.done(5)
    stage.cue_by_parkade(retriever, contacts["105"])
    check(retriever.fact("identity") == OUTSIDE, f"the retriever is shown {retriever.fact('identity')}")
    talk(stage, retriever, alice, pbx, caller)
    stage.cue(pbx)
    pbx.done()
    retriever.done()
    unbroken(caller, "the parkee")


def replaces_retrieves_that_very_call(stage):
    stage.open(LOT)
    stage.register("103", "105")
    first, second = stage.end(CALLER), stage.end(OTHER)
    pbx = stage.pbx("pbx_answers", first, second)
    replaces = []
    for number, waiting in enumerate((first, second)):
        james = stage.end(JAMES)
        parker = stage.phone("phone_parks_and_leaves", "103", james, dials=OUTSIDE, park_at="701")
        eventually("the call is up", lambda: len(pbx.facts("up")) == number + 1)
        talk(stage, parker, james, pbx, waiting, call=number)
        stage.cue(parker)
        parker.done()
        hears_music(waiting, "the parkee")
        # As the parkee's side has it, of whom we are the far end (RFC 3891 §3).
        ours, theirs = (pbx.facts(tag)[number] for tag in ("from-tag", "our-tag"))
        replaces.append(f"{pbx.facts('call-id')[number]};to-tag={ours};from-tag={theirs}")
    line = {"invite_line": f"Replaces: {replaces[1]}"}
    retrieve(stage, "105", "701", pbx, second, parts=line)
    hears_music(first, "the one that came first")
    retrieve(stage, "105", "701", pbx, first)
    pbx.done()
    for end in (first, second):
        unbroken(end, "a parkee")


STORIES = [
    a_hold_and_a_resume_pass_through,
    a_park_of_a_held_call_has_the_pbx_listen,
    an_attended_transfer_to_a_slot_parks_there,
    an_attended_transfer_to_the_park_number_parks_in_a_free_slot,
    a_park_code_that_is_dialled_parks_the_held_call,
    direct_media_comes_to_us_when_it_is_parked,
    a_quiet_park_is_answered_when_it_stands,
    phones_over_tcp_park_and_retrieve,
    replaces_retrieves_that_very_call,
]
