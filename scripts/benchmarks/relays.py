"""What carries the calls: a kernel's NAT, rtpengine, Parkade. Each is started for its turn and stopped after it, so that
none is in another's way."""

import itertools
import os
import re
import socket
import subprocess

from dialling import SDP, Dialling, media_address, port_of
from measured import Measured, find_program, start_parkade
from networks import PARKADE_FOR_PBX, PARKADE_FOR_PHONES, PBX, PHONES, SIP, WHERE, set_forwarding

NAT_PORT = 30000  # each call has four from here: towards phones and PBX, RTP and RTCP


class Nat:
    """The bare kernel: NAT of the same flows by static maps."""

    title = "nftables NAT"

    def __init__(self, folder):
        self.rules = os.path.join(folder, "nat.nft")

    @staticmethod
    def why_not():
        """Why it cannot be measured here."""
        return None if find_program("nft") else "the Debian package nftables is not installed"

    program = None  # only the kernel works

    def carry(self, calls):
        """Returns the aims of all calls' ends, once they lead through it."""
        destination, source, aims = [], [], []
        for number in range(calls):
            at, by = NAT_PORT + 4 * number, NAT_PORT + 4 * number + 2
            for more in (0, 1):
                port = port_of(number) + more
                destination.append(f"{PARKADE_FOR_PHONES} . {at + more} : {PBX} . {port}")
                destination.append(f"{PARKADE_FOR_PBX} . {by + more} : {PHONES} . {port}")
                source.append(f"{PHONES} . {port} : {PARKADE_FOR_PBX} . {by + more}")
                source.append(f"{PBX} . {port} : {PARKADE_FOR_PHONES} . {at + more}")
            aims.append((f"{PARKADE_FOR_PHONES}:{at}", f"{PARKADE_FOR_PBX}:{by}"))
        kind = "type ipv4_addr . inet_service : ipv4_addr . inet_service"
        with open(self.rules, "w") as out:
            out.write(
                f"""table ip ruler {{
    map destinations {{ {kind}; elements = {{ {", ".join(destination)} }} }}
    map sources {{ {kind}; elements = {{ {", ".join(source)} }} }}
    chain comes {{ type nat hook prerouting priority dstnat; policy accept; dnat to ip daddr . udp dport map @destinations; }}
    chain goes {{ type nat hook postrouting priority srcnat; policy accept; snat to ip saddr . udp sport map @sources; }}
}}
"""
            )
        subprocess.run([find_program("nft"), "-f", self.rules], check=True)
        set_forwarding(True)
        return aims

    def stop(self):
        """Takes the rules out."""
        set_forwarding(False)
        subprocess.run([find_program("nft"), "delete", "table", "ip", "ruler"], check=False)


class Bencode:
    """The language of rtpengine's orders."""

    @classmethod
    def write(cls, value):
        """A word, a list or a dictionary as bytes."""
        if isinstance(value, dict):
            return b"d" + b"".join(cls.write(key) + cls.write(value[key]) for key in sorted(value)) + b"e"
        if isinstance(value, list):
            return b"l" + b"".join(map(cls.write, value)) + b"e"
        return f"{len(value)}:{value}".encode()

    @staticmethod
    def word(answer, key):
        """The word under that key in an answer, wherever it stands."""
        found = re.search(rb"%d:%s(\d+):" % (len(key), key.encode()), answer)
        return answer[found.end() :][: int(found.group(1))].decode() if found else ""


class Engine(Measured):
    """rtpengine, in user space."""

    def __init__(self, folder, threads=None):
        said = subprocess.run([find_program("rtpengine"), "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"\d+\.\d+[.\d]*", said.stdout + said.stderr)
        self.udp = None
        self.cookies = itertools.count()
        command = [
            find_program("rtpengine"), "--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=3",
            f"--interface=phones/{PARKADE_FOR_PHONES}", f"--interface=pbx/{PARKADE_FOR_PBX}", "--listen-ng=127.0.0.1:2223",
            "--port-min=30000", "--port-max=59999", "--timeout=3600", "--silent-timeout=3600",
        ]
        command += [f"--num-threads={threads}"] if threads else []
        title = f"rtpengine {version.group() if version else ''}".strip()
        super().__init__(title, command, os.path.join(folder, "rtpengine.log"), 2223)

    def order(self, wait, **what):
        """Has something done; returns the answer."""
        if self.udp is None:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.settimeout(wait)
        cookie = f"{os.getpid()}_{next(self.cookies)} ".encode()
        self.udp.sendto(cookie + Bencode.write(what), (self.host, self.port))
        while True:
            answer = self.udp.recv(65536)
            if answer.startswith(cookie):
                return answer[len(cookie) :]

    def answers(self):
        """Whether it answers a ping."""
        try:
            return Bencode.word(self.order(0.2, command="ping"), "result") == "pong"
        except OSError:
            return False

    def describe(self, command, number, side, port, **more):
        """Offer or answer; returns where it wants that call's sound."""
        sdp = SDP.format(ip=side, port=port)
        keys = {"call-id": f"call{number}", "from-tag": "phone", "ICE": "remove", "replace": ["origin"], "sdp": sdp}
        answer = self.order(5, command=command, **(keys | more))
        if Bencode.word(answer, "result") != "ok":
            raise SystemExit(f"rtpengine answers {command} with {answer.decode(errors='replace')}")
        return media_address(Bencode.word(answer, "sdp"))


class Rtpengine:
    """The peer for relay in user space."""

    title = "rtpengine"

    def __init__(self, folder):
        self.folder = folder
        self.program = None

    @staticmethod
    def why_not():
        """Why it cannot be measured here."""
        installed = find_program("rtpengine")
        return None if installed else "the Debian package rtpengine-daemon is not installed (scripts/setup bench installs it)"

    def carry(self, calls):
        """Returns the aims of all calls' ends, once they lead through it."""
        self.program = Engine(self.folder)
        self.title = self.program.title
        aims = []
        for number in range(calls):
            port = port_of(number)
            pbx_to = self.program.describe("offer", number, PHONES, port, direction=["phones", "pbx"])
            phone_to = self.program.describe("answer", number, PBX, port, **{"to-tag": "pbx"})
            aims.append((phone_to, pbx_to))
        return aims

    def stop(self):
        """Ends it."""
        if self.program:
            self.program.stop()
            self.program = None


class Parkade:
    """Parkade, its calls set up by SIP."""

    def __init__(self, folder, command, title, path):
        self.folder = folder
        self.command = command
        self.title = title
        self.path = path  # what media.fast_path is to be
        self.program = self.dialling = None

    def why_not(self):
        """Why it cannot be measured here."""
        if self.path == "off" or understands(self.command, self.folder, self.media()):
            return None
        return f"it does not understand {self.media()!r}"

    def media(self):
        """What the configuration says of it."""
        return f'fast_path = "{self.path}"' + ("\none_ssrc = true" if self.path == "bpf" else "")

    def start(self):
        """Starts it, with nothing to carry yet."""
        media = self.media() if understands(self.command, self.folder, self.media()) else ""
        set_forwarding(self.path == "nftables")
        slots = "2000-5999"
        self.program = start_parkade(self.folder, SIP, self.command, "always", self.title, WHERE, media, slots)
        self.dialling = Dialling(self.program.port)

    def carry(self, calls):
        """Returns the aims of all calls' ends, once they are up."""
        self.start()
        return [(call.phone_to, call.pbx_to) for call in self.dialling.dial(calls)]

    def stop(self):
        """Ends it. The network forwards until then: else it rightly says that packets do not leave."""
        if self.dialling:
            self.dialling.close()
        if self.program:
            self.program.stop()
        set_forwarding(False)
        self.program = self.dialling = None


def understands(program, folder, media):
    """Whether this Parkade, which may be an older one, knows these settings."""
    config = os.path.join(folder, "fast_path.toml")
    with open(config, "w") as out:
        out.write('[pbx]\ntarget = ["sip:192.0.2.50:5060"]\n[media]\n' + media + "\n")
    return subprocess.run([program, "check", config], capture_output=True, check=False).returncode == 0
