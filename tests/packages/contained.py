"""The story of the container, played inside of namespaces (apart.py).

    contained.py FOLDER PARKADE

deploy/Containerfile is built by podman. Its two images come from a registry, which a test does not ask: two stand in for
them, a builder whose cargo has the program ready, and a base with no more in it than the libraries that the program
names. Prints a line for each step and leaves their counts in FOLDER/counts.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from apart import leave_counts  # noqa: E402
from processes import Failure, until  # noqa: E402
from steps import Report  # noqa: E402

# What the Containerfile has it do; another order or another place of the program is a failure.
STAND_IN = """\
#!/bin/sh -e
test "$*" = "build --release --locked -p parkade"
for crate in crates/*/; do test -f "$crate/Cargo.toml" && test -f "$crate/src/lib.rs"; done
grep -q '^name = "parkade"' Cargo.lock
install -D /stand-in/parkade target/release/parkade
"""
CONFIG = '[pbx]\ntarget = ["sip:127.0.0.1:5070"]\n'


class Podman:
    """Podman, with all that it keeps in a folder of ours."""

    def __init__(self, folder):
        self.folder = folder
        self.line = ["podman", f"--root={folder}/storage", "--runroot=/run/storage", "--tmpdir=/run/libpod"]
        self.line += ["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--log-level=error"]
        # It would raise the limits, which not every root may.
        files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
        self.limits = [f"--ulimit=nofile={files}:{files}", "--ulimit=nproc=4096:4096", "--cgroups=disabled"]

    def does(self, *words, status=0, seconds=60):
        """What podman prints."""
        done = subprocess.run(
            [*self.line, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
        )
        said = done.stdout + done.stderr
        if done.returncode != status:
            raise Failure(f"podman {words[0]} ended with {done.returncode}: {said.strip()[-600:]}")
        return said

    def runs(self, *words, **more):
        """A container as the head of the Containerfile has it, but with no network."""
        return self.does("run", "--network=none", "--read-only", "--cap-drop=all", *self.limits, *words, **more)

    def print_logs(self):
        """What the container has logged."""
        shown = subprocess.run([*self.line, "logs", "parkade"], capture_output=True, text=True, timeout=30)
        for line in (shown.stdout + shown.stderr).splitlines()[-20:]:
            print(f"   | {line}")

    def end(self):
        """Ends what runs, and lets go of what is mounted."""
        subprocess.run([*self.line, "rm", "--all", "--force", "--time=0"], capture_output=True, timeout=60)
        subprocess.run(["umount", "--all-targets", f"{self.folder}/storage/vfs"], capture_output=True, timeout=60)


def stand_ins(podman, folder, parkade):
    """Makes the two images."""
    builder, base = os.path.join(folder, "builder"), os.path.join(folder, "base")
    for place in ("usr", "lib", "lib64", "bin", "tmp", "stand-in"):
        os.makedirs(os.path.join(builder, place))
    # Without what is for debuggers: podman copies it several times.
    subprocess.run(["strip", "-o", os.path.join(builder, "stand-in", "parkade"), parkade], check=True, timeout=60)
    with open(os.path.join(builder, "stand-in", "cargo"), "w") as out:
        out.write(STAND_IN)
    os.chmod(os.path.join(builder, "stand-in", "cargo"), 0o755)
    os.makedirs(os.path.join(base, "tmp"))
    os.chmod(os.path.join(base, "tmp"), 0o1777)
    libraries = subprocess.run(["ldd", parkade], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"(/\S+) \(0x", libraries):
        os.makedirs(base + os.path.dirname(library), exist_ok=True)
        shutil.copy(library, base + library)
    for name, more in (("builder", 'ENV PATH="/stand-in:/usr/bin:/bin"\n'), ("base", "")):
        with open(os.path.join(folder, f"{name}.Containerfile"), "w") as out:
            out.write(f"FROM scratch\nCOPY . /\n{more}")
        podman.does("build", "--quiet", "--layers=false", f"--tag={name}", f"--file={folder}/{name}.Containerfile", f"{folder}/{name}")


def life(report, podman, folder, parkade):
    """From the Containerfile to the end of the container."""
    stand_ins(podman, folder, parkade)
    with report.step("the Containerfile is built, over images that stand in for the registry's"):
        system = [f"--volume=/{place}:/{place}:ro" for place in ("usr", "lib", "lib64", "bin")]
        # No docker.io is asked for what is given.
        given = ["--build-arg=BUILD_IMAGE=localhost/builder", "--build-arg=BASE_IMAGE=localhost/base", "--pull=never"]
        podman.does("build", "--layers=false", "--isolation=chroot", *system, *given, "--tag=parkade", f"--file={ROOT}/deploy/Containerfile", ROOT)
        made = json.loads(podman.does("image", "inspect", "parkade"))[0]["Config"]
        if made["User"] in ("", "0", "root") or made["StopSignal"] != "SIGTERM":
            raise Failure(f"user {made['User']}, stop signal {made['StopSignal']}")
    config = os.path.join(folder, "config.toml")
    with open(config, "w") as out:
        out.write(CONFIG)
    with report.step("it starts as no root, reads the configuration, and can be asked"):
        podman.runs("--detach", "--name=parkade", f"--volume={config}:/etc/parkade/config.toml:ro", "parkade")
        until("it opens the admin door", lambda: "admin door at" in podman.does("logs", "parkade"))
        said = podman.does("exec", "parkade", "parkade", "parked")
        if "no parked calls" not in said:
            raise Failure(said)
    with report.step("a SIGHUP reloads it, and a stop ends it cleanly"):
        podman.does("kill", "--signal=HUP", "parkade")
        until("it says so", lambda: "settings reloaded" in podman.does("logs", "parkade"))
        podman.does("stop", "--time=20", "parkade")
        ended = podman.does("inspect", "--format={{.State.ExitCode}}", "parkade").strip()
        if ended != "0":
            raise Failure(f"it ended with {ended}")
    with report.step("in it a call is parked, retrieved and recalled"):
        if "All steps were verified" not in podman.runs("--rm", "parkade", "demo"):
            raise Failure("the demo does not say so")
    with report.step("without a configuration it says what is missing"):
        said = podman.runs("--rm", "parkade", status=78)
        if "/etc/parkade/config.toml" not in said:
            raise Failure(said)


def main():
    folder, parkade = sys.argv[1:]
    report = Report(folder)
    podman = Podman(folder)
    with report.story("the container", podman):
        report.skipped("the program compiled in its builder", "the images of the registry are not asked for by a test")
        life(report, podman, folder, parkade)
    leave_counts(report)


if __name__ == "__main__":
    main()
