"""What happens to several nodes."""

import asyncio
import contextlib
import os
import shutil
import subprocess

from ends import Pbx, Phone
from machines import PBX, PHONES, STORE, Machine, neighbours_forget, set_up
from nodes import LEASE, Clustered, Encrypted, Node, Store, Watched
from parking import hears
from processes import Failure, find_program
from sip import Failed, timely

NAMES = ("a", "b", "c")
PATIENCE = 10
LOT = """
[[lot]]
name = "office"
slots = "701-709"
[[lot.slot]]
number = "709"
shared = false
"""


def that(true, otherwise):
    """Fails where something is not so."""
    if not true:
        raise Failure(otherwise)


async def comes(what, true, seconds=PATIENCE):
    """Waits until something is so; phones and PBX go on meanwhile."""
    until = asyncio.get_running_loop().time() + seconds
    while not (result := true()):
        if asyncio.get_running_loop().time() > until:
            raise Failure(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(0.05)
    return result


class Scene:
    """So many nodes with the store and a PBX, for one story."""

    def __init__(self, program, folder, name, count, lot=LOT, store=Store):
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.program, self.lot, self.count = program, lot, count
        self.store = store(self.folder)
        self.machines = {name: Machine(f"host-{name}") for name in NAMES[:count]}
        self.nodes, self.phones, self.pbx = {}, [], None

    async def open(self):
        """Everybody is there."""
        self.pbx = Pbx()
        await self.pbx.open(PBX)
        for at, (name, machine) in enumerate(self.machines.items()):
            address = f"10.0.0.{at + 1}"
            machine.has(address)
            node = Node(self.program, self.folder, name, address, self.pbx.port, self.lot, self.store)
            self.nodes[name] = await asyncio.to_thread(node.start, machine)
        await comes("all nodes see each other", lambda: all(
            node.metric("parkade_cluster_nodes") == self.count for node in self.nodes.values()
        ))
        return self

    async def phone(self, node, number):
        """A phone that is registered at a node."""
        phone = Phone(number)
        await phone.open(PHONES)
        phone.proxy = self.nodes[node].at
        await phone.register()
        self.phones.append(phone)
        return phone

    async def talk(self, phone):
        """The PBX calls a phone: its end of the call, and the phone's."""
        far = await self.pbx.call_phone(phone.number)
        return far, await timely(phone.incoming.get(), PATIENCE, "the phone does not ring")

    async def park(self, phone, slot):
        """The PBX calls a phone, which parks the call."""
        far, call = await self.talk(phone)
        await phone.park(call, slot)
        await call.hang_up()
        return far

    async def both_hear(self, far, near):
        """The two ends of a call hear each other."""
        await hears(near, far.sound.mark, "who has taken the call", far)
        await hears(far, near.sound.mark, "the parkee, of who has taken it,", near)

    async def seen(self, **wanted):
        """Waits until the nodes tell that this is parked: what is here, and what is elsewhere."""
        for name, (here, elsewhere) in wanted.items():
            node = self.nodes[name]
            try:
                await comes("", lambda node=node, want=(here, elsewhere): node.parked() == want)
            except Failure:
                raise Failure(f"node {name} tells {node.parked()} and not {(here, elsewhere)}") from None

    def print_logs(self):
        """What the programs have written last."""
        for name, node in self.nodes.items():
            if node.process:
                lines = node.log().splitlines()[-15:]
                print("".join(f"     {name}: {line}\n" for line in lines), end="", flush=True)

    def end(self):
        """Everybody goes."""
        for phone in self.phones:
            phone.close()
        if self.pbx:
            self.pbx.close()
        for node in self.nodes.values():
            node.end()
        self.store.stop()
        for machine in self.machines.values():
            machine.end()


async def refused(phone, call, place):
    """A park that is refused: with what."""
    try:
        await phone.park(call, place)
    except Failed as why:
        return str(why)
    raise Failure(f"the park at {place} was not refused")


async def retrieved_across(report, scene):
    """A call is parked at one node, and retrieved at another."""
    with report.step("two nodes join, and see each other"):
        await scene.open()
        one, other = await scene.phone("a", "101"), await scene.phone("b", "102")
    with report.step("a call that is parked at one node is seen at both"):
        far = await scene.park(one, "701")
        await hears(far, None, "the parkee")
        await scene.seen(a=(["701"], []), b=([], ["701@a"]))
    with report.step("it is retrieved at the other, and both hear each other"):
        taken = await other.dial("701")
        await scene.both_hear(far, taken)
        await scene.seen(a=([], []), b=([], []))
        that(scene.nodes["a"].metric("parkade_cluster_vouched_total") == 1, "nobody was vouched for")
    with report.step("who has it parks it there, and it is retrieved at the first"):
        await other.park(taken, "702")
        await taken.hang_up()
        await scene.seen(a=([], ["702@b"]), b=(["702"], []))
        back = await one.dial("702")
        await scene.both_hear(far, back)
        await back.hang_up()
        await far.is_hung_up(PATIENCE)
    with report.step("a phone that speaks as a node is refused"):
        far = await scene.park(one, "703")
        await scene.seen(a=(["703"], []))
        line = "X-Parkade-Node: b;to=a;time=1;nonce=n;user=102;domain=pbx.test;park=x;mac=00\r\n"
        status = await invite_with(other, scene.nodes["a"].at, line)
        that(status == 403, f"it was answered {status}")
        that(scene.nodes["a"].metric("parkade_cluster_forged_total") == 1, "it was not counted")
        await far.hang_up()


async def invite_with(phone, there, line):
    """The status of an INVITE for slot 703 with a line more."""
    branch = f"z9hG4bKforged{phone.port}"
    text = (
        f"INVITE sip:703@pbx.test SIP/2.0\r\nVia: SIP/2.0/UDP {phone.here};branch={branch};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:{phone.number}@pbx.test>;tag=forged\r\nTo: <sip:703@pbx.test>\r\nCall-ID: forged@{phone.here}\r\n"
        f"CSeq: 1 INVITE\r\nContact: {phone.contact}\r\n{line}Content-Length: 0\r\n\r\n"
    )
    return (await phone.ask(text, there)).status


async def fifty_for_one(report, scene):
    """Fifty phones at three nodes park in one slot at once."""
    with report.step("three nodes join, and fifty phones talk"):
        await scene.open()
        parkers = []
        for number in range(50):
            phone = await scene.phone(NAMES[number % 3], str(1000 + number))
            parkers.append((phone, await scene.talk(phone)))
    with report.step("of fifty parks into one slot at once exactly one stands"):
        parks = [phone.park(call, "701") for phone, (_, call) in parkers]
        done = await asyncio.gather(*parks, return_exceptions=True)
        stood = [at for at, what in enumerate(done) if not isinstance(what, BaseException)]
        that(len(stood) == 1, f"{len(stood)} stand: {[str(what) for what in done][:5]}")
        that(all("486" in str(what) for at, what in enumerate(done) if at not in stood), str(done[:5]))
        where = [len(node.parked()[0]) for node in scene.nodes.values()]
        that(sorted(where) == [0, 0, 1], f"parked are {where}")
    with report.step("the other forty-nine talk on"):
        for at, (_, (far, call)) in enumerate(parkers):
            if at not in stood:
                await scene.both_hear(far, call)
    with report.step("calls into any slot at three nodes at once find a slot each"):
        left = [parker for at, parker in enumerate(parkers) if at not in stood][:3]
        await asyncio.gather(*(phone.park(call, "700") for phone, (_, call) in left))
        slots = sorted(slot for node in scene.nodes.values() for slot in node.parked()[0])
        that(slots == ["701", "702", "703", "704"], f"parked at {slots}")


async def store_away(report, scene):
    """The store is stopped, and started again."""
    with report.step("two nodes join"):
        await scene.open()
        one, other = await scene.phone("a", "101"), await scene.phone("b", "102")
        third = await scene.phone("a", "103")
        far = await scene.park(one, "701")
        await scene.seen(b=([], ["701@a"]))
    with report.step("without the store a shared slot is refused with 503, and the call goes on"):
        scene.store.stop()
        await comes("node a sees that", lambda: scene.nodes["a"].metric("parkade_cluster_connected") == 0)
        second, call = await scene.talk(third)
        why = await refused(third, call, "702")
        that("503" in why, why)
        await scene.both_hear(second, call)
        scene.nodes["a"].get("/ready")
    with report.step("any slot is one that is the node's own, and the parked call hears music"):
        await third.park(call, "700")
        await call.hang_up()
        that(scene.nodes["a"].parked()[0] == ["701", "709"], str(scene.nodes["a"].parked()))
        await hears(far, None, "the parkee")
    with report.step("when it is back all is as it was, and shared slots can be had"):
        await asyncio.to_thread(scene.store.start)
        await comes("both are back", lambda: all(
            node.metric("parkade_cluster_connected") == 1 for node in scene.nodes.values()
        ))
        await scene.seen(a=(["701", "709"], []), b=([], ["701@a"]))
        taken = await other.dial("701")
        await scene.both_hear(far, taken)
        await other.park(taken, "702")
        await scene.seen(a=(["709"], ["702@b"]), b=(["702"], []))


async def taken_over(report, scene):
    """A node is killed, and its address moves to the other machine."""
    with report.step("two nodes join, and a call is parked at one"):
        await scene.open()
        one, other = await scene.phone("a", "101"), await scene.phone("b", "102")
        far = await scene.park(one, "701")
        talking = await scene.park(one, "702")
        await asyncio.sleep(0.5)
    with report.step("it is killed; started on the other machine with its address, it has its calls"):
        first, second = scene.machines["a"], scene.machines["b"]
        node = scene.nodes["a"]
        node.kill()
        first.loses(node.address)
        far.sound.heard(), talking.sound.heard()
        second.has(node.address)
        neighbours_forget()
        await asyncio.to_thread(node.start, second)
        that(node.parked()[0] == ["701", "702"], f"it has {node.parked()}")
        await hears(far, None, "the parkee")
    with report.step("they are retrieved there and at the other node"):
        taken = await other.dial("701")
        await scene.both_hear(far, taken)
        again = await one.dial("702")
        await scene.both_hear(talking, again)
    with report.step("an instance whose name another one takes is fenced off"):
        first.has("10.0.0.101")
        with open(node.config, encoding="utf-8") as config:
            text = config.read()
        node.config += ".old"
        with open(node.config, "w", encoding="utf-8") as config:
            config.write(text.replace(node.address, "10.0.0.101").replace("door.sock", "door2.sock"))
        ran = node.process
        await asyncio.to_thread(node.start, first)
        await comes("the one that ran is told", lambda: "another instance runs under this node's name" in ran.text())
        ran.stop()


async def apart(report, scene):
    """A node is cut off from the store, and two calls come to have one slot."""
    with report.step("two nodes join, and a call is parked at one"):
        await scene.open()
        one, other = await scene.phone("a", "101"), await scene.phone("b", "102")
        far = await scene.park(one, "701")
        await scene.seen(b=([], ["701@a"]))
    with report.step("cut off for longer than its lease, its slot is free for others"):
        scene.machines["a"].is_cut_off_from(STORE)
        await scene.seen(b=([], []))
        newer = await scene.park(other, "701")
        await scene.seen(a=(["701"], []), b=(["701"], []))
    with report.step("back again, the older call has the slot and the other has moved"):
        scene.machines["a"].is_cut_off_no_more()
        await scene.seen(a=(["701"], ["702@b"]), b=(["702"], ["701@a"]))
        that(scene.nodes["b"].metric("parkade_cluster_displaced_total") == 1, "it was not counted")
        await hears(far, None, "the older call")
        await hears(newer, None, "the newer call")
    with report.step("both are retrieved at the other node"):
        first, second = await other.dial("701"), await one.dial("702")
        await scene.both_hear(far, first)
        await scene.both_hear(newer, second)


async def by_another_way(report, scene):
    """The store is reached otherwise than by one plain address."""
    with report.step(f"two nodes join by {scene.store.url.split(':')[0]}"):
        await scene.open()
        one, other = await scene.phone("a", "101"), await scene.phone("b", "102")
    with report.step("a call is parked at one, seen at the other, and retrieved there"):
        far = await scene.park(one, "701")
        await scene.seen(a=(["701"], []), b=([], ["701@a"]))
        taken = await other.dial("701")
        await scene.both_hear(far, taken)


def examples(report, folder, program):
    """What stands in deploy/cluster is understood by who reads it."""
    place = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "deploy", "cluster")
    # keepalived looks for the interface of its file.
    machine = Machine("host-x")
    with contextlib.suppress(Failure), report.story("the examples for two machines", Only(machine)):
        with report.step("parkade understands a node's configuration"):
            made = shutil.copy(os.path.join(place, "a.toml"), folder)
            with open(os.path.join(folder, "cluster.key"), "w", encoding="utf-8") as key:
                key.write("as long as a key should be\n")
            said = subprocess.run([program, "check", made], capture_output=True, text=True, timeout=30)
            that(said.returncode == 0, said.stdout + said.stderr)
        readers = {
            "keepalived": ("keepalived", ["--config-test", "-f", os.path.join(place, "keepalived.conf")]),
            "Prometheus": ("promtool", ["check", "rules", os.path.join(place, "alerts.yml")]),
        }
        for name, (reader, words) in readers.items():
            if not find_program(reader):
                report.skipped(f"{name} reads its part", f"{reader} is not installed (scripts/setup installs it)")
                continue
            with report.step(f"{name} understands its part"):
                command = machine.inside(find_program(reader), *words)
                said = subprocess.run(command, capture_output=True, text=True, timeout=30)
                that(said.returncode == 0, said.stdout + said.stderr)


class Only:
    """A machine on which nothing runs for long."""

    def __init__(self, machine):
        self.end = machine.end

    def print_logs(self):
        """There are none."""


def play(report, folder, program):
    """Every story, one after the other."""
    set_up()
    examples(report, folder, program)
    one_each = LOT.replace('slots = "701-709"', 'slots = "701-709"\nmax_calls_per_slot = 1')
    stories = (
        ("a call is retrieved at another node", retrieved_across, 2, LOT),
        ("fifty claims of one slot from three nodes", fifty_for_one, 3, one_each),
        ("the store is stopped and started", store_away, 2, LOT),
        ("a node is killed and its address moves", taken_over, 2, LOT),
        (f"a partition, longer than the lease of {LEASE} s", apart, 2, one_each),
    )
    for name, story, count, lot in stories:
        tell(report, name, story, Scene(program, folder, story.__name__, count, lot))
    for store in (Encrypted, Watched, Clustered):
        scene = Scene(program, folder, store.__name__, 2, store=store)
        tell(report, f"the store: {store.__doc__.split('.')[0].lower()}", by_another_way, scene)


def tell(report, name, story, scene):
    """Plays one story."""
    with contextlib.suppress(Failure), report.story(name, Ended(scene)):
        asyncio.run(told(story, report, scene))


class Ended:
    """The scene has ended with its loop; its logs are still there."""

    def __init__(self, scene):
        self.print_logs, self.scene = scene.print_logs, scene

    def end(self):
        """Nothing more to do."""


async def told(story, report, scene):
    """Plays a story; whoever is in it goes before the loop does."""
    try:
        await story(report, scene)
    finally:
        scene.end()
