"""How long the engine takes for its turns with everything on that operators may have, and with everything off.

Both programs run side by side and are loaded in turn, so that what else the machine does befalls both. Of what is on: the
HTTP door with 20 listeners of all events, /metrics read each second, traces, records, every message sent to Homer, a
webhook that is told of each call. Turns are measured by the program itself (`parkade_engine_turn_seconds`), in time
that passes: what the operators' thread takes from the engine, which has only the same core, is in it.
"""

import http.client
import multiprocessing
import os
import re
import selectors
import socket
import time

from load import Caller
from measured import LOAD, start_parkade
from operating import Operator
from words import spread

LISTENERS = 20
RATE = 100  # calls a second
TALK = 1_000  # milliseconds


class Onlookers:
    """Listeners, whoever reads the metrics, Homer, and the owner of a webhook, in a process of their own."""

    def __init__(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.udp.bind(("127.0.0.1", 0))
        self.web = socket.create_server(("127.0.0.1", 0))
        self.pipe, self.process = None, None

    def settings(self, folder):
        """What is to be configured, so that they are told."""
        return (
            f'[trace]\nmemory = 16\n[records]\nfile = "{folder}/records.jsonl"\n'
            f'[hep]\nto = "127.0.0.1:{self.udp.getsockname()[1]}"\n[[webhook]]\n'
            f'url = "http://127.0.0.1:{self.web.getsockname()[1]}/"\nevents = ["ended"]\n'
            'secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"\n'
        )

    def look(self, operator):
        """Looks on from now on."""
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self._look, args=(other, operator.address, operator.token), daemon=True)
        self.process.start()
        if self.pipe.recv() != "ready":
            raise SystemExit("nobody looks on")

    def end(self):
        """Ends; what they were told."""
        if not self.process:
            return {}
        self.pipe.send("end")
        told = self.pipe.recv() if self.pipe.poll(10) else {}
        self.process.join(5)
        return told

    def _look(self, pipe, address, token):
        os.sched_setaffinity(0, {LOAD})
        ask = f"Host: parkade\r\nAuthorization: Bearer {token}\r\n\r\n"
        chosen = selectors.DefaultSelector()
        told = {"events": 0, "scrapes": 0, "packets for Homer": 0, "webhooks": 0}
        for _ in range(LISTENERS):
            tcp = socket.create_connection(address)
            tcp.sendall(f"GET /events HTTP/1.1\r\n{ask}".encode())
            chosen.register(tcp, selectors.EVENT_READ, "events")
        chosen.register(self.udp, selectors.EVENT_READ, "homer")
        chosen.register(self.web, selectors.EVENT_READ, "web")
        pipe.send("ready")
        due, parts = time.monotonic(), {}
        while not pipe.poll():
            for key, _ in chosen.select(max(0.0, due - time.monotonic())):
                if key.data == "events":
                    told["events"] += key.fileobj.recv(1 << 20).count(b"\nevent: ")
                elif key.data == "homer":
                    told["packets for Homer"] += bool(self.udp.recv(65536))
                elif key.data == "web":
                    chosen.register(self.web.accept()[0], selectors.EVENT_READ, "hook")
                else:
                    told["webhooks"] += self._take(chosen, key.fileobj, parts)
            if time.monotonic() >= due:
                due += 1
                link = http.client.HTTPConnection(*address, timeout=5)
                link.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
                told["scrapes"] += link.getresponse().read().endswith(b"# EOF\n")
                link.close()
        pipe.send(told)

    @staticmethod
    def _take(chosen, tcp, parts):
        """Takes what has come of a webhook's request; whether that was all of it."""
        part = tcp.recv(1 << 16)
        if not part:
            chosen.unregister(tcp)
            tcp.close()
            return False
        text = parts.pop(tcp, b"") + part
        head, blank, body = text.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        if not blank or (length and len(body) < int(length.group(1))):
            parts[tcp] = text
            return False
        tcp.sendall(b"HTTP/1.1 204 Taken\r\n\r\n")
        return True


class Turns:
    """The engine's turns so far, as the program tells by its Unix socket: how many, their sum, and how many within what."""

    def __init__(self, measured):
        text = measured.tells("/metrics")
        name = "parkade_engine_turn_seconds"
        self.sum = float(re.search(rf"^{name}_sum (\S+)", text, re.MULTILINE).group(1))
        within = re.findall(rf'^{name}_bucket\{{le="([^"]+)"\}} (\d+)', text, re.MULTILINE)
        self.within = [(float(bound), int(count)) for bound, count in within]

    def since(self, before):
        """The mean, and what 99 of a hundred were not above, in microseconds; between two bounds as if they lay evenly."""
        counts = [(bound, now - then) for (bound, now), (_, then) in zip(self.within, before.within)]
        total = counts[-1][1]
        low, below = 0.0, 0
        for bound, count in counts:
            if count >= 0.99 * total:
                share = (0.99 * total - below) / max(1, count - below)
                return (self.sum - before.sum) / total * 1e6, (low + share * (min(bound, 1.0) - low)) * 1e6
            low, below = bound, count
        raise SystemExit("no turns were counted")


class Side:
    """One of the two programs."""

    def __init__(self, folder, answerer, program, title, admin):
        self.measured = start_parkade(folder, answerer.port, program, "always", title, admin=admin)
        self.means, self.late, self.cpu, self.failed = [], [], [], 0

    def round(self, folder, seconds, counts):
        """Calls for so long."""
        before, cpu = Turns(self.measured), self.measured.ran()
        good, failed, _ = Caller(folder, self.measured, RATE * seconds, RATE, TALK).wait()
        if not counts:
            return
        mean, late = Turns(self.measured).since(before)
        self.failed += failed
        self.means.append(mean)
        self.late.append(late)
        self.cpu.append((self.measured.ran() - cpu) / max(1, good) * 1e3)


def compare(folder, answerer, program, rounds, seconds):
    """Measures both, and gives the lines of a table."""
    onlookers, sides = Onlookers(), []
    operator = Operator(program)
    admin = f"{operator.settings()}\n{onlookers.settings(folder)}"
    try:
        off = Side(folder, answerer, program, "Parkade, off", 'listen = "off"\n[trace]\nmemory = 0\n')
        sides.append(off)
        on = Side(folder, answerer, program, "Parkade, on", admin)
        sides.append(on)
        onlookers.look(operator)
        # One that warms up, then in turns: neither is always the first.
        for number in range(rounds + 1):
            for side in (off, on) if number % 2 else (on, off):
                side.round(folder, seconds, number > 0)
    finally:
        told = onlookers.end()
        for side in sides:
            side.measured.stop()
    if not told or min(told.values()) == 0:
        raise SystemExit(f"not everything was on: {told}")

    def row(what, values):
        return f"| {what} | " + " | ".join(spread(of_one, "{:.1f} µs") for of_one in values) + " |"

    cpu = [spread(side.cpu, "{:.2f} ms") for side in sides]
    return [
        f"| {RATE} calls/s, all of Parkade on one core | everything off | everything on |",
        "|---|---|---|",
        row(f"a turn of the engine, mean: median of {rounds} (spread)", [side.means for side in sides]),
        row("… 99 % within", [side.late for side in sides]),
        f"| CPU per call of {TALK // 1000} s | {cpu[0]} | {cpu[1]} |",
        f"| failed calls of {RATE * seconds * rounds:,} | {off.failed} | {on.failed} |",
        f"| told meanwhile | | {', '.join(f'{count:,} {what}' for what, count in told.items())} |",
    ]
