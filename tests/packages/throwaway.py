"""A throwaway copy of this system: an overlay over its root, booted by its own systemd in namespaces of its own.

What runs in there may install, start and remove what it likes; nothing of it is seen outside, and nothing is left when it
has ended or was killed. It has a network of its own, with nothing but loopback in it. Of this system only what a test
needs is started: no timers, none of its services.
"""

import os
import shutil
import subprocess

from apart import add_counts
from processes import find_program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Programs, and the Debian packages that have them.
NEEDS = {"systemd-nspawn": "systemd-container", "unshare": "util-linux", "setpriv": "util-linux"}

# Where the sources are in there, and the folder that both sides see. Not below /tmp, which is emptied at each boot.
SOURCES, SHARED = "/parkade-sources", "/parkade-story"

# $1 is an empty folder, $2 the folder that both sides see, with the unit to start; $3 the sources.
BOOT = """
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
place=$1 shared=$2 sources=$3
mount -t tmpfs tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$place/root"
mount -t tmpfs tmpfs /run
cd "$place/root"
test -x lib/systemd/systemd
: > etc/fstab
echo 5061726b616465000000000000000001 > etc/machine-id
rm -f usr/sbin/policy-rc.d etc/dpkg/dpkg.cfg.d/*
mkdir -p etc/systemd/system
ln -sf /dev/null etc/systemd/system/timers.target
cp "$shared/story.service" etc/systemd/system/story.service
# bpf for the fast path with one SSRC; a machine that has it not to give says so, and goes on.
exec systemd-nspawn --capability=CAP_BPF --system-call-filter=bpf --quiet --register=no --keep-unit --private-network --machine=parkade-story --console=pipe \
    --directory=. --bind="$shared:{shared}" --bind-ro="$sources:{sources}" \
    --boot -- systemd.unit=story.service systemd.show_status=0 systemd.log_level=warning
"""

UNIT = """\
[Unit]
SuccessAction=exit
FailureAction=exit
Requires=basic.target
After=basic.target
[Service]
Type=oneshot
StandardOutput=file:{shared}/output
StandardError=inherit
Environment=PYTHONUNBUFFERED=1
ExecStart={command}
"""


def why_not(folder):
    """Why there can be no such system on this machine, or None."""
    if os.geteuid() != 0:
        return "only root can make such a system"
    for program, package in NEEDS.items():
        if not find_program(program):
            return f"the Debian package {package} is not installed (scripts/setup installs it)"
    output, said = boot(os.path.join(folder, "trial"), ["/bin/true"], 60)
    if os.path.exists(output):
        return None
    return f"this machine boots no systemd in a namespace ({(said or ['it says nothing'])[-1]})"


def play(report, script, files):
    """Plays the script, which is among the sources, in such a system with these files; shows its steps and counts them."""
    name = os.path.basename(script).removesuffix(".py")
    folder = os.path.join(report.folder, name)
    os.makedirs(folder)
    for file in files:
        shutil.copy(file, folder)
    # Not the Python that runs us: a shim in somebody's home folder may not work in there.
    inside = ["/usr/bin/python3", os.path.join(SOURCES, os.path.relpath(script, ROOT)), SHARED]
    output, said = boot(folder, inside + [os.path.join(SHARED, os.path.basename(file)) for file in files], 180)
    if os.path.exists(output):
        with open(output, errors="replace") as lines:
            print(lines.read(), end="", flush=True)
    add_counts(report, name, folder, "; ".join(said[-5:]))


def boot(folder, command, seconds):
    """Boots it, runs the command, ends it. The file that has what the command printed, and what systemd said."""
    os.makedirs(os.path.join(folder, "place"))
    output = os.path.join(folder, "output")
    with open(os.path.join(folder, "story.service"), "w") as out:
        out.write(UNIT.format(shared=SHARED, command=" ".join(command)))
    # Should we end without a word, it ends too, and all in there with it: the first process of a PID namespace.
    line = [find_program("setpriv"), "--pdeathsig", "KILL", find_program("unshare")]
    line += ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    set_up = BOOT.format(shared=SHARED, sources=SOURCES)
    line += ["sh", "-ec", set_up, "sh", os.path.join(folder, "place"), folder, ROOT]
    try:
        done = subprocess.run(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds
        )
        said = done.stdout
    except subprocess.TimeoutExpired as over:
        said = (over.stdout or b"").decode(errors="replace") + f"\nended after {seconds} s"
    return output, [line for line in said.splitlines() if line.strip()]
