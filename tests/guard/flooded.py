"""Calls that are up while many addresses flood: none drops, and Parkade answers as fast as before."""

import os
import statistics
import time
from collections import namedtuple

from around import Flood, Pbx, Phone
from processes import Failure
from house import House

Flooded = namedtuple("Flooded", "sent quiet flooded cpu turned_away banned calls")


def percentile(values, share):
    """The value below which that share of them lies."""
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def measured(phone, lasts):
    """Round trips, one each 10 ms, as long as that lasts."""
    trips = []
    while lasts():
        trips.append(phone.round_trip())
        time.sleep(max(0.0, 0.01 - trips[-1] / 1000))
    return trips


def flooded(program, folder, calls, addresses, rate, seconds, alone=True):
    """So many calls, and so many addresses that send at that rate. The program on a core of its own, if it is to be alone."""
    cores = sorted(os.sched_getaffinity(0))
    core = cores[-1] if alone and len(cores) > 1 else None
    pbx = Pbx()
    house = flood = None
    try:
        house = House(program, folder, pbx.port, 'unproven_ban = "3s"', core)
        phone = Phone(house.at)
        phone.register()
        for _ in range(calls):
            phone.call()
        end = time.monotonic() + seconds
        quiet = measured(phone, lambda: time.monotonic() < end)
        before, begun = house.cpu(), time.monotonic()
        flood = Flood(house.at, addresses, rate, seconds)
        trips = measured(phone, flood.lasts)
        cpu = (house.cpu() - before) / (time.monotonic() - begun)
        legs = house.counts()["legs"]
        for call in phone.calls:
            phone.within(call, "OPTIONS")
        for call in phone.calls:
            phone.within(call, "BYE")
        if legs < 2 * calls:
            raise Failure(f"{legs} legs are left of {calls} calls")
        return Flooded(flood.sent.value, quiet, trips, cpu, house.turned_away(), house.banned(), len(phone.calls))
    finally:
        for party in (flood, house, pbx):
            if party:
                party.end()


def in_words(found):
    """One line of what was found."""
    said = []
    for what, trips in (("quiet", found.quiet), ("flooded", found.flooded)):
        said.append(f"{what} p50 {statistics.median(trips):.2f} ms, p99 {percentile(trips, 0.99):.2f} ms")
    turned = ", ".join(f"{count} {why}" for why, count in found.turned_away.items() if count)
    return f"{found.sent} datagrams; {'; '.join(said)}; {found.cpu:.0%} of a core; turned away: {turned}; {len(found.banned)} banned"
