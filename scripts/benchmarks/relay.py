"""`scripts/bench relay`: what it takes to relay a call's sound, a kernel's NAT, rtpengine and Parkade side by side.

Phones, the relay and the PBX stand in three networks of their own. Each call has G.711 in packets of 20 ms both ways, and
RTCP now and then. The load, both ends of all calls, has one core, what is measured the other; the work that the kernel
does for either counts on its core. All are measured in turn, round by round. Prints a table in Markdown.
"""

import statistics
import sys
import time

sys.dont_write_bytecode = True

from measured import LOAD, UNDER_TEST
from networks import INSIDE, PHONES, steer
from relays import Nat, Parkade, Rtpengine
from sound import head, line, options, run, undisturbed
from streams import AFTER, IDLE, PACKETS, Carried, busy
from words import say, spread

IN_THE_KERNEL = 3.0  # microseconds a packet: a program that runs for longer has a look at them
SETTLED = 12  # seconds until every path has found its way, that of RTCP too, which comes every five
PEERS = ("nat", "rtpengine", "kernel", "user", "bpf")


def calibrate(streams, folder, chosen):
    """Shows that each core does its own side's work, or ends; returns nothing."""
    calls = min(200, max(chosen.calls))
    # Within the phones' network: sent, received and counted by the load alone.
    streams.open([(None, None)] * calls)
    idle = streams.measure(IDLE)
    streams.open([(f"{PHONES}:20000", None)] * calls)
    streams.order("talk")
    alone = streams.measure(IDLE)
    say(
        f"idle: core {LOAD} {busy(idle, LOAD):.1%}, core {UNDER_TEST} {busy(idle, UNDER_TEST):.1%}; the load alone:"
        f" core {LOAD} {busy(alone, LOAD):.1%}, core {UNDER_TEST} {busy(alone, UNDER_TEST):.1%}"
    )
    nat, shares = Nat(folder), {}
    if nat.why_not():
        return
    try:
        aims = nat.carry(calls)
        for steered in (False, True):
            steer(steered)
            streams.open(aims)
            streams.order("talk")
            time.sleep(0.5)
            found = streams.measure(IDLE)
            shares[steered] = busy(found, UNDER_TEST)
            say(
                f"NAT of {calls} calls, work {'steered to its side' if steered else 'left to the sender'}: core {LOAD}"
                f" {busy(found, LOAD):.1%}, core {UNDER_TEST} {busy(found, UNDER_TEST):.1%}"
            )
    finally:
        nat.stop()
        streams.order("silence")
    if busy(idle, UNDER_TEST) > 0.2:
        say(f"DOUBTFUL: other programs have core {UNDER_TEST}; whether receive steering works cannot be told")
    elif shares[True] < shares[False] + 0.01:
        raise SystemExit("receive steering does not work here: the kernel's work for what is measured is not on its core")


def measure(peer, streams, calls, chosen):
    """One peer's turn."""

    def once():
        idle = streams.measure(IDLE)
        streams.order("talk")
        time.sleep(SETTLED)
        before = peer.program and peer.program.ran()
        found = streams.measure(chosen.seconds)
        ran = peer.program and peer.program.ran() - before
        memory = peer.program and peer.program.memory()
        streams.order("silence")
        carried = Carried(idle, found, streams.measure(AFTER), found["came"] + found["reports_came"])
        carried.memory = memory
        carried.program = None if ran is None else 1e6 * ran / max(1, carried.packets)
        return carried

    try:
        streams.open(peer.carry(calls))
        return undisturbed(once, streams, chosen.wait)
    finally:
        peer.stop()


def rounds(chosen, streams, peers):
    """All peers in turn; returns what was found, by number of calls and peer."""
    results = {(calls, peer): [] for calls in chosen.calls for peer in peers}
    for number in range(1, chosen.rounds + 1):
        for calls in chosen.calls:
            for peer in peers:
                carried = measure(peer, streams, calls, chosen)
                results[calls, peer].append(carried)
                found, doubts = carried.found, carried.doubts()
                if getattr(peer, "path", "off") != "off" and carried.program > IN_THE_KERNEL:
                    doubts = ", ".join(filter(None, [doubts, f"its packets do not stay in the kernel, the program ran {carried.program:.1f} µs a packet"]))
                say(
                    f"round {number} {peer.title}, {calls} calls: {carried.each:.2f} µs a packet, core {UNDER_TEST}"
                    f" {carried.busy:.1%} (idle {carried.idle:.1%}), core {LOAD} {carried.load:.0%},"
                    f" {found['sent'] - found['came']} of {found['sent']} lost, {found['astray']} astray, RTCP"
                    f" {found['reports_came']} of {found['reports_sent']}, on the way {found['way_us']['p50'] or 0:.0f} µs,"
                    f" p99 {found['way_us']['p99'] or 0:.0f} µs" + (f"; DOUBTFUL: {doubts}" if doubts else "")
                )
    return results


def table(chosen, peers, results):
    """Prints what was found, one column for each peer."""
    head(peer.title for peer in peers)
    for calls in chosen.calls:

        def row(name, cell, calls=calls):
            line(name, (cell(results[calls, peer]) for peer in peers))

        def median(peer, calls=calls):
            return statistics.median(carried.each for carried in results[calls, peer])

        def lost(found):
            share = 1 - sum(c.found["came"] for c in found) / max(1, sum(c.found["sent"] for c in found))
            count = sum(c.found["sent"] - c.found["came"] for c in found)
            return f"{count:,} ({share:.2%})" if count else "0"

        def reports(found):
            return f"{sum(c.found['reports_came'] for c in found):,} of {sum(c.found['reports_sent'] for c in found):,}"

        pace = 2 * PACKETS * calls
        row(
            f"{calls} calls, {pace:,} packets/s: core busy per packet, median of {chosen.rounds} (spread)",
            lambda found: spread([c.each for c in found], "{:.2f} µs"),
        )
        for peer in peers:
            if peer.is_ruler:
                ratios = (f"{median(other) / median(peer):.2f}" if median(peer) > 0 else "" for other in peers)
                line(f"… ÷ {peer.title}", ratios)
        row(
            "… of which the program itself ran",
            lambda found: spread([c.program for c in found if c.program is not None], "{:.2f} µs") or "—",
        )
        row("… share of the core", lambda found: spread([c.busy - c.idle for c in found], "{:.1%}"))
        row("… packets lost of all rounds", lost)
        row("… RTCP packets carried", reports)
        for name, key in (("half of the packets", "p50"), ("99 %", "p99")):
            row(
                f"… on the way, {name} within",
                lambda found, key=key: spread([c.found["way_us"][key] or 0 for c in found], "{:.0f} µs"),
            )

    few, many = min(chosen.calls), max(chosen.calls)
    if few < many:
        cells = [further(results[few, peer], results[many, peer], 2 * (many - few)) for peer in peers]
        line(f"memory per further stream, two a call, from {few} to {many} calls", cells)


def further(few, many, streams):
    """What each of so many further streams takes, beside its sockets."""
    if few[0].memory is None:
        return "—"
    before, after = (statistics.median(carried.memory for carried in found) for found in (few, many))
    return f"{(after - before) / streams / 1024:.1f} KiB"


def measure_all(chosen, folder, streams):
    """Every peer that can be measured here."""
    every = {
        "nat": Nat(folder),
        "rtpengine": Rtpengine(folder),
        "kernel": Parkade(folder, chosen.parkade, "Parkade, kernel path", "nftables"),
        "user": Parkade(folder, chosen.parkade, "Parkade, user space", "off"),
        "bpf": Parkade(folder, chosen.parkade, "Parkade, one SSRC, by the kernel", "bpf"),
    }
    peers = []
    for name in PEERS:
        if name in chosen.only and (name != "bpf" or chosen.bpf):
            every[name].is_ruler = name in ("nat", "rtpengine")
            why_not = every[name].why_not()
            if why_not:
                say(f"SKIPPED {every[name].title}: {why_not}")
            else:
                peers.append(every[name])
    calibrate(streams, folder, chosen)
    table(chosen, peers, rounds(chosen, streams, peers))


def main():
    """Reads the command line, measures, prints."""
    parser = options("relay", __doc__, 8.0)
    parser.add_argument("--calls", type=int, nargs="+", default=[200, 400], help="calls at once")
    parser.add_argument("--only", choices=PEERS, nargs="+", default=PEERS, help="measure only these")
    parser.add_argument("--bpf", action="store_true", help="also Parkade with media.one_ssrc, whose BPF program rewrites RTP")
    chosen = parser.parse_args([word for word in sys.argv[1:] if word != INSIDE])
    if chosen.quick:
        chosen.calls, chosen.rounds, chosen.seconds = [50], 1, 2.0
    return run(chosen, measure_all)


if __name__ == "__main__":
    sys.exit(main())
