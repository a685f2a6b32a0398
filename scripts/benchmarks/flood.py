"""`scripts/bench flood`: what a flood of strangers costs those whom Parkade knows.

A phone has calls up and asks for a round trip every 10 ms, while 500 addresses send what strangers send: registrations,
calls, subscriptions, scans, noise. The program has a core of its own; load, PBX and phone share another. Prints a table
in Markdown: medians of the rounds, and their spread.
"""

import os
import shutil
import statistics
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path += [os.path.join(ROOT, "tests", "guard"), os.path.join(ROOT, "tests", "e2e")]

from flooded import flooded, in_words, percentile  # noqa: E402
from words import command_line, say, spread  # noqa: E402

ADDRESSES = 500


def main():
    arguments = command_line("bench flood", __doc__)
    arguments.add_argument("--quick", action="store_true", help="one round, and short")
    chosen = arguments.parse_args()
    rounds, seconds, calls = (1, 4, 20) if chosen.quick else (5, 10, 100)
    rates = (1_000, 5_000, 20_000)
    folder = tempfile.mkdtemp(prefix="parkade-flood-")
    found = {rate: [] for rate in rates}
    for number in range(rounds):
        for rate in rates:
            place = os.path.join(folder, f"{rate}-{number}")
            os.mkdir(place)
            found[rate].append(flooded(chosen.parkade, place, calls, ADDRESSES, rate, seconds))
            say(f"round {number + 1}, {rate}/s: {in_words(found[rate][-1])}")
    shutil.rmtree(folder, ignore_errors=True)
    print("| strangers' datagrams a second | p50 | p99 | p99 without | a core | turned away | calls lost |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    for rate, all_of_it in found.items():
        sent = statistics.median(one.sent / seconds for one in all_of_it)
        print(
            f"| {sent:,.0f}"
            f" | {spread([statistics.median(one.flooded) for one in all_of_it], '{:.2f} ms')}"
            f" | {spread([percentile(one.flooded, 0.99) for one in all_of_it], '{:.2f} ms')}"
            f" | {spread([percentile(one.quiet, 0.99) for one in all_of_it], '{:.2f} ms')}"
            f" | {spread([one.cpu for one in all_of_it], '{:.0%}')}"
            f" | {spread([sum(one.turned_away.values()) / one.sent for one in all_of_it], '{:.0%}')}"
            f" | {sum(calls - one.kept for one in all_of_it)} |"
        )
    return 1 if any(one.kept < calls for all_of_it in found.values() for one in all_of_it) else 0


if __name__ == "__main__":
    sys.exit(main())
