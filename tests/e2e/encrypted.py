"""TLS from end to end: baresip and Kamailio speak nothing else with Parkade, and openssl looks at what it is shown."""

import glob
import os
import re
import signal
import socket
import subprocess
import time

import stories
from door import told
from processes import Failure, find_program, takes_tcp, until

MODULES = ("/usr/lib/*/kamailio/modules/tls.so", "/usr/lib/kamailio/modules/tls.so")


class Certificates:
    """An authority, and what it has signed, as files in a folder."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.authority = self._path("ca.pem")
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
                      "-subj", "/CN=Parkade end to end")
        self.house = self.sign("house", "DNS:sip.test,IP:127.0.0.1")
        self.pbx = self.sign("pbx", "DNS:pbx.test,IP:127.0.0.1")
        self.other = self.sign("other", "DNS:other.test")
        self.revoked = None

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True, timeout=30)

    def sign(self, name, names, days="30"):
        """Makes a certificate for these names; one that is there is replaced. Returns its file and that of its key."""
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.new.key", "-out", f"{name}.csr", "-subj",
                      f"/CN={name}")
        with open(self._path(f"{name}.ext"), "w") as out:
            out.write(f"subjectAltName={names}\n")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                      days, "-extfile", f"{name}.ext", "-out", f"{name}.new.pem")
        for end in ("key", "pem"):
            os.rename(self._path(f"{name}.new.{end}"), self._path(f"{name}.{end}"))
        return self._path(f"{name}.pem"), self._path(f"{name}.key")

    def revoke(self, certificate):
        """Takes a certificate back: from now on there is a list, which names it."""
        with open(self._path("ca.cnf"), "w") as out:
            out.write("[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\n"
                      "default_crl_days=30\n")
        for name, text in (("index.txt", ""), ("crlnumber", "01\n")):
            with open(self._path(name), "w") as out:
                out.write(text)
        ours = ("ca", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem")
        self._openssl(*ours, "-revoke", certificate)
        self._openssl(*ours, "-gencrl", "-out", "ca.crl")
        self.revoked = self._path("ca.crl")

    def into(self, config, phones, trunk):
        """Has a configuration speak TLS at these ports too."""
        with open(config) as old:
            text = old.read()
        for side, port in (("phones", phones), ("pbx", trunk)):
            head, tail = text.split(f"[{side}]", 1)
            tail = tail.replace('listen = [', f'listen = ["tls:127.0.0.1:{port}", ', 1)
            text = f"{head}[{side}]{tail}"
        text = text.replace("[pbx]", f'[pbx]\nca = "{self.authority}"', 1)
        text += f'[tls]\ncertificate = "{self.house[0]}"\nkey = "{self.house[1]}"\n'
        if self.revoked:
            text += f'crls = ["{self.revoked}"]\n'
        text += f'[[tls.also]]\ncertificate = "{self.other[0]}"\nkey = "{self.other[1]}"\n'
        with open(config, "w") as out:
            out.write(text)


def looks(port, *words):
    """What openssl is shown at a port."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *words], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=15)
    return done.stdout + done.stderr


def subject(port, name):
    """Whom the certificate is for that is shown to who asks for this name."""
    found = re.search(r"^subject=.*CN *= *(\S+)", looks(port, "-servername", name), re.M)
    return found and found.group(1)


def serial(port):
    """Which certificate it is."""
    shown = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", looks(port), re.S)
    return shown and shown.group(0)


def counted(scene, side, way, outcome):
    """How many handshakes came to that."""
    line = rf'^parkade_tls_handshakes_total{{side="{side}",way="{way}",outcome="{outcome}"}} (\d+)'
    found = re.search(line, told(scene.socket, "/metrics"), re.M)
    return int(found.group(1)) if found else 0


def throws(port, words):
    """Somebody says this to a port, and goes when it is hung up on."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stream:
        stream.sendall(words)
        try:
            return stream.recv(4096)
        except ConnectionResetError:
            return b""


def play(report, peers, parkade):
    """All stories of TLS, or why they cannot be played."""
    if not any(glob.glob(pattern) for pattern in MODULES):
        return report.skipped("TLS from end to end", "kamailio-tls-modules is not installed (scripts/setup installs it)")
    if not find_program("openssl"):
        return report.skipped("TLS from end to end", "openssl is not installed (scripts/setup installs it)")
    calls(report, peers, parkade)
    a_pbx_that_is_another(report, peers, parkade)


def calls(report, peers, parkade):
    """The main road, by TLS on both sides."""
    certificates = Certificates(os.path.join(peers.folder, "certificates"))
    scene = stories.Scene(peers, "encrypted", tls=certificates)
    with report.story("TLS towards phones and PBX", scene):
        with report.step("Parkade starts and says which certificates it has"):
            scene.start_parkade(parkade)
            line = "house.pem: for sip.test, 127.0.0.1; expires on "
            until("the log tells of house.pem", lambda: line in scene.parkade.text())
        with report.step("openssl agrees on TLS 1.2 and 1.3, and not on 1.1"):
            for version, wanted in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
                said = looks(scene.phones_tls, version, "-brief", "-cipher", "DEFAULT:@SECLEVEL=0")
                if ("CONNECTION ESTABLISHED" in said) != wanted:
                    raise Failure(f"{version}: {said}")
        with report.step("it is shown the certificate for the name that it asks for"):
            shown = [subject(scene.phones_tls, name) for name in ("sip.test", "other.test", "nobody.test")]
            if shown != ["house", "other", "house"]:
                raise Failure(f"it is shown {shown}")
        with report.step("three phones register by TLS through Parkade"):
            phones = carol, james, alice = [scene.phone(extension, "tls") for extension in ("101", "103", "105")]
            for phone in phones:
                stories.registered(phone)
            contacts = re.findall(r"REGISTER .* contact=<sip:[^@>]*@127\.0\.0\.1:(\d+;transport=\w+)", scene.pbx.text())
            if set(contacts) != {f"{scene.trunk_tls};transport=tls"}:
                raise Failure(f"the PBX knows contacts at {contacts}")
        with report.step("101 calls 103, and each hears the other's tone"):
            stories.call(carol, james)
            stories.hear_each_other(carol, james)
        with report.step("what the phones are told of Parkade names TLS"):
            invite = james.saw("INVITE ")
            if f"SIP/2.0/TLS 127.0.0.1:{scene.phones_tls}" not in invite or ";transport=tls" not in invite:
                raise Failure(f"103 was sent {invite}")
        with report.step("103 parks the call at 105, 101 hears music, and 105 takes it"):
            stories.park(james, "*68105", carol)
            stories.take(alice, "*88")
            stories.hear_each_other(carol, alice)
        with report.step("a new certificate is shown when its file has changed, and the call goes on"):
            before = serial(scene.phones_tls)
            certificates.sign("house", "DNS:sip.test,IP:127.0.0.1")
            until("another certificate is shown", lambda: serial(scene.phones_tls) != before, 20, 0.5)
            stories.hear_each_other(carol, alice)
        with report.step("so it is on SIGHUP"):
            before = serial(scene.phones_tls)
            certificates.sign("house", "DNS:sip.test,IP:127.0.0.1")
            scene.parkade.process.send_signal(signal.SIGHUP)
            until("another certificate is shown", lambda: serial(scene.phones_tls) != before, 4, 0.2)
        with report.step("who speaks plain SIP there, or TLS where there is none, is told apart in log and metrics"):
            if throws(scene.phones_tls, b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n\r\n").startswith(b"SIP/"):
                raise Failure("plain SIP is answered at the port of TLS")
            looks(scene.phones_port)
            for line in ("it does not speak TLS; plain SIP is for", "it speaks TLS to a socket without"):
                until(f"the log says: {line}", lambda line=line: line in scene.parkade.text())
            until("it is counted", lambda: counted(scene, "phones", "in", "not-tls") == 1)
        with report.step("the metrics tell how many handshakes there were, and when the certificates expire"):
            if counted(scene, "phones", "in", "done") < 3 or not counted(scene, "pbx", "out", "done"):
                raise Failure("the handshakes of three phones and with the PBX are not counted")
            expire = re.findall(r'^parkade_tls_certificate_expires_seconds{file="(.*?)"} (\S+)', told(scene.socket, "/metrics"), re.M)
            left = {os.path.basename(file): (float(at) - time.time()) / 86400 for file, at in expire}
            if not left or any(not 29 < days <= 30 for days in left.values()):
                raise Failure(f"the certificates expire in days: {left}")
        with report.step("105 hangs up and 101 is told"):
            stories.hang_up(alice, carol)
        with report.step("nothing is left and Parkade ends well"):
            stories.nothing_is_left(scene)


def a_pbx_that_is_another(report, peers, parkade):
    """The PBX shows a certificate for somebody else, one that has expired, and one that is revoked."""
    for name, names, days, wanted in (
        ("another", "DNS:other.test", "30", "its certificate is for other.test, not for 127.0.0.1"),
        ("expired", "IP:127.0.0.1", "-1", "its certificate has expired"),
        ("revoked", "IP:127.0.0.1", "30", "its certificate has been revoked by its authority"),
    ):
        certificates = Certificates(os.path.join(peers.folder, f"certificates-{name}"))
        try:
            certificates.pbx = certificates.sign("pbx", names, days)
            if name == "revoked":
                certificates.revoke(certificates.pbx[0])
            certificates.house = certificates.sign("house", "DNS:sip.test,IP:127.0.0.1", "5")
        except subprocess.CalledProcessError:
            report.skipped(f"a PBX whose certificate is {name}", "this openssl makes no such certificate")
            continue
        scene = stories.Scene(peers, f"pbx-{name}", tls=certificates)
        with report.story(f"a PBX whose certificate is {name}", scene):
            with report.step("Parkade and its PBX start"):
                until("the PBX listens", lambda: takes_tcp("127.0.0.1", scene.pbx_port))
                scene.start_parkade(parkade)
            with report.step("the log warns of a certificate of ours that expires soon, and parkade check says so"):
                line = re.compile(r"house.pem expires on \S+, in [45] days; renew it")
                until("the log warns", lambda: line.search(scene.parkade.text()))
                done = subprocess.run([parkade, "check", scene.config], capture_output=True, text=True, timeout=10)
                if not re.search(r"house.pem: for sip.test, 127.0.0.1; expires on \S+, in [45] days", done.stdout):
                    raise Failure(f"parkade check says {done.stdout}")
            with report.step("a phone is answered 503, the log says why, and the PBX has got nothing"):
                phone = scene.phone("103", "tls")
                until("503", lambda: phone.saw("SIP/2.0 503", "REGISTER\n"))
                until("the log says why", lambda: wanted in scene.parkade.text())
                if "pbx: REGISTER" in scene.pbx.text():
                    raise Failure("the PBX has got a REGISTER")
                if not counted(scene, "pbx", "out", "certificate"):
                    raise Failure("it is not counted")
