"""The programs that are measured: how they are started, what they have used."""

import collections
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")
LIBRARIES = ("/usr/lib/*", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64")
EMPTY_DATABASE = "/usr/share/kamailio/dbtext/kamailio"

# The core of the load, and the core of what is measured.
LOAD, UNDER_TEST = 0, 1

# Where Parkade stands: its addresses for phones and PBX, the network of the phones, the PBX's address.
Where = collections.namedtuple("Where", ("phones", "pbx", "trusted", "target"))
LOOPBACK = Where("127.0.0.1", "127.0.0.1", "127.0.0.1/32", "127.0.0.1")

PARKADE = """\
[phones]
listen = ["udp:{where.phones}:{port}"]
trusted = ["{where.trusted}"]

[pbx]
target = ["sip:{where.target}:{answerer}"]
listen = ["udp:{where.pbx}:{trunk}"]

[media]
anchor = "{anchor}"
phones_address = "{where.phones}"
pbx_address = "{where.pbx}"
ports = "10000-59999"
{media}

[shutdown]
grace = "1s"

[admin]
socket = "{folder}/{name}.sock"
{admin}

[log]
level = "warn"

[[lot]]
name = "office"
slots = "{slots}"
{lot}
"""


def find_program(name):
    """The path of an installed program; the directories of system programs are searched too."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")


def free_port(together=1):
    """The first of so many free UDP ports in a row, below those that are leased for media."""
    for port in range(5060, 9990):
        wanted = range(port, port + together)
        if free_port.given.isdisjoint(wanted) and all(is_free(port) for port in wanted):
            free_port.given.update(wanted)
            return port
    raise SystemExit("no free UDP port below 9990")


def is_free(port):
    """Whether nobody has bound this UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind(("", port))
        except OSError:
            return False
    return True


free_port.given = set()


def pinned(core, command):
    """The command, kept to one core where there is more than one."""
    return ["taskset", "-c", str(core), *command] if (os.cpu_count() or 1) > 1 else command


class Measured:
    """One program under load, with all its processes."""

    def __init__(self, title, command, log, port, files_per_call=0, host="127.0.0.1", alone=True):
        self.title = title
        self.files_per_call = files_per_call
        self.port = port
        self.host = host
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                pinned(UNDER_TEST, command) if alone else command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )
        end = time.monotonic() + 15
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                with open(log, errors="replace") as said:
                    raise SystemExit(f"{title} does not start; the end of its log:\n{said.read()[-2000:]}")

    def ask(self, udp):
        """Sends it an OPTIONS."""
        here = f"{self.host}:{udp.getsockname()[1]}"
        udp.sendto(
            f"OPTIONS sip:{self.host}:{self.port} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{time.monotonic_ns()}"
            f"\r\nMax-Forwards: 0\r\nFrom: <sip:bench@{here}>;tag=1\r\nTo: <sip:{self.host}:{self.port}>\r\n"
            f"Call-ID: {time.monotonic_ns()}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n".encode(),
            (self.host, self.port),
        )

    def answers(self):
        """Whether it answers OPTIONS, with whatever status."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((self.host, 0))
            udp.settimeout(0.3)
            self.ask(udp)
            try:
                return bool(udp.recv(65536))
            except OSError:
                time.sleep(0.05)
                return False

    def start_again(self):
        """Starts it again after its end, with what it was started with; seconds until it answers."""
        begun = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.process.args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((self.host, 0))
            udp.settimeout(0.01)
            while time.monotonic() < begun + 20:
                try:
                    self.ask(udp)
                    if udp.recv(65536):
                        return time.monotonic() - begun
                except OSError:
                    continue
        with open(self.log, errors="replace") as said:
            raise SystemExit(f"{self.title} does not start again; the end of its log:\n{said.read()[-2000:]}")

    def kill(self):
        """Kills it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def processes(self):
        """The ids of all its processes: those of the session that was made for it."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as stat:
                        fields = stat.read().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[3]) == self.process.pid:
                    found.append(int(name))
        return found

    def cpu(self):
        """Seconds of CPU, user and system, that all its processes have used."""
        ticks = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICK

    def ran(self):
        """The same to the nanosecond, for short times; a thread that has ended is not in it."""
        total = 0
        for pid in self.processes():
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as stat:
                    total += int(stat.read().split()[0])
        return total / 1e9

    def memory(self):
        """Bytes of memory in use, pages shared between its processes counted once."""
        total = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/smaps_rollup") as rollup:
                total += sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:"))
        return total

    def memory_at_rest(self):
        """The same once it changes no more: what the start has needed is given back."""
        end, before = time.monotonic() + 10, None
        while before != (now := self.memory()) and time.monotonic() < end:
            before = now
            time.sleep(0.5)
        return now

    def stop(self):
        """Ends it; insists if it drains for too long."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()


class Parkade(Measured):
    """A Parkade, which also tells about itself; `base` is the path of its files, without their endings."""

    def __init__(self, title, command, base, *more):
        super().__init__(title, command, base + ".log", *more)
        self.socket, self.state = base + ".sock", base + ".state"

    def tells(self, path):
        """What it answers at its admin socket."""
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(20)
            door.connect(self.socket)
            door.sendall(f"GET {path} HTTP/1.1\r\nHost: parkade\r\nConnection: close\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: door.recv(1 << 18), b"")).decode().partition("\r\n\r\n")
        if " 200 " not in head.partition("\r\n")[0]:
            raise SystemExit(f"{path} is refused: {head[:300]!r}")
        return body

    def counts(self):
        """How much it has of everything."""
        return json.loads(self.tells("/api/counts"))


def kamailio(folder, config, given, shared=512, private=16):
    """Kamailio with that configuration and what it is given besides; its memory in MiB."""
    program = find_program("kamailio")
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stdout
    version = next((word for word in said.split() if word[0].isdigit()), "")
    port = free_port()
    command = [
        program, "-f", os.path.join(HERE, config), "-l", f"udp:127.0.0.1:{port}", "-A", given, "-DD", "-E",
        "-m", str(shared), "-M", str(private), "-Y", folder,
    ]
    return Measured(f"Kamailio {version}", command, os.path.join(folder, f"kamailio-{port}.log"), port)


def start_kamailio(folder, answerer):
    """Kamailio as a stateful, record-routing proxy."""
    return kamailio(folder, "kamailio.cfg", f'ANSWERER="127.0.0.1:{answerer}"')


def has_presence():
    """Whether Kamailio's presence modules are installed, and an empty database for them."""
    modules = [glob.glob(f"{folder}/kamailio/modules/presence_dialoginfo.so") for folder in LIBRARIES]
    return bool(find_program("kamailio") and any(modules) and os.path.isdir(EMPTY_DATABASE))


def start_presence(folder):
    """Kamailio as a presence server."""
    database = os.path.join(folder, "database")
    shutil.copytree(EMPTY_DATABASE, database, dirs_exist_ok=True)
    return kamailio(folder, "presence.cfg", f'DATABASE="text://{database}"', 1024, 64)


def start_parkade(folder, answerer, program, anchor, title, where=LOOPBACK, media="", slots="701-720", admin='listen = "off"',
                  journal=False, lot="", alone=True):
    """Parkade between the caller, as a trusted device, and the answerer, as the PBX; `media`, `admin` and `lot` are more about
    those; with a `journal` calls are written down."""
    port, trunk = free_port(), free_port()
    name = f"parkade-{port}"
    config = os.path.join(folder, name + ".toml")
    if journal:
        admin += f'\n[state]\npath = "{folder}/{name}.state"\n'
    with open(config, "w") as out:
        given = {"port": port, "trunk": trunk, "answerer": answerer, "anchor": anchor, "folder": folder, "name": name}
        out.write(PARKADE.format(where=where, media=media, slots=slots, admin=admin, lot=lot, **given))
    # Anchored, a call has a pair of media ports, RTP and RTCP, on each side.
    files = 4 if anchor == "always" else 0
    command = [program, "run", "--config", config]
    return Parkade(title, command, os.path.join(folder, name), port, files, where.phones, alone)
