"""The load: SIPp as caller and as answerer, and what they have counted."""

import csv
import os
import subprocess
import time

from measured import HERE, find_program, free_port, pinned


class Answerer:
    """A SIPp that answers every call, and whatever it is asked in one."""

    def __init__(self, folder, *more):
        self.port = free_port()
        # Nobody sends media, but SIPp binds its media port and the next but one.
        command = [
            find_program("sipp"), "-sf", os.path.join(HERE, "answerer.xml"), "-i", "127.0.0.1", "-p", str(self.port),
            "-mp", str(free_port(4)), "-nostdin", "-buff_size", "4194304", "-aa", *more,
        ]
        self.log = os.path.join(folder, "answerer.log")
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                pinned(0, command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out, cwd=folder,
                start_new_session=True,
            )

    def stop(self):
        """Ends it at once."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Caller:
    """A SIPp that makes calls: so many in all, so many a second, each of so many milliseconds."""

    def __init__(self, folder, measured, calls, rate, talk, *more):
        port = free_port(5)
        media = port + 1
        self.port = port
        self.calls = calls
        self.stat = os.path.join(folder, f"caller-{time.monotonic_ns()}.csv")
        command = [
            find_program("sipp"), f"127.0.0.1:{measured.port}", "-sf", os.path.join(HERE, "caller.xml"), "-s", "200",
            "-i", "127.0.0.1", "-p", str(port), "-mp", str(media), "-m", str(calls), "-r", str(rate), "-d", str(talk),
            "-nostdin", "-buff_size", "4194304", "-trace_stat", "-stf", self.stat, "-fd", "1",
            "-recv_timeout", "40000", "-aa", "-l", str(min(calls + 100, 50_000)), *more,
        ]
        self.errors = self.stat + ".errors"
        with open(self.errors, "wb") as out:
            self.process = subprocess.Popen(
                pinned(0, command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out, cwd=folder,
                start_new_session=True,
            )
        self.end = time.monotonic() + calls / rate + talk / 1000 + 60

    def counts(self):
        """The newest line of SIPp's statistics, as numbers by name."""
        try:
            with open(self.stat, newline="") as stat:
                rows = list(csv.DictReader(stat, delimiter=";"))
        except OSError:
            return {}
        return {k: int(v) for k, v in rows[-1].items() if k and v and v.isdigit()} if rows else {}

    def created(self):
        """How many calls it has begun."""
        return self.counts().get("TotalCallCreated", 0)

    def wait(self):
        """Waits for the last call's end; returns (calls that went well, failed calls, retransmissions)."""
        try:
            self.process.wait(max(1.0, self.end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.stop()
        free_port.given.difference_update(range(self.port, self.port + 5))
        counts = self.counts()
        good = counts.get("SuccessfulCall(C)", 0)
        return good, self.calls - good, counts.get("Retransmissions(C)", 0)

    def stop(self):
        """Ends it at once."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
