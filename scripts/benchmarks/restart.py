"""`scripts/bench restart`: how long it takes until Parkade is back, with thousands of parked calls that all hear music.

The calls are made and parked by phones as they come; then Parkade is killed (SIGKILL) and started again at once, round by
round, and as often it is ended as a service manager does (SIGTERM, which leaves calls to the next start). Measured are,
from its start on, the time until it answers OPTIONS and the time until each parkee that is listened to hears music again.
Parkade may have every core, for music for so many is more than one core's work; who measures is kept to one. Prints a
table in Markdown. Ends with 1 where a call is lost.
"""

import asyncio
import os
import selectors
import shutil
import signal
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from ends import PBX, PHONES, Pbx, Phone
from limits import files_allowed
from measured import LOAD, Where, start_parkade
from sip import Failed
from words import command_line, say, spread

FIRST_SLOT = 10_000
RATE = 100  # calls a second, while calls are made and parked
TALKING = 1_000  # sockets of those that are not parked yet: such a call has four, a parked one two
REST = 4  # seconds between rounds
PATIENCE = 20  # seconds until everybody must hear music again


async def park_all(pbx, phone, count):
    """Makes so many calls and parks each in a slot; the parkees' ends."""
    parkees = []

    async def park(number):
        await asyncio.sleep(number / RATE)
        call = await phone.dial(f"9{number}")
        parkees.append(pbx.end_of(call.call_id))
        await phone.park(call, FIRST_SLOT + number)
        await call.hang_up()

    await asyncio.gather(*(park(number) for number in range(count)))
    return parkees


class Ears:
    """Parkees that are listened to."""

    def __init__(self, calls):
        self.calls = calls
        self.selector = selectors.DefaultSelector()

    def begin(self):
        """Forgets what has come so far."""
        for call in self.calls:
            call.sound.heard()
            self.selector.register(call.sound.udp, selectors.EVENT_READ)

    def hear(self, begun):
        """Seconds from then on until each has heard something; those who hear nothing are missing."""
        first = []
        while self.selector.get_map() and (left := begun + PATIENCE - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                first.append(time.monotonic() - begun)
                self.selector.unregister(key.fileobj)
        for key in list(self.selector.get_map().values()):
            self.selector.unregister(key.fileobj)
        return first


class Rounds:
    """What was found, ended in one way."""

    def __init__(self):
        self.ending, self.answers, self.cpu, self.music, self.worst, self.deaf, self.lost = [], [], [], [], [], 0, 0

    def round(self, measured, end, ears, parked):
        """Ends it and starts it again."""
        asked = time.monotonic()
        end(measured)
        self.ending.append(time.monotonic() - asked)
        ears.begin()
        begun = time.monotonic()
        self.answers.append(measured.start_again())
        self.cpu.append(measured.cpu())
        first = ears.hear(begun)
        self.deaf += len(ears.calls) - len(first)
        if first:
            self.music.append(statistics.median(first))
            self.worst.append(max(first))
        there = measured.counts()["parked"]
        self.lost += parked - there
        say(f"{self.answers[-1] * 1e3:.0f} ms until it answers, music after {self.music[-1] * 1e3:.0f} ms, the last of "
            f"{len(ears.calls)} after {self.worst[-1] * 1e3:.0f} ms; {there} of {parked} are parked")


def end_in_order(measured):
    """Ends it as a service manager does."""
    measured.process.terminate()
    measured.process.wait(60)


async def measure(chosen, folder):
    """Everything; what was found, by how it was ended."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    pbx, phone = Pbx(), Phone("105")
    measured = None
    found = {"killed": (lambda measured: measured.kill(), Rounds()), "ended by SIGTERM": (end_in_order, Rounds())}
    try:
        await pbx.open(PBX)
        await phone.open(PHONES)
        measured = start_parkade(
            folder, pbx.port, chosen.parkade, "always", "Parkade", Where("127.0.0.1", "127.0.0.1", f"{PHONES}/32", PBX),
            slots=f"{FIRST_SLOT}-{FIRST_SLOT + chosen.parked}", journal=True, alone=False,
        )
        phone.proxy = (measured.host, measured.port)
        parkees = await park_all(pbx, phone, chosen.parked)
        say(f"{len(parkees)} calls are parked")
        ears = Ears(parkees[:: max(1, len(parkees) // chosen.ears)])
        for number in range(chosen.rounds):
            for what, (end, rounds) in found.items():
                await asyncio.sleep(REST)
                say(f"round {number + 1}, {what}:")
                rounds.round(measured, end, ears, chosen.parked)
    except Failed as why:
        raise SystemExit(f"{why}; the log: {folder}") from None
    finally:
        for end in (pbx, phone):
            end.close()
        if measured:
            measured.stop()
    return {what: rounds for what, (_, rounds) in found.items()}


def main():
    arguments = command_line("bench restart", __doc__)
    arguments.add_argument("--parked", type=int, default=5_000, help="how many calls are parked (%(default)s)")
    arguments.add_argument("--rounds", type=int, default=7, help="how often it is ended in each way (%(default)s)")
    arguments.add_argument("--ears", type=int, default=100, help="how many parkees are listened to (%(default)s)")
    chosen = arguments.parse_args()
    os.sched_setaffinity(0, {LOAD})
    wanted = chosen.parked * 2 + TALKING + 2_000
    if files_allowed(wanted) < wanted:
        raise SystemExit(f"{chosen.parked} parked calls take more open files than this user may have: try --parked 2000")
    folder = tempfile.mkdtemp(prefix="parkade-bench-")
    try:
        found = asyncio.run(measure(chosen, folder))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    shutil.rmtree(folder, ignore_errors=True)

    def row(name, cell):
        print(f"| {name} | " + " | ".join(cell(rounds) for rounds in found.values()) + " |")

    def times(name, of):
        row(name, lambda rounds: spread([seconds * 1e3 for seconds in of(rounds)], "{:.0f} ms"))

    print(f"| {chosen.parked:,} parked calls | " + " | ".join(found) + " |\n|---|" + "---|" * len(found))
    times("until it has ended", lambda rounds: rounds.ending)
    times(f"from its start until it answers, median of {chosen.rounds} (spread)", lambda rounds: rounds.answers)
    times("… CPU that this takes", lambda rounds: rounds.cpu)
    times("… until a parkee hears music again, median", lambda rounds: rounds.music)
    times(f"… until the last of {chosen.ears} does", lambda rounds: rounds.worst)
    row("parked calls lost", lambda rounds: f"{rounds.lost} of {chosen.parked * chosen.rounds:,}")
    row("parkees who hear nothing", lambda rounds: f"{rounds.deaf} of {chosen.ears * chosen.rounds:,}")
    return 1 if any(rounds.lost or rounds.deaf for rounds in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
