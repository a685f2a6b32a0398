"""`scripts/bench calls`: what a call costs in signalling, Kamailio and Parkade side by side.

A SIPp caller calls a SIPp answerer through each in turn, on loopback: INVITE with SDP, 180, 200, ACK, a fifth of a
second, BYE. The programs are measured alternately, several rounds, with the load on one core and the program on
another. Prints a table in Markdown.
"""

import functools
import os
import shutil
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from limits import files_allowed
from load import Answerer, Caller
from measured import find_program, start_kamailio, start_parkade
from words import command_line, say, spread

TALK = 200  # milliseconds
REST = 35  # seconds until the transactions of the last calls are forgotten (RFC 3261: 32 s) and memory is at rest
LONG = (50_000, 100_000, 150_000)  # after so many calls memory is read


class Results:
    """What was found for one program."""

    def __init__(self):
        self.cpu = []  # milliseconds per call, one for each round
        self.good = 0
        self.failed = 0
        self.repeated = 0
        self.held = {}  # calls held → bytes that they all take, None if they did not all come up
        self.resting = {}  # calls made → bytes in use
        self.used = 0.0  # seconds of CPU over all rounds, rest and cleaning up included


def rounds(chosen, folder, programs, results):
    """CPU for each call, round by round, the programs in turn."""
    for number in range(chosen.rounds + 1):
        for program in programs:
            before = program.cpu()
            caller = Caller(folder, program, chosen.calls, chosen.rate, TALK)
            good, failed, repeated = caller.wait()
            time.sleep(1.0)  # what the last calls leave to do
            used = program.cpu() - before
            if number == 0:
                program.after_warm_up = program.cpu()
                continue  # the first round only warms up
            result = results[program]
            result.cpu.append(1000 * used / max(1, good))
            result.good += good
            result.failed += failed
            result.repeated += repeated
            say(f"round {number} {program.title}: {result.cpu[-1]:.3f} ms a call, {failed} failed, {repeated} repeated")
    for program in programs:
        results[program].used = program.cpu() - program.after_warm_up


def started_anew(folder, program, port):
    """The same program with nothing behind it but a few calls, so that memory starts from a low mark."""
    fresh = program.start(folder, port)
    Caller(folder, fresh, 200, 100, TALK).wait()
    time.sleep(1.0)
    return fresh


def held_calls(chosen, folder, programs, results, port):
    """Memory for each established call, with so many of them up; what setting them up took is in it."""
    for program in programs:
        for calls in chosen.hold:
            if calls * program.files_per_call + 500 > chosen.files:
                say(f"{program.title}: {calls} held calls need more than the {chosen.files} open files allowed here")
                continue
            fresh = started_anew(folder, program, port)
            try:
                before = fresh.memory()
                caller = Caller(folder, fresh, calls, chosen.rate, 1000 * (calls // chosen.rate + 8))
                while caller.created() < calls and caller.process.poll() is None:
                    time.sleep(0.2)
                time.sleep(3.0)  # the last ones are answered
                up = caller.counts().get("CurrentCall", 0)
                each = (fresh.memory() - before) / calls
                _, failed, _ = caller.wait()
            finally:
                fresh.stop()
            if up < calls or failed:
                say(f"{program.title}: of {calls} calls {up} were up at once, {failed} failed")
            results[program].held[calls] = each * calls if up == calls else None
            say(f"{program.title}: {each / 1024:.1f} KiB for each of {calls} held calls")


def long_run(chosen, folder, programs, results, port):
    """Memory at rest after many calls: it must not grow with them. The first two programs are enough."""
    for program in programs[:2]:
        fresh = started_anew(folder, program, port)
        made = 0
        try:
            for calls in LONG:
                Caller(folder, fresh, calls - made, chosen.rate, TALK).wait()
                made = calls
                time.sleep(REST)
                results[program].resting[calls] = fresh.memory()
                say(f"{program.title}: {fresh.memory() / 1048576:.1f} MiB after {calls} calls")
        finally:
            fresh.stop()


def table(chosen, programs, results):
    """Prints what was found, one column for each program."""

    def row(name, cell):
        print(f"| {name} | " + " | ".join(cell(results[p]) for p in programs) + " |")

    def ratio(name, value):
        first = value(results[programs[0]])
        row(name, lambda r: f"{value(r) / first:.2f}" if first else "")

    total = chosen.rounds * chosen.calls
    print(f"\n| at {chosen.rate} calls/s | " + " | ".join(p.title for p in programs) + " |")
    print("|---|" + "---|" * len(programs))
    row(f"CPU per call, median of {chosen.rounds} rounds of {chosen.calls:,} (spread)", lambda r: spread(r.cpu, "{:.3f} ms"))
    ratio(f"… ÷ {programs[0].title}", lambda r: statistics.median(r.cpu))
    row("CPU per call over all rounds, rest included", lambda r: f"{1000 * r.used / max(1, r.good):.3f} ms")
    ratio(f"… ÷ {programs[0].title}", lambda r: r.used / max(1, r.good))
    row(f"failed calls of {total:,}", lambda r: f"{r.failed:,}")
    row("messages the caller had to repeat", lambda r: f"{r.repeated:,}")

    def per_call(result, calls):
        if calls not in result.held:
            return "(more open files than allowed)"
        if result.held[calls] is None:
            return "not all came up"
        return f"{max(0.0, result.held[calls]) / calls / 1024:.1f} KiB"

    def per_further_call(result):
        held = {calls: taken for calls, taken in result.held.items() if taken is not None}
        if len(held) < 2:
            return ""
        few, many = min(held), max(held)
        return f"{max(0.0, held[many] - held[few]) / (many - few) / 1024:.1f} KiB"

    def at_rest(result, calls):
        return f"{result.resting[calls] / 1048576:.1f} MiB" if calls in result.resting else ""

    for calls in chosen.hold:
        row(f"memory per established call, {calls:,} held", lambda r: per_call(r, calls))
    if len(chosen.hold) > 1:
        row("memory per further call, from the fewest to the most held", per_further_call)
    if chosen.long:
        for calls in LONG:
            row(f"memory at rest after {calls:,} calls", lambda r: at_rest(r, calls))


def main():
    """Reads the command line, measures, prints."""
    parser = command_line("bench calls", __doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count, after one that warms up")
    parser.add_argument("--calls", type=int, default=5000, help="calls in a round")
    parser.add_argument("--rate", type=int, default=500, help="calls a second")
    parser.add_argument("--hold", type=int, nargs="*", default=[2000, 4000, 6000], help="calls held at once, for memory")
    parser.add_argument("--long", action="store_true", help="also memory after 50,000 to 150,000 calls")
    parser.add_argument("--only", choices=["kamailio", "parkade"], help="measure only this one")
    chosen = parser.parse_args()

    if not find_program("sipp"):
        say("SKIPPED: SIPp is not installed (scripts/setup installs it)")
        return 0
    chosen.files = files_allowed(1 << 17)

    folder = tempfile.mkdtemp(prefix="parkade-bench-")
    answerer = Answerer(folder)
    programs = []
    try:
        starts = []
        if chosen.only != "parkade":
            starts += [start_kamailio] if find_program("kamailio") else say("SKIPPED: Kamailio is not installed") or []
        if chosen.only != "kamailio":
            if os.path.exists(chosen.parkade):
                for anchor, journal, title in (
                    ("always", False, "Parkade"),
                    ("parked", False, 'Parkade, `anchor = "parked"`'),
                    ("always", True, "Parkade, with a journal"),
                ):
                    starts.append(
                        functools.partial(start_parkade, program=chosen.parkade, anchor=anchor, title=title, journal=journal)
                    )
            else:
                say(f"SKIPPED: {chosen.parkade} is not built")
        for start in starts:
            programs.append(start(folder, answerer.port))
            programs[-1].start = start
        if not programs:
            return 1
        results = {program: Results() for program in programs}
        rounds(chosen, folder, programs, results)
        held_calls(chosen, folder, programs, results, answerer.port)
        if chosen.long:
            long_run(chosen, folder, programs, results, answerer.port)
        table(chosen, programs, results)
        failed = any(results[program].failed for program in programs)
        if failed:
            say(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        return 0
    finally:
        answerer.stop()
        for program in programs:
            program.stop()


if __name__ == "__main__":
    sys.exit(main())
