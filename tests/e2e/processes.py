"""Programs that the test starts, watches and ends; it never touches any that it did not start."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time


class Failure(Exception):
    """A step did not come true in time."""


def until(what, true, seconds=8.0, pause=0.02):
    """Waits until `true()` gives something, and returns it; fails with `what` after `seconds`. Asks every `pause`."""
    end = time.monotonic() + seconds
    while True:
        result = true()
        if result:
            return result
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def find_program(name):
    """The path of an installed program; the directories of system programs are searched too."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    return shutil.which(name, path=path)


def from_pypi(name, version):
    """The path of a program that PyPI has, installed where things are built if it is missing, and None; or None, and
    why it cannot be had."""
    place = os.path.join(target(), name)
    program = os.path.join(place, "bin", name)
    if not os.path.exists(program):
        made = subprocess.run([sys.executable, "-m", "venv", place], capture_output=True, text=True)
        if made.returncode == 0:
            pip = os.path.join(place, "bin", "pip")
            install = [pip, "install", "--quiet", "--retries", "1", "--timeout", "10", f"{name}=={version}"]
            made = subprocess.run(install, capture_output=True, text=True)
        if made.returncode != 0 or not os.path.exists(program):
            shutil.rmtree(place, ignore_errors=True)
            why = ((made.stderr or made.stdout).strip().splitlines() or ["no reason given"])[-1]
            return None, f"{name} {version} cannot be installed from PyPI: {why}"
    return program, None


def target():
    """Where things are built."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.environ.get("CARGO_TARGET_DIR", os.path.join(root, "target"))


def program_under_test():
    """The path of the parkade to test, or None where it is not built."""
    if os.environ.get("PARKADE"):
        return os.environ["PARKADE"]
    built = [os.path.join(target(), kind, "parkade") for kind in ("release", "debug")]
    built = [path for path in built if os.path.exists(path)]
    return max(built, key=os.path.getmtime) if built else None


# Below the range from which the system takes ports for outgoing connections, so that none is lost again between
# finding it and using it; each run begins somewhere else.
PORTS = itertools.cycle(itertools.chain(range(22000 + os.getpid() % 7000, 29000), range(22000, 29000)))


def free_port(host="127.0.0.1"):
    """A port that is free now for both UDP and TCP, and that was not given out before in this run."""
    for port in itertools.islice(PORTS, 7000):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((host, port))
                udp.bind((host, port))
            except OSError:
                continue
            return port
    raise Failure(f"no free port on {host}")


# Apart from the single ports, for phones that choose among many by themselves; each run begins somewhere else.
RANGES = itertools.cycle(itertools.chain(range(12000 + os.getpid() % 90 * 100, 22000, 100), range(12000, 22000, 100)))


def free_range(size, host="127.0.0.1"):
    """The first of `size` (at most 100) UDP ports in a row that are all free now."""
    for first in itertools.islice(RANGES, 100):
        with contextlib.ExitStack() as sockets:
            try:
                for port in range(first, first + size):
                    sockets.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind((host, port))
            except OSError:
                continue
            return first
    raise Failure(f"no {size} free ports in a row on {host}")


def takes_tcp(host, port):
    """Whether somebody accepts TCP connections there."""
    try:
        socket.create_connection((host, port), timeout=0.5).close()
        return True
    except OSError:
        return False


class Program:
    """One running program, its output in a file."""

    def __init__(self, name, command, log, **more):
        self.name = name
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **more
            )

    def runs(self):
        """Whether it is still alive."""
        return self.process.poll() is None

    def state(self):
        """Whether it runs, in words."""
        return "runs" if self.runs() else f"ended with {self.process.returncode}"

    def text(self):
        """All that it has written so far."""
        with open(self.log, "rb") as log:
            return log.read().decode("utf-8", "replace")

    def stop(self, seconds=5.0):
        """Asks it to end, insists when it has not done so in time, and returns its exit status."""
        if self.runs():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        return self.process.returncode
