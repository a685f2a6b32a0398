"""The words of a measurement: what it is asked on the command line, what it says meanwhile, how figures are written."""

import argparse
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILT = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "..", "..", "target")), "release")


def command_line(name, text):
    """The command line of a script of that name, with what all have: the program."""
    parser = argparse.ArgumentParser(
        prog=f"scripts/{name}", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parkade", default=os.path.join(BUILT, "parkade"), help="the program to measure")
    return parser


def say(text):
    """Progress, apart from the table on standard output."""
    print(text, file=sys.stderr, flush=True)


def spread(values, form):
    """The median, and from where to where they go where there are several."""
    if not values:
        return ""
    if len(values) == 1:
        return form.format(values[0])
    bare = form[: form.index("}") + 1]
    return f"{form.format(statistics.median(values))} ({bare.format(min(values))} to {bare.format(max(values))})"
