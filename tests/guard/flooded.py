"""Calls that are up while many addresses flood: none drops, and Parkade answers as fast as before."""

import os
import statistics
import time
from collections import namedtuple

from around import Flood, Pbx, Phone
from processes import Failure
from house import House

Flooded = namedtuple("Flooded", "sent quiet flooded cpu turned_away banned kept")


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


class Banned:
    """Every address that is banned meanwhile: bans of senders of datagrams are over soon, and come again."""

    def __init__(self, house):
        self.house, self.addresses, self.due = house, set(), 0.0

    def look(self):
        """Asks once a second."""
        if time.monotonic() >= self.due:
            self.addresses |= self.house.bans().keys()
            self.due = time.monotonic() + 1.0


def ends_well(phone, call):
    """Whether the far end of a call answers, and it ends as it should."""
    try:
        phone.within(call, "OPTIONS")
        phone.within(call, "BYE")
    except Failure:
        return False
    return True


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
        banned = Banned(house)

        def lasts():
            banned.look()
            return flood.lasts()

        trips = measured(phone, lasts)
        cpu = (house.cpu() - before) / (time.monotonic() - begun)
        # Each is still up between both of its ends; all that were lost show by their legs at once.
        kept = min(house.counts()["legs"] // 2, sum(ends_well(phone, call) for call in phone.calls))
        return Flooded(flood.sent.value, quiet, trips, cpu, house.turned_away(), banned.addresses, kept)
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
