"""Sound: the load that sends and hears it, and what is found of one core meanwhile."""

import os
import time

from dialling import port_of
from measured import LOAD, UNDER_TEST
from networks import PBX, PHONES, file_of
from ordered import Ordered

IDLE = 2.0  # seconds for which the core is watched with nothing to carry, just before each measurement
AFTER = 1.0  # and just after it, to see whether anything else has run
RESTLESS = 0.04  # the share of a core from which on something else must have run
PACKETS = 50  # a second and direction


class Streams(Ordered):
    """Both ends of all calls."""

    def __init__(self, program, folder, step):
        self.folder = folder
        command = [program, str(step), file_of("phones"), PHONES, file_of("pbx"), PBX]
        super().__init__(command, os.path.join(folder, "streams.log"))

    def open(self, aims):
        """Opens the ends of calls anew, each with two aims: the phone's and the PBX's, None for none."""
        ends = os.path.join(self.folder, "ends")
        with open(ends, "w") as out:
            for number, aims_of_call in enumerate(aims):
                for aim in aims_of_call:
                    out.write(f"{port_of(number)} {aim or '-'}\n")
        self.order(f"open {ends}")

    def measure(self, seconds):
        """What was sent and heard, and what the cores have done."""
        return self.order(f"measure {seconds}")

    def wait_for_rest(self, end):
        """Waits until nothing runs on the core under test, until then at most."""
        while time.monotonic() < end and busy(self.measure(AFTER), UNDER_TEST) > RESTLESS:
            pass


def busy(found, core):
    """The share of its time for which a core was not idle. The system counts idle time to the microsecond, its kinds of
    work only by samples; time that the machine's host has taken is in it."""
    return 1 - found["cores"][core]["idle"] / found["seconds"]


class Carried:
    """One measurement of one peer."""

    def __init__(self, idle, found, after, packets):
        self.found = found
        self.packets = packets
        self.idle, self.after = busy(idle, UNDER_TEST), busy(after, UNDER_TEST)
        self.busy = busy(found, UNDER_TEST)
        self.load = busy(found, LOAD)
        self.each = 1e6 * (self.busy - self.idle) * found["seconds"] / max(1, packets)
        self.stolen = found["cores"][UNDER_TEST]["stolen"] / found["seconds"]

    def doubts(self):
        """Why not to trust it, in words; empty if there is no reason."""
        found = []
        if max(self.idle, self.after) > RESTLESS:
            found.append(f"the core was not idle before and after ({self.idle:.0%}, {self.after:.0%})")
        if self.stolen > 0.01:
            found.append(f"the machine's host took {self.stolen:.0%} of the core")
        if self.found["late_ms"] > 15:
            found.append(f"the load was {self.found['late_ms']:.0f} ms late")
        if self.found["refused"]:
            found.append(f"{self.found['refused']} packets of the load did not go out")
        return ", ".join(found)
