"""SRTP with keys by SDES: baresip encrypts and checks, and what it hears is measured after it has deciphered it."""

import os
import re

import stories
from phone import module_folder
from processes import Failure, until

MUST, DTLS = "srtp-mand", "dtls_srtp"


def said(phone, sent):
    """The audio descriptions that a phone has sent or got, newest last: protocol and suites."""
    found = []
    for was_sent, message in phone.trace():
        line = re.search(r"^m=audio \d+ (\S+)", message, re.M)
        if was_sent == sent and line:
            found.append((line.group(1), re.findall(r"^a=crypto:\d+ (\S+) inline:(\S+?)(?:[| ]|$)", message, re.M)))
    return found


def keys(phone, sent):
    """All keys that a phone has told, or was told."""
    return {key for _, lines in said(phone, sent) for _, key in lines}


def play(report, peers, parkade):
    """All stories of SRTP, or why they cannot be played."""
    if not os.path.exists(os.path.join(module_folder(), "srtp.so")):
        return report.skipped("SRTP", "baresip's module srtp is not installed (scripts/setup installs baresip-core)")
    encrypted_throughout(report, peers, parkade)
    plain_and_encrypted(report, peers, parkade)
    only_the_phones(report, peers, parkade)
    recalled(report, peers, parkade)
    by_dtls(report, peers, parkade)


def encrypted_throughout(report, peers, parkade):
    """Keys pass from end to end; then music under them, and a retriever with keys of its own."""
    scene = stories.Scene(peers, "srtp")
    with report.story("SRTP from phone to phone, parked and retrieved", scene):
        with report.step("Parkade and three phones that speak nothing but SRTP"):
            scene.start_parkade(parkade)
            carol, james, alice = (scene.phone(extension, encrypts=MUST) for extension in ("101", "103", "105"))
            for phone in (carol, james, alice):
                stories.registered(phone)
        with report.step("101 calls 103, and each hears the other's tone"):
            stories.call(carol, james)
            stories.hear_each_other(carol, james)
        with report.step("each has the other's keys, and no others"):
            if not keys(carol, sent=True) & keys(james, sent=False) or not keys(james, sent=True) & keys(carol, sent=False):
                raise Failure("their keys did not pass")
        with report.step("103 transfers the call to *68105, and 101 hears music that it can decipher"):
            stories.park(james, "*68105", carol)
        with report.step("105 retrieves it, and each hears the other's tone"):
            stories.take(alice, "*88")
            stories.hear_each_other(carol, alice)
        with report.step("105 was told a key that nobody else knows"):
            if keys(alice, sent=False) & (keys(carol, sent=True) | keys(james, sent=True)):
                raise Failure("105 was told a key of 101 or 103")
        with report.step("105 holds the call and takes it back, and each gets audio again that it can decipher"):
            alice.command("hold")
            until("the hold is answered", lambda: stories.held(alice))
            alice.command("resume")
            # A held baresip stops its recording for the rest of the call.
            alice.gets_audio()
            carol.gets_audio()
            for phone in (carol, alice):
                if "failed to decrypt RTP packet" in phone.program.text():
                    raise Failure(f"phone {phone.extension} could not decipher what it got")
        with report.step("no key stands in the log, or in what is told of the call"):
            shown = scene.parkade.text() + scene.asked("calls", "--json") + scene.asked("streams", "--json")
            if [key for phone in (carol, james, alice) for key in keys(phone, True) | keys(phone, False) if key in shown]:
                raise Failure("a key is shown")
        with report.step("105 hangs up and 101 is told"):
            stories.hang_up(alice, carol)
        with report.step("nothing is left and Parkade ends well"):
            stories.nothing_is_left(scene)


def plain_and_encrypted(report, peers, parkade):
    """A phone without SRTP takes an encrypted call, and one with it a plain call; all suites that baresip has."""
    scene = stories.Scene(peers, "srtp-mixed")
    with report.story("plain phones and phones with SRTP take each other's calls", scene):
        with report.step("Parkade, two phones that must encrypt, and one that cannot"):
            scene.start_parkade(parkade)
            carol, james = (scene.phone(extension, encrypts=MUST) for extension in ("101", "103"))
            alice = scene.phone("105")
            for phone in (carol, james, alice):
                stories.registered(phone)
        with report.step("105, who is plain, retrieves an encrypted call"):
            stories.call(carol, james)
            stories.hear_each_other(carol, james)
            stories.park(james, "*68105", carol)
            stories.take(alice, "*88")
            stories.hear_each_other(carol, alice)
        with report.step("105 parks it again, and 103 takes it"):
            stories.park(alice, "*68103", carol)
            stories.take(james, "*88")
            stories.hear_each_other(carol, james)
            stories.hang_up(james, carol)
        with report.step("nothing is left and Parkade ends well"):
            stories.nothing_is_left(scene)


def only_the_phones(report, peers, parkade):
    """Phones encrypt and the PBX does not; each leg has keys of its own."""
    scene = stories.Scene(peers, "srtp-phones")
    with report.story("SRTP required of the phones, and none towards the PBX", scene):
        with report.step("Parkade and three phones, one of which cannot"):
            scene.start_parkade(parkade, media='phones_srtp = "require"\npbx_srtp = "off"')
            carol, james = (scene.phone(extension, encrypts=MUST) for extension in ("101", "103"))
            alice = scene.phone("105")
            for phone in (carol, james, alice):
                stories.registered(phone)
        with report.step("parkade check warns of keys in the clear"):
            if "warning: media.phones_srtp: the keys stand in the signalling" not in scene.checked():
                raise Failure("it says nothing")
        with report.step("101 calls 103, and each hears the other's tone"):
            stories.call(carol, james)
            stories.hear_each_other(carol, james)
        with report.step("neither was told a key of the other's"):
            if keys(james, sent=False) & keys(carol, sent=True) or keys(carol, sent=False) & keys(james, sent=True):
                raise Failure("keys have passed")
        with report.step("103 parks it, and 105, who cannot encrypt, is refused with a Warning"):
            stories.park(james, "*68105", carol)
            mark = alice.mark()
            alice.command("dial", "*88")
            alice.expect("CALL_CLOSED", mark)
            if not alice.saw("SIP/2.0 488", "Warning: 302 ", "SRTP is required here"):
                raise Failure("no 488 with a Warning")
        with report.step("103 takes it, and each hears the other's tone"):
            stories.take(james, "*88105")
            stories.hear_each_other(carol, james)
            stories.hang_up(james, carol)
        with report.step("nothing is left and Parkade ends well"):
            stories.nothing_is_left(scene)


def recalled(report, peers, parkade):
    """Nobody takes the encrypted call: the phone that is rung is offered SRTP."""
    scene = stories.Scene(peers, "srtp-recall")
    with report.story("the recall of an encrypted call", scene):
        with report.step("Parkade and two phones that must encrypt"):
            scene.start_parkade(parkade, recall_after="2s")
            carol, james = (scene.phone(extension, encrypts=MUST) for extension in ("101", "103"))
            for phone in (carol, james):
                stories.registered(phone)
        with report.step("101 calls 103, who parks the call; the recall rings 103, who answers"):
            stories.call(carol, james)
            stories.hear_each_other(carol, james)
            back = james.mark()
            stories.park(james, "*68103", carol)
            james.expect("CALL_INCOMING", back)
            james.command("accept")
            james.expect("CALL_ESTABLISHED", back)
            stories.hear_each_other(carol, james)
        with report.step("103 was offered every suite"):
            offered = [suite for suite, _ in said(james, sent=False)[-1][1]]
            if not {"AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM", "AEAD_AES_128_GCM"} <= set(offered):
                raise Failure(f"it was offered {offered}")
        with report.step("101 hangs up"):
            stories.hang_up(carol, james)
        with report.step("nothing is left and Parkade ends well"):
            stories.nothing_is_left(scene)


def by_dtls(report, peers, parkade):
    """Keys by DTLS are for the two ends: the call passes, and its park is refused."""
    scene = stories.Scene(peers, "srtp-dtls")
    with report.story("a call keyed by DTLS", scene):
        with report.step("Parkade and two phones with DTLS-SRTP"):
            scene.start_parkade(parkade)
            carol, james = (scene.phone(extension, encrypts=DTLS) for extension in ("101", "103"))
            for phone in (carol, james):
                stories.registered(phone)
        with report.step("101 calls 103, and each hears the other's tone"):
            stories.call(carol, james)
            stories.hear_each_other(carol, james)
        with report.step("103's park is refused with 488, and nothing is parked"):
            james.command("transfer", "*68")
            until("488", lambda: james.saw("NOTIFY", "Event: refer", "\n\nSIP/2.0 488") or james.saw("SIP/2.0 488", "REFER\n"))
            if scene.parked():
                raise Failure("it is parked")
            # baresip ends a call whose transfer has failed.
            until("its call has ended", lambda: james.saw("BYE ", sent=True))
        with report.step("nothing is left and Parkade ends well"):
            stories.nothing_is_left(scene)
