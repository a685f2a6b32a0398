"""The story of the example for Kubernetes, played inside of namespaces (apart.py), where nobody else has its ports.

    deployed.py FOLDER PARKADE

There is no cluster here: what stands in the manifest is held against itself and against deploy/Containerfile, and Parkade
is started with its configuration, its user and its arguments, and asked by its probes.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request

import yaml

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MANIFEST = os.path.join(ROOT, "deploy", "kubernetes", "pbx.yaml")
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from apart import leave_counts  # noqa: E402
from processes import Failure, Program, find_program, until  # noqa: E402
from steps import Report  # noqa: E402

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


class Pod:
    """What the manifest says."""

    def __init__(self, folder):
        with open(MANIFEST) as file:
            self.kinds = {document["kind"]: document for document in yaml.safe_load_all(file)}
        self.pod = self.kinds["Deployment"]["spec"]["template"]["spec"]
        self.parkade = next(one for one in self.pod["containers"] if one["name"] == "parkade")
        self.text = self.kinds["Secret"]["stringData"]["config.toml"]
        self.config = tomllib.loads(self.text)
        self.file = os.path.join(folder, "config.toml")
        with open(self.file, "w") as out:
            out.write(self.text)
        self.running = None

    def probe(self, name):
        """The status that a probe gets, or None where nobody answers."""
        get = self.parkade[name]["httpGet"]
        port = next((one["containerPort"] for one in self.parkade["ports"] if one["name"] == get["port"]), get["port"])
        try:
            with urllib.request.urlopen(f"http://{get['host']}:{port}{get['path']}", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def print_logs(self):
        """What Parkade has logged."""
        if self.running:
            print("\n".join(f"   | {line}" for line in self.running.text().splitlines()[-20:]))

    def end(self):
        """Ends it."""
        if self.running:
            self.running.stop()


def holds(what, true):
    """Fails with `what` if it is not so."""
    if not true:
        raise Failure(what)


def ports(text):
    """The ends of a range of ports."""
    first, last = (int(part) for part in text.split("-"))
    return first, last


def agrees(pod):
    """Holds what stands at two places against each other."""
    volumes = {volume["name"]: volume for volume in pod.pod["volumes"]}
    for container in pod.pod["containers"]:
        for mount in container["volumeMounts"]:
            holds(f"there is no volume {mount['name']}", mount["name"] in volumes)
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in pod.parkade["volumeMounts"]}
    folder, name = os.path.split(pod.parkade["args"][pod.parkade["args"].index("--config") + 1])
    secret = pod.kinds["Secret"]
    holds(f"{name} is not in the secret", mounts[folder]["secret"]["secretName"] == secret["metadata"]["name"] and name in secret["stringData"])
    holds("the admin socket is on a read-only file system", os.path.dirname(pod.config["admin"]["socket"]) in mounts)
    with open(os.path.join(ROOT, "deploy", "Containerfile")) as file:
        user = re.search(r"^USER (\d+):(\d+)$", file.read(), re.M)
    limits = pod.parkade["securityContext"]
    holds("another user than the image's", (limits["runAsUser"], limits["runAsGroup"]) == tuple(map(int, user.groups())))
    holds("its files are of another group", pod.pod["securityContext"]["fsGroup"] == limits["runAsGroup"])
    grace = int(pod.config["shutdown"]["grace"].removesuffix("s"))
    holds("it is killed before its grace is over", grace < pod.pod["terminationGracePeriodSeconds"])
    labels = pod.kinds["Deployment"]["spec"]["selector"]["matchLabels"].items()
    holds("the deployment does not select its pod", labels <= pod.kinds["Deployment"]["spec"]["template"]["metadata"]["labels"].items())
    asterisk = pod.kinds["ConfigMap"]["data"]
    bound = re.search(r"^\s*bind=\S+:(\d+)", asterisk["pjsip.conf"], re.M).group(1)
    holds(f"Asterisk is at {bound}", pod.config["pbx"]["target"] == [f"sip:127.0.0.1:{bound}"])
    theirs = [int(re.search(rf"^\s*rtp{end}=(\d+)", asterisk["rtp.conf"], re.M).group(1)) for end in ("start", "end")]
    ours = ports(pod.config["media"]["ports"])
    holds("both have the same ports for sound", theirs[1] < ours[0] or ours[1] < theirs[0])


def listens(port, protocol):
    """Whether somebody has that port."""
    kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
    with socket.socket(type=kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def life(report, pod, folder, parkade):
    """From the manifest to the end of the program."""
    validator = os.environ.get("KUBERNETES_VALIDATE") or find_program("kubernetes-validate")
    if not validator:
        report.skipped("Kubernetes takes the manifest", "kubernetes-validate can neither be found nor installed from PyPI")
    else:
        with report.step("Kubernetes takes the manifest"):
            run(validator, "--strict", "--quiet", MANIFEST)
    with report.step("Parkade's configuration in it has no problems"):
        run(parkade, "check", pod.file)
    with report.step("what stands at two places is the same"):
        agrees(pod)
    with report.step("it starts as the container says, and each probe finds it"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
        limits = pod.parkade["securityContext"]
        run("install", "-d", "-o", str(limits["runAsUser"]), os.path.dirname(pod.config["admin"]["socket"]))
        arguments = [pod.file if argument.startswith("/etc/") else argument for argument in pod.parkade["args"]]
        # The folder of the test is root's own, and the program may lie in one that is.
        os.chmod(folder, 0o755)
        os.chmod(os.path.dirname(folder), 0o755)
        program = shutil.copy(parkade, os.path.join(folder, "parkade"))
        user = [f"--reuid={limits['runAsUser']}", f"--regid={limits['runAsGroup']}", "--clear-groups"]
        line = ["setpriv", *user, "--no-new-privs", "--bounding-set=-all", program, *arguments]
        pod.running = Program("parkade", line, os.path.join(folder, "parkade.log"))
        for probe in PROBES:
            until(f"{probe} says 200", lambda: pod.probe(probe) == 200 or not pod.running.runs())
        holds(f"it {pod.running.state()}", pod.running.runs())
        for port in pod.parkade["ports"]:
            holds(f"nobody is at {port}", listens(port["containerPort"], port["protocol"]))
    with report.step("told to end it does, and no probe finds it"):
        ended = pod.running.stop()
        holds(f"it ended with {ended}", ended == 0)
        holds("a probe finds it", pod.probe("livenessProbe") is None)


def run(*command):
    """Runs it; fails with what it says where it does."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Failure(f"{os.path.basename(command[0])}: {(done.stdout + done.stderr).strip()}")


def main():
    folder, parkade = sys.argv[1:]
    report = Report(folder)
    pod = Pod(folder)
    with report.story("the example for Kubernetes", pod):
        life(report, pod, folder, parkade)
    leave_counts(report)


if __name__ == "__main__":
    main()
