"""The life of the package on a system, played inside of a throwaway one (throwaway.py), where this is root.

    installed.py FOLDER DEB

dpkg and systemd are the real ones. Prints a line for each step and leaves their counts in FOLDER/counts.
"""

import contextlib
import grp
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from apart import leave_counts  # noqa: E402
from processes import Failure, until  # noqa: E402
from steps import Report  # noqa: E402

CONFIG = "/etc/parkade/config.toml"
UNIT = "/lib/systemd/system/parkade.service"
DROP_INS = "/etc/systemd/system/parkade.service.d"
EXAMPLES = "/usr/share/doc/parkade/examples"
# systemd-analyze rates what a service may still do, from 0 to 10. What is left is mostly that it speaks with others.
MOST_EXPOSED, MOST_EXPOSED_FAST = 1.5, 2.0
NO_PBX, PBX = '# target = ["sip:192.0.2.50:5060"]', 'target = ["sip:127.0.0.1:5070"]'


class Scene:
    """The installed service."""

    def print_logs(self):
        """The end of the journal."""
        for line in run("journalctl", "--no-pager", "--output=cat", "--lines=25").splitlines():
            print(f"   | {line}")

    def end(self):
        """Nothing need be ended: the system ends with the story."""


def run(*command, status=0):
    """What the command prints, errors too; fails where it does not end with that status."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
    said = done.stdout + done.stderr
    if done.returncode != status:
        raise Failure(f"{' '.join(command)} ended with {done.returncode}: {said.strip()[-600:]}")
    return said


def holds(what, true):
    """Fails with `what` if it is not so."""
    if not true:
        raise Failure(what)


def shown(name):
    """A property of the service, as systemd has it."""
    return run("systemctl", "show", "--value", "--property", name, "parkade.service").strip()


def journal():
    """What the service that runs has logged."""
    return run("journalctl", "--no-pager", "--output=cat", f"_SYSTEMD_INVOCATION_ID={shown('InvocationID')}")


def sockets():
    """The inodes of the service's UDP sockets."""
    folder = f"/proc/{shown('MainPID')}/fd"
    held = {os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder)}
    bound = set()
    for table in ("udp", "udp6"):
        with open(f"/proc/net/{table}") as lines:
            bound |= {f"socket:[{line.split()[9]}]" for line in lines}
    return held & bound


def of_process(field):
    """A field of /proc/PID/status of the service."""
    with open(f"/proc/{shown('MainPID')}/status") as status:
        return re.search(rf"^{field}:\s+(\S+)", status.read(), re.M).group(1)


def change(before, after):
    """Writes the configuration anew."""
    with open(CONFIG) as file:
        text = file.read()
    holds(f"{before!r} is not in {CONFIG}", before in text)
    with open(CONFIG, "w") as file:
        file.write(text.replace(before, after, 1))


def files_of_ours():
    """Everything on this system that has our name in its path, but for what others keep of what they have seen."""
    found = run("find", "/etc", "/usr", "/var", "/run", "-xdev", "-iname", "*parkade*")
    return {path for path in found.splitlines() if not path.startswith(("/var/cache/man/", "/var/log/journal/"))}


def exposed_at_most(most):
    """What the unit still lets a service do is no more than that."""
    limit = f"--threshold={round(most * 10)}"
    said = run("systemd-analyze", "security", "--no-pager", limit, "parkade.service")
    return re.search(r"Overall exposure level for parkade.service: (.*)", said).group(1)


def life(report, deb):
    """Installed, started, reloaded, upgraded, removed, purged."""
    before = files_of_ours()
    with report.step("dpkg installs it, and says what is to be done before it starts"):
        said = run("dpkg", "--install", deb)
        holds(f"it says only: {said}", "not started" in said and "systemctl start parkade" in said)
        holds("it runs", shown("ActiveState") == "inactive")
        holds("it is not enabled", run("systemctl", "is-enabled", "parkade").strip() == "enabled")
        mode = os.stat(CONFIG)
        holds("the configuration is not root's, for the group parkade to read",
              (pwd.getpwuid(mode.st_uid).pw_name, grp.getgrgid(mode.st_gid).gr_name, stat.S_IMODE(mode.st_mode))
              == ("root", "parkade", 0o640))
        holds("dpkg does not know the configuration as such", CONFIG in run("dpkg-query", "--show", "--showformat=${Conffiles}", "parkade"))
    with report.step("man pages, completions and the program are found"):
        for page in ("parkade", "parkade-run", "parkade-check"):
            run("man", "--warnings=all", "--pager=cat", "1", page)
        run("bash", "-ec", ". /usr/share/bash-completion/completions/parkade; complete -p parkade")
        run("parkade", "check", "/usr/share/doc/parkade/config.example.toml")
    with report.step("systemd finds nothing wrong with the unit"):
        said = run("systemd-analyze", "verify", UNIT).strip()
        holds(said, not said)
        print(f"   it may do little: {exposed_at_most(MOST_EXPOSED)}")
    with report.step("it starts once it knows the PBX, and says when it is ready"):
        change(NO_PBX, PBX)
        run("systemctl", "start", "parkade")
        holds(f"it is {shown('ActiveState')}", shown("ActiveState") == "active")
        holds("it has not said where it listens", "listening on" in journal())
        holds("it has not said why the kernel does not forward", "fast-path.conf" in journal())
        until("it says that it is ready", lambda: "admin door at /run/parkade/parkade.sock" in journal())
    with report.step("it runs as its own user, with no capability and filtered system calls"):
        holds("not as parkade", int(of_process("Uid")) == pwd.getpwnam("parkade").pw_uid)
        for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
            holds(f"{name} is {of_process(name)}", int(of_process(name), 16) == 0)
        holds("it may gain privileges", of_process("NoNewPrivs") == "1")
        holds("its system calls are not filtered", of_process("Seccomp") == "2")
        holds(f"its memory may be {shown('MemoryMax')}", shown("MemoryMax") == str(1 << 30))
        holds("it sees devices", shown("PrivateDevices") == "yes")
        print("   " + next((line for line in journal().splitlines() if "io_uring" in line), "no word of io_uring"))
    with report.step("root and its group may ask it, others may not"):
        run("parkade", "parked")
        group = str(grp.getgrnam("parkade").gr_gid)
        run("setpriv", "--reuid=nobody", f"--regid={group}", "--clear-groups", "parkade", "parked")
        run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "parkade", "parked", status=1)
    with report.step("a reload takes a changed file, and leaves a broken one"):
        pid = shown("MainPID")
        change("[pbx]", "[log]\nlevel = \"debug\"\n\n[pbx]")
        run("systemctl", "reload", "parkade")
        until("it says that it was reloaded", lambda: "settings reloaded" in journal())
        change("level = \"debug\"", "level = \"loud\"")
        run("systemctl", "reload", "parkade")
        until("it says what is wrong", lambda: "log.level" in journal())
        holds("it is another one", shown("MainPID") == pid)
    with report.step("with a broken file it ends with 78 and is not tried again"):
        run("systemctl", "restart", "parkade", status=1)
        holds(f"status {shown('ExecMainStatus')}", shown("ExecMainStatus") == "78")
        holds(f"it was tried {shown('NRestarts')} times again", shown("NRestarts") == "0" and shown("ActiveState") == "failed")
        change("level = \"loud\"", "level = \"info\"")
        run("systemctl", "restart", "parkade")
    with report.step("its sockets outlive a restart and a crash"):
        kept = sockets()
        holds(f"it has {len(kept)} UDP sockets", len(kept) > 2)
        run("systemctl", "restart", "parkade")
        until("it says that it took them over", lambda: "sockets of the run before are taken over" in journal())
        holds(f"after the restart it lacks {len(kept - sockets())} of {len(kept)}", kept <= sockets())
        pid = shown("MainPID")
        run("systemctl", "kill", "--signal=KILL", "parkade")
        until("it is started again", lambda: shown("MainPID") not in (pid, "0") and shown("ActiveState") == "active")
        holds(f"after the crash it lacks {len(kept - sockets())} of {len(kept)}", kept <= sockets())
    with report.step("a call is parked, retrieved and recalled under the same restrictions"):
        with drop_in("demo.conf", "[Service]\nType=oneshot\nRestart=no\nExecStart=\nExecStart=/usr/bin/parkade demo\n"):
            run("systemctl", "stop", "parkade")
            run("systemctl", "start", "parkade")
            holds("the demo did not say so", "✓" in journal())
        run("systemctl", "start", "parkade")
    fast_path(report)
    one_ssrc(report)
    certificates(report)
    with report.step("another version takes its place, and the configuration stays"):
        pid = shown("MainPID")
        run("dpkg", "--install", deb)
        holds(f"it is {shown('ActiveState')}", shown("ActiveState") == "active")
        holds("the old program runs on", shown("MainPID") != pid)
        with open(CONFIG) as file:
            holds("the configuration was lost", PBX in file.read())
    with report.step("removed it is stopped, and its configuration is kept"):
        run("dpkg", "--remove", "parkade")
        holds("it runs on", not os.path.exists("/run/parkade") and shown("ActiveState") in ("inactive", "failed"))
        holds("the configuration is gone", os.path.exists(CONFIG))
        holds("the program is there", not os.path.exists("/usr/bin/parkade"))
    with report.step("purged it has left nothing"):
        run("dpkg", "--purge", "parkade")
        left = sorted(files_of_ours() - before)
        holds(f"left: {left}", not left)
        holds("the user is there", "parkade" not in [user.pw_name for user in pwd.getpwall()])
        holds("the group is there", "parkade" not in [group.gr_name for group in grp.getgrall()])


def fast_path(report):
    """What fast-path.conf adds: one capability, and with it a table of nftables."""
    if not shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin"):
        report.skipped("the kernel's fast path", "the Debian package nftables is not installed")
        return
    with report.step("with fast-path.conf it has the capability that it takes, no more, and the kernel forwards"):
        for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            with open(f"/proc/sys/net/{setting}", "w") as file:
                file.write("1")
        with example("fast-path.conf"):
            run("systemctl", "restart", "parkade")
            has_what_it_takes("fast-path.conf")
            holds("there is no table of ours", "parkade-30000-39999" in run("nft", "list", "tables"))
            run("systemctl", "stop", "parkade")
            holds("the table is left", "parkade" not in run("nft", "list", "tables"))
        run("systemctl", "start", "parkade")
        holds("there is a table without the capability", "parkade" not in run("nft", "list", "tables"))


def one_ssrc(report):
    """What one-ssrc.conf adds: two capabilities, and with them a program in the kernel."""
    with open("/proc/self/status") as status:
        bounds = int(re.search(r"^CapBnd:\s+(\S+)", status.read(), re.M).group(1), 16)
    if not bounds >> NUMBERS["CAP_BPF"] & 1:
        report.skipped("the kernel's fast path with one SSRC", "this machine grants nobody CAP_BPF")
        return
    with report.step("with one-ssrc.conf it has the capabilities that it takes, no more, and the kernel has its program"):
        change("[pbx]", "[media]\none_ssrc = true\n\n[pbx]")
        with example("one-ssrc.conf"):
            run("systemctl", "restart", "parkade")
            has_what_it_takes("one-ssrc.conf")
            if "this build has no BPF program" in journal():
                report.skipped("the kernel has its program", "this build has none: clang was missing")
            else:
                holds(f"the log does not say so: {journal()}", "one SSRC for each: a BPF program" in journal())
        change("[media]\none_ssrc = true\n\n[pbx]", "[pbx]")
        run("systemctl", "start", "parkade")


def certificates(report):
    """What tls.conf adds: certificates that only root may read."""
    if not shutil.which("openssl"):
        report.skipped("certificates that systemd hands over", "the Debian package openssl is not installed")
        return
    with report.step("with tls.conf it has certificates that only root may read, and no more than before"):
        live = "/etc/letsencrypt/live/sip.example"
        os.makedirs(live)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-subj", "/CN=sip.example", "-days", "30",
            "-addext", "subjectAltName=DNS:sip.example", "-keyout", f"{live}/privkey.pem", "-out", f"{live}/fullchain.pem")
        os.chmod(os.path.dirname(live), 0o700)
        given = "/run/credentials/parkade.service"
        table = f'[tls]\ncertificate = "{given}/fullchain.pem"\nkey = "{given}/privkey.pem"\n\n'
        change("[pbx]", table + "[pbx]")
        with example("tls.conf"):
            run("systemctl", "restart", "parkade")
            run("parkade", "check", CONFIG)
            holds(f"CapEff is {of_process('CapEff')}", int(of_process("CapEff"), 16) == 0)
            for port in (5061, 5081):
                said = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", f"{live}/fullchain.pem",
                           "-verify_hostname", "sip.example", "-verify_return_error", "-brief")
                holds(f"at {port}: {said}", "Verification: OK" in said)
        change(table, "")
        shutil.rmtree(live)
        run("systemctl", "start", "parkade")


@contextlib.contextmanager
def example(name):
    """The unit with this drop-in of the package; systemd finds nothing wrong with it."""
    with open(os.path.join(EXAMPLES, name)) as file:
        text = file.read()
    with drop_in(name, text):
        said = run("systemd-analyze", "verify", UNIT).strip()
        holds(said, not said)
        print(f"   it may do little more: {exposed_at_most(MOST_EXPOSED_FAST)}")
        yield


def has_what_it_takes(name):
    """It has the capabilities that this drop-in says, and no other."""
    with open(os.path.join(EXAMPLES, name)) as file:
        words = re.search(r"^AmbientCapabilities=(.*)", file.read(), re.M).group(1).split()
    wanted = sum(1 << NUMBERS[word] for word in words)
    for field in ("CapEff", "CapPrm", "CapBnd"):
        holds(f"{field} is {of_process(field)}, not {words}", int(of_process(field), 16) == wanted)


# Of linux/capability.h.
NUMBERS = {"CAP_NET_ADMIN": 12, "CAP_BPF": 39}


@contextlib.contextmanager
def drop_in(name, text):
    """The unit with that in addition."""
    os.makedirs(DROP_INS)
    with open(os.path.join(DROP_INS, name), "w") as out:
        out.write(text)
    run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        shutil.rmtree(DROP_INS)
        run("systemctl", "daemon-reload")
        run("systemctl", "stop", "parkade")
        run("systemctl", "reset-failed", "parkade")


def main():
    folder, deb = sys.argv[1:]
    report = Report(folder)
    with report.story("the package installed by dpkg and run by systemd", Scene()):
        life(report, deb)
    leave_counts(report)


if __name__ == "__main__":
    main()
