"""Stories in which Parkade ends while there are calls, and starts again: nobody who talked or waited is lost.

Names of scenarios are files in scenarios/.
"""

import signal
import socket
import time

from service import ServiceManager
from stage import HOST, StoryFailed, eventually
from steps import ALICE, CALLER, JAMES, LOT, OUTSIDE, PARKED, check, hears, hears_music, talk


def talking(stage, **as_parker):
    """103 and a caller talk, and hear each other."""
    stage.open(LOT, journal=True)
    stage.register("103", "105")
    james, caller = stage.end(JAMES), stage.end(CALLER)
    pbx = stage.pbx("pbx_answers", caller, polite=True)
    parker = stage.phone("phone_parks", "103", james, **as_parker, **PARKED)
    talk(stage, parker, james, pbx, caller)
    return parker, james, pbx, caller


def parks(stage, parker, caller):
    """103 parks the caller at 105, and hangs up."""
    told = stage.phone("phone_is_told_parked", "105")
    stage.cue(parker)
    parker.fact("parked")
    told.done()
    parker.done(5)
    hears_music(caller, "the parkee")


def parked(stage):
    """103 has parked a caller at 105, and has hung up."""
    parker, _, pbx, caller = talking(stage)
    parks(stage, parker, caller)
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
    parker, james, pbx, caller = talking(stage, polite=True)
    stage.stop(signal.SIGKILL)
    stage.start()
    stage.told("restored 0 parked calls, 2 legs")
    hears(james, caller.hertz, parker.name)
    hears(caller, james.hertz, pbx.name)
    parks(stage, parker, caller)
    taken(stage, pbx, caller)


def what_is_said_while_nobody_is_there_is_answered_after_the_start(stage):
    """A service manager keeps the sockets: nobody is refused, nothing that comes meanwhile is lost."""
    stage.manager = ServiceManager(stage.folder)
    pbx, caller = parked(stage)
    stage.stop(signal.SIGKILL)
    kept = stage.manager.ports("sip")
    check(kept == {stage.phones_port, stage.pbx_port}, f"the ports that are kept for SIP: {kept}")
    check(caller.peer[1] in stage.manager.ports("rtp"), "the parkee's media port is not kept")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        # Connected, it would be told that nobody is there.
        asker.connect((HOST, stage.phones_port))
        asker.settimeout(5)
        here = "{}:{}".format(*asker.getsockname())
        for cseq in range(1, 4):
            asker.send(
                f"OPTIONS sip:{HOST}:{stage.phones_port} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK-{cseq}\r\n"
                f"Max-Forwards: 0\r\nFrom: <sip:asker@{here}>;tag=1\r\nTo: <sip:{HOST}>\r\nCall-ID: asked-meanwhile\r\n"
                f"CSeq: {cseq} OPTIONS\r\nContent-Length: 0\r\n\r\n".encode()
            )
        begun = time.monotonic()
        stage.start()
        stage.told("sockets of the run before are taken over")
        answers = {asker.recv(4096).decode().split("CSeq: ")[1].split("\r\n")[0] for _ in range(3)}
        check(len(answers) == 3, f"answered were {answers}")
    music_comes_back_within_a_second(stage, caller, begun)
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
    what_is_said_while_nobody_is_there_is_answered_after_the_start,
    a_journal_that_cannot_be_read_is_told_and_new_calls_go_on,
]
