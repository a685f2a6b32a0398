"""`scripts/bench operators`: what those who look on cost. A device asks for a call that is not parked, twenty times a
second: each time it is refused, and an event says so. Measured are the processor that the program takes for that with
nobody listening and with many who do, and by how much the events reach them later than the refusal reaches the device;
then how long lists and metrics take with many parked calls; at last the engine's turns with everything on and with
everything off (turns.py). The load has a core of its own. Prints tables in Markdown.
"""

import argparse
import http.client
import json
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from limits import files_allowed
from load import Answerer, Caller
from measured import LOAD, free_port, start_parkade
from turns import compare

PACE = 20  # events a second


class Device:
    """A trusted device, which asks for what is not parked."""

    def __init__(self, port):
        self.port = port
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.settimeout(2)
        self.here = f"127.0.0.1:{self.udp.getsockname()[1]}"
        self.count = 0

    def ask(self):
        """Dials *88 once; waits until it is refused."""
        self.count += 1
        call = f"{time.monotonic_ns()}@bench"
        head = (
            f"Via: SIP/2.0/UDP {self.here};branch=z9hG4bK{self.count}x{time.monotonic_ns()}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:105@127.0.0.1>;tag=1\r\nCall-ID: {call}\r\n"
        )
        there = ("127.0.0.1", self.port)
        to = "To: <sip:*88@127.0.0.1>"
        body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
        self.udp.sendto(
            f"INVITE sip:*88@127.0.0.1:{self.port} SIP/2.0\r\n{head}{to}\r\nCSeq: 1 INVITE\r\nContact: <sip:105@{self.here}>\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode(), there,
        )
        while True:
            answer = self.udp.recv(65536).decode()
            status = int(answer.split(" ")[1])
            if status >= 200:
                break
        if status < 400:
            raise SystemExit(f"*88 was answered with {status}; a refusal was expected")
        to = next(line for line in answer.split("\r\n") if line.lower().startswith("to:"))
        self.udp.sendto(
            f"ACK sip:*88@127.0.0.1:{self.port} SIP/2.0\r\n{head}{to}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n".encode(), there
        )


class Listeners:
    """Connections to /events."""

    def __init__(self, address, token, count):
        self.selector = selectors.DefaultSelector()
        self.heard = {}
        self.late = []
        for _ in range(count):
            tcp = socket.create_connection(address)
            tcp.sendall(
                f"GET /events?kinds=failed HTTP/1.1\r\nHost: parkade\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            )
            while b": parkade" not in (said := tcp.recv(65536)):
                if not said.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"/events is refused: {said[:300]!r}")
            tcp.setblocking(False)
            self.selector.register(tcp, selectors.EVENT_READ)
            self.heard[tcp] = 0

    def listen(self, until, asked):
        """Hears what comes; `asked` is when it was caused."""
        while (left := until - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                events = key.fileobj.recv(65536).count(b"event: failed")
                self.heard[key.fileobj] += events
                if events:
                    self.late.append(time.monotonic() - asked)


def measured_while(measured, device, seconds, listeners):
    """The share of a core that the program takes while events happen."""
    begun, before = time.monotonic(), measured.ran()
    for number in range(seconds * PACE):
        asked = time.monotonic()
        device.ask()
        until = begun + (number + 1) / PACE
        if listeners:
            listeners.listen(until, asked)
        else:
            time.sleep(max(0.0, until - time.monotonic()))
    return (measured.ran() - before) / (time.monotonic() - begun)


def read(address, token, path):
    """How long it takes to read that, in milliseconds."""
    begun = time.monotonic()
    with socket.create_connection(address) as tcp:
        tcp.sendall(
            f"GET {path} HTTP/1.1\r\nHost: parkade\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: tcp.recv(1 << 18), b""))
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"{path} is refused: {answer[:300]!r}")
    return (time.monotonic() - begun) * 1e3


# So many talk at once while calls are parked: one that talks has four sockets, one that is parked two.
BATCH = 1_000


class Door:
    """The HTTP door, asked on one connection."""

    def __init__(self, address, token):
        self.link = http.client.HTTPConnection(*address, timeout=20)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method, path, body=None):
        """What it answers."""
        self.link.request(method, path, body and json.dumps(body), self.headers)
        answer = self.link.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text else None


def park_all(address, token, count, folder, measured, callers):
    """Sets so many calls up, and parks each of them by the API; `callers` is the load that made them, to be stopped."""
    door, parked = Door(address, token), 0
    while parked < count:
        batch = min(BATCH, count - parked)
        callers.append(Caller(folder, measured, batch, 200, 3_600_000))
        end = time.monotonic() + batch / 200 + 30
        while True:
            calls = [call for call in door.ask("GET", "/api/calls")["calls"] if call["state"] == "talking"]
            if len(calls) >= batch:
                break
            if time.monotonic() > end:
                raise SystemExit(f"{len(calls)} of {batch} calls are up, {parked} are parked")
            time.sleep(0.5)
        for call in calls:
            door.ask("POST", f"/api/calls/{call['id']}/park", {"slot": str(10_000 + parked)})
            parked += 1
        # The parkers' ports rest before others may have them.
        time.sleep(3)
    found = len(door.ask("GET", "/api/parked")["parked"])
    if found != count:
        raise SystemExit(f"{found} of {count} calls are parked")


def spread_out(measured):
    """Lets the program have every core: nobody loads it now, and music for so many is more than one core's work."""
    for pid in measured.processes():
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), range(os.cpu_count()))


def spread(values, unit):
    """The median, and what was least and most."""
    return f"{statistics.median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})"


def main():
    arguments = argparse.ArgumentParser(prog="scripts/bench operators", description=__doc__,
                                        formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--parkade", default="target/release/parkade", help="the program to measure")
    arguments.add_argument("--listeners", type=int, default=200, help="how many listen (%(default)s)")
    arguments.add_argument("--parked", type=int, default=5_000, help="how many calls are parked for the lists (%(default)s)")
    arguments.add_argument("--quick", action="store_true", help="one short round instead of three")
    chosen = arguments.parse_args()
    rounds, seconds = (1, 5) if chosen.quick else (3, 15)
    os.sched_setaffinity(0, {LOAD})

    folder = tempfile.mkdtemp(prefix="parkade-bench-")
    made = subprocess.run([chosen.parkade, "token", "bench", "--operate"], check=True, capture_output=True, text=True)
    token, configuration = made.stdout.split("\n", 1)
    address = ("127.0.0.1", free_port())
    admin = f'listen = "{address[0]}:{address[1]}"\n{configuration}'
    files_allowed(chosen.parked * 2 + BATCH * 4 + 2_000)
    answerer = Answerer(folder)
    slots = f"10000-{10_000 + chosen.parked}"
    measured = start_parkade(folder, answerer.port, chosen.parkade, "always", "Parkade", slots=slots, admin=admin)
    callers, turns = [], []
    try:
        device = Device(measured.port)
        device.ask()
        quiet, busy, late, missed = [], [], [], 0
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            quiet.append(measured_while(measured, device, seconds, None) * 100)
            listeners = Listeners(address, token, chosen.listeners)
            busy.append(measured_while(measured, device, seconds, listeners) * 100)
            listeners.listen(time.monotonic() + 0.5, time.monotonic())
            late += listeners.late
            missed += sum(seconds * PACE - heard for heard in listeners.heard.values())
            for tcp in listeners.heard:
                tcp.close()
        print(f"{chosen.parked} calls are parked", file=sys.stderr, flush=True)
        park_all(address, token, chosen.parked, folder, measured, callers)
        spread_out(measured)
        # Further apart than a list is shown again.
        lists, metrics = [], []
        for _ in range(20):
            time.sleep(0.3)
            lists.append(read(address, token, "/api/parked"))
            time.sleep(0.3)
            metrics.append(read(address, token, "/metrics"))
        measured.stop()
        for caller in callers:
            caller.stop()
        print("everything off, and on", file=sys.stderr, flush=True)
        turns = compare(folder, answerer, chosen.parkade, token, configuration, *((2, 5) if chosen.quick else (7, 15)))
    finally:
        measured.stop()
        answerer.stop()
        for caller in callers:
            caller.stop()
        shutil.rmtree(folder, ignore_errors=True)
    late.sort()
    print(f"| {PACE} events/s | Parkade |\n|---|---|")
    print(f"| nobody listens: share of a core, median of {rounds} (spread) | {spread(quiet, ' %')} |")
    print(f"| {chosen.listeners} listen: share of a core | {spread(busy, ' %')} |")
    print(f"| … of which the listeners | {statistics.median(busy) - statistics.median(quiet):.2f} % |")
    print(f"| … events that one of them has missed | {missed} of {rounds * seconds * PACE * chosen.listeners:,} |")
    print(f"| … from the request until it is told, half within, 99 % within | "
          f"{late[len(late) // 2] * 1e3:.1f} ms, {late[len(late) * 99 // 100] * 1e3:.1f} ms |")
    print(f"| the list of {chosen.parked:,} parked calls, all of whom hear music | {spread(lists, ' ms')} |")
    print(f"| all metrics, with those calls | {spread(metrics, ' ms')} |")
    print("\n" + "\n".join(turns))


if __name__ == "__main__":
    main()
