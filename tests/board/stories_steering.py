"""The board's buttons and keys, each to what it brings about at the phones."""

from processes import until
from rtp_end import RtpEnd
from stories_seeing import CARDS, check, press, quiet, shows, words

STATE = "return document.querySelector('.card')?.dataset.state"


def noted(browser, part):
    """Waits until a note says that."""
    browser.until(f"a note says {part!r}", "return document.querySelector('#notes').textContent.includes(arguments[0])", part)


def answered(browser, number):
    """Answers the question that stands."""
    browser.until("it is asked", "return document.querySelector('#ask').open")
    browser.type("#ask-value", number)
    browser.press("Enter")


def steers(report, scene):
    """Retrieve, recall, move, hang up, park and end, by the mouse."""
    jane, alices = RtpEnd(440), RtpEnd(880)
    try:
        _steers(report, scene, jane, alices)
    finally:
        jane.stop()
        alices.stop()


def _steers(report, scene, jane, alices):
    scene.pbx.rtp_port = jane.port
    james, alice = scene.phone("103"), scene.phone("105", rtp_port=alices.port)
    browser = scene.browser("operate")
    with report.step("retrieve asks once for my extension, rings it, and joins"):
        ours = scene.park(james, "701")
        shows(browser, "701")
        press(browser, "701", "Retrieve")
        answered(browser, "105")
        noted(browser, "Extension 105 is rung")
        shows(browser)
        until("105 was rung", lambda: alice.rung)
        theirs = next(iter(alice.dialogs.values()))
        jane.talk_to(ours.media)
        alices.talk_to(theirs.media)
        until("105 hears the caller", lambda: alices.hears_tone(440))
        until("the caller hears 105", lambda: jane.hears_tone(880))
        talk = [call["callee"] for call in scene.ask("/api/calls")["calls"] if call["state"] == "talking"]
        check(talk == ["105"], f"the caller talks with {talk}")
        check("retrieved by 105" in browser.text("#lately-list"), browser.text("#lately-list"))
        alice.hang_up(theirs)
    with report.step("the extension is remembered"):
        scene.park(james, "702")
        shows(browser, "702")
        press(browser, "702", "Retrieve")
        until("105 was rung again", lambda: len(alice.rung) == 2)
        shows(browser)
        check(browser.text("#extension") == "My extension: 105", browser.text("#extension"))
        alice.hang_up(list(alice.dialogs.values())[-1])
    with report.step("while a phone rings, its extension is on the card; recall rings the parker"):
        scene.park(james, "703")
        james.answers = False
        shows(browser, "703")
        before = len(james.rung)
        press(browser, "703", "Recall")
        browser.until("it is being recalled", f"{STATE} === 'recalling'")
        check("Recall rings 103" in words(browser, "703"), words(browser, "703"))
        until("103 was rung", lambda: len(james.rung) > before)
        opened = scene.browser("view")
        shows(opened, "703")
        check("Recall rings 103" in words(opened, "703"), f"a board that is opened now says: {words(opened, '703')}")
    with report.step("a call is moved, and its card is where it was moved to"):
        james.answers = True
        scene.park(james, "704")
        shows(browser, "703", "704")
        press(browser, "704", "Move")
        answered(browser, "709")
        shows(browser, "703", "709")
        check(scene.parked() == ["703", "709"], f"the program says {scene.parked()}")
        check("Dial 709" in words(browser, "709"), words(browser, "709"))
    with report.step("what is refused is said in words, and changes nothing"):
        press(browser, "709", "Move")
        answered(browser, "999x")
        browser.until("it is refused", "return document.querySelector('#notes .refused') !== null")
        check(scene.parked() == ["703", "709"], f"the program says {scene.parked()}")
    with report.step("a note is dismissed, so that it covers nothing"):
        browser.click("#notes .refused button")
        check(browser.count("#notes .refused") == 0, "it is still there")
        until("the others have passed", lambda: browser.count("#notes .note") == 0)
    with report.step("hang up asks first, then the caller is hung up"):
        caller = scene.park(james, "705")
        shows(browser, "703", "705", "709")
        press(browser, "705", "Hang up")
        browser.until("it asks", "return document.querySelector('#confirm').open")
        browser.press("Escape")
        check(not caller.is_over and "705" in scene.parked(), "it was hung up without being confirmed")
        press(browser, "705", "Hang up")
        browser.until("it asks", "return document.querySelector('#confirm').open")
        browser.click("#confirm-yes")
        shows(browser, "703", "709")
        until("the caller was hung up", lambda: caller.is_over)
    with report.step("a call in progress is parked, and another is ended"):
        scene.call_in(james, display='"Dana"')
        browser.run("document.querySelector('#calls').open = true")
        parks = "#calls-list .call:first-child .deeds button:first-child"
        browser.until("it is listed", "return document.querySelectorAll('#calls-list .call').length === 1")
        browser.click(parks)
        answered(browser, "711")
        shows(browser, "703", "709", "711")
        check("Dana" in words(browser, "711"), words(browser, "711"))
        browser.until("it is listed no more", "return document.querySelectorAll('#calls-list .call').length === 0")
        ours, _ = scene.call_in(james)
        browser.until("another is listed", "return document.querySelectorAll('#calls-list .call').length === 1")
        browser.click("#calls-list .call .deeds button:last-child")
        browser.until("it asks", "return document.querySelector('#confirm').open")
        browser.click("#confirm-yes")
        until("it has ended", lambda: ours.is_over)
        quiet(browser)


FOCUS = "return document.activeElement.querySelector('.slot')?.textContent ?? document.activeElement.id"


def keyboard(report, scene):
    """Everything by the keyboard alone."""
    james, alice = scene.phone("103"), scene.phone("105")
    browser = scene.browser(None)
    with report.step("one signs in by the keyboard"):
        browser.until("the field has the focus", "return document.activeElement.id === 'token'")
        browser.press(*scene.tokens["operate"])
        browser.press("Enter")
        browser.until("it is live", "return document.querySelector('#status').dataset.kind === 'live'")
    for slot in ("701", "702", "703", "704", "705", "706"):
        scene.park(james, slot)
    with report.step("Tab comes to the cards and sees where it is; only one card is in its way"):
        shows(browser, "701", "702", "703", "704", "705", "706")
        browser.until("the first card is in the order", "return document.querySelectorAll('.card[tabindex=\"0\"]').length === 1")
        for _ in range(20):
            browser.press("Tab")
            seen = browser.run("""
                const at = document.activeElement, style = getComputedStyle(at);
                return at === document.body || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2);
            """)
            check(seen, f"the focus cannot be seen on {browser.run(FOCUS)}")
            if browser.run(FOCUS) == "701":
                break
        check(browser.run(FOCUS) == "701", f"the focus is on {browser.run(FOCUS)}")
        check(browser.count(".card button[tabindex='0']") == 3, "more than one card's buttons are in the order")
    with report.step("arrows go from card to card, Home and End to the first and the last"):
        for key, slot in (("Right", "702"), ("Right", "703"), ("Left", "702"), ("Down", "706"), ("Up", "702"), ("End", "706"), ("Home", "701")):
            browser.press(key)
            check(browser.run(FOCUS) == slot, f"after {key} the focus is on {browser.run(FOCUS)}, not on {slot}")
    with report.step("single keys move and hang up, Enter retrieves, and the focus goes on to the next card"):
        browser.press("m")
        answered(browser, "710")
        shows(browser, "702", "703", "704", "705", "706", "710")
        browser.press("Home")
        browser.press("Delete")
        browser.until("it asks", "return document.querySelector('#confirm').open")
        browser.press("Tab")
        browser.press("Enter")
        shows(browser, "703", "704", "705", "706", "710")
        check(browser.run(FOCUS) == "703", f"the focus is on {browser.run(FOCUS)}")
        browser.press("Enter")
        answered(browser, "105")
        shows(browser, "704", "705", "706", "710")
        until("105 was rung", lambda: alice.rung)
    with report.step("the menu and the ladder are gone through by the keyboard"):
        browser.run("document.querySelector('.card').focus()")
        for key in ("Tab", "Tab", "Tab", "Enter"):
            browser.press(key)
        browser.until("the menu is open", "return document.querySelector('#menu').matches(':popover-open')")
        browser.press("Down")
        browser.press("Enter")
        browser.until("the ladder is drawn", "return document.querySelectorAll('#ladder-place .message').length > 8")
        browser.press("Tab")
        browser.press("Down")
        browser.press("Enter")
        check("SIP/2.0" in (browser.text("#ladder-text") or ""), "no message is shown")
        browser.press("Escape")
        check(browser.count("dialog[open]") == 0, "it does not close")
    with report.step("search finds by name, number and slot, and single keys can be switched off"):
        browser.press("/")
        browser.press(*"705")
        until("only 705 is shown", lambda: browser.run(CARDS) == ["705"])
        browser.type("#search", "")
        browser.press("Escape")
        browser.run("document.querySelector('#search').value = ''; document.querySelector('#search').dispatchEvent(new Event('input'))")
        browser.press("?")
        browser.until("the settings are open", "return document.querySelector('#settings').open")
        browser.press(" ")
        browser.press("Escape")
        browser.run("document.querySelector('.card').focus()")
        browser.press("m")
        check(browser.count("dialog[open]") == 0, "a single key still does something")
        quiet(browser)
