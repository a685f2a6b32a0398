"""Machines: network namespaces on one bridge, in a network that belongs to this test alone."""

import os
import subprocess

from processes import find_program, until

# The bridge has the addresses of whoever runs beside the machines.
STORE, PBX, PHONES = "10.0.0.5", "10.0.0.50", "10.0.1.1"
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def does(*words):
    """Runs a command that must succeed."""
    subprocess.run(words, check=True, timeout=20, env={**os.environ, "PATH": PATH})


def set_up():
    """The bridge."""
    does("ip", "link", "set", "lo", "up")
    does("ip", "link", "add", "br0", "type", "bridge")
    for address in (STORE, PBX, PHONES):
        does("ip", "address", "add", f"{address}/16", "dev", "br0")
    does("ip", "link", "set", "br0", "up")


def neighbours_forget():
    """Who is where is asked anew: keepalived tells the neighbours of an address that has moved, we do not."""
    does("ip", "neigh", "flush", "dev", "br0")


class Machine:
    """A machine with one cable to the bridge."""

    def __init__(self, name):
        self.name = name
        # What holds the namespace; it ends with this test, as all that runs in here.
        self.holder = subprocess.Popen([find_program("unshare"), "--net", "sleep", "infinity"])
        self.place = f"/proc/{self.holder.pid}/ns/net"
        ours = os.stat("/proc/self/ns/net").st_ino
        until(f"machine {name} has a network of its own", lambda: os.stat(self.place).st_ino != ours)
        does("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-there")
        does("ip", "link", "set", f"{name}-there", "netns", str(self.holder.pid))
        self.does("ip", "link", "set", f"{name}-there", "name", "eth0")
        does("ip", "link", "set", name, "master", "br0", "up")
        self.does("ip", "link", "set", "lo", "up")
        self.does("ip", "link", "set", "eth0", "up")
        self.does("nft", "add", "table", "inet", "story")
        self.does("nft", "add chain inet story said { type filter hook output priority 0; }")

    def inside(self, *words):
        """The command that runs another one there."""
        return [find_program("nsenter"), f"--net={self.place}", *words]

    def does(self, *words):
        """Runs a command there that must succeed."""
        does(*self.inside(*words))

    def has(self, address):
        """It has an address more."""
        self.does("ip", "address", "add", f"{address}/16", "dev", "eth0")

    def loses(self, address):
        """It has it no more."""
        self.does("ip", "address", "del", f"{address}/16", "dev", "eth0")

    def is_cut_off_from(self, address):
        """From now on nothing that it sends there arrives."""
        self.does("nft", "add", "rule", "inet", "story", "said", "ip", "daddr", address, "drop")

    def is_cut_off_no_more(self):
        """All that it sends arrives again."""
        self.does("nft", "flush", "chain", "inet", "story", "said")

    def end(self):
        """It is gone."""
        self.holder.kill()
        self.holder.wait()
