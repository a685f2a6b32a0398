"""The store, and Parkades that share it."""

import json
import os
import re
import subprocess

from door import told
from machines import PBX, STORE
from processes import Program, find_program, until

LEASE = 3  # seconds
FIRST_PORT = 6060


class Store:
    """A Redis with a file, at the store's address."""

    # How nodes are told of it, and what it is started with besides.
    url, more, tls = f"redis://{STORE}", (), ()

    def __init__(self, folder):
        self.folder = os.path.join(folder, "store")
        os.makedirs(self.folder)
        self.process, self.env = None, None
        self.prepare()
        self.start()

    def prepare(self):
        """Before it is started for the first time."""

    def start(self):
        """It comes, with what is in its file."""
        command = [find_program("redis-server"), "--bind", STORE, "--protected-mode", "no", "--dir", self.folder]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always", *self.more]
        self.process = Program("redis-server", command, os.path.join(self.folder, "log"))
        until("the store answers", lambda: self.says("PING") == "PONG")

    def says(self, *words):
        """What it answers."""
        command = [find_program("redis-cli"), "-h", STORE, *self.tls, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()

    def stop(self):
        """It goes."""
        self.process.stop()


class Encrypted(Store):
    """The same by TLS, with a certificate of an authority of the test's own."""

    url = f"rediss://{STORE}"

    def prepare(self):
        def file(name):
            return os.path.join(self.folder, name)

        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        with open(file("names"), "w", encoding="utf-8") as names:
            names.write(f"subjectAltName=IP:{STORE}\n")
        for words in (
            ["req", "-x509", *key, "-keyout", file("ca.key"), "-out", file("ca.pem"), "-subj", "/CN=authority"],
            ["req", *key[:-2], "-keyout", file("key.pem"), "-out", file("asked.csr"), "-subj", "/CN=store"],
            ["x509", "-req", "-in", file("asked.csr"), "-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial"]
            + ["-out", file("cert.pem"), "-days", "2", "-extfile", file("names")],
        ):
            subprocess.run([find_program("openssl"), *words], check=True, capture_output=True, timeout=20)
        self.more = ["--tls-port", "6379", "--port", "0", "--tls-cert-file", file("cert.pem"), "--tls-key-file", file("key.pem")]
        self.more += ["--tls-ca-cert-file", file("ca.pem"), "--tls-auth-clients", "no"]
        self.tls = ["--tls", "--cacert", file("ca.pem")]
        # Whom a node believes is what its system believes.
        self.env = {**os.environ, "SSL_CERT_FILE": file("ca.pem")}


class Watched(Store):
    """One that a Sentinel knows."""

    url = f"redis-sentinel://{STORE}:26379/0#parks"

    def start(self):
        super().start()
        config = os.path.join(self.folder, "sentinel.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(f"port 26379\nbind {STORE}\nprotected-mode no\ndir {self.folder}\nsentinel monitor parks {STORE} 6379 1\n")
        command = [find_program("redis-server"), config, "--sentinel"]
        self.sentinel = Program("the sentinel", command, os.path.join(self.folder, "sentinel.log"))
        until("the sentinel answers", lambda: STORE in self.says("-p", "26379", "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "parks"))

    def stop(self):
        self.sentinel.stop()
        super().stop()


class Clustered(Store):
    """A Redis Cluster, of one."""

    url, more = f"redis-cluster://{STORE}:6379", ("--cluster-enabled", "yes")

    def start(self):
        super().start()
        self.says("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        until("the cluster is whole", lambda: "cluster_state:ok" in self.says("CLUSTER", "INFO"))


class Node:
    """One Parkade, on a machine."""

    def __init__(self, program, folder, name, address, pbx, lot, store):
        self.program, self.name, self.address = program, name, address
        self.at = (address, 5060)
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.door = os.path.join(self.folder, "door.sock")
        self.config = os.path.join(self.folder, "parkade.toml")
        self.process, self.runs, self.env = None, 0, store.env
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(f"""
[phones]
listen = ["udp:{address}:5060"]
[pbx]
listen = ["udp:{address}:5080"]
target = ["sip:{PBX}:{pbx}"]
[media]
ports = "30000-30999"
phones_address = "{address}"
pbx_address = "{address}"
fast_path = "off"
[admin]
socket = "{self.door}"
listen = "off"
[cluster]
node = "{name}"
redis = "{store.url}"
key = "one key for all of them"
lease = "{LEASE}s"
journal = true
{lot}
""")

    def start(self, machine):
        """It runs on that machine, and has joined the others."""
        self.runs += 1
        log = os.path.join(self.folder, f"parkade-{self.runs}.log")
        command = machine.inside(self.program, "run", "--config", self.config)
        self.process = Program(f"parkade {self.name}", command, log, env=self.env)
        until(f"node {self.name} has joined", lambda: "the nodes' store is reached" in self.log())
        return self

    def log(self):
        """Its log."""
        return self.process.text()

    def get(self, path):
        """What its door tells."""
        return told(self.door, path)

    def parked(self):
        """The slots with calls that are parked here, and those with calls of other nodes."""
        listed = json.loads(self.get("/api/parked"))
        here = sorted(call["slot"] for call in listed["parked"] if call["state"] != "parking")
        return here, sorted(f"{call['slot']}@{call['node']}" for call in listed["elsewhere"])

    def metric(self, name):
        """A metric without labels."""
        found = re.search(rf"^{name} ([0-9.e+-]+)$", self.get("/metrics"), re.MULTILINE)
        return float(found.group(1)) if found else None

    def kill(self):
        """It is killed, and says no word more."""
        self.process.process.kill()
        self.process.process.wait()

    def end(self):
        """It ends."""
        if self.process:
            self.process.stop()
