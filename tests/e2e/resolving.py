#!/usr/bin/env python3
"""The story of a PBX that is found in the DNS (RFC 3263), played inside of a network namespace (namespace.py).

    resolving.py FOLDER PARKADE DNSMASQ

dnsmasq serves the zone; small SIP ends play the PBX's hosts and the phones. A Parkade for each name, so that the
waiting for one is the others' time. Prints a line for each step and leaves their count in FOLDER/counts.
"""

import json
import os
import re
import signal
import sys
import time

sys.dont_write_bytecode = True

from namespace import NAME_SERVER, drop_nothing, drop_packets_to
from processes import Failure, Program, takes_tcp, until
from sip_ends import Desk, Host, field, status
from steps import Report

# The records' life, in seconds.
TTL = 2
# Parkade asks this often at most, however short that is,
SHORTEST = 30
# and this soon again for a name that led nowhere.
LOOK_SOON = 5
# It gives a host that keeps silent this long; longer than it takes where the network says that nobody is there.
FAILOVER_AFTER = 2
# It waits this long for the name server.
DNS_PATIENCE = 6

CONFIG = """\
[phones]
listen = ["udp:192.0.2.{n}:5060", "tcp:192.0.2.{n}:5060"]

[pbx]
target = ["sip:{name}"]
listen = [
    "udp:192.0.2.{n}:5080", "tcp:192.0.2.{n}:5080",
    "udp:[2001:db8::{n}]:5080", "tcp:[2001:db8::{n}]:5080",
]
failover_after = "{failover_after}s"
failover_rest = "1s"

[media]
phones_address = "192.0.2.{n}"
pbx_address = "192.0.2.{n}"
ports = "30000-30099"

[admin]
socket = "{folder}/parkade.sock"
"""

# Two hosts by priority, on ports that no default leads to; UDP is preferred to TCP.
PBX = """\
naptr-record=pbx.example,10,10,s,SIP+D2U,,_sip._udp.pbx.example
naptr-record=pbx.example,10,20,s,SIP+D2T,,_sip._tcp.pbx.example
srv-host=_sip._udp.pbx.example,two.pbx.example,5072,20,0
srv-host=_sip._udp.pbx.example,one.pbx.example,5071,10,0
srv-host=_sip._tcp.pbx.example,two.pbx.example,5072,20,0
srv-host=_sip._tcp.pbx.example,one.pbx.example,5071,10,0
host-record=one.pbx.example,192.0.2.10,2001:db8::10
host-record=two.pbx.example,192.0.2.20,2001:db8::20
"""
MOVES = """\
naptr-record=moves.example,10,10,s,SIP+D2U,,_sip._udp.moves.example
srv-host=_sip._udp.moves.example,{host}.pbx.example,{port},10,0
"""
# Two hosts, and which of them is the better one changes.
SWAPS = """\
srv-host=_sip._udp.swaps.example,one.pbx.example,5071,{one},0
srv-host=_sip._udp.swaps.example,two.pbx.example,5072,{two},0
"""
# Preferred by TCP, and reached by IPv6 only.
LATE = """\
naptr-record=late.example,10,20,s,SIP+D2U,,_sip._udp.late.example
naptr-record=late.example,10,10,s,SIP+D2T,,_sip._tcp.late.example
srv-host=_sip._udp.late.example,two.pbx.example,5072,10,0
srv-host=_sip._tcp.late.example,six.late.example,5073,10,0
host-record=six.late.example,2001:db8::30
"""


class Scene:
    """The DNS server, the PBX's hosts, the Parkades and their phones."""

    def __init__(self, folder, parkade, dnsmasq):
        self.folder, self.parkade, self.dnsmasq = folder, parkade, dnsmasq
        self.programs, self.ends = [], []
        self.servers = 0
        self.dns = None

    def serve(self, *records):
        """The DNS says this from now on, and nothing else."""
        if self.dns:
            self.dns.stop()
            self.programs.remove(self.dns)
        self.servers += 1
        zone = os.path.join(self.folder, f"dnsmasq-{self.servers}.conf")
        with open(zone, "w") as out:
            out.write(f"local=/example/\nlocal-ttl={TTL}\n" + "".join(records))
        # --no-daemon, so that it does not take another user's place: a namespace may have but one.
        command = [self.dnsmasq, "--no-daemon", f"--conf-file={zone}", "--no-resolv", "--no-hosts", "--bind-interfaces"]
        command += [f"--listen-address={NAME_SERVER}", "--pid-file=", "--log-queries", "--log-facility=-"]
        self.dns = Program("dnsmasq", command, os.path.join(self.folder, f"dnsmasq-{self.servers}.log"))
        self.programs.append(self.dns)
        until("dnsmasq has started", lambda: " started," in self.dns.text() or not self.dns.runs())
        if not self.dns.runs():
            raise Failure(f"dnsmasq {self.dns.state()}")

    def start_parkade(self, n, name):
        """A Parkade whose PBX has that name, its addresses ending in `n`, and a phone of it."""
        folder = os.path.join(self.folder, name)
        os.makedirs(folder)
        config = os.path.join(folder, "parkade.toml")
        with open(config, "w") as out:
            out.write(CONFIG.format(n=n, name=name, folder=folder, failover_after=FAILOVER_AFTER))
        program = Program(
            f"Parkade of {name}", [self.parkade, "run", "--config", config], os.path.join(folder, "parkade.log")
        )
        self.programs.append(program)
        until(f"{program.name} listens", lambda: takes_tcp(f"192.0.2.{n}", 5060) or not program.runs())
        if not program.runs():
            raise Failure(f"{program.name} {program.state()}")
        desk = Desk("192.0.2.100", f"192.0.2.{n}", name)
        self.ends.append(desk)
        return program, desk

    def host(self, addresses, port):
        """A host of the PBX."""
        host = Host(addresses, port)
        self.ends.append(host)
        return host

    def asked(self):
        """What the DNS server of now was asked, as (type, name)."""
        return set(re.findall(r"query\[(\w+)\] (\S+) from", self.dns.text()))

    def print_logs(self):
        """The ends of the programs' logs, for whoever looks at a failure."""
        for program in self.programs:
            print(f"   {program.name} ({program.state()}):")
            for line in [line for line in program.text().splitlines() if line.strip()][-16:]:
                print(f"   | {line}")

    def end(self):
        """Ends all of it."""
        for end in self.ends:
            end.close()
        for program in self.programs:
            program.stop()


def is_ok(response):
    """Fails unless the response is 200."""
    if status(response) != 200:
        raise Failure(f"the answer is {response.splitlines()[0]}")


def marks(hosts):
    """Where the journals end now."""
    return [len(host.journal) for host in hosts]


def came_to(host, transport, method, hosts, since):
    """Fails unless the requests of this method since then came to that host, by that transport, and to no other."""
    got = {(h.port, entry[0]) for h, mark in zip(hosts, since) for entry in h.heard(method, mark)}
    if got != {(host.port, transport)}:
        raise Failure(f"{method} came to {sorted(got) or 'nobody'}, not to port {host.port} by {transport}")


def registers_at(desk, hosts, host, transport="udp"):
    """A REGISTER of this phone comes to that host and no other."""
    since = marks(hosts)
    is_ok(desk.register())
    came_to(host, transport, "REGISTER", hosts, since)


def calls_at(desk, hosts, host):
    """A call of this phone is answered by that host, which gets its ACK and its BYE too; the seconds that it took."""
    since, start = marks(hosts), time.monotonic()
    is_ok(desk.call())
    took = time.monotonic() - start
    for method in ("INVITE", "ACK", "BYE"):
        until(f"{method} comes to port {host.port}", lambda m=method: any(h.heard(m, k) for h, k in zip(hosts, since)))
        came_to(host, "udp", method, hosts, since)
    return took


def found(desk, seconds=8.0):
    """Waits until the phone's REGISTER is answered by the PBX, whichever host that is."""
    until("the PBX is found", lambda: status(desk.register()) == 200, seconds, pause=0.2)


def back(desk, host):
    """Waits until that host, which had kept silent, gets a REGISTER again."""

    def again():
        mark = len(host.journal)
        return status(desk.register()) == 200 and host.heard("REGISTER", mark)

    until(f"port {host.port} is asked again", again, pause=0.2)


def play(report, scene):
    """The whole story."""
    with report.story("the PBX is found in the DNS", scene):
        with report.step("a DNS server, three hosts of the PBX, a Parkade for each name"):
            scene.serve(PBX, MOVES.format(host="one", port=5071), SWAPS.format(one=10, two=20))
            one = scene.host(["192.0.2.10", "2001:db8::10"], 5071)
            two = scene.host(["192.0.2.20", "2001:db8::20"], 5072)
            six = scene.host(["2001:db8::30"], 5073)
            hosts = [one, two, six]
            moving, mover = scene.start_parkade(2, "moves.example")
            fixed, desk = scene.start_parkade(1, "pbx.example")
            swapping, swapper = scene.start_parkade(4, "swaps.example")
            late, latecomer = scene.start_parkade(3, "late.example")
        with report.step("a REGISTER for the name that will move comes to the first host"):
            found(mover)
            found_at = time.monotonic()
            registers_at(mover, hosts, one)
            found(swapper)
            registers_at(swapper, hosts, one)
            if "PBX target sip:moves.example is at udp:192.0.2.10:5071" not in moving.text():
                raise Failure("the log does not say where it is")
        with report.step("a REGISTER goes by UDP to the host of the best priority, at its port"):
            found(desk)
            registers_at(desk, hosts, one)
        with report.step("a call goes there, with its ACK and its BYE"):
            calls_at(desk, hosts, one)
        with report.step("the DNS was asked for NAPTR, SRV, A and AAAA"):
            wanted = {("NAPTR", "pbx.example")}
            wanted |= {("SRV", f"_sip._{transport}.pbx.example") for transport in ("udp", "tcp")}
            wanted |= {(kind, f"{host}.pbx.example") for kind in ("A", "AAAA") for host in ("one", "two")}
            if wanted - scene.asked():
                raise Failure(f"not for {sorted(wanted - scene.asked())}")
        with report.step("a name that does not exist: 503 with Retry-After, and the log says so"):
            until("a line in the log", lambda: "PBX target sip:late.example has no address" in late.text())
            for answer in (latecomer.register(), latecomer.call()):
                if status(answer) != 503 or not field(answer, "Retry-After"):
                    raise Failure(f"the answer is {answer.splitlines()[0]}, Retry-After {field(answer, 'Retry-After')}")
            said = "the DNS has no records that lead to it (NAPTR, SRV, A, AAAA); see whether pbx.target is spelt right"
            if late.text().count(said) != 1:
                raise Failure("the log does not say once why, and what to do")
        with report.step("the records change: one name moves, two hosts swap priorities, the missing name appears"):
            scene.serve(PBX, MOVES.format(host="two", port=5072), SWAPS.format(one=20, two=10), LATE)
        with report.step("where nothing listens, the call goes on to the second host, without waiting for long"):
            one.close()
            took = calls_at(desk, hosts, two)
            if took >= FAILOVER_AFTER:
                raise Failure(f"after {took:.2f} s only")
            if "PBX address 192.0.2.10:5071 does not answer" not in fixed.text():
                raise Failure("no line in the log says that the first one is dead")
        with report.step("the first host is back and gets the calls again"):
            one.listen()
            back(desk, one)
            calls_at(desk, hosts, one)
        with report.step("where packets are lost, the call goes on to the second host"):
            drop_packets_to(one.addresses)
            took = calls_at(desk, hosts, two)
            drop_nothing()
            if took < FAILOVER_AFTER:
                raise Failure(f"after {took:.2f} s already, so no packet was lost")
        with report.step("where the first host answers 503, the second is asked"):
            back(desk, one)
            one.busy, since = True, marks(hosts)
            is_ok(desk.register())
            one.busy = False
            if not one.heard("REGISTER", since[0]) or not two.heard("REGISTER", since[1]):
                raise Failure("the two were not both asked")
        with report.step("the name that was missing is found, by TCP, at a host that has only IPv6"):
            found(latecomer, LOOK_SOON + 3)
            registers_at(latecomer, hosts, six, "tcp")
        with report.step("where the stream is closed without an answer, the REGISTER goes on by UDP at once"):
            six.hangs_up, since, start = True, marks(hosts), time.monotonic()
            is_ok(latecomer.register())
            six.hangs_up, took = False, time.monotonic() - start
            if not six.heard("REGISTER", since[2]) or not two.heard("REGISTER", since[1]):
                raise Failure("the two were not both asked")
            if took >= FAILOVER_AFTER:
                raise Failure(f"after {took:.2f} s only")
            back(latecomer, six)
        with report.step("where TCP is refused, the REGISTER goes on by UDP to the next way's host"):
            six.close()
            registers_at(latecomer, hosts, two)
        with report.step("where no host is left, the answer is 503 at once"):
            two.close()
            start = time.monotonic()
            answer, took = latecomer.register(), time.monotonic() - start
            two.listen()
            if status(answer) != 503 or took >= 0.4:
                raise Failure(f"the answer is {answer.splitlines()[0]}, after {took:.2f} s")
        life = f"its records hold {TTL} s, Parkade asks every {SHORTEST} s"
        with report.step(f"the name that has moved is followed ({life})"):
            again = ("SRV", "_sip._udp.moves.example")
            until("Parkade asks again", lambda: again in scene.asked(), found_at + SHORTEST + 5 - time.monotonic())
            back(mover, two)
            registers_at(mover, hosts, two)
            calls_at(mover, hosts, two)
            if "PBX target sip:moves.example has moved to udp:192.0.2.20:5072" not in moving.text():
                raise Failure("the log does not say where it is now")
        with report.step("and so are the priorities that have changed"):
            back(swapper, two)
            registers_at(swapper, hosts, two)
        with report.step("a name server that is dead is told in the log, once, with what to do"):
            drop_packets_to([NAME_SERVER])
            deaf, _ = scene.start_parkade(5, "deaf.example")
            said = "asked for NAPTR deaf.example, no name server answers; see whether the name servers in"
            until("a line in the log", lambda: said in deaf.text(), DNS_PATIENCE + 2)
            drop_nothing()
        with report.step("the Parkades end well"):
            for program in (fixed, moving, swapping, late, deaf):
                if program.stop() != 0:
                    raise Failure(f"{program.name} {program.state()}")


def main():
    folder, parkade, dnsmasq = sys.argv[1:]
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(SystemExit("FAILED names: over its time")))
    signal.alarm(120)
    report = Report(folder)
    play(report, Scene(folder, parkade, dnsmasq))
    with open(os.path.join(folder, "counts"), "w") as out:
        json.dump([report.passes, report.failures], out)


if __name__ == "__main__":
    main()
