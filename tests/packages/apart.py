"""Stories that are played apart: in mount, process and, if wanted, network namespaces that end with the test."""

import json
import os
import signal
import subprocess
import sys

from processes import find_program

HERE = os.path.dirname(os.path.abspath(__file__))
NEEDS = {"unshare": "util-linux", "setpriv": "util-linux"}

# What runs keeps notes in /run, which is ours in here. Podman's crun knows no mixture of cgroup v1 and v2.
SET_UP = """
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
mount -t tmpfs tmpfs /run
test -e /sys/fs/cgroup/cgroup.procs || mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec "$@"
"""


def play(report, name, script, parkade, needs, network=False):
    """Plays a script of this folder, `SCRIPT FOLDER PARKADE`, and counts its steps; says why where it cannot be played.

    `needs` are programs and the Debian packages that have them. With `network` it has one of its own, with nothing in it.
    """
    if os.geteuid() != 0:
        report.skipped(name, "only root can play it")
        return
    for program, package in (needs | NEEDS).items():
        if not find_program(program):
            report.skipped(name, f"the Debian package {package} is not installed (scripts/setup installs it)")
            return
    tried = subprocess.run(command(["true"], network), capture_output=True, text=True, timeout=30)
    if tried.returncode != 0:
        report.skipped(name, f"this machine makes no such namespaces ({tried.stderr.strip()})")
        return
    folder = os.path.join(report.folder, script.removesuffix(".py"))
    os.makedirs(folder)
    # Its steps are printed by itself.
    story = subprocess.Popen(
        command([sys.executable, os.path.join(HERE, script), folder, parkade], network), stdin=subprocess.DEVNULL
    )
    try:
        status = story.wait(120)
    except subprocess.TimeoutExpired:
        status = "none in time"
    finally:
        story.send_signal(signal.SIGKILL)  # and with it all that runs in there
        story.wait()
    add_counts(report, name, folder, f"status {status}")


def add_counts(report, name, folder, ended):
    """Adds the counts that the story has left; a story that has left none broke off."""
    try:
        with open(os.path.join(folder, "counts")) as counts:
            passes, failures, skips = json.load(counts)
    except OSError:
        report.failed(name, f"the story broke off: {ended}")
        return
    report.passes += passes
    report.failures += failures
    report.skips += skips


def leave_counts(report):
    """Leaves the counts of a story that was played apart."""
    with open(os.path.join(report.folder, "counts"), "w") as out:
        json.dump([report.passes, report.failures, report.skips], out)


def command(inside, network):
    """The command that runs `inside` apart."""
    # Should we end without a word, it ends too, and all in there with it.
    line = [find_program("setpriv"), "--pdeathsig", "KILL", find_program("unshare"), *(["--net"] if network else [])]
    return [*line, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", SET_UP, "sh", *inside]
