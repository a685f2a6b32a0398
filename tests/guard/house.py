"""A Parkade between the strangers and the PBX, and what it tells."""

import json
import os
import re
import subprocess

from around import PARKADE
from door import told
from processes import Program, free_port, until


class House:
    """The program, with its door on a Unix socket."""

    def __init__(self, program, folder, pbx, security, core=None):
        self.program, self.folder = program, folder
        self.port, media = free_port(PARKADE), 40000 + os.getpid() % 9 * 2000
        self.at = (PARKADE, self.port)
        self.door = os.path.join(folder, "door.sock")
        path = os.path.join(folder, "parkade.toml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"""
[phones]
listen = ["udp:{PARKADE}:{self.port}"]
[pbx]
listen = ["udp:{PARKADE}:{free_port(PARKADE)}"]
target = ["sip:127.0.0.2:{pbx}"]
[media]
ports = "{media}-{media + 1999}"
fast_path = "off"
[shutdown]
grace = "0s"
[admin]
socket = "{self.door}"
listen = "off"
[security]
{security}
""")
        command = [program, "run", "--config", path]
        command = command if core is None else ["taskset", "-c", str(core), *command]
        self.process = Program("parkade", command, os.path.join(folder, "parkade.log"))
        until("parkade opens its door", lambda: os.path.exists(self.door) and self.process.runs())

    def get(self, path):
        """What the door tells."""
        return told(self.door, path)

    def counts(self):
        """How much there is of everything."""
        return json.loads(self.get("/api/counts"))

    def bans(self):
        """Who is banned, by address."""
        return {ban["address"]: ban for ban in json.loads(self.get("/api/bans"))["bans"]}

    def metric(self, name):
        """A metric's values, by its labels."""
        found = re.findall(rf"^{name}(\{{[^}}]*\}})? ([0-9.e+-]+)$", self.get("/metrics"), re.MULTILINE)
        return {labels: float(value) for labels, value in found}

    def turned_away(self):
        """How many messages were turned away, by why."""
        metric = self.metric("parkade_guard_turned_away_total")
        return {re.search(r'reason="([^"]*)"', labels).group(1): int(count) for labels, count in metric.items()}

    def says(self, *words):
        """What a verb of the command line says."""
        done = subprocess.run([self.program, *words, "--socket", self.door], capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    def log(self):
        """Its log."""
        return self.process.text()

    def cpu(self):
        """Seconds of CPU so far."""
        return self.metric("process_cpu_seconds_total").get("", 0.0)

    def end(self):
        """It ends, and leaves nothing."""
        self.process.stop()
