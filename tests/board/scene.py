"""Parkade with phones and a PBX around it, and browsers before it."""

import http.client
import json
import subprocess

from processes import Failure, Program, takes_tcp, until
from sip_parties import Party
from stage import free_port, free_range
from webdriver import Browser

CONFIG = """
[phones]
listen = ["udp:127.0.0.1:{phones}"]
[pbx]
target = ["sip:127.0.0.1:{target}"]
listen = ["udp:127.0.0.1:{pbx}"]
[media]
phones_address = "127.0.0.1"
pbx_address = "127.0.0.1"
ports = "{first}-{last}"
codecs = ["PCMA"]
fast_path = "off"
[admin]
socket = "{folder}/{name}.sock"
listen = "127.0.0.1:{door}"
"""
LOT = """
[[lot]]
name = "office"
slots = "701-712"
any_slot = "700"
[[lot.group]]
name = "sales"
members = ["101", "103", "105"]
"""


class Scene:
    """One program, its parties and browsers. What the scene started, the scene ends."""

    def __init__(self, folder, program, name, lot=LOT, ports=400):
        self.folder, self.program, self.name = folder, program, name.replace(" ", "-")
        self.browsers, self.parties, self.others = [], [], []
        first = free_range(ports)
        # A port that the system hands out may be one of those for media.
        besides = (port for port in iter(free_port, None) if not first <= port < first + ports)
        self.phones, self.pbx_port, self.door = next(besides), next(besides), next(besides)
        self.pbx = self._party("pbx", self.pbx_port)
        self.tokens = {}
        text = CONFIG.format(
            phones=self.phones, target=self.pbx.port, pbx=self.pbx_port, first=first, last=first + ports - 1,
            folder=folder, name=self.name, door=self.door,
        )
        for role in ("view", "operate"):
            more = ["--operate"] if role == "operate" else []
            made = subprocess.run([program, "token", role, *more], capture_output=True, text=True, check=True).stdout
            self.tokens[role], rest = made.split("\n", 1)
            text += rest
        self.file = f"{folder}/{self.name}.toml"
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text + lot)
        self.runs = 0
        self.parkade = None
        self.start()

    def start(self):
        """Starts the program, and waits until its door is open."""
        self.runs += 1
        log = f"{self.folder}/{self.name}-{self.runs}.log"
        self.parkade = Program("parkade", [self.program, "run", "--config", self.file], log)
        self.others.append(self.parkade)

        def is_open():
            if not self.parkade.runs():
                raise Failure(f"parkade has {self.parkade.state()}: {self.parkade.text()[-500:]}")
            return takes_tcp("127.0.0.1", self.door)

        until("the door of parkade is open", is_open)

    def _party(self, name, port, **more):
        party = Party(name, ("127.0.0.1", port), **more)
        self.parties.append(party)
        return party

    def phone(self, extension, **more):
        """A phone that has registered."""
        phone = self._party(extension, self.phones, **more)
        phone.register()
        return phone

    def call_in(self, phone, display='"Jane Doe"', user="+33176000001"):
        """Somebody from outside calls a phone, which answers: both ends of the call."""
        before = set(phone.dialogs)
        ours = self.pbx.call(self.pbx.contacts[phone.name], display, user)
        theirs = until(f"{phone.name} has the call", lambda: set(phone.dialogs) - before)
        return ours, phone.dialogs[theirs.pop()]

    def park(self, phone, slot, **who):
        """The same, and the phone parks the call: the caller's end of it."""
        ours, theirs = self.call_in(phone, **who)
        phone.transfer(theirs, slot)
        phone.is_told(theirs, "200")
        return ours

    def browser(self, role=None, query="", **size):
        """A browser that has opened the board, with a token of this role."""
        browser = Browser(self.folder, **size)
        self.browsers.append(browser)
        self.open(browser, role, query)
        return browser

    def open(self, browser, role=None, query=""):
        """Opens the board; with a token it is live when this returns."""
        browser.open("about:blank")
        token = f"#token={self.tokens[role]}" if role else ""
        browser.open(f"http://127.0.0.1:{self.door}/{query}{token}")
        if role:
            is_live(browser)

    def ask(self, path, method="GET", body=None):
        """What the program itself says: the JSON of an answer."""
        link = http.client.HTTPConnection("127.0.0.1", self.door, timeout=8)
        try:
            headers = {"Authorization": f"Bearer {self.tokens['operate']}", "Content-Type": "application/json"}
            link.request(method, path, None if body is None else json.dumps(body), headers)
            text = link.getresponse().read()
        finally:
            link.close()
        return json.loads(text) if text else None

    def parked(self):
        """Where calls are parked, by the program itself."""
        return sorted(call["slot"] for call in self.ask("/api/parked")["parked"])

    def print_logs(self):
        """The ends of the logs, after a failure."""
        print("\n".join(self.parkade.text().splitlines()[-15:]))
        for number, browser in enumerate(self.browsers):
            try:
                browser.screenshot(f"{self.folder}/{self.name}-failed-{number}.png")
                print("\n".join(browser.complaints()))
            except (Failure, OSError) as gone:
                print(f"the browser has gone: {gone}")

    def end(self):
        """Ends everything that was started."""
        for browser in self.browsers:
            browser.end()
        for program in self.others:
            program.stop()
        for party in self.parties:
            party.close()


def is_live(browser):
    """Waits until the board shows what there is, and follows it."""
    browser.until("the board is live", "return document.querySelector('#status')?.dataset.kind === 'live'")
