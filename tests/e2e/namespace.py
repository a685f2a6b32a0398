"""A network of one's own: a Linux namespace with nothing but loopback, whose /etc/resolv.conf names our DNS server.

What runs in it has process, mount and network namespaces that belong to no file: they end with the command that was
started in them, and with whoever started it, however that ends. Nothing outside of them is changed.
"""

import json
import os
import subprocess
import sys

from processes import find_program

NAME_SERVER = "192.0.2.53"
# Addresses that documentation may use (RFC 5737, RFC 3849), all of them on this namespace's loopback.
ADDRESSES = [NAME_SERVER] + [f"192.0.2.{n}" for n in (1, 2, 3, 4, 5, 10, 20, 100)]
ADDRESSES += [f"2001:db8::{n}" for n in (1, 2, 3, 4, 5, 10, 20, 30)]

# Programs, and the Debian packages that have them.
NEEDS = {"unshare": "util-linux", "setpriv": "util-linux", "ip": "iproute2"}
NEEDS |= {"nft": "nftables", "dnsmasq": "dnsmasq-base"}

# The table shows at once whether packets can be dropped here; it has no rule yet.
SET_UP = """
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
ip link set lo up
for address in {addresses}; do ip address add "$address" dev lo; done
mount --bind "$1" /etc/resolv.conf
nft add table inet story
nft 'add chain inet story heard {{ type filter hook input priority 0; }}'
shift
exec "$@"
"""


def play(report, script, parkade):
    """Plays the story of that script in a network of its own, and counts its steps; says so where there can be none."""
    folder = os.path.join(report.folder, os.path.basename(script).removesuffix(".py"))
    os.makedirs(folder)
    resolv_conf = os.path.join(folder, "resolv.conf")
    with open(resolv_conf, "w") as out:
        out.write(f"nameserver {NAME_SERVER}\n")
    why = why_not(resolv_conf)
    if why:
        report.skipped("the PBX is found in the DNS", why)
        return
    # Its steps are printed by itself.
    process = subprocess.Popen(
        command(resolv_conf, [sys.executable, script, folder, os.path.abspath(parkade), find_program("dnsmasq")]),
        stdin=subprocess.DEVNULL,
    )
    try:
        status = process.wait()
    finally:
        process.kill()  # and with it all that runs in there
        process.wait()
    try:
        with open(os.path.join(folder, "counts")) as counts:
            passes, failures = json.load(counts)
    except OSError:
        report.failed("the PBX is found in the DNS", f"the story broke off with status {status}")
        return
    report.passes += passes
    report.failures += failures


def why_not(resolv_conf):
    """Why there can be no such network on this machine, or None."""
    for program, package in NEEDS.items():
        if not find_program(program):
            return f"the Debian package {package} is not installed (scripts/setup installs it)"
    tried = subprocess.run(command(resolv_conf, ["true"]), capture_output=True, text=True, timeout=30)
    if tried.returncode == 0:
        return None
    said = tried.stderr.strip().splitlines() or [f"status {tried.returncode}"]
    return f"this machine makes no such namespaces ({said[-1]})"


def command(resolv_conf, inside):
    """The command that runs `inside` in a new network, where that file is /etc/resolv.conf."""
    # Should we end without a word, it ends too, and all in there with it.
    unshare = [find_program("setpriv"), "--pdeathsig", "KILL"]
    unshare += [find_program("unshare"), "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        unshare.append("--map-root-user")
    set_up = SET_UP.format(addresses=" ".join(ADDRESSES))
    return unshare + ["sh", "-ec", set_up, "sh", resolv_conf] + inside


def drop_packets_to(addresses):
    """From now on nothing that is sent to these addresses arrives, and no sender is told; only in a namespace."""
    for address in addresses:
        family = "ip6" if ":" in address else "ip"
        _nft("add", "rule", "inet", "story", "heard", family, "daddr", address, "drop")


def drop_nothing():
    """All packets arrive again."""
    _nft("flush", "chain", "inet", "story", "heard")


def _nft(*words):
    subprocess.run([find_program("nft"), *words], check=True, timeout=10)
