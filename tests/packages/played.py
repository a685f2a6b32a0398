"""The story of the playground, played inside of namespaces (apart.py), one more for each service.

    played.py FOLDER PARKADE

deploy/playground/compose.yaml is read, and each of its services gets what it says: its command, its files, its address,
a file system of its own. Only the images are not built, since their bases come from a registry: each service sees this
system's programs instead, Debian's as in the image, and the Parkade under test.
"""

import os
import shlex
import subprocess
import sys

import yaml

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PLAYGROUND = os.path.join(ROOT, "deploy", "playground")
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from apart import leave_counts  # noqa: E402
from processes import Failure, Program, until  # noqa: E402
from softphone import Softphone  # noqa: E402
from steps import Report  # noqa: E402

BRIDGE, TONES = "10.58.88.1/24", {"103": 930, "105": 1370}

# A network for a service: NAME ADDRESS.
NETWORK = """
ip netns add "$1"
ip link add "to-$1" type veth peer name eth0 netns "$1"
ip link set "to-$1" master bridge up
ip -n "$1" link set lo up
ip -n "$1" address add "$2/24" dev eth0
ip -n "$1" link set eth0 up
"""
# A file system for a service: an empty folder, the script that puts its files there, its user, its command.
FILES = """
place=$1 files=$2 user=$3; shift 3
mount -t tmpfs tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$place/root"
cd "$place/root"
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t proc proc proc
mount --rbind /dev dev
sh -ec "$files"
exec chroot --userspec="$user" . "$@"
"""


class Playground:
    """The services, as compose.yaml has them."""

    def __init__(self, folder, parkade):
        self.folder = folder
        self.parkade = parkade
        with open(os.path.join(PLAYGROUND, "compose.yaml")) as file:
            self.services = yaml.safe_load(file)["services"]
        self.running = {}
        self.phones = {}
        # An address of its own: it would take the lowest of its ports', another one with each that joins.
        shell("ip link set lo up; ip link add bridge address 02:00:00:00:00:01 type bridge; ip link set bridge up")
        shell(f"ip address add {BRIDGE} dev bridge")

    def address(self, name):
        """The address of a service."""
        return self.services[name]["networks"]["telephony"]["ipv4_address"]

    def start(self, name):
        """Starts a service, if what it waits for is there."""
        service = self.services[name]
        for other, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                until(f"{other} is healthy", lambda: self.healthy(other), 20)
        place = os.path.join(self.folder, name)
        os.makedirs(place)
        # As the entry points of the images have it, and their users.
        command, user = service["command"], "nobody"
        files = ""
        for volume in service.get("volumes", []):
            outside, inside, mode = volume.split(":")
            files += bind(os.path.join(PLAYGROUND, outside), inside, mode == "ro")
        if name == "parkade":
            command, user = ["/usr/local/bin/parkade", *command], "65532:65532"
            files += bind(self.parkade, "/usr/local/bin/parkade", True)
        shell(NETWORK, name, self.address(name))
        line = ["ip", "netns", "exec", name, "unshare", "--mount", "sh", "-ec", FILES, "sh", place, files, user, *command]
        # Where a read-only system has no place for the admin socket (deploy/Containerfile).
        environment = {**os.environ, "XDG_RUNTIME_DIR": "/tmp", "HOME": "/"}
        self.running[name] = Program(name, line, os.path.join(self.folder, f"{name}.log"), env=environment)

    def inside(self, name, *command):
        """What a command prints in a service, and its status."""
        line = ["nsenter", f"--target={self.running[name].process.pid}", "--mount", "--net", "--root", "--wd", *command]
        done = subprocess.run(line, capture_output=True, text=True, timeout=20, env={**os.environ, "XDG_RUNTIME_DIR": "/tmp"})
        return done.returncode, done.stdout + done.stderr

    def healthy(self, name):
        """What compose.yaml calls healthy."""
        if not self.running[name].runs():
            raise Failure(f"{name} {self.running[name].state()}")
        kind, *command = self.services[name]["healthcheck"]["test"]
        return kind == "CMD" and self.inside(name, *command)[0] == 0

    def phone(self, name, extension):
        """The softphone of a service, through its control port."""
        self.start(name)
        program = self.running[name]
        # Its own /tmp, where it records what it hears.
        heard = f"/proc/{program.process.pid}/root/tmp"
        self.phones[name] = Softphone(extension, program, (self.address(name), 4444), heard)
        return self.phones[name]

    def print_logs(self):
        """The ends of the programs' logs."""
        for name, program in self.running.items():
            print(f"   {name} ({program.state()}):")
            for line in program.text().splitlines()[-12:]:
                print(f"   | {line}")

    def end(self):
        """Ends all services."""
        for program in self.running.values():
            program.stop()


def shell(script, *arguments):
    """Runs it; fails where it does."""
    done = subprocess.run(["sh", "-ec", script, "sh", *arguments], capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise Failure(f"{shlex.join(arguments)}: {done.stderr.strip()}")


def bind(outside, inside, read_only):
    """Puts a file or folder in its place below the folder that this runs in."""
    target = shlex.quote(inside.lstrip("/"))
    make = f"mkdir -p {target}" if os.path.isdir(outside) else f'mkdir -p "$(dirname {target})"; touch {target}'
    script = f"{make}; mount --bind {shlex.quote(os.path.realpath(outside))} {target}; "
    return script + (f"mount -o remount,bind,ro {target}; " if read_only else "")


def play(report, scene):
    """What README.md of the playground has people do."""
    with report.step("the PBX and Parkade come up, and then the phones register"):
        scene.start("pbx")
        scene.start("parkade")
        james, alice = scene.phone("james", "103"), scene.phone("alice", "105")
        for phone in (james, alice):
            until(f"phone {phone.extension} is registered", lambda: "200 OK" in phone.program.text())
    with report.step("Alice calls James, and each hears the other's tone"):
        mark = james.mark()
        alice.command("dial", "103")
        james.expect("CALL_INCOMING", mark)
        james.command("accept")
        alice.expect("CALL_ESTABLISHED")
        alice.hears("103", TONES)
        james.hears("105", TONES)
    with report.step("James transfers her to *68: she is parked, and hears music"):
        mark = james.mark()
        james.command("transfer", "*68")
        james.expect("CALL_CLOSED", mark)
        status, said = scene.inside("parkade", "/usr/local/bin/parkade", "parked")
        if status != 0 or "Alice" not in said or "103" not in said:
            raise Failure(f"parkade parked says: {said}")
        alice.hears("other", TONES)
    with report.step("James dials *88 and has her again"):
        james.command("dial", "*88")
        james.hears("105", TONES)
        alice.hears("103", TONES)
    with report.step("Alice hangs up, and all end as they are told to"):
        mark = james.mark()
        alice.command("hangup")
        james.expect("CALL_CLOSED", mark)
        for name in ("james", "alice", "parkade", "pbx"):
            ended = scene.running[name].stop()
            if name == "parkade" and ended != 0:
                raise Failure(f"{name} ended with {ended}")


def main():
    folder, parkade = sys.argv[1:]
    report = Report(folder)
    scene = Playground(folder, parkade)
    with report.story("the playground", scene):
        play(report, scene)
    leave_counts(report)


if __name__ == "__main__":
    main()
