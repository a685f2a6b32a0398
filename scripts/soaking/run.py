"""`scripts/soak run`: an hour at 50 calls a second, most of them plain (SIPp, through Parkade to a PBX that answers), some
parked from registered phones: half of those are retrieved by another phone, a quarter waits for its recall, a quarter's
parkee hangs up. Half of them wait in a slot, half on an extension. Each step of each call is verified; the journal is on.

Prints a table in Markdown. Ends with 1 where a call failed, where at the end memory (median of the last tenth of the time)
is over 10 % + 4 MiB above what it was early (median of the second tenth, or of what comes after 2,500 calls and 35 s in a
short run: until then there are more and more transactions and traces that are kept), where descriptors other than media
ports have become more, or where anything is left of a call. The load is kept to one core, Parkade to another.
"""

import asyncio
import collections
import os
import re
import shutil
import signal
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "benchmarks"))

from ends import PBX  # noqa: E402
from limits import files_allowed  # noqa: E402
from load import Caller  # noqa: E402
from measured import LOAD, Where, find_program, start_parkade  # noqa: E402
from parking import FIRST_SLOT, RECALL_AFTER, SLOTS, Parkings  # noqa: E402
from sip import Failed  # noqa: E402
from words import command_line, say  # noqa: E402

TALK = 3_000  # milliseconds of a plain call
PHONES_PER_PARKING = 24  # two for each call that is parked, and those last up to twelve seconds
EVERY = 30  # seconds between samples, fewer in a short run
# As many transactions are forgotten as come (RFC 3261 §17.2: 32 s), and traces are full, after so many seconds and calls.
SETTLED, SETTLED_CALLS = 35, 2_500
MORE, AND = 0.10, 4 << 20  # by so much memory may be more at the end
MIB = 1 << 20

Sample = collections.namedtuple("Sample", "at memory files ports threads cpu parked legs journal")


class House:
    """Parkade with a journal, and what it tells."""

    def __init__(self, folder, program, pbx):
        slots = f"{FIRST_SLOT}-{FIRST_SLOT + SLOTS - 1}"
        self.measured = start_parkade(
            folder, pbx, program, "always", "Parkade", Where("127.0.0.1", "127.0.0.1", "127.0.0.1/32", PBX),
            slots=slots, journal=True, lot=f'[lot.recall]\nafter = "{RECALL_AFTER}s"',
        )
        self.begun = time.monotonic()

    def metric(self, name, label=""):
        """The sum of a metric, of the lines that have that label."""
        found = re.findall(rf"^{name}((?:\{{.*\}})?) (\S+)$", self.measured.tells("/metrics"), re.MULTILINE)
        return sum(float(value) for labels, value in found if label in labels)

    def sample(self):
        """How much it has of everything."""
        pid = self.measured.process.pid
        if self.measured.process.poll() is not None:
            raise Failed(f"Parkade has ended with {self.measured.process.returncode}")
        counts = self.measured.counts()
        return Sample(
            time.monotonic() - self.begun, self.measured.memory(), len(os.listdir(f"/proc/{pid}/fd")),
            2 * int(self.metric("parkade_port_pool")), len(os.listdir(f"/proc/{pid}/task")), self.measured.cpu(),
            counts["parked"], counts["legs"], sum(entry.stat().st_size for entry in os.scandir(self.measured.state)),
        )


async def sampled(house, every, seconds, samples):
    """Samples for so long."""
    while time.monotonic() - house.begun < seconds - every:
        await asyncio.sleep(every)
        samples.append(now := house.sample())
        say(f"{now.at / 60:.1f} min: {now.memory / MIB:.1f} MiB, {now.files} descriptors ({now.ports} of them media ports),"
            f" {now.threads} threads, {now.legs} legs, {now.parked} parked, journal {now.journal / MIB:.1f} MiB")


async def ends(caller):
    """Waits for SIPp's last call."""
    while caller.process.poll() is None and time.monotonic() < caller.end:
        await asyncio.sleep(0.2)
    caller.stop()


async def soak(chosen, folder, house, parkings):
    """The load for so long; samples of it, one more with nothing left to do, and the caller."""
    loop, seconds = asyncio.get_running_loop(), chosen.minutes * 60
    await parkings.register(("127.0.0.1", house.measured.port))
    say(f"{len(parkings.phones)} phones are registered")
    house.begun, samples = time.monotonic(), []
    plain = chosen.rate - chosen.parked
    errors = ("-trace_err", "-error_file", os.path.join(folder, "caller.errors"))
    caller = Caller(folder, house.measured, int(plain * seconds), plain, TALK, *errors)
    registering = asyncio.create_task(parkings.stay_registered())
    try:
        await asyncio.gather(
            sampled(house, min(EVERY, seconds / 40), seconds, samples),
            parkings.run(chosen.parked, loop.time() + seconds),
        )
        await ends(caller)
        await asyncio.sleep(3)  # ports rest before they are ready again
    finally:
        registering.cancel()
        caller.stop()
    return samples, house.sample(), caller


def within(seconds):
    """Within what half of them stood, and 99 %."""
    seconds = sorted(seconds)
    if not seconds:
        return "none"
    return ", ".join(f"{1e3 * seconds[int(len(seconds) * share)]:.1f} ms" for share in (0.5, 0.99))


def report(chosen, house, parkings, measured):
    """Prints what was found; what is wrong with it."""
    samples, last, caller = measured
    tenth = max(1, len(samples) // 10)
    settled = max(SETTLED, SETTLED_CALLS / chosen.rate)
    early, late = samples[tenth : 2 * tenth], samples[-tenth:]
    if early[0].at < settled:
        early = [sample for sample in samples if sample.at >= settled][:tenth]
    if not early:
        say(f"SKIPPED: whether memory and descriptors grow is not to be seen in less than {settled / 60:.1f} minutes")
        early = late
    counts = caller.counts()
    good = counts.get("SuccessfulCall(C)", 0)
    wrong = {f"plain: {name[:-3]}": count for name, count in counts.items()
             if name.startswith("Failed") and name.endswith("(C)") and name != "FailedCall(C)" and count}
    wrong.update({f"parked: {why}": count for why, count in parkings.failed.items()})
    for end in (parkings.pbx, *parkings.phones):
        wrong.update(end.faults)
    made, ended = caller.calls + parkings.made, good + sum(parkings.done.values())
    if made != ended:
        wrong["calls that did not end as they should"] = made - ended
    for what, left in (
        ("calls at the PBX", len(parkings.pbx.calls)), ("parked calls", last.parked), ("legs", last.legs),
        ("broken inner promises", int(house.metric("parkade_bugs_total"))),
        ("commits that failed", int(house.metric("parkade_journal_failures_total"))),
    ):
        if left:
            wrong[f"{what}, when all is over"] = left

    def of(samples, name, unit=1):
        return statistics.median(getattr(sample, name) for sample in samples) / unit

    def others(samples):
        return max(sample.files - sample.ports for sample in samples)

    if (grown := of(late, "memory") - of(early, "memory")) > MORE * of(early, "memory") + AND:
        wrong["MiB by which memory has grown"] = round(grown / MIB, 1)
    if (more := others(late) - others(early)) > 0:
        wrong["descriptors by which there are more"] = more
    cpu = (samples[-1].cpu - samples[0].cpu) / (samples[-1].at - samples[0].at)
    after = f"after {early[-1].at / 60:.0f} min, at the end" if early[-1].at > 90 else "early, at the end"
    print(f"| {chosen.minutes:g} minutes, {chosen.rate} calls/s, with a journal | Parkade |\n|---|---|")
    print(f"| calls made, failed | {made:,}, {made - ended:,} |")
    fates = ", ".join(f"{parkings.done[fate]:,}" for fate in ("retrieved", "recalled", "abandoned"))
    print(f"| … of which parked; retrieved, recalled, hung up by the parkee | {parkings.made:,}; {fates} |")
    print(f"| from REFER until its NOTIFY says 200, half within, 99 % within | {within(parkings.parking)} |")
    print(f"| from a retriever's INVITE until its 200, half within, 99 % within | {within(parkings.retrieving)} |")
    print(f"| memory, {after} | {of(early, 'memory', MIB):.1f} MiB, {of(late, 'memory', MIB):.1f} MiB |")
    print(f"| descriptors, {after} | {of(early, 'files'):.0f}, {of(late, 'files'):.0f} |")
    print(f"| … that are no media ports | {others(early)}, {others(late)} |")
    print(f"| threads | {of(early, 'threads'):.0f}, {of(late, 'threads'):.0f} |")
    print(f"| the journal's file | {of(early, 'journal', MIB):.1f} MiB, {of(late, 'journal', MIB):.1f} MiB |")
    print(f"| share of a core | {cpu:.1%} |")
    print(f"| legs, parked calls, leased ports left afterwards | {last.legs}, {last.parked}, "
          f"{2 * int(house.metric('parkade_port_pool', 'leased'))} |")
    for what, count in sorted(wrong.items()):
        say(f"WRONG {what}: {count}")
    return wrong


async def main():
    arguments = command_line("soak run", __doc__)
    arguments.add_argument("--minutes", type=float, default=60, help="for how long (%(default)s)")
    arguments.add_argument("--rate", type=int, default=50, help="how many calls begin a second (%(default)s)")
    arguments.add_argument("--parked", type=int, default=5, help="how many of them are parked (%(default)s)")
    chosen = arguments.parse_args()
    if not 0 < chosen.parked < chosen.rate or chosen.minutes <= 0:
        arguments.error("--parked must be less than --rate, and both more than 0, as --minutes")
    if not find_program("sipp"):
        say("SKIPPED: SIPp is not installed (scripts/setup installs it)")
        return 0
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    os.sched_setaffinity(0, {LOAD})
    files_allowed(20_000)
    folder, house, wrong = tempfile.mkdtemp(prefix="parkade-soak-"), None, True
    parkings = Parkings(chosen.parked * PHONES_PER_PARKING)
    try:
        await parkings.open()
        house = House(folder, chosen.parkade, parkings.pbx.port)
        wrong = report(chosen, house, parkings, await soak(chosen, folder, house, parkings))
    except Failed as why:
        say(f"FAILED {why}")
    finally:
        if house:
            house.measured.stop()
        parkings.close()
        if wrong:
            say(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
