"""What phones that watch are told: dialog-info (RFC 4235) in the NOTIFYs of a subscription."""

import re
from xml.etree import ElementTree

from stage import eventually
from steps import check

SPACE = "{urn:ietf:params:xml:ns:dialog-info}"
VERSION = re.compile(rb'(<dialog-info\b[^>]*? version=")(\d+)(")')


class Notice:
    """One NOTIFY, as it was sent or received."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = (line.partition(":") for line in head.decode().split("\r\n")[1:])
        self.lines = {name.strip().lower(): value.strip() for name, _, value in lines}
        self.root = ElementTree.fromstring(self.body)
        check(self.root.tag == f"{SPACE}dialog-info", f"a NOTIFY is of {self.root.tag}")
        self.version, self.entity = int(self.root.get("version")), self.root.get("entity")
        self.dialogs = [dialog for dialog in self.root.iter(f"{SPACE}dialog") if state(dialog) != "terminated"]

    def dialog_of_sip(self):
        """Which dialog it is in."""
        return tuple(self.lines[name] for name in ("call-id", "from", "to"))

    def number(self):
        return int(self.lines["cseq"].split()[0])


def state(dialog):
    return dialog.findtext(f"{SPACE}state", "").strip()


def parkee(dialog):
    """The user of the dialog's remote party."""
    return re.sub("^sip:|@.*", "", dialog.findtext(f"{SPACE}remote/{SPACE}identity", ""))


def notices(party, way="received"):
    return [Notice(raw) for found, raw in party.raw_messages() if found == way and raw.startswith(b"NOTIFY ")]


def lamp(phone, count):
    """The notice number `count`, from 1, awaited. It must be the last so far."""
    eventually(f"{phone.name} is told for the {count}. time", lambda: len(phone.facts("lamp")) >= count)
    told = notices(phone)
    check(len(told) == count, f"{phone.name} was told {len(told)} times, not {count}")
    return told[-1]


def shows(notice, *parkees):
    """The parked calls that a notice of what is ours shows, oldest first. Each has what RFC 4235 and a
    pick-up need."""
    check(notice.root.get("state") == "full", f"the state told is {notice.root.get('state')}")
    found = [parkee(dialog) for dialog in notice.dialogs]
    check(found == list(parkees), f"the lamp shows {found}, not {list(parkees)}")
    for dialog in notice.dialogs:
        lacks = [name for name in ("id", "call-id", "local-tag", "remote-tag") if not dialog.get(name)]
        check(not lacks, f"a parked call has no {lacks}")
        check(state(dialog) in ("early", "confirmed"), f"a parked call is {state(dialog)}")
    ids = {dialog.get("id") for dialog in notice.dialogs}
    check(len(ids) == len(notice.dialogs), "two parked calls have one id")
    return notice.dialogs


# A phone that watches its own extension as BroadSoft has it, in the place of one that watches dialogs.
CALLPARK = {
    "event": "call-info",
    "accept": "application/x-broadworks-callpark-info+xml",
    "kind": "application/x-broadworks-callpark-info.xml",
    "counted": "x-broadworks-callpark-inf(o)",
}


def lists(phone, count, *parkees):
    """The notice of `call-info` number `count`, from 1, awaited, lists these parked calls."""
    eventually(f"{phone.name} is told for the {count}. time", lambda: len(phone.facts("lamp")) >= count)
    told = [raw for way, raw in phone.raw_messages() if way == "received" and raw.startswith(b"NOTIFY ")]
    check(len(told) == count, f"{phone.name} was told {len(told)} times, not {count}")
    head, _, body = told[-1].partition(b"\r\n\r\n")
    check(b"\r\nCall-Info: " in head, "a notice of call-info has no Call-Info line")
    identities = (node.text for node in ElementTree.fromstring(body).iter() if node.tag.endswith("}identity"))
    found = [re.sub("^sip:|@.*", "", identity) for identity in identities]
    check(found == list(parkees), f"{phone.name} is told of {found}, not {list(parkees)}")


def replaces(dialog):
    """What a phone puts into Replaces to pick that dialog up: its side is the far one's."""
    ids = f"{dialog.get('call-id')};to-tag={dialog.get('local-tag')};from-tag={dialog.get('remote-tag')}"
    return ids + (";early-only" if state(dialog) == "early" else "")


def watches_no_more(stage, phone, count):
    """Refreshes after `count` notices, then ends the subscription; each is told the state once more."""
    stage.cue(phone)
    lamp(phone, count + 1)
    stage.cue(phone)
    phone.done()
    last = lamp(phone, count + 2)
    check(last.lines["subscription-state"].startswith("terminated"), "the last notice does not end it")
    check(phone.facts("expires") == ["600", "600", "0"], f"the subscription was for {phone.facts('expires')}")
    told = notices(phone)
    for what, of in (("version", lambda notice: notice.version), ("CSeq", Notice.number)):
        found = [of(notice) for notice in told]
        check(found == list(range(found[0], found[0] + count + 2)), f"{what} does not rise by one: {found}")
    check(len({notice.dialog_of_sip() for notice in told}) == 1, "the notices are not in one dialog")
    return last


def woven_into(told, own):
    """What stands in the notice `told` that the PBX has not written in its own: all else must be byte
    for byte the PBX's, but for the version."""
    body = VERSION.sub(rb"\g<1>%d\g<3>" % own.version, told.body)
    end = own.body.rindex(b"</dialog-info")
    before, after = own.body[:end], own.body[end:]
    same = body.startswith(before) and body.endswith(after) and len(body) >= len(own.body)
    check(same, f"what the PBX tells was changed on its way: {own.body} became {told.body}")
    return body[end:len(body) - len(after)]


def shows_woven(told, own, *parkees):
    """A notice of an extension has the PBX's dialogs of its notice `own`, and these parked calls."""
    woven_into(told, own)
    theirs = [dialog.get("id") for dialog in own.dialogs]
    found = {dialog.get("id"): dialog for dialog in told.dialogs}
    check([name for name in theirs if name in found] == theirs, f"of {theirs} there are {list(found)}")
    parked = [parkee(dialog) for name, dialog in found.items() if name not in theirs]
    check(parked == list(parkees), f"woven in are {parked}, not {list(parkees)}")

