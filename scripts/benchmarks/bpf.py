"""A prototype to be weighed: forwarding by a TC BPF program (relay.bpf.c), which also moves SSRC, sequence number and
timestamp, so that a far side hears one stream whoever feeds it."""

import os
import platform
import socket
import struct
import subprocess

from dialling import port_of
from measured import HERE, find_program
from networks import PARKADE_FOR_PBX, PARKADE_FOR_PHONES, PBX, PHONES
from relays import NAT_PORT

# Programs, and the Debian packages that have them.
NEEDS = {"clang": "clang", "bpftool": "bpftool", "tc": "iproute2", "mount": "mount"}
INTERFACES = {PHONES: "to-phones", PBX: "to-pbx"}
MOVED = (0x1234, 777, 160 * 4321)  # SSRC, sequence number and timestamp, by so much


class Bpf:
    """The program on both of Parkade's interfaces, and its map."""

    title = "TC BPF, prototype"
    program = None  # only the kernel works

    def __init__(self, folder):
        self.object = os.path.join(folder, "relay.o")
        self.pins = os.path.join(folder, "pins")
        self.batch = os.path.join(folder, "ways")

    def why_not(self):
        """Why it cannot be measured here."""
        for program, package in NEEDS.items():
            if not find_program(program):
                return f"the Debian package {package} is not installed (scripts/setup bench installs it)"
        machine = f"/usr/include/{platform.machine()}-linux-gnu"
        source = os.path.join(HERE, "relay.bpf.c")
        command = ["clang", "-O2", "-g", "-Wall", "-target", "bpf", f"-I{machine}", "-c", source, "-o", self.object]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        return f"it does not compile: {built.stderr}" if built.returncode else None

    def carry(self, calls):
        """Returns the aims of all calls' ends, once they lead through it."""
        os.makedirs(self.pins, exist_ok=True)
        self._run("mount", "-t", "bpf", "none", self.pins)
        program, maps = os.path.join(self.pins, "relay"), os.path.join(self.pins, "maps")
        self._run("bpftool", "prog", "load", self.object, program, "type", "classifier", "pinmaps", maps)
        aims, lines = [], []
        for number in range(calls):
            at, by = NAT_PORT + 4 * number, NAT_PORT + 4 * number + 2
            for more in (0, 1):
                phone, pbx = (PHONES, port_of(number) + more), (PBX, port_of(number) + more)
                left, right = (PARKADE_FOR_PHONES, at + more), (PARKADE_FOR_PBX, by + more)
                lines.append(self._way(os.path.join(maps, "ways"), phone, left, right, pbx, more == 0))
                lines.append(self._way(os.path.join(maps, "ways"), pbx, right, left, phone, more == 0))
            aims.append((f"{PARKADE_FOR_PHONES}:{at}", f"{PARKADE_FOR_PBX}:{by}"))
        with open(self.batch, "w") as out:
            out.write("\n".join(lines) + "\n")
        self._run("bpftool", "batch", "file", self.batch)
        for interface in INTERFACES.values():
            self._run("tc", "qdisc", "add", "dev", interface, "clsact")
            self._run("tc", "filter", "add", "dev", interface, "ingress", "bpf", "da", "object-pinned", program)
        return aims

    def stop(self):
        """Takes it off again."""
        for interface in INTERFACES.values():
            self._run("tc", "qdisc", "del", "dev", interface, "clsact", check=False)
        self._run("umount", self.pins, check=False)

    @staticmethod
    def _way(pinned, sender, at, by, to, is_rtp):
        """The line that adds one way to the map."""

        def ends(one, other):
            addresses = socket.inet_aton(one[0]) + socket.inet_aton(other[0])
            return addresses + one[1].to_bytes(2, "big") + other[1].to_bytes(2, "big")

        ssrc, sequence, timestamp = MOVED
        interface = socket.if_nametoindex(INTERFACES[to[0]])
        key, way = ends(sender, at), ends(by, to)
        value = way + struct.pack("=IIIHHxxxxQ", interface, ssrc, timestamp, sequence, is_rtp, 0)
        return f"map update pinned {pinned} key hex {key.hex(' ')} value hex {value.hex(' ')}"

    @staticmethod
    def _run(program, *words, check=True):
        subprocess.run([find_program(program), *words], check=check, stdout=subprocess.DEVNULL)
