"""What `scripts/bench relay` and `scripts/bench music` have in common: the command line, the way in and out."""

import fcntl
import os
import shutil
import tempfile
import time

from limits import files_allowed
from measured import find_program
from networks import enter
from streams import Streams
from words import BUILT, command_line, say


def head(titles, what=""):
    """Begins a table in Markdown: a column for each title, after that of what is measured."""
    titles = list(titles)
    print()
    line(what, titles)
    print("|---|" + "---|" * len(titles))


def line(name, cells):
    """A line of it."""
    print(f"| {name} | " + " | ".join(cells) + " |")


def options(name, text, seconds):
    """The command line, as far as they share it."""
    parser = command_line(f"bench {name}", text)
    parser.add_argument("--rounds", type=int, default=5, help="rounds")
    parser.add_argument("--seconds", type=float, default=seconds, help="how long each measurement takes")
    parser.add_argument("--wait", type=float, default=0.0, help="seconds that a measurement may wait for a core without other work")
    parser.add_argument("--step", type=int, default=100, help="microseconds: how often the load sends what is due and reads")
    parser.add_argument("--quick", action="store_true", help="few calls, one short round: does it work at all?")
    parser.add_argument("--load", default=os.path.join(BUILT, "examples", "streams"), help="the program that sends and hears")
    return parser


def undisturbed(measure, streams, wait):
    """What `measure()` finds; it waits until nothing else runs on the core, and measures again if something has run
    beside it, all that for so many seconds at most."""
    end = time.monotonic() + wait
    while True:
        streams.wait_for_rest(end)
        carried = measure()
        if not carried.doubts() or time.monotonic() > end:
            return carried
        say(f"again: {carried.doubts()}")


def alone():
    """Waits until no other benchmark of sound runs; none begins until what this returns is closed."""
    lock = open(os.path.join(tempfile.gettempdir(), "parkade-bench-sound.lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another benchmark of sound runs; waiting for its end")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def run(chosen, measure):
    """Has `measure(chosen, folder, streams)` done in networks of its own; returns the exit status."""
    enter(say)
    for program in (chosen.parkade, chosen.load):
        if not os.path.exists(program) and not find_program(program):
            say(f"{program} is not built")
            return 1
    files_allowed(1 << 17)
    only_one = alone()
    folder = tempfile.mkdtemp(prefix="parkade-bench-")
    streams = Streams(chosen.load, folder, chosen.step)
    try:
        measure(chosen, folder, streams)
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    except BaseException:
        say(f"logs: {folder}")
        raise
    finally:
        streams.stop()
        only_one.close()
