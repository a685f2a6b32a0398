"""`scripts/bench music`: what it takes to play music to parked calls, beside the plainest loop that sends as many packets.

Calls are made and parked, each in a slot of its own; the PBX's ends hear music. They stand in a network of their own, the
load on one core, Parkade on the other. The floor is a loop on Parkade's core and in its place that does nothing but send, one
socket for each stream, what is due in each millisecond. Then calls are parked and retrieved while they talk, and the PBX's
ends say how long they have heard nothing at each switch. Prints tables in Markdown.
"""

import functools
import os
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True

from dialling import SRTP, port_of
from measured import LOAD, UNDER_TEST, pinned
from networks import INSIDE, PARKADE_FOR_PBX, PBX
from relays import Parkade
from sound import head, line, options, run, undisturbed
from streams import AFTER, IDLE, PACKETS, Carried
from words import say, spread

SETTLED = 2.0  # seconds until all music plays and the parkers are gone
WITHIN = 25  # milliseconds that a switch may take, as it is heard
SWITCHED = 1.0  # seconds of talk or music between two switches
MUSIC_PORT = 30000  # of the floor
PARTS = ("floor", "parkade", "switch")


class Floor:
    """The plainest loop."""

    title = "the floor: a sendto loop"

    def __init__(self, folder, program):
        self.streams = os.path.join(folder, "floor")
        self.program = program
        self.process = None

    def prepare(self, calls, streams):
        """Opens the ends that hear it."""
        with open(self.streams, "w") as out:
            for number in range(calls):
                out.write(f"{PARKADE_FOR_PBX}:{MUSIC_PORT + 2 * number} {PBX}:{port_of(number)}\n")
        streams.open([(None, None)] * calls)

    def play(self):
        """Begins."""
        command = pinned(UNDER_TEST, [self.program, "floor", self.streams])
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def memory(self):
        """It is no peer in that."""
        return None

    def stop(self):
        """Ends it at once."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class Music(Parkade):
    """Parkade with parked calls."""

    takes_sound = True

    def prepare(self, calls, streams):
        """Makes the calls; nothing is parked yet, and nobody speaks."""
        self.start()
        self.calls = self.dialling.dial(calls)
        streams.open([(None, call.pbx_to) for call in self.calls])
        self.talking = self.program.memory_at_rest()

    def play(self):
        """Parks them."""
        self.dialling.park(self.calls)

    def memory(self):
        """Bytes in use; while the calls talked, and now."""
        return self.talking, self.program.memory()


class Encrypted(Music):
    """Parkade with parked calls that encrypt."""

    takes_sound = False

    def start(self):
        """Begins; whoever calls speaks SRTP."""
        super().start()
        self.dialling.sdp = SRTP


def heard(peer, streams, calls, chosen):
    """One peer's turn: alone, and with the sound of the parkees themselves coming in."""
    try:
        peer.prepare(calls, streams)
        idle = streams.measure(IDLE)
        peer.play()
        time.sleep(SETTLED)
        found = streams.measure(chosen.seconds)
        memory = peer.memory()
        with_sound = None
        if memory and peer.takes_sound:
            streams.order("talk")
            time.sleep(0.5)
            with_sound = streams.measure(chosen.seconds)
            streams.order("silence")
    finally:
        peer.stop()
    after = streams.measure(AFTER)
    carried = Carried(idle, found, after, found["heard"])
    carried.memory = memory
    carried.with_sound = Carried(idle, with_sound, after, with_sound["heard"]) if with_sound else None
    return carried


def rounds(chosen, streams, peers):
    """All peers in turn; returns what was found, by number of calls and peer."""
    results = {(calls, peer): [] for calls in chosen.calls for peer in peers}
    for number in range(1, chosen.rounds + 1):
        for calls in chosen.calls:
            for peer in peers:
                turn = functools.partial(heard, peer, streams, calls, chosen)
                carried = undisturbed(turn, streams, chosen.wait)
                results[calls, peer].append(carried)
                found, doubts = carried.found, carried.doubts()
                say(
                    f"round {number} {peer.title}, {calls} calls: {carried.each:.2f} µs a packet, core {UNDER_TEST}"
                    f" {carried.busy:.1%} (idle {carried.idle:.1%}), core {LOAD} {carried.load:.0%},"
                    f" {found['heard']} packets of {due(carried, calls):.0f}, {found['missing']} missing, jitter"
                    f" {found['jitter_ms']['median'] or 0:.2f} ms, at most {found['jitter_ms']['max'] or 0:.2f} ms"
                    + (f"; DOUBTFUL: {doubts}" if doubts else "")
                )
    return results


def due(carried, calls):
    """How many packets all calls should have had."""
    return carried.found["seconds"] * PACKETS * calls


def table(chosen, peers, results):
    """Prints what was found, one column for each peer."""
    head(peer.title for peer in peers)
    for calls in chosen.calls:

        def row(name, cell, calls=calls):
            line(name, (cell(results[calls, peer]) for peer in peers))

        def median(found):
            return statistics.median(carried.each for carried in found)

        def share(found):
            return statistics.median(carried.busy - carried.idle for carried in found)

        floor = median(results[calls, peers[0]])
        row(
            f"{calls:,} calls, {PACKETS * calls:,} packets/s: core busy per packet, median of {chosen.rounds} (spread)",
            lambda found: spread([c.each for c in found], "{:.2f} µs"),
        )
        row(f"… ÷ {peers[0].title}", lambda found, floor=floor: f"{median(found) / floor:.2f}" if floor > 0 else "")
        row(
            "… with the parkees' own sound coming in",
            lambda found: spread([c.with_sound.each for c in found if c.with_sound], "{:.2f} µs") or "—",
        )
        row("… share of the core", lambda found: spread([c.busy - c.idle for c in found], "{:.1%}"))
        row(
            "… calls for which one core would do, at this cost",
            lambda found, calls=calls: f"{calls / share(found):,.0f}" if share(found) > 0 else "",
        )
        row(
            "… packets heard of those due; lost on the way",
            lambda found, calls=calls: f"{sum(c.found['heard'] for c in found) / sum(due(c, calls) for c in found):.2%};"
            f" {sum(c.found['missing'] for c in found):,}",
        )
        for name, key in (("of the median stream", "median"), ("of the worst stream", "max")):
            row(
                f"… jitter (RFC 3550) {name}",
                lambda found, key=key: spread([c.found["jitter_ms"][key] or 0 for c in found], "{:.2f} ms"),
            )
    few, many = min(chosen.calls), max(chosen.calls)
    for name, which in (("talking call, both its legs", 0), ("parked call, one leg and its music", 1)):
        if few < many:
            cells = [further(results[few, peer], results[many, peer], which, many - few) for peer in peers]
            line(f"memory per further {name}, from {few:,} to {many:,}, beside sockets", cells)


def further(few, many, which, calls):
    """What each of so many further calls takes."""
    if few[0].memory is None:
        return "—"
    before, after = (statistics.median(carried.memory[which] for carried in found) for found in (few, many))
    return f"{(after - before) / calls / 1024:.1f} KiB"


def switches(chosen, folder, streams):
    """Talk, music, talk: how long nothing was heard at each switch, for each path."""
    paths = [
        Parkade(folder, chosen.parkade, "Parkade, kernel path", "nftables"),
        Parkade(folder, chosen.parkade, "Parkade, user space", "off"),
    ]
    results = {}
    for peer in paths:
        why_not = peer.why_not()
        if why_not:
            say(f"SKIPPED {peer.title}: {why_not}")
            continue
        results[peer.title] = {"to_music_ms": [], "to_talk_ms": []}
        for _ in range(chosen.rounds):
            found = switched(peer, streams, chosen.switched)
            for way, gaps in results[peer.title].items():
                gaps += found[way]
        say(f"{peer.title}: {len(results[peer.title]['to_music_ms'])} calls parked and retrieved")
    if not results:
        return
    expected = chosen.rounds * chosen.switched
    head(results, f"{chosen.switched} calls parked and retrieved, {chosen.rounds} times")
    for name, way in (("talk → music", "to_music_ms"), ("music → talk", "to_talk_ms")):
        cells = [
            f"{statistics.median(found[way]):.1f} ms, {max(found[way]):.1f} ms" if found[way] else "none"
            for found in results.values()
        ]
        line(f"{name}: from the last packet of the one to the first of the other, median, longest", cells)
        cells = [f"{sum(gap > WITHIN for gap in found[way])}" for found in results.values()]
        line(f"… longer than {WITHIN} ms", cells)
        cells = [f"{len(found[way])} of {expected}" for found in results.values()]
        line("… switches heard", cells)


def switched(peer, streams, calls):
    """So many calls talk, are parked and retrieved; the gaps that the PBX's ends have heard."""
    try:
        aims = peer.carry(calls)
        made = list(peer.dialling.calls.values())
        streams.open(aims)
        streams.order("talk")
        time.sleep(SETTLED)
        streams.order("watch")
        time.sleep(SWITCHED)
        peer.dialling.on_parked = lambda call: streams.order(f"aim {2 * call.number} -")
        peer.dialling.on_answer = lambda call: streams.order(f"aim {2 * call.number} {call.phone_to}")
        peer.dialling.park(made)
        time.sleep(SWITCHED)
        peer.dialling.retrieve(made)
        time.sleep(SWITCHED)
        return streams.order("switches")
    finally:
        peer.stop()
        streams.order("silence")


def measure_all(chosen, folder, streams):
    """The floor and Parkade, then the switches."""
    peers = [Floor(folder, chosen.load), Music(folder, chosen.parkade, "Parkade", "off")]
    peers = [peer for part, peer in zip(PARTS, peers) if part in chosen.only]
    if chosen.srtp:
        peers.append(Encrypted(folder, chosen.parkade, "Parkade, SRTP (AES_CM_128_HMAC_SHA1_80)", "off"))
    if peers:
        table(chosen, peers, rounds(chosen, streams, peers))
    if "switch" in chosen.only:
        switches(chosen, folder, streams)


def main():
    """Reads the command line, measures, prints."""
    parser = options("music", __doc__, 8.0)
    parser.add_argument("--calls", type=int, nargs="+", default=[500, 1000, 2500], help="parked calls at once")
    parser.add_argument("--switched", type=int, default=50, help="calls that are parked and retrieved while they talk")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="measure only these")
    parser.add_argument("--srtp", action="store_true", help="music by SRTP too")
    chosen = parser.parse_args([word for word in sys.argv[1:] if word != INSIDE])
    if chosen.quick:
        chosen.calls, chosen.rounds, chosen.seconds, chosen.switched = [100], 1, 2.0, 10
    return run(chosen, measure_all)


if __name__ == "__main__":
    sys.exit(main())
