"""Three networks in a row, phones, Parkade and PBX, joined by virtual cables.

The script runs anew in network, mount and process namespaces of its own, which are Parkade's; the other two networks
are made in there. All of it ends with the script, however that ends, and nothing outside is changed.

Receive steering has each core do its own side's work: what comes out of a cable towards Parkade is dealt with on core
UNDER_TEST, what comes out towards phones and PBX on core LOAD. (A cable delivers on the sender's core otherwise.)
"""

import contextlib
import ctypes
import glob
import os
import socket
import subprocess
import sys

from measured import LOAD, UNDER_TEST, Where, find_program

# Networks that documentation may use (RFC 5737).
PHONES, PARKADE_FOR_PHONES = "192.0.2.10", "192.0.2.1"
PBX, PARKADE_FOR_PBX = "198.51.100.10", "198.51.100.1"
SIP = 5060
WHERE = Where(PARKADE_FOR_PHONES, PARKADE_FOR_PBX, "192.0.2.0/24", PBX)

# Programs, and the Debian packages that have them.
NEEDS = {"unshare": "util-linux", "setpriv": "util-linux", "taskset": "util-linux", "ip": "iproute2"}

FOLDER = "/run/netns"
SETNS = ctypes.CDLL(None, use_errno=True).setns
INSIDE = "--inside"

SET_UP = f"""
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
mkdir -p {FOLDER}
mount -t tmpfs none {FOLDER}
mount -t sysfs none /sys
ip link set lo up
for side in "phones {PARKADE_FOR_PHONES} {PHONES}" "pbx {PARKADE_FOR_PBX} {PBX}"; do
    set -- $side
    ip netns add "$1"
    ip link add "to-$1" type veth peer name cable netns "$1"
    ip address add "$2/24" dev "to-$1"
    ip link set "to-$1" up
    ip -netns "$1" address add "$3/24" dev cable
    ip -netns "$1" link set lo up
    ip -netns "$1" link set cable up
    ip -netns "$1" route add default via "$2"
done
"""


def enter(say):
    """Goes on in networks of its own; returns only in there. Where there can be none, says why and ends."""
    if INSIDE in sys.argv:
        sys.argv.remove(INSIDE)
        os.sched_setaffinity(0, {LOAD})
        subprocess.run(["sh", "-ec", SET_UP], check=True)
        steer(True)
        return
    for program, package in NEEDS.items():
        if not find_program(program):
            say(f"SKIPPED: the Debian package {package} is not installed (scripts/setup bench installs it)")
            raise SystemExit(0)
    if os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
        say("SKIPPED: only root may make these networks, and it takes two cores, one for the load, one for what is measured")
        raise SystemExit(0)
    # Should this process end without a word, they all end.
    unshare = [find_program("setpriv"), "--pdeathsig", "KILL", find_program("unshare")]
    unshare += ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    process = subprocess.Popen([*unshare, sys.executable, *sys.argv, INSIDE])
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # it has been told too, and tidies up
            raise SystemExit(process.wait())


def steer(on):
    """Has each core deal with what comes for its side, or leaves that to the core that sends."""
    for core, inside in ((UNDER_TEST, None), (LOAD, "phones"), (LOAD, "pbx")):
        mask, ends = f"{1 << core:x}" if on else "0", "cable" if inside else "to-*"
        script = f"for queue in /sys/class/net/{ends}/queues/rx-*; do echo {mask} >$queue/rps_cpus; done"
        # `ip netns exec` shows the /sys of that network.
        wrapped = [find_program("ip"), "netns", "exec", inside] if inside else []
        subprocess.run([*wrapped, "sh", "-ec", script], check=True)


def set_forwarding(on):
    """Whether Parkade's network forwards packets between its two sides."""
    for place in ("/proc/sys/net/ipv4/ip_forward", *glob.glob("/proc/sys/net/ipv4/conf/to-*/forwarding")):
        with open(place, "w") as setting:
            setting.write("1" if on else "0")


def file_of(network):
    """The file by which one of the other networks is entered."""
    return os.path.join(FOLDER, network)


def udp_socket(network, address, port):
    """A UDP socket in one of the other networks."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(file_of(network), os.O_RDONLY)
    try:
        if SETNS(there, 0) != 0:
            raise OSError(ctypes.get_errno(), f"the network {network} cannot be entered")
        try:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            udp.bind((address, port))
            return udp
        finally:
            if SETNS(home, 0) != 0:
                raise OSError(ctypes.get_errno(), "there is no way back into the network of Parkade")
    finally:
        os.close(there)
        os.close(home)
