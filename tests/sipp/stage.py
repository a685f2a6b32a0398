"""What the stories need: Parkade itself, phones and a PBX played by SIPp, and RTP ends.

Everything runs on loopback, on ports that are free when the story begins. A story waits for what
must happen, within a bound, and never for time to pass. What the stage started, the stage ends.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from rtp_end import RtpEnd
from scenario import compose, compose_over_tcp

HOST = "127.0.0.1"
DOMAIN = "pbx.example"
PATIENCE = 20.0  # seconds until a story gives up waiting for anything
TRACED = re.compile(rb"^\w+ message (sent|received) [(\[](\d+)[\])]? bytes\)? ?:\n\n", re.MULTILINE)
HOPELESS = re.compile("Aborting call|Failed regexp|Invalid XML|Overall|max_retrans|timed out", re.IGNORECASE)

CONFIG = """
[phones]
listen = ["udp:{host}:{phones_port}", "tcp:{host}:{phones_port}"]
[pbx]
target = ["sip:{host}:{pbx_target}"]
listen = ["udp:{host}:{pbx_port}", "tcp:{host}:{pbx_port}"]
[media]
phones_address = "{host}"
pbx_address = "{host}"
ports = "{media_first}-{media_last}"
anchor = "{anchor}"
[admin]
socket = "{admin}"
"""


class StoryFailed(Exception):
    """Something did not happen as told."""


_watched = []  # called while a story waits; each raises StoryFailed if there is no more hope


def eventually(what, holds, within=PATIENCE):
    """Returns the first true value of `holds()`; fails, naming `what`, when time is up."""
    end = time.monotonic() + within
    while True:
        value = holds()
        if value:
            return value
        for watch in _watched:
            watch(what)
        if time.monotonic() > end:
            raise StoryFailed(f"never happened within {within:.0f} s: {what}")
        time.sleep(0.01)


def bound_ports():
    """The UDP ports that somebody on this machine has."""
    ports = set()
    for table in (pathlib.Path("/proc/net/udp"), pathlib.Path("/proc/net/udp6")):
        lines = table.read_text(encoding="ascii").splitlines()[1:] if table.exists() else []
        ports.update(int(line.split(None, 2)[1].rpartition(":")[2], 16) for line in lines)
    return ports


def is_bound(port):
    return port in bound_ports()


_handed_out = set()


def free_port():
    """A UDP and TCP port that nobody uses now and that was not handed out before; below those that the system
    hands out to whoever asks for any, lest it be gone until it is used."""
    singles = range(6100, 9990)
    turn = os.getpid() % len(singles)
    for port in [*singles[turn:], *singles[:turn]]:
        if port in _handed_out:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            try:
                udp.bind((HOST, port))
                tcp.bind((HOST, port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise StoryFailed("no UDP and TCP port between 6100 and 9990 is free")


def free_range(count):
    """The first of `count` UDP ports in a row that nobody uses, below those that the system hands out."""
    bound = bound_ports()
    ranges = list(range(10000, 32000, count))
    turn = (os.getpid() + len(_handed_out)) % len(ranges)
    for first in ranges[turn:] + ranges[:turn]:
        if bound.isdisjoint(range(first, first + count)):
            return first
    raise StoryFailed(f"no {count} UDP ports in a row are free")


class Sipp:
    """One SIPp process that plays one scenario."""

    def __init__(self, folder, name, text, arguments, port):
        self.name, self.port, self.folder = name, port, folder
        self.call_id = f"1-{name}-{os.getpid()}@{HOST}"  # of the first call, if it is the one that calls
        file = folder / f"{name}.xml"
        file.write_text(text, encoding="utf-8")
        self.facts_file, self.errors_file = folder / f"{name}.facts", folder / f"{name}.errors"
        self.output = open(folder / f"{name}.out", "w", encoding="utf-8")
        command = ["sipp", "-sf", str(file)]
        command += ["-i", HOST, "-bind_local", "-p", str(port), "-nostdin", "-m", "1", "-l", "5"]
        command += ["-trace_err", "-error_file", str(self.errors_file)]
        command += ["-trace_msg", "-message_file", str(folder / f"{name}.messages")]
        command += ["-trace_logs", "-log_file", str(self.facts_file)]
        command += ["-timeout", f"{PATIENCE + 10:.0f}s", "-timeout_error", "-cid_str", f"%u-{name}-{os.getpid()}@{HOST}"]
        command += ["-key", "escaped_call_id", self.call_id.replace("@", "%40")]
        command += ["-cp", str(free_port()), "-skip_rlimit"]
        self.process = subprocess.Popen(
            command + [str(argument) for argument in arguments],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT,
        )

    def facts(self, name):
        """All values that the scenario has logged under `name`."""
        if not self.facts_file.exists():
            return []
        text = self.facts_file.read_text(encoding="utf-8", errors="replace")
        return [line.split(" ", 1)[1].strip() for line in text.splitlines() if line.startswith(f"{name} ")]

    def fact(self, name, within=PATIENCE):
        """The first value logged under `name`, awaited."""
        return eventually(f"{self.name} says {name}", lambda: self.facts(name), within)[0]

    def listening(self):
        def bound():
            return is_bound(self.port) or self.process.poll() is not None
        eventually(f"{self.name} listens on {self.port}", bound, 5)
        return self

    def done(self, within=PATIENCE):
        """Awaits the end of the scenario; it must have passed."""
        what = "the end of its scenario"
        eventually(f"{what}, {self.name}", lambda: self.process.poll() is not None, within)
        self.watch(what)
        return self

    def watch(self, what):
        """SIPp lives on for a while after a call has failed: what went wrong is in its error file."""
        failed = self.process.poll() not in (None, 0)
        if not failed and self.errors_file.exists():
            failed = HOPELESS.search(self.errors_file.read_text(encoding="utf-8", errors="replace"))
        if failed:
            raise StoryFailed(f"{self.name} failed, so this did not happen: {what}")

    def raw_messages(self):
        """The messages as (direction, bytes), in order."""
        file = self.folder / f"{self.name}.messages"
        traced = file.read_bytes() if file.exists() else b""
        found = ((trace[1].decode(), trace.end(), int(trace[2])) for trace in TRACED.finditer(traced))
        return [(way, traced[start:start + length]) for way, start, length in found]

    def messages(self):
        """The messages as (direction, text), in order; their lines end with a plain newline."""
        return [(way, raw.decode(errors="replace").replace("\r", "")) for way, raw in self.raw_messages()]

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.output.close()


class Stage:
    """The set of one story: one Parkade, and whoever the story brings on."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.parties, self.ends = [], []
        self.phones_port, self.pbx_port, self.pbx_target = free_port(), free_port(), free_port()
        self.ports = {}
        self.parkade, self.manager = None, None

    # Parkade

    def open(self, lot, anchor="always", journal=False):
        """Starts Parkade with this lot, and with a journal if calls are to outlive it, and waits until it listens."""
        media_first = free_range(400)
        config = CONFIG.format(
            host=HOST, phones_port=self.phones_port, pbx_port=self.pbx_port, pbx_target=self.pbx_target,
            media_first=media_first, media_last=media_first + 399, anchor=anchor, admin=self.folder / "admin.sock",
        )
        if journal:
            config += f'[state]\npath = "{self.folder / "state"}"\n'
        self.file = self.folder / "parkade.toml"
        self.file.write_text(config + lot, encoding="utf-8")
        self.log = open(self.folder / "parkade.log", "w", encoding="utf-8")
        self.start()
        _watched.append(self._watch)

    def start(self):
        """Starts Parkade, or starts it again, and waits until it listens."""
        command = [str(self.program), "run", "--config", str(self.file)]
        started = self.manager.started(command) if self.manager else {"args": command}
        self.parkade = subprocess.Popen(
            **started, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
        )
        ports = (self.phones_port, self.pbx_port)
        eventually("parkade listens", lambda: all(is_bound(port) for port in ports), 10)

    def stop(self, by):
        """Ends Parkade by this signal, and waits until it has gone."""
        _watched.remove(self._watch)
        self.parkade.send_signal(by)
        self.parkade.wait(10)
        _watched.append(self._watch)

    def told(self, text):
        """Waits until Parkade's log has said this."""
        log = self.folder / "parkade.log"
        eventually(f"the log says {text!r}", lambda: text in log.read_text(encoding="utf-8", errors="replace"))

    def _watch(self, what):
        if self.parkade.poll() is not None:
            raise StoryFailed(f"parkade ended with {self.parkade.returncode}, so this did not happen: {what}")

    # Parties

    def sipp(self, name, text, port, remote, *arguments, calls=1, waits=True):
        """Brings on a SIPp that plays the scenario `text` from `port` towards `remote`."""
        given = [f"{HOST}:{remote}", "-m", calls, "-key", "domain", DOMAIN, *arguments]
        party = Sipp(self.folder, name, text, given, port)
        self.parties.append(party)
        _watched.append(party.watch)
        return party.listening() if waits else party

    def phone_port(self, device):
        """The port of a device, the same throughout the story: it is what the device is known by."""
        return self.ports.setdefault(device, free_port())

    def phone(
        self, scenario, device, end=None, calls=1, waits=True, over="udp", registers=False, parts=None,
        polite=False, **keys
    ):
        """Brings on the phone "extension" or "extension/device", with its RTP end if it talks.

        The keys are what the scenario leaves open: what it dials, where it parks. A phone that
        calls says 200 to notices that come meanwhile. Without `waits` it is on its way when this
        returns, not yet there. `parts` is what the scenario's parts are filled with. One over TCP may
        register first, by its connection.
        """
        name = f"{device.replace('/', '-')}-{scenario}-{len(self.parties)}"
        given = ["-key", "extension", device.split("/")[0]] + (["-aa"] if polite else [])
        if end:
            given += ["-key", "rtp_port", end.port]
        for key, value in keys.items():
            given += ["-key", key, value]
        if "dials" in keys:
            notices = self.folder / f"{name}.notices.xml"
            notices.write_text(compose("phone_takes_notice"), encoding="utf-8")
            given += ["-oocsf", notices]
        port = self.phone_port(device)
        text = compose(scenario, **parts or {})
        if over == "tcp":
            # One connection for all; its own port is not the one that a binding would say.
            given, waits = [*given, "-t", "t1"], False
            text = compose_over_tcp(scenario, registers, **parts or {})
        if registers:
            given += _credentials(device)
        return self.sipp(name, text, port, self.phones_port, *given, calls=calls, waits=waits)

    def pbx(self, scenario, *ends, calls=1, polite=False, **keys):
        """Brings on the PBX, where Parkade has its target, with an RTP end for each call. A polite one
        says 200 to whatever it is asked besides."""
        given = ["-aa"] if polite else []
        if ends:
            ports = self.folder / f"ports-{len(self.parties)}.csv"
            ports.write_text("SEQUENTIAL\n" + "".join(f"{end.port}\n" for end in ends), encoding="ascii")
            given += ["-inf", ports]
        for key, value in keys.items():
            given += ["-key", key, value]
        name = f"{scenario}-{len(self.parties)}"
        return self.sipp(name, compose(scenario), self.pbx_target, self.pbx_port, *given, calls=max(calls, len(ends)))

    def register(self, *devices):
        """Registers devices, with digest, and returns the Contact that the PBX knows each by."""
        registrar = self.pbx("pbx_registers", calls=len(devices))
        contacts = {}
        for device in devices:
            extension = device.split("/")[0]
            given = ["-key", "extension", extension, *_credentials(device)]
            name = f"{device.replace('/', '-')}-registers"
            port = self.phone_port(device)
            phone = self.sipp(name, compose("phone_registers"), port, self.phones_port, *given).done()
            contacts[device] = registrar.facts("contact")[-1].split()[1]
            if phone.fact("contact") != f"sip:{extension}@{HOST}:{port}":
                raise StoryFailed(f"{device} was given back {phone.fact('contact')} as its Contact")
        registrar.done()
        return contacts

    def end(self, hertz):
        """An RTP end of that tone."""
        end = RtpEnd(hertz, HOST)
        self.ends.append(end)
        return end

    def connect(self, end, party, call=0):
        """Points an RTP end at the address that the party's SIPp read in the SDP it was given."""
        party.fact("media")
        host, port = party.facts("media")[call].split()
        if host != HOST:
            raise StoryFailed(f"{party.name} was told to send media to {host}, not to {HOST}")
        end.talk_to((host, int(port)))

    def cue(self, party, call_id=None):
        """Tells a scenario to go on, by a request straight to its SIPp that no other party sees."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
            text = _cue(f"sip:{HOST}", call_id or party.fact("call-id"), f"{HOST}:9", ";tag=stage")
            voice.sendto(text.encode(), (HOST, party.port))

    def cue_by_parkade(self, party, contact):
        """Tells a phone that can be reached by its connection alone to go on: from the PBX's side, at
        the Contact that the PBX knows it by. It must answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
            voice.bind((HOST, 0))
            voice.settimeout(5)
            text = _cue(contact, party.call_id, f"{HOST}:{voice.getsockname()[1]}")
            voice.sendto(text.encode(), (HOST, self.pbx_port))
            try:
                answer = voice.recv(4096).decode()
            except TimeoutError:
                answer = "nothing"
            if not answer.startswith("SIP/2.0 200 "):
                raise StoryFailed(f"{party.name} was to be cued at {contact}, and there came {answer}")

    # The end

    def close(self):
        """Ends all that is still there. Parkade must go on SIGTERM when no call is left."""
        _watched.clear()
        for end in self.ends:
            end.stop()
        for party in self.parties:
            party.end()
        if self.parkade is None:
            return True
        ended_well = True
        if self.parkade.poll() is None:
            self.parkade.send_signal(signal.SIGTERM)
            try:
                self.parkade.wait(10)
            except subprocess.TimeoutExpired:
                ended_well = False
                self.parkade.kill()
                self.parkade.wait()
        self.log.close()
        return ended_well and self.parkade.returncode == 0

    def report(self):
        """What there is to read after a failure: errors and last messages of each SIPp, and our log."""
        parts = []
        for party in self.parties:
            if party.process.returncode == 0:
                continue
            errors = _tail(party.errors_file, 12)
            last = "\n\n".join(f"[{way}]\n{text.strip()}" for way, text in party.messages()[-3:])
            parts.append(f"--- {party.name}: sipp ended with {party.process.returncode}\n{errors}\n{last}")
        parts.append(f"--- parkade\n{_tail(self.folder / 'parkade.log', 40)}")
        return "\n".join(parts)


def _credentials(device):
    extension = device.split("/")[0]
    return ["-s", extension, "-au", extension, "-ap", "secret"]


def _cue(uri, call_id, via, to_tag=""):
    return (
        f"CUE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK-cue-{time.monotonic_ns()}\r\n"
        f"From: <sip:stage@{HOST}>;tag=stage\r\nTo: <{uri}>{to_tag}\r\nMax-Forwards: 70\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 CUE\r\nContent-Length: 0\r\n\r\n"
    )


def _tail(file, count):
    if not file.exists():
        return ""
    return "\n".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
