"""An operator of a Parkade that is measured: its HTTP door with a token, and what is asked there."""

import http.client
import json
import subprocess
import time

from measured import free_port


class Operator:
    """One token, which may do everything, and the door where it is good."""

    def __init__(self, program):
        made = subprocess.run([program, "token", "measured", "--operate"], check=True, capture_output=True, text=True)
        self.token, self.configuration = made.stdout.split("\n", 1)
        self.address = ("127.0.0.1", free_port())
        self.link = http.client.HTTPConnection(*self.address, timeout=20)

    def settings(self):
        """What goes under `[admin]`, so that the door is there and the token is good."""
        return f'listen = "{self.address[0]}:{self.address[1]}"\n{self.configuration}'

    def ask(self, method, path, body=None):
        """What the door answers; after the program's end and start it is asked on a new connection."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.link.request(method, path, body and json.dumps(body), headers)
        answer = self.link.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text else None

    def talking(self):
        """The calls that talk."""
        return [call for call in self.ask("GET", "/api/calls")["calls"] if call["state"] == "talking"]

    def until_talking(self, count, within):
        """Waits until so many talk; those."""
        end = time.monotonic() + within
        while len(talking := self.talking()) < count:
            if time.monotonic() > end:
                raise SystemExit(f"{len(talking)} of {count} calls are up")
            time.sleep(0.5)
        return talking

    def parked(self):
        """The calls that are parked."""
        return self.ask("GET", "/api/parked")["parked"]

    def park(self, calls, first):
        """Parks them in slots from that one on."""
        for number, call in enumerate(calls):
            self.ask("POST", f"/api/calls/{call['id']}/park", {"slot": str(first + number)})

    def hang_up(self):
        """Closes the connection: the next request makes another."""
        self.link.close()
