"""`scripts/bench notices`: what it takes to tell all who watch one lot, a presence server (Kamailio's) and Parkade side
by side.

Thousands of phones, each on a UDP port of its own with the system's usual buffers, subscribe to a lot's dialog state.
A call is parked there, and hangs up again: each phone gets a NOTIFY and answers it. The presence server is told the
same by PUBLISH. The programs are measured alternately, several rounds, with the load on one core and the program on
another. Prints a table in Markdown.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from limits import files_allowed
from measured import find_program, free_port, has_presence, start_parkade, start_presence
from ordered import Ordered
from words import BUILT, command_line, say, spread

FORGOTTEN = 6  # seconds until the transactions of answered requests are forgotten (RFC 3261 §17.1.2.2, timer K: 5 s)
REST = 35  # the same of answers (timer J: 32 s); then memory is at rest
STATES = ("parked", "gone")


class Load(Ordered):
    """The phones that watch one program, and who changes what they see."""

    def __init__(self, program, folder, watchers, measured, here, pbx=None):
        kind = "presence" if pbx is None else "parkade"
        sockets = min(watchers, files_allowed(watchers + 200) - 200)
        given = [kind, f"127.0.0.1:{measured.port}", here, str(watchers), str(sockets)]
        given += [] if pbx is None else [f"127.0.0.1:{pbx}"]
        super().__init__([program, *given], os.path.join(folder, f"watchers-{kind}.log"))


class Side:
    """One program with its load, and what was found."""

    def __init__(self, measured, load):
        self.measured = measured
        self.load = load
        self.memory = {}  # subscriptions → bytes in use
        self.last = {state: [] for state in STATES}  # milliseconds until the last phone had its notice
        self.busy = {state: [] for state in STATES}  # share of a core in the second of the change
        self.notices = 0
        self.repeated = 0
        self.missed = 0
        self.used = 0.0  # seconds of CPU over all rounds, what the notices leave to do included

    def tell_all(self, state):
        """One change, of which all are told."""
        if state == "parked":
            self.load.order("ready")
            time.sleep(0.3)  # the call is up for both its ends
        before, begun = self.measured.ran(), time.monotonic()
        outcome = self.load.order(f"change {state}")
        time.sleep(max(0.0, begun + 1.0 - time.monotonic()))
        self.busy[state].append((self.measured.ran() - before) / (time.monotonic() - begun))
        self.last[state].append(outcome["last_ms"] or float("inf"))
        self.notices += outcome["notices"]
        self.repeated += outcome["repeated"]
        self.missed += outcome["of"] - outcome["told"]
        time.sleep(FORGOTTEN)
        self.used += self.measured.ran() - before
        return outcome


def subscribe(chosen, sides):
    """All phones, half of them first; memory at rest before, between and after."""
    if chosen.quick:
        counts = (chosen.watchers,)
    else:
        counts = (0, chosen.watchers // 2, chosen.watchers)
    for count in counts:
        for side in sides:
            asked = side.load.order(f"subscribe {count}")
            if asked["refused"]:
                raise SystemExit(f"{side.measured.title} refused {asked['refused']} subscriptions")
            say(f"{side.measured.title}: {count} subscriptions, {asked['again']} asked for again")
        if not chosen.quick:
            time.sleep(REST)
            for side in sides:
                side.memory[count] = side.measured.memory()
                say(f"{side.measured.title}: {side.memory[count] / 1048576:.1f} MiB with {count} subscriptions")


def rounds(chosen, sides):
    """Every program in turn, round by round."""
    for number in range(1, chosen.rounds + 1):
        for side in sides:
            for state in STATES:
                outcome = side.tell_all(state)
                say(
                    f"round {number} {side.measured.title}, {state}: {outcome['told']} of {outcome['of']} told, the last"
                    f" after {side.last[state][-1]:.0f} ms, {outcome['repeated']} notices repeated, {side.busy[state][-1]:.0%}"
                    " of a core"
                )


def table(chosen, sides):
    """Prints what was found, one column for each program."""

    def row(name, cell):
        print(f"| {name} | " + " | ".join(cell(side) for side in sides) + " |")

    def with_ratio(name, value, text):
        row(name, text)
        first = value(sides[0])
        row(f"… ÷ {sides[0].measured.title}", lambda side: f"{value(side) / first:.2f}" if first else "")

    print(f"\n| {chosen.watchers:,} subscribers of one lot | " + " | ".join(s.measured.title for s in sides) + " |")
    print("|---|" + "---|" * len(sides))
    for state, what in (("parked", "a call is parked"), ("gone", "it is gone")):
        with_ratio(
            f"{what}: the last has its notice, median of {chosen.rounds} (spread)",
            lambda side, state=state: statistics.median(side.last[state]),
            lambda side, state=state: spread(side.last[state], "{:.0f} ms"),
        )
        row(
            "… share of a core until then, or in that second",
            lambda side, state=state: spread(side.busy[state], "{:.0%}"),
        )
    with_ratio(
        "CPU per notice over all rounds, what it leaves to do included",
        lambda side: side.used / max(1, side.notices),
        lambda side: f"{1e6 * side.used / max(1, side.notices):.0f} µs",
    )
    row("notices that had to be repeated", lambda side: f"{side.repeated:,}")
    row("phones that were not told", lambda side: f"{side.missed:,}")
    if not chosen.quick:
        half = chosen.watchers // 2
        for few, many, which in ((0, half, "first"), (half, chosen.watchers, "further")):
            row(
                f"memory per subscription, the {which} {half:,}",
                lambda side, few=few, many=many: f"{(side.memory[many] - side.memory[few]) / (many - few) / 1024:.1f} KiB",
            )


def open_sides(chosen, folder, opened):
    """Starts what is to be measured, each with its load."""
    if chosen.only != "parkade":
        if has_presence():
            measured = start_presence(folder)
            opened.append(Side(measured, None))
            opened[-1].load = Load(chosen.load, folder, chosen.watchers, measured, "127.0.0.2")
        else:
            say("SKIPPED: Kamailio or its presence modules are not installed (scripts/setup installs them)")
    if chosen.only != "kamailio":
        pbx = free_port()
        measured = start_parkade(folder, pbx, chosen.parkade, "always", "Parkade")
        opened.append(Side(measured, None))
        opened[-1].load = Load(chosen.load, folder, chosen.watchers, measured, "127.0.0.3", pbx)
        opened[-1].load.order("register")
        say("Parkade: all phones are registered")


def main():
    """Reads the command line, measures, prints."""
    parser = command_line("bench notices", __doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count")
    parser.add_argument("--watchers", type=int, default=10_000, help="phones, each with one subscription")
    parser.add_argument("--quick", action="store_true", help="500 phones, one round, no memory: does it work at all?")
    parser.add_argument("--only", choices=["kamailio", "parkade"], help="measure only this one")
    parser.add_argument("--load", default=os.path.join(BUILT, "examples", "watchers"), help="the program that watches")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.watchers, chosen.rounds = min(chosen.watchers, 500), 1
    for program in (chosen.parkade, chosen.load):
        if not os.path.exists(program) and not find_program(program):
            say(f"{program} is not built")
            return 1

    folder = tempfile.mkdtemp(prefix="parkade-bench-")
    sides = []
    well = False
    try:
        open_sides(chosen, folder, sides)
        if not sides:
            return 1
        subscribe(chosen, sides)
        rounds(chosen, sides)
        table(chosen, sides)
        well = not any(side.missed for side in sides if side.measured.title == "Parkade")
        return 0 if well else 1
    finally:
        for side in sides:
            if side.load:
                side.load.stop()
            side.measured.stop()
        if well:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            say(f"logs: {folder}")


if __name__ == "__main__":
    sys.exit(main())
