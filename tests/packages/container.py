"""The container: built from deploy/Containerfile and run, in mount and process namespaces that end with the test."""

import json
import os
import signal
import subprocess
import sys

from processes import find_program

HERE = os.path.dirname(os.path.abspath(__file__))
# Programs, and the Debian packages that have them.
NEEDS = {"podman": "podman", "crun": "crun", "ldd": "libc-bin", "unshare": "util-linux", "setpriv": "util-linux"}

# Podman keeps notes of what runs in /run, which is ours in here, and crun knows no mixture of cgroup v1 and v2.
SET_UP = """
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
mount -t tmpfs tmpfs /run
test -e /sys/fs/cgroup/cgroup.procs || mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec "$@"
"""


def image(report, parkade):
    """Builds the image around this program, and has it run."""
    name = "the container"
    if os.geteuid() != 0:
        report.skipped(name, "only root can build it here")
        return
    for program, package in NEEDS.items():
        if not find_program(program):
            report.skipped(name, f"the Debian package {package} is not installed (scripts/setup installs it)")
            return
    tried = subprocess.run(namespace(["true"]), capture_output=True, text=True, timeout=30)
    if tried.returncode != 0:
        report.skipped(name, f"this machine makes no such namespaces ({tried.stderr.strip()})")
        return
    folder = os.path.join(report.folder, "container")
    os.makedirs(folder)
    # Its steps are printed by itself.
    story = subprocess.Popen(
        namespace([sys.executable, os.path.join(HERE, "contained.py"), folder, parkade]), stdin=subprocess.DEVNULL
    )
    try:
        status = story.wait(120)
    except subprocess.TimeoutExpired:
        status = "none in time"
    finally:
        story.send_signal(signal.SIGKILL)  # and with it all that runs in there
        story.wait()
    try:
        with open(os.path.join(folder, "counts")) as counts:
            passes, failures, skips = json.load(counts)
    except OSError:
        report.failed(name, f"the story broke off with status {status}")
        return
    report.passes += passes
    report.failures += failures
    report.skips += skips


def namespace(inside):
    """The command that runs `inside` apart."""
    # Should we end without a word, it ends too, and all in there with it.
    line = [find_program("setpriv"), "--pdeathsig", "KILL", find_program("unshare")]
    return [*line, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", SET_UP, "sh", *inside]
