"""What is played: first the phones alone with their PBX, then the same and more with Parkade between them."""

import glob
import json
import os
import re
import shutil
import subprocess

from lamp import Lamp
from phone import Phone
from processes import Failure, Program, free_port, takes_tcp, until

DOMAIN = "pbx.test"
TONES = {"101": 610, "103": 930, "105": 1370}
NAMES = {"101": "Carol Caller", "103": "James", "105": "Alice"}
MEDIA_PORTS = (31000, 31999)
LIBRARIES = ("/usr/lib/*", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64")
EMPTY_DATABASE = "/usr/share/kamailio/dbtext/kamailio"

CONFIG = """\
[phones]
listen = ["udp:127.0.0.1:{phones}", "tcp:127.0.0.1:{phones}"]

[pbx]
target = ["{target}"]
listen = ["udp:127.0.0.1:{trunk}", "tcp:127.0.0.1:{trunk}"]

[media]
phones_address = "127.0.0.1"
pbx_address = "127.0.0.1"
ports = "{first}-{last}"
{media}

[admin]
socket = "{folder}/parkade.sock"

[[lot]]
name = "office"

[lot.recall]
after = "{recall_after}"
to = "parker"
ring = "10s"
"""


class Peers:
    """What the stories are played with: installed programs and a folder for all that they write."""

    def __init__(self, folder, kamailio, baresip, kamailio_config):
        self.folder = folder
        self.kamailio = kamailio
        self.baresip = baresip
        self.kamailio_config = kamailio_config


class Scene:
    """The programs of one story."""

    def __init__(self, peers, name, presence=False, tls=None):
        self.peers = peers
        self.folder = os.path.join(peers.folder, name)
        os.makedirs(self.folder)
        self.phones = {}
        self.lamps = []
        self.parkade = None
        self.pbx_port = free_port()
        self.phones_port = self.pbx_port
        more = []
        if presence:
            database = shutil.copytree(EMPTY_DATABASE, os.path.join(self.folder, "database"))
            more = ["-A", f'DATABASE="text://{database}"', "-A", f'OWN="sip:127.0.0.1:{self.pbx_port}"']
        sockets = [f"udp:127.0.0.1:{self.pbx_port}", f"tcp:127.0.0.1:{self.pbx_port}"]
        self.tls, self.target = tls, f"sip:127.0.0.1:{self.pbx_port}"
        if tls:
            # By TLS alone: what comes by another way would be seen.
            sockets = [f"tls:127.0.0.1:{self.pbx_port}"]
            self.target += ";transport=tls"
            certificate, key = tls.pbx
            more += ["-A", f'TLS_CERTIFICATE="{certificate}"', "-A", f'TLS_KEY="{key}"']
        self.pbx = Program(
            "Kamailio",
            [peers.kamailio, "-f", peers.kamailio_config, *[word for one in sockets for word in ("-l", one)],
             "-DD", "-E", "-m", "32", "-M", "8" if tls else "4", "-Y", self.folder, *more],
            os.path.join(self.folder, "kamailio.log"),
        )

    def start_parkade(self, program, recall_after="300s", media=""):
        """Parkade between the phones that are added from now on, and the PBX; `media` is more of its configuration."""
        self.phones_port, self.trunk_port = free_port(), free_port()
        config = os.path.join(self.folder, "parkade.toml")
        self.socket = os.path.join(self.folder, "parkade.sock")
        with open(config, "w") as out:
            out.write(
                CONFIG.format(
                    phones=self.phones_port, target=self.target, trunk=self.trunk_port, folder=self.folder,
                    first=MEDIA_PORTS[0], last=MEDIA_PORTS[1], recall_after=recall_after, media=media,
                )
            )
        if self.tls:
            self.phones_tls, self.trunk_tls = free_port(), free_port()
            self.tls.into(config, self.phones_tls, self.trunk_tls)
        self.config, self.binary = config, program
        self.parkade = Program("Parkade", [program, "run", "--config", config], os.path.join(self.folder, "parkade.log"))
        until("Parkade listens", lambda: takes_tcp("127.0.0.1", self.phones_port) or not self.parkade.runs())
        if not self.parkade.runs():
            raise Failure(f"parkade ended with status {self.parkade.process.returncode}")

    def phone(self, extension, transport="udp", password=None, encrypts=None):
        """A phone that registers with whom the phones have to register."""
        folder = os.path.join(self.folder, f"phone-{extension}" + ("-wrong" if password else ""))
        port = self.phones_tls if transport == "tls" else self.phones_port
        proxy = f"sip:127.0.0.1:{port};transport={transport}"
        name = NAMES[extension]
        authority = self.tls.authority if transport == "tls" else None
        phone = Phone(self.peers.baresip, folder, extension, TONES[extension], proxy, DOMAIN, password, name, authority, encrypts)
        self.phones[extension] = phone
        return phone

    def lamp(self, extension):
        """A phone with a lamp, that registers as that extension with whom the phones have to register."""
        lamp = Lamp(("127.0.0.1", self.phones_port), DOMAIN, extension)
        self.lamps.append(lamp)
        lamp.register()
        return lamp

    def parked(self):
        """What `parkade parked --json` tells."""
        done = subprocess.run(
            [self.binary, "parked", "--json", "--config", self.config], capture_output=True, text=True, timeout=10
        )
        if done.returncode != 0:
            raise Failure(f"parkade parked ended with {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)["parked"]

    def asked(self, *words):
        """What the program says to a command for the running one."""
        done = subprocess.run([self.binary, *words, "--config", self.config], capture_output=True, text=True, timeout=10)
        if done.returncode != 0:
            raise Failure(f"parkade {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def checked(self):
        """What `parkade check` says of the configuration."""
        return subprocess.run([self.binary, "check", self.config], capture_output=True, text=True, timeout=10).stdout

    def print_logs(self):
        """The ends of the programs' logs, for whoever looks at a failure."""
        for program in (self.parkade, self.pbx):
            if program:
                print(f"   {program.name} ({program.state()}):")
                for line in [line for line in program.text().splitlines() if line.strip()][-12:]:
                    print(f"   | {line}")
        for phone in self.phones.values():
            print(f"   phone {phone.extension} ({phone.program.state()}), its last messages:")
            for sent, message in phone.trace()[-12:]:
                lines = message.splitlines()
                number = next((line for line in lines if line.startswith("CSeq")), "")
                event = next((line for line in lines if line.startswith("Event")), "")
                print(f"   | {'->' if sent else '<-'} {lines[0] if lines else ''}   {number} {event}".rstrip())

    def end(self):
        """Ends every program of the story."""
        for phone in [*self.phones.values(), *self.lamps]:
            phone.stop()
        if self.parkade:
            self.parkade.stop()
        self.pbx.stop()


def registered(phone):
    """The phone has registered, with its password (it may have done so before its control port was open)."""
    until(
        f"phone {phone.extension} is registered",
        lambda: phone.saw("SIP/2.0 401", "REGISTER\n") and phone.saw("SIP/2.0 200", "REGISTER\n"),
    )


def call(caller, callee, dialled=None):
    """`caller` dials `callee`, who answers; both are told that the call is up."""
    here, there = caller.mark(), callee.mark()
    caller.command("dial", dialled or callee.extension)
    callee.expect("CALL_INCOMING", there)
    callee.command("accept")
    callee.expect("CALL_ESTABLISHED", there)
    caller.expect("CALL_ESTABLISHED", here)


def hear_each_other(one, other):
    """Each of the two hears the other's tone and nothing else."""
    one.hears(other.extension, TONES)
    other.hears(one.extension, TONES)


def without_parkade(report, peers):
    """The phones and the PBX alone: what fails here is not Parkade's doing."""
    scene = Scene(peers, "direct")
    with report.story("the phones and the PBX alone", scene):
        with report.step("three phones register with the PBX by password"):
            carol, james, alice = scene.phone("101"), scene.phone("103"), scene.phone("105", "tcp")
            for phone in (carol, james, alice):
                registered(phone)
        with report.step("101 calls 103"):
            call(carol, james)
        with report.step("each hears the other's tone"):
            hear_each_other(carol, james)
        with report.step("103 transfers 101 to 105"):
            here, there = carol.mark(), alice.mark()
            james.command("transfer", "105")
            alice.expect("CALL_INCOMING", there)
            alice.command("accept")
            alice.expect("CALL_ESTABLISHED", there)
            carol.expect("CALL_ESTABLISHED", here)
            hear_each_other(carol, alice)
        with report.step("105 hangs up and 101 is told"):
            mark = carol.mark()
            alice.command("hangup")
            carol.expect("CALL_CLOSED", mark)


def three_phones(scene):
    """Carol (101), James (103) and Alice (105, over TCP) register through Parkade."""
    phones = scene.phone("101"), scene.phone("103"), scene.phone("105", "tcp")
    for phone in phones:
        registered(phone)
    return phones


def transfer(phone, target):
    """The phone's user transfers its call to `target`; the phone is told that it went well, and lets go of the call."""
    mark = phone.mark()
    phone.command("transfer", target)
    phone.expect("CALL_CLOSED", mark)
    refer = phone.saw("REFER", f"Refer-To: sip:{target}@", sent=True)
    if not refer or not phone.saw("SIP/2.0 202", "REFER\n"):
        raise Failure(f"phone {phone.extension}: no REFER that was accepted")
    if not phone.saw("NOTIFY", "Event: refer", "\n\nSIP/2.0 200"):
        raise Failure(f"phone {phone.extension}: no NOTIFY of success")


def park(phone, target, other):
    """The phone's user parks its call by a transfer to `target`; `other` hears music."""
    transfer(phone, target)
    other.hears("other", TONES)


def take(phone, dialled):
    """The phone's user dials where a call waits, and is told that it is up."""
    mark = phone.mark()
    phone.command("dial", dialled)
    phone.expect("CALL_ESTABLISHED", mark)


def hang_up(phone, other):
    """The phone's user hangs up, and `other` is told."""
    mark = other.mark()
    phone.command("hangup")
    closed(other, mark)


def held(phone):
    """The phone has said `a=sendonly` and that was accepted."""
    asked = phone.saw("INVITE", "\na=sendonly", sent=True)
    number = asked and re.search(r"^CSeq: *(\d+)", asked, re.M).group(1)
    return number and phone.saw("SIP/2.0 200", f"CSeq: {number} INVITE")


def notices(phone):
    """The bodies of the park notices that this phone has got, oldest first."""
    return [
        message.partition("\n\n")[2]
        for sent, message in phone.trace()
        if not sent and message.startswith("NOTIFY ") and re.search(r"^Event: *park-info", message, re.M | re.I)
    ]


def noticed(phone, word, before=0):
    """Waits for a notice that has `word` in it, after the first `before` ones."""
    return until(
        f"phone {phone.extension} gets a notice that says {word}",
        lambda: [body for body in notices(phone)[before:] if word in body],
    )


def closed(phone, since):
    """The phone's call has ended."""
    phone.expect("CALL_CLOSED", since)


def nothing_is_left(scene):
    """No call is parked any more, and Parkade ends well when it is told to."""
    until("no call is parked", lambda: not scene.parked())
    status = scene.parkade.stop(20)
    if status != 0:
        raise Failure(f"parkade ended with status {status}")
    if "panicked" in scene.parkade.text():
        raise Failure("parkade's log speaks of a panic")


def park_and_retrieve(report, peers, parkade):
    """The main road: a call, a park on another extension by blind transfer, a retrieve there."""
    scene = Scene(peers, "park")
    with report.story("park by transfer to *68105, retrieve by *88", scene):
        with report.step("Parkade starts"):
            scene.start_parkade(parkade)
        with report.step("three phones register through Parkade by password"):
            carol, james, alice = three_phones(scene)
            contacts = re.findall(r"REGISTER .* contact=<sip:[^@>]*@?127\.0\.0\.1:(\d+)", scene.pbx.text())
            if set(contacts) != {str(scene.trunk_port)}:
                raise Failure(f"the PBX knows contacts at ports {contacts}, Parkade's is {scene.trunk_port}")
        with report.step("101 calls 103 through Parkade and the PBX"):
            call(carol, james)
        with report.step("each hears the other's tone"):
            hear_each_other(carol, james)
        with report.step("their media goes through Parkade"):
            for phone in (carol, james):
                heard = [m for sent, m in phone.trace() if not sent and "CSeq" in m and "\nm=audio " in m]
                ports = [int(p) for m in heard for p in re.findall(r"^m=audio (\d+)", m, re.M)]
                if not ports or not all(MEDIA_PORTS[0] <= p <= MEDIA_PORTS[1] for p in ports):
                    raise Failure(f"phone {phone.extension} was told the media ports {ports}")
        pbx_heard = len(scene.pbx.text())
        with report.step("103 transfers the call to *68105 and is free"):
            transfer(james, "*68105")
        with report.step("101 hears music"):
            carol.hears("other", TONES)
        with report.step("105 is told who is parked"):
            noticed(alice, "101@")
        with report.step("the parked call is listed"):
            parked = scene.parked()
            if len(parked) != 1 or "105" not in json.dumps(parked):
                raise Failure(f"parkade parked --json says {parked}")
        with report.step("the PBX was asked for nothing"):
            asked = re.findall(r"pbx: (INVITE|REFER|UPDATE|BYE) ", scene.pbx.text()[pbx_heard:])
            if asked:
                raise Failure(f"the PBX has got {asked}")
        with report.step("105 dials *88 and is shown whom it got"):
            take(alice, "*88")
            ok = alice.saw("SIP/2.0 200", "INVITE\n")
            if not re.search(r"^(P-Asserted-Identity|Remote-Party-ID):.*101@", ok, re.M | re.I):
                raise Failure("the 200 to the retriever does not name 101")
        with report.step("each hears the other's tone after the retrieve"):
            hear_each_other(carol, alice)
        with report.step("105, whose phone answers such notices with 481, is spared the next"):
            if len(notices(alice)) != 1:
                raise Failure(f"it has got {len(notices(alice))} notices")
        with report.step("105 hangs up and 101 is told"):
            hang_up(alice, carol)
        with report.step("nothing is left and Parkade ends well"):
            nothing_is_left(scene)


def park_on_hold(report, peers, parkade):
    """The parker has the call on hold, parks on itself, and another takes the call by number."""
    scene = Scene(peers, "hold")
    with report.story("park a held call by *68, retrieve by *88103", scene):
        with report.step("Parkade and three phones"):
            scene.start_parkade(parkade)
            carol, james, alice = three_phones(scene)
        with report.step("105 calls 103, who puts the call on hold"):
            call(alice, james)
            hear_each_other(alice, james)
            james.command("hold")
            until("the hold is answered", lambda: held(james))
        with report.step("103 transfers the held call to *68"):
            transfer(james, "*68")
        # A held baresip stops its recording for the rest of the call, so all that can be told is that audio comes.
        with report.step("music goes to 105"):
            alice.gets_audio()
        with report.step("103 is told that a call is parked on it"):
            noticed(james, "105@")
        with report.step("101 retrieves it by *88103"):
            take(carol, "*88103")
        with report.step("101 hears 105's tone, and audio goes to 105"):
            carol.hears("105", TONES)
            alice.gets_audio()
        with report.step("105, the parkee, hangs up and 101 is told"):
            hang_up(alice, carol)
        with report.step("nothing is left and Parkade ends well"):
            nothing_is_left(scene)


def recall(report, peers, parkade):
    """Nobody takes the parked call, so it comes back to the parker."""
    scene = Scene(peers, "recall")
    with report.story("a parked call that nobody takes comes back", scene):
        with report.step("Parkade and three phones"):
            scene.start_parkade(parkade, recall_after="2s")
            carol, james, alice = three_phones(scene)
        with report.step("101 calls 103, who parks the call on 105"):
            call(carol, james)
            hear_each_other(carol, james)
            back = james.mark()
            park(james, "*68105", carol)
        with report.step("the recall rings 103 and 103 answers"):
            james.expect("CALL_INCOMING", back)
            james.command("accept")
            james.expect("CALL_ESTABLISHED", back)
        with report.step("each hears the other's tone again"):
            hear_each_other(carol, james)
        with report.step("101 hangs up and 103 is told"):
            hang_up(carol, james)
        with report.step("nothing is left and Parkade ends well"):
            nothing_is_left(scene)


def other_ends(report, peers, parkade):
    """What is not about a happy park: refusals, a caller who gives up, a transfer that is none of Parkade's business."""
    scene = Scene(peers, "other")
    with report.story("refusals, a parkee who gives up, an ordinary transfer", scene):
        with report.step("Parkade starts"):
            scene.start_parkade(parkade)
        with report.step("a phone with a wrong password is refused"):
            stranger = scene.phone("105", password="guess")
            until("the second 401", lambda: len(re.findall(r"^SIP/2\.0 401", stranger.program.text(), re.M)) >= 2)
            if stranger.saw("SIP/2.0 200", "REGISTER\n"):
                raise Failure("it is registered")
        with report.step("a phone that is not registered may not retrieve"):
            mark = stranger.mark()
            stranger.command("dial", "*88")
            stranger.expect("CALL_CLOSED", mark)
            if not stranger.saw("SIP/2.0 403", "INVITE\n"):
                raise Failure("its INVITE was not answered 403")
            stranger.stop()
        with report.step("three phones register"):
            carol, james, alice = three_phones(scene)
        with report.step("105 dials *88 while nothing is parked and is told so"):
            mark = alice.mark()
            alice.command("dial", "*88")
            alice.expect("CALL_CLOSED", mark)
            if not alice.saw("SIP/2.0 4", "INVITE\n"):
                raise Failure("its INVITE was not answered with a 4xx")
        with report.step("101, parked on 105, hangs up and is no longer listed"):
            call(carol, james)
            transfer(james, "*68105")
            noticed(alice, "101@")
            carol.command("hangup")
            until("no call is parked", lambda: not scene.parked())
        with report.step("103 transfers 101 to 105, which is none of Parkade's business"):
            call(carol, james)
            here, there = carol.mark(), alice.mark()
            james.command("transfer", "105")
            alice.expect("CALL_INCOMING", there)
            alice.command("accept")
            alice.expect("CALL_ESTABLISHED", there)
            carol.expect("CALL_ESTABLISHED", here)
            hear_each_other(carol, alice)
        with report.step("nothing is left and Parkade ends well"):
            hang_up(alice, carol)
            nothing_is_left(scene)


def why_no_presence():
    """Why the PBX cannot be a presence server here; None if it can."""
    if not any(glob.glob(f"{folder}/kamailio/modules/pua_dialoginfo.so") for folder in LIBRARIES):
        return "the Debian package kamailio-presence-modules is not installed (scripts/setup installs it)"
    return None if os.path.isdir(EMPTY_DATABASE) else f"there is no {EMPTY_DATABASE}"


def watched_extension(report, peers, parkade):
    """A lamp shows the calls that the PBX tells of, and the parked ones among them."""
    why = why_no_presence()
    if why:
        report.skipped("a lamp shows an extension's calls, the parked one too", why)
        return
    scene = Scene(peers, "lamp", presence=True)
    with report.story("a lamp shows an extension's calls, the parked one too", scene):
        with report.step("Parkade, three phones, and 107, whose lamp watches 105"):
            scene.start_parkade(parkade)
            carol, james, alice = three_phones(scene)
            lamp = scene.lamp("107")
            lamp.watch("105")
            seen = lamp.sees("nothing", [])
        with report.step("101 calls 103, who parks it at 105: the lamp shows it while the PBX knows of no call there"):
            call(carol, james)
            transfer(james, "*68105")
            seen = lamp.sees("the parked call", [("101", "confirmed")], seen)
        with report.step("101 hangs up: it shows nothing"):
            carol.command("hangup")
            seen = lamp.sees("nothing", [], seen)
        with report.step("101 calls 105: it shows what the PBX tells"):
            call(carol, alice)
            seen = lamp.sees("the PBX's dialog", [("101", "confirmed")], seen)
        with report.step("105 parks the call at 105: it shows the parked call beside the PBX's dialog"):
            transfer(alice, "*68")
            seen = lamp.sees("both", [("101", "confirmed")] * 2, seen)
        with report.step("103 retrieves it by *88105: it shows what the PBX tells"):
            take(james, "*88105")
            seen = lamp.sees("the PBX's dialog", [("101", "confirmed")], seen)
        with report.step("103 hangs up: it shows nothing"):
            hang_up(james, carol)
            lamp.sees("nothing", [], seen)
        with report.step("the versions of all notices rise by one, and they name what was watched"):
            told = [notice for notice in lamp.notices if notice.body]
            versions = [notice.version for notice in told]
            if versions != list(range(versions[0], versions[0] + len(versions))):
                raise Failure(f"they are {versions}")
            entities = {notice.entity for notice in told}
            if entities != {f"sip:105@{DOMAIN}"}:
                raise Failure(f"they name {entities}")
        with report.step("nothing is left and Parkade ends well"):
            nothing_is_left(scene)


WITH_PARKADE = [park_and_retrieve, park_on_hold, recall, other_ends, watched_extension]
