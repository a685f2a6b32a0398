"""What the parking board must show and do, before a real browser, with the real program and phones that speak SIP."""

import glob
import os
import re
import subprocess
import time

from processes import Failure, find_program, until
from scene import is_live
from sip_ends import status

HERE = os.path.dirname(os.path.abspath(__file__))
# A park is on the board so soon after the phone has asked for it, in seconds.
APPEARS = 1.0

CARDS = "return [...document.querySelectorAll('.card')].map((card) => card.querySelector('.slot').textContent).sort()"
CARD = "return [...document.querySelectorAll('.card')].find((it) => it.querySelector('.slot').textContent === arguments[0])"


def check(true, what):
    """Fails with `what` if it is not true."""
    if not true:
        raise Failure(what)


def shows(browser, *slots):
    """Waits until the board has cards in these slots, and in no other."""
    wanted = sorted(slots)
    until(f"cards at {wanted}, there are {browser.run(CARDS)}", lambda: browser.run(CARDS) == wanted)


def of(slot):
    """The selector of the card in a slot, once `mark` has marked it."""
    return f".card[data-slot='{slot}']"


def mark(browser):
    """Marks each card with its slot, so that a selector finds it."""
    browser.run("for (const it of document.querySelectorAll('.card')) it.dataset.slot = it.querySelector('.slot').textContent")


def words(browser, slot):
    """What stands on the card in a slot."""
    mark(browser)
    return browser.text(of(slot)) or ""


def press(browser, slot, button):
    """Presses a button of the card in a slot: `Retrieve`, or one of the menu."""
    mark(browser)
    place = {"Retrieve": 1, "Recall": 2, "More": 3}
    if button in place:
        browser.click(f"{of(slot)} .deeds button:nth-child({place[button]})")
        return
    press(browser, slot, "More")
    browser.click({"Move": "#menu [data-deed=move]", "Messages": "#menu [data-deed=ladder]", "Hang up": "#menu [data-deed=hangUp]"}[button])


def quiet(browser):
    """The browser has nothing to complain of: no error, nothing that the policy has blocked."""
    said = [line for line in browser.complaints() if "net::ERR" not in line and "status of 4" not in line]
    check(not said, f"the browser complains: {said}")


def units(report):
    """The board's state, words and ladders, without a browser."""
    node = find_program("node")
    if not node:
        report.skipped("the board's units", "the Debian package nodejs is not installed (scripts/setup installs it)")
        return
    tests = sorted(glob.glob(os.path.join(HERE, "unit", "*.test.mjs")))
    done = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=120)
    count = next((line.split()[-1] for line in done.stdout.splitlines() if line.startswith(("# pass ", "ℹ pass "))), "0")
    if done.returncode == 0 and int(count) > 0:
        report.passes += int(count)
        print(f"ok the board's units: {count} tests", flush=True)
    else:
        report.failed("the board's units", done.stdout[-3000:] + done.stderr[-1000:])


def appears(report, scene):
    """A park is seen at once, and so is its end."""
    james = scene.phone("103")
    with report.step("a page without a token asks for one, and a wrong one is told to be wrong"):
        browser = scene.browser()
        browser.until("it asks for a token", "return !document.querySelector('#sign-in').hidden")
        browser.type("#token", "parkade_guess")
        browser.press("Enter")
        browser.until("it says why", "return document.querySelector('#sign-in-why').textContent.includes('not known')")
    with report.step("the token of the link signs in and leaves the address bar"):
        scene.open(browser, "operate")
        check("token" not in browser.url(), browser.url())
        check(browser.run("return document.referrer") == "", "the address was told")
        shows(browser)
    with report.step(f"each of ten parks is on the board within {APPEARS:g} s"):
        browser.run("""
            window.seen = {};
            new MutationObserver(() => {
              for (const it of document.querySelectorAll('.card .slot')) window.seen[it.textContent] ??= Date.now();
            }).observe(document.querySelector('#lots'), { childList: true, subtree: true, characterData: true });
        """)
        asked, callers = {}, []
        for number in range(701, 711):
            ours, theirs = scene.call_in(james)
            asked[str(number)] = time.time()
            james.transfer(theirs, number)
            callers.append(ours)
        shows(browser, *asked)
        seen = browser.run("return window.seen")
        took = sorted(seen[slot] / 1000 - at for slot, at in asked.items())
        print(f"   from the transfer to the card: median {took[5]:.3f} s, longest {took[-1]:.3f} s")
        check(took[-1] < APPEARS, f"the longest took {took[-1]:.3f} s")
    with report.step("a card says who, by whom, how long, what to dial and when the recall comes"):
        said = words(browser, "704")
        for part in ("Jane Doe", r"\+33176000001", "Parked by 103", "Dial 704", r"Recall in (5:00|4:\d\d)", r"0:\d\d"):
            check(re.search(part, said), f"{part!r} is not in {said!r}")
        check(browser.run("return document.title") == "(10) Parkade", "the title does not count")
        bar = "return new DOMMatrix(getComputedStyle(document.querySelector('.card .bar')).transform).a"
        before = browser.run(bar)
        browser.until("the bar shrinks", f"{bar} < arguments[0]", before)
    with report.step("who hangs up is gone from the board, and it is told"):
        for ours in callers[1:]:
            scene.pbx.hang_up(ours)
        shows(browser, "701")
        check("hung up" in browser.text("#lately-list"), "nothing is told of it lately")
        browser.until("it is read out", "return /hung up|have changed/.test(document.querySelector('#spoken').textContent)")
    with report.step("who dials the slot has the call, and the card is gone"):
        alice = scene.phone("105")
        alice.call("sip:701@pbx.example")
        shows(browser)
        check("retrieved by 105" in browser.text("#lately-list"), "nothing is told of it lately")
        quiet(browser)


def hostile(report, scene):
    """Names from the network do nothing but stand there."""
    james = scene.phone("103")
    names = {
        "701": "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>".replace('"', "'"),
        "702": "\x1b[2J\x1b[31mred\x07",
        "703": "\u202egnp.exe\u202c \u2067abc",
        "704": "Zo\u0301e\u200b\u2028\ufeff",
        "705": "a%0d%0aSet-Cookie: x=1",
        "706": "W" * 300,
    }
    browser = scene.browser("operate")
    with report.step("names with markup, escapes, marks of direction and of great length are parked"):
        for slot, name in names.items():
            scene.park(james, slot, display=f'"{name}"')
        shows(browser, *names)
    with report.step("no name is markup, none moves what stands around it, and controls are seen"):
        made = browser.run("return document.querySelectorAll('#lots img, #lots script, #lots b, [onerror]').length")
        check(made == 0, f"{made} elements were made of a name")
        check("<img src=x" in words(browser, "701"), words(browser, "701"))
        for slot in names:
            said = words(browser, slot)
            bad = [hex(ord(sign)) for sign in said if sign in "\x1b\x07\u202e\u202c\u2067\u200b\u2028\ufeff"]
            check(not bad, f"{slot} shows {bad}")
        check("\u241b[2J" in words(browser, "702"), words(browser, "702"))
        isolated = "return [...document.querySelectorAll('.card .name')].every((it) => it.firstChild.localName === 'bdi')"
        check(browser.run(isolated), "a name is not isolated")
        wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        check(browser.run(wide), "a name makes the page wider than the window")
        check(browser.run("return document.title") == "(6) Parkade", "the title is another's")
    with report.step("the ladder and the announcements show them as harmlessly"):
        press(browser, "701", "Messages")
        browser.until("the ladder is drawn", "return document.querySelectorAll('#ladder-place .message').length > 8")
        browser.run("document.querySelector('#ladder-place .message').dispatchEvent(new MouseEvent('click'))")
        text = browser.text("#ladder-text")
        check("<img src=x" in text and "INVITE sip:" in text, text)
        check(browser.count("#ladder-text img") == 0, "a message is markup")
        browser.press("Escape")
        quiet(browser)
    with report.step("the log has no control, no mark of direction and no line of theirs"):
        scene.park(james, "707", display=f'"{names["703"]}"', user="eve%0d%0a%1b[2J\u202e")
        log = scene.parkade.text()
        check("eve" in log, "the log does not know who was parked last")
        bad = {hex(ord(sign)) for sign in log if sign != "\n" and not sign.isprintable()}
        check(not bad, f"the log holds {bad}")
        forged = [line for line in log.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", line)]
        check(not forged, f"lines that are not ours: {forged}")


def restart(report, scene):
    """The board comes back by itself, and is right again."""
    james = scene.phone("103")
    browser, other = scene.browser("operate"), scene.browser("view")
    with report.step("a call is parked before the program ends"):
        scene.park(james, "701")
        shows(browser, "701")
    with report.step("when the program has gone the board says so"):
        scene.parkade.stop()
        browser.until("it is told", "return document.querySelector('#status').dataset.kind === 'lost'")
        check("Connection lost" in browser.text("#status"), browser.text("#status"))
    with report.step("when the program is back the board is right without being touched"):
        scene.start()
        is_live(browser)
        shows(browser)
        is_live(other)
        shows(other)
        james.register()
        scene.park(james, "702")
        shows(browser, "702")
        shows(other, "702")
        quiet(browser)
    with report.step("a login that has ended with the program is told to be no longer good"):
        command = [scene.program, "board", "--socket", f"{scene.folder}/{scene.name}.sock"]
        link = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        browser.open("about:blank")
        browser.open(link)
        is_live(browser)
        scene.parkade.stop()
        scene.start()
        browser.until("it asks again", "return !document.querySelector('#sign-in').hidden", seconds=20)
        check("no longer good" in browser.text("#sign-in-why"), browser.text("#sign-in-why"))


def looks_only(report, scene):
    """Who may only look has no buttons that steer."""
    james = scene.phone("103")
    scene.park(james, "701")
    scene.call_in(james)
    browser = scene.browser("view")
    with report.step("a token to look with shows everything and no button that steers"):
        shows(browser, "701")
        browser.run("document.querySelector('#calls').open = true")
        browser.until("the calls are listed", "return document.querySelectorAll('.call').length === 1")
        labels = set(browser.run("return [...document.querySelectorAll('#page button')].filter((it) => it.checkVisibility()).map((it) => it.innerText)"))
        check(labels == {"Settings", "Messages"}, f"there are {labels}")
    with report.step("nor do keys steer"):
        browser.run("document.querySelector('.card').focus()")
        browser.press("r")
        browser.press("Delete")
        check(browser.count("dialog[open]") == 0, "a key asks for something")
        check(scene.parked() == ["701"], "a key has done something")
    with report.step("on a wall there is no button at all, and large type"):
        scene.open(browser, "operate", "?wall")
        shows(browser, "701")
        seen = browser.run("return [...document.querySelectorAll('button')].filter((it) => it.checkVisibility()).length")
        check(seen == 0, f"{seen} buttons")
        size = browser.run("return parseFloat(getComputedStyle(document.querySelector('.slot')).fontSize)")
        check(size > 40, f"the slot is {size} px high")
        quiet(browser)


def choose(browser, select, begins):
    """Chooses from a list what begins so."""
    browser.run("""
        const select = document.getElementById(arguments[0]);
        select.value = [...select.options].find((it) => it.text.startsWith(arguments[1])).value;
        select.dispatchEvent(new Event('input', { bubbles: true }));
        select.dispatchEvent(new Event('change', { bubbles: true }));
    """, select, begins)


def places(report, scene):
    """Several lots and domains, groups, and slots that are extensions."""
    james, carol = scene.phone("103"), scene.phone("101")
    browser = scene.browser("operate")
    titles = "return [...document.querySelectorAll('.lot h2')].map((it) => it.innerText)"
    with report.step("a lot with all its slots free is shown with their numbers, quietly"):
        until("there is one lot", lambda: browser.run(titles) == ["office"])
        check(browser.count(".slots li:not([hidden])") == 12, "not all numbers are there")
        check("12 of 12 slots free" in browser.text(".count"), browser.text(".count"))
    with report.step("a taken slot is a card in place of a number; an extension is one when it is used"):
        scene.park(james, "705", display='"Jane"')
        scene.park(james, "*68101", display='"Dana"')
        shows(browser, "101", "705")
        check(browser.count(".slots li:not([hidden])") == 11, "the number is still among the free ones")
        check("2 calls wait, 11 of 12 slots free" in browser.text(".count"), browser.text(".count"))
    with report.step("a domain that had not used the lot has one of its own when it does"):
        ward = scene.phone("203", domain="other.example")
        scene.park(ward, "705", display='"Erik"')
        until("there are two lots", lambda: len(browser.run(titles)) == 2)
        check(set(browser.run(titles)) == {"office at pbx.example", "office at other.example"}, f"{browser.run(titles)}")
        shows(browser, "101", "705", "705")
    with report.step("lots, groups and orders can be chosen"):
        choose(browser, "lot-filter", "office at other")
        until("the other lot is hidden", lambda: browser.run(CARDS) == ["705"])
        check("Erik" in words(browser, "705"), words(browser, "705"))
        choose(browser, "lot-filter", "All")
        scene.park(carol, "*58", display='"Bob"')
        browser.until("the group counts it", "return document.querySelector('#group-filter').innerText.includes(': 1')")
        choose(browser, "group-filter", "sales")
        browser.until("only it is shown", "return document.querySelectorAll('.card').length === 1")
        check("Bob" in browser.text(".card"), browser.text(".card"))
        choose(browser, "group-filter", "All")
        choose(browser, "order", "Longest")
        first = "return document.querySelector('.cards:not([hidden]) .card .name').textContent"
        until("who waits longest is the first", lambda: browser.run(first) in ("Jane", "Erik"))
        browser.open("about:blank")
        scene.open(browser, "operate")
        check(browser.run("return document.querySelector('#order').value") == "longest", "the order is forgotten")
        quiet(browser)
