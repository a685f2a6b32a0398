"""`scripts/bench operators`: what those who look on cost. A device asks for a call that is not parked, twenty times a
second: each time it is refused, and an event says so. Measured are the processor that the program takes for that with
nobody listening and with many who do, and by how much the events reach them later than the refusal reaches the device;
then how long lists and metrics take with many parked calls; at last the engine's turns with everything on and with
everything off (turns.py). The load has a core of its own. Prints tables in Markdown.
"""

import os
import selectors
import shutil
import socket
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from limits import files_allowed
from load import Answerer, Caller
from measured import LOAD, start_parkade
from operating import Operator
from turns import compare
from words import command_line, say, spread

PACE = 20  # events a second
FIRST_SLOT = 10_000


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

    def __init__(self, operator, count):
        self.selector = selectors.DefaultSelector()
        self.heard = {}
        self.late = []
        for _ in range(count):
            tcp = socket.create_connection(operator.address)
            tcp.sendall(
                f"GET /events?kinds=failed HTTP/1.1\r\nHost: parkade\r\nAuthorization: Bearer {operator.token}\r\n\r\n".encode()
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


def read(operator, path):
    """How long it takes to read that, in milliseconds."""
    begun = time.monotonic()
    with socket.create_connection(operator.address) as tcp:
        tcp.sendall(
            f"GET {path} HTTP/1.1\r\nHost: parkade\r\nConnection: close\r\n"
            f"Authorization: Bearer {operator.token}\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: tcp.recv(1 << 18), b""))
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"{path} is refused: {answer[:300]!r}")
    return (time.monotonic() - begun) * 1e3


# So many talk at once while calls are parked: one that talks has four sockets, one that is parked two.
BATCH = 1_000


def park_all(operator, count, folder, measured, callers):
    """Sets so many calls up, and parks each of them by the API; `callers` is the load that made them, to be stopped."""
    parked = 0
    while parked < count:
        batch = min(BATCH, count - parked)
        callers.append(Caller(folder, measured, batch, 200, 3_600_000))
        calls = operator.until_talking(batch, batch / 200 + 30)
        operator.park(calls, FIRST_SLOT + parked)
        parked += len(calls)
        # The parkers' ports rest before others may have them.
        time.sleep(3)
    found = len(operator.parked())
    if found != count:
        raise SystemExit(f"{found} of {count} calls are parked")


def spread_out(measured):
    """Lets the program have every core: nobody loads it now, and music for so many is more than one core's work."""
    for pid in measured.processes():
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), range(os.cpu_count()))


def main():
    arguments = command_line("bench operators", __doc__)
    arguments.add_argument("--listeners", type=int, default=200, help="how many listen (%(default)s)")
    arguments.add_argument("--parked", type=int, default=5_000, help="how many calls are parked for the lists (%(default)s)")
    arguments.add_argument("--quick", action="store_true", help="one short round instead of three")
    chosen = arguments.parse_args()
    rounds, seconds = (1, 5) if chosen.quick else (3, 15)
    os.sched_setaffinity(0, {LOAD})

    folder = tempfile.mkdtemp(prefix="parkade-bench-")
    operator = Operator(chosen.parkade)
    files_allowed(chosen.parked * 2 + BATCH * 4 + 2_000)
    answerer = Answerer(folder)
    measured = start_parkade(
        folder, answerer.port, chosen.parkade, "always", "Parkade", slots=f"{FIRST_SLOT}-{FIRST_SLOT + chosen.parked}",
        admin=operator.settings(),
    )
    callers, turns = [], []
    try:
        device = Device(measured.port)
        device.ask()
        quiet, busy, late, missed = [], [], [], 0
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            quiet.append(measured_while(measured, device, seconds, None) * 100)
            listeners = Listeners(operator, chosen.listeners)
            busy.append(measured_while(measured, device, seconds, listeners) * 100)
            listeners.listen(time.monotonic() + 0.5, time.monotonic())
            late += listeners.late
            missed += sum(seconds * PACE - heard for heard in listeners.heard.values())
            for tcp in listeners.heard:
                tcp.close()
        say(f"{chosen.parked} calls are parked")
        park_all(operator, chosen.parked, folder, measured, callers)
        spread_out(measured)
        # Further apart than a list is shown again.
        lists, metrics = [], []
        for _ in range(20):
            time.sleep(0.3)
            lists.append(read(operator, "/api/parked"))
            time.sleep(0.3)
            metrics.append(read(operator, "/metrics"))
        measured.stop()
        for caller in callers:
            caller.stop()
        say("everything off, and on")
        turns = compare(folder, answerer, chosen.parkade, *((2, 5) if chosen.quick else (7, 15)))
    finally:
        measured.stop()
        answerer.stop()
        for caller in callers:
            caller.stop()
        shutil.rmtree(folder, ignore_errors=True)
    late.sort()
    print(f"| {PACE} events/s | Parkade |\n|---|---|")
    print(f"| nobody listens: share of a core, median of {rounds} (spread) | {spread(quiet, '{:.2f} %')} |")
    print(f"| {chosen.listeners} listen: share of a core | {spread(busy, '{:.2f} %')} |")
    print(f"| … of which the listeners | {statistics.median(busy) - statistics.median(quiet):.2f} % |")
    print(f"| … events that one of them has missed | {missed} of {rounds * seconds * PACE * chosen.listeners:,} |")
    print(f"| … from the request until it is told, half within, 99 % within | "
          f"{late[len(late) // 2] * 1e3:.1f} ms, {late[len(late) * 99 // 100] * 1e3:.1f} ms |")
    print(f"| the list of {chosen.parked:,} parked calls, all of whom hear music | {spread(lists, '{:.2f} ms')} |")
    print(f"| all metrics, with those calls | {spread(metrics, '{:.2f} ms')} |")
    print("\n" + "\n".join(turns))


if __name__ == "__main__":
    main()
