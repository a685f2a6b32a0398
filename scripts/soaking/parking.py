"""Calls that are parked, from their beginning to their end, each step of them verified."""

import asyncio
import collections
import itertools
import random

from ends import PATIENCE, PBX, PHONES, REGISTERED_FOR, Pbx, Phone
from sip import FRAME, Failed, timely

FIRST_PHONE, FIRST_SLOT, SLOTS = 1_001, 5_000, 500
RECALL_AFTER = 5  # seconds
# What becomes of parked calls, in turn.
FATES = ("retrieved", "recalled", "retrieved", "abandoned")


async def hears(call, mark, who, speaker=None):
    """Waits until an end hears that (`None`: anything at all); `speaker` says it, and this end speaks too."""
    for _ in range(int(PATIENCE / FRAME)):
        if speaker:
            speaker.sound.say(speaker.far)
            call.sound.say(call.far)
        if any(mark is None or packet == mark for packet in call.sound.heard()):
            return
        await asyncio.sleep(FRAME)
    raise Failed(f"{who} hears nothing within {PATIENCE:g} s")


class Parkings:
    """Parked calls, so many a second, and what came of them."""

    def __init__(self, phones):
        self.pbx = Pbx()
        self.phones = [Phone(str(number)) for number in range(FIRST_PHONE, FIRST_PHONE + phones)]
        self.idle = collections.deque(self.phones)
        self.slots = collections.deque(str(number) for number in range(FIRST_SLOT, FIRST_SLOT + SLOTS))
        self.fates = itertools.cycle(FATES)
        self.chance = random.Random(1)
        self.made, self.done, self.failed = 0, collections.Counter(), collections.Counter()
        self.parking, self.retrieving = [], []  # seconds that each has taken
        self.going = set()

    async def open(self):
        """Everybody takes an address."""
        await self.pbx.open(PBX)
        for phone in self.phones:
            await phone.open(PHONES)

    async def register(self, through):
        """Every phone registers once."""
        for phone in self.phones:
            phone.proxy = through
            await phone.register()

    async def stay_registered(self):
        """Phones register again in time, one after the other."""
        while True:
            for phone in self.phones:
                await asyncio.sleep(REGISTERED_FOR / 2 / len(self.phones))
                try:
                    await phone.register()
                except Failed as why:
                    self.failed[str(why)] += 1

    async def run(self, rate, until):
        """Begins so many a second until then, and waits for the last of them."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while due < until:
            await asyncio.sleep(max(0.0, due - loop.time()))
            due += 1 / rate
            self.made += 1
            if len(self.idle) < 2:
                self.failed["no phone was left to make a call"] += 1
                continue
            task = asyncio.create_task(self.attend(next(self.fates), self.idle.popleft(), self.idle.popleft()))
            self.going.add(task)
            task.add_done_callback(self.going.discard)
        while self.going:
            await asyncio.wait(set(self.going))

    async def attend(self, fate, parker, colleague):
        """One call; whatever goes wrong with it is noted, and nothing of it is left."""
        slot = self.slots.popleft()
        # Half of them wait in a slot, half on the colleague's extension, who is told of it.
        park, retrieve = (slot, slot) if int(slot) % 2 else (f"*68{colleague.number}", f"*88{colleague.number}")
        ends = []
        try:
            await self.play(fate, parker, colleague, (park, retrieve), ends)
            self.done[fate] += 1
        except Failed as why:
            self.failed[f"{fate}: {why}"] += 1
            for call in ends:
                if not call.over.is_set():
                    await asyncio.gather(call.hang_up(), return_exceptions=True)
                    call.leave()
        finally:
            for phone in (parker, colleague):
                while not phone.incoming.empty():
                    phone.incoming.get_nowait().leave()
                    self.failed["a phone was called by nobody who is known"] += 1
                self.idle.append(phone)
            self.slots.append(slot)

    async def play(self, fate, parker, colleague, places, ends):
        """A call that is parked and has that fate. `ends` is told of its ends."""
        if self.chance.random() < 0.5:
            parkee = await self.pbx.call_phone(parker.number)
            ends.append(parkee)
            parked = await timely(parker.incoming.get(), PATIENCE, "the phone does not ring")
        else:
            parked = await parker.dial(f"9{parker.number}")
            parkee = self.pbx.end_of(parked.call_id)
            ends.append(parkee)
        ends.append(parked)
        await asyncio.sleep(self.chance.uniform(0.5, 1.5))
        park, retrieve = places
        self.parking.append(await parker.park(parked, park))
        await parked.hang_up()
        await hears(parkee, None, "the parkee")
        if fate == "recalled":
            taken = await timely(parker.incoming.get(), RECALL_AFTER + PATIENCE, "no recall")
        else:
            await asyncio.sleep(self.chance.uniform(0.5, 3.0))
            if fate == "abandoned":
                await parkee.hang_up()
                return
            begun = asyncio.get_running_loop().time()
            taken = await colleague.dial(retrieve)
            self.retrieving.append(asyncio.get_running_loop().time() - begun)
        ends.append(taken)
        await hears(taken, parkee.sound.mark, "who has taken the call", parkee)
        await hears(parkee, taken.sound.mark, "the parkee, of who has taken the call,", taken)
        await asyncio.sleep(self.chance.uniform(0.2, 1.0))
        first, second = (taken, parkee) if self.chance.random() < 0.5 else (parkee, taken)
        await first.hang_up()
        await second.is_hung_up(PATIENCE)

    def close(self):
        """Everybody goes."""
        for end in (self.pbx, *self.phones):
            end.close()
