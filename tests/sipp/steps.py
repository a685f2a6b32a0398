"""What stories have in common: who is who, and what must be heard.

Tones are high, so that music is none of them.
"""

from stage import StoryFailed, eventually

OUTSIDE = "+33176000001"
JAMES, ALICE, CALLER, OTHER = 2470, 2830, 2110, 3210  # Hz

LOT = '[[lot]]\nname = "office"\nslots = "701-703"\n'
PARKED = dict(dials=OUTSIDE, park_at="*68105")


def check(holds, what):
    if not holds:
        raise StoryFailed(what)


def hears(end, hertz, who):
    try:
        eventually(f"{who} hears {hertz} Hz", lambda: end.hears_tone(hertz), 5)
    except StoryFailed as failure:
        raise StoryFailed(f"{failure}; it hears {end.describe(hertz)}") from None


def hears_music(end, who):
    tones = (JAMES, ALICE, CALLER, OTHER)
    try:
        eventually(f"{who} hears music", lambda: end.hears_music(*tones), 5)
    except StoryFailed as failure:
        raise StoryFailed(f"{failure}; it hears {end.describe(*tones)}") from None


def talk(stage, phone, phone_end, pbx, pbx_end, call=0):
    """Both have been answered: each must hear the other's tone."""
    phone.fact("up")
    pbx.fact("up")
    stage.connect(phone_end, phone)
    if pbx_end.peer is None:
        stage.connect(pbx_end, pbx, call)
    hears(phone_end, pbx_end.hertz, phone.name)
    hears(pbx_end, phone_end.hertz, pbx.name)


def james_calls_out(stage, scenario, pbx_scenario, **how):
    """103 calls somebody outside and talks; returns its phone and its end, the PBX and the caller's end."""
    james, caller = stage.end(JAMES), stage.end(CALLER)
    pbx = stage.pbx(pbx_scenario, caller)
    phone = stage.phone(scenario, "103", james, **{"dials": OUTSIDE, **how})
    talk(stage, phone, james, pbx, caller)
    return phone, james, pbx, caller


def retrieve(stage, device, dials, pbx, caller, **how):
    """That phone takes the parked caller, talks, and hangs up."""
    alice = stage.end(ALICE)
    retriever = stage.phone("phone_retrieves", device, alice, dials=dials, **how)
    check(retriever.fact("identity") == OUTSIDE, f"the retriever is shown {retriever.fact('identity')}")
    talk(stage, retriever, alice, pbx, caller)
    stage.cue(retriever)
    retriever.done()


def hears_nothing(end, who):
    try:
        eventually(f"{who} hears nothing", end.hears_nothing, 5)
    except StoryFailed as failure:
        raise StoryFailed(f"{failure}; it hears {end.describe(end.hertz)}") from None


def unbroken(end, who, since=0):
    breaks = end.breaks(since=since)
    check(not breaks, f"{who} did not receive one unbroken stream: {'; '.join(breaks[:5])}")
