"""The Debian package: built, looked over by lintian, and lived with in a throwaway copy of this system."""

import os
import socket
import subprocess

import throwaway
from processes import Failure, Program, find_program, until

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Scene:
    """What a story leaves behind: logs to print when it fails, programs to end."""

    def __init__(self, log=None):
        self.log = log
        self.programs = []

    def print_logs(self):
        """The end of the log, for whoever looks at a failure."""
        for log in filter(None, [self.log, *(program.log for program in self.programs)]):
            if os.path.exists(log):
                with open(log, errors="replace") as text:
                    for line in text.read().splitlines()[-30:]:
                        print(f"   | {line}")

    def end(self):
        """Ends every program of the story."""
        for program in self.programs:
            program.stop()


def package(report, parkade):
    """From the program to the package, and what becomes of it on a system."""
    missing = [tool for tool in ("dpkg-deb", "dpkg-shlibdeps", "strip") if not find_program(tool)]
    if missing:
        report.skipped("the Debian package", f"{', '.join(missing)} not installed (scripts/setup installs dpkg-dev)")
        return
    log = os.path.join(report.folder, "package.log")
    built = []
    with report.story("the Debian package", Scene(log)):
        with report.step("the package is built"):
            built.append(build(parkade, report.folder, log))
        with report.step("the same program gives the same package"):
            again = build(parkade, os.path.join(report.folder, "again"), log)
            with open(built[0], "rb") as one, open(again, "rb") as other:
                if one.read() != other.read():
                    raise Failure(f"{built[0]} and {again} differ")
        if not find_program("lintian"):
            report.skipped("lintian has nothing to say", "the Debian package lintian is not installed")
        else:
            with report.step("lintian has nothing to say"):
                told = run(["lintian", "--fail-on=none", "--tag-display-limit=0", built[0]], log).strip()
                if told:
                    raise Failure(told)
    if not built:
        return
    why = throwaway.why_not(report.folder)
    if why:
        report.skipped("the package installed by dpkg and run by systemd", why)
        unpacked(report, built[0])
    else:
        throwaway.play(report, os.path.join(HERE, "installed.py"), [built[0]])


def unpacked(report, deb):
    """What can be shown anywhere: the program starts from the unpacked package, by the configuration that it brings."""
    folder = os.path.join(report.folder, "unpacked")
    scene = Scene()
    with report.story("the package unpacked", scene):
        with report.step("the configuration that it brings only lacks the PBX"):
            run(["dpkg-deb", "-x", deb, folder], os.path.join(report.folder, "unpack.log"))
            program, config = os.path.join(folder, "usr/bin/parkade"), os.path.join(folder, "etc/parkade/config.toml")
            tried = subprocess.run([program, "check", config], capture_output=True, text=True, timeout=30)
            if tried.returncode != 78 or "pbx.target" not in tried.stderr:
                raise Failure(f"status {tried.returncode}, {tried.stderr.strip()}")
            with open(config) as text:
                whole = text.read().replace('# target = ["sip:192.0.2.50:5060"]', 'target = ["sip:127.0.0.1:5070"]')
            with open(config, "w") as out:
                out.write(whole + f'[admin]\nsocket = "{folder}/parkade.sock"\n')
            run([program, "check", config], os.path.join(report.folder, "check.log"))
        if not all(free(port) for port in (5060, 5080)):
            report.skipped("it starts and ends", "somebody uses the ports 5060 and 5080 of this machine")
            return
        with report.step("it starts, can be asked, and ends"):
            parkade = Program("parkade", [program, "run", "--config", config], os.path.join(folder, "log"))
            scene.programs.append(parkade)
            until("it says where it listens", lambda: "admin door at" in parkade.text() or not parkade.runs())
            run([program, "parked", "--config", config], os.path.join(report.folder, "parked.log"))
            status = parkade.stop()
            if status != 0:
                raise Failure(f"it ended with {status}")


def build(parkade, folder, log):
    """The path of the package of that program."""
    script = os.path.join(ROOT, "scripts", "package")
    return run([script, "--binary", parkade, "--out", folder], log).splitlines()[-1]


def run(command, log):
    """What the command prints; fails with the end of what it says where it does."""
    with open(log, "a") as out:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=out, text=True, timeout=300)
        out.write(done.stdout)
    if done.returncode != 0:
        raise Failure(f"{os.path.basename(command[0])} ended with {done.returncode}, see {log}")
    return done.stdout


def free(port):
    """Whether nobody has that UDP port."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
