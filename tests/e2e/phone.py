"""A baresip softphone without a window: driven over its control port, heard through the recordings that it makes."""

import array
import glob
import json
import os
import re
import socket
import threading
import time

from processes import Failure, Program, free_port, free_range, takes_tcp, until
from tones import RATE, name_of, write_tone

MODULE_FOLDERS = ["/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib/baresip/modules"]

CONFIG = """\
poll_method epoll
sip_listen {address}:{port}
net_interface {address}
rtp_ports {rtp}-{rtp_end}
call_local_timeout 60
call_max_calls 4
audio_source aufile,{folder}/tone.wav
audio_player aubridge,ear
audio_alert aubridge,bell
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
snd_path {folder}
ringback_disabled yes
ctrl_tcp_listen 127.0.0.1:{control}
module_path {modules}
module g711.so
module sndfile.so
module aufile.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""

ACCOUNT = '"{name}" <sip:{extension}@{domain}>;auth_user={extension};auth_pass={password};outbound="{proxy}";regint=60;audio_codecs=pcma\n'


def module_folder():
    """Where baresip's modules are installed, or None."""
    for pattern in MODULE_FOLDERS:
        for folder in sorted(glob.glob(pattern)):
            if os.path.exists(os.path.join(folder, "ctrl_tcp.so")):
                return folder
    return None


class Phone:
    """Extension `extension`, which sings `hertz` into every call."""

    def __init__(self, program, folder, extension, hertz, proxy, domain, password=None, name=None):
        self.extension = extension
        # One address for all phones: baresip binds its media sockets to no address, so that their packets come from
        # 127.0.0.1 wherever on loopback the phone says that it is, and Parkade rightly takes none of a stranger.
        self.address = "127.0.0.1"
        self.folder = folder
        self.peer = re.search(r"[\d.]+:\d+", proxy).group(0)  # the only one that it exchanges SIP messages with
        self.events = []
        self.replies = {}
        self.connection = None
        os.makedirs(folder)
        write_tone(os.path.join(folder, "tone.wav"), hertz, 120)
        self.control = free_port()
        rtp = free_range(100)
        with open(os.path.join(folder, "config"), "w") as out:
            out.write(
                CONFIG.format(
                    address=self.address, port=free_port(self.address), rtp=rtp, rtp_end=rtp + 99, folder=folder,
                    rate=RATE, control=self.control, modules=module_folder(),
                )
            )
        with open(os.path.join(folder, "accounts"), "w") as out:
            out.write(
                ACCOUNT.format(
                    name=name or f"Phone {extension}", extension=extension, domain=domain, proxy=proxy,
                    password=password or f"pw-{extension}",
                )
            )
        self.program = Program(f"phone {extension}", [program, "-s", "-f", folder], os.path.join(folder, "log"))
        until(f"phone {extension} opens its control port", lambda: takes_tcp("127.0.0.1", self.control))
        self.connection = socket.create_connection(("127.0.0.1", self.control))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        # Netstrings, "LENGTH:{json},": events as they happen, and the replies to commands.
        buffer = b""
        while True:
            try:
                chunk = self.connection.recv(65536)
            except OSError:
                return
            if not chunk:
                return
            buffer += chunk
            while b":" in buffer:
                length, rest = buffer.split(b":", 1)
                size = int(length)
                if len(rest) <= size:
                    break
                said, buffer = json.loads(rest[:size].decode("utf-8", "replace")), rest[size + 1 :]
                if said.get("event"):
                    self.events.append(said)
                else:
                    self.replies[said.get("token")] = said

    def command(self, command, params=""):
        """Has the phone do something, as if its user had; returns what it says to that."""
        token = f"{command} {time.monotonic_ns()}"
        text = json.dumps({"command": command, "params": params, "token": token}).encode()
        self.connection.sendall(b"%d:%s," % (len(text), text))
        return until(f"phone {self.extension} does {command}", lambda: self.replies.pop(token, None))

    def mark(self):
        """A point in time, to ask later what has happened since."""
        return len(self.events)

    def happened(self, kind, since=0):
        """The first event of that kind since a mark, or None."""
        return next((e for e in self.events[since:] if e.get("type") == kind), None)

    def expect(self, kind, since=0, seconds=20.0):
        """Waits for an event of that kind."""
        return until(f"phone {self.extension}: {kind}", lambda: self.happened(kind, since), seconds)

    def trace(self):
        """Every SIP message that this phone has sent or received, as (sent, text)."""
        messages = []
        for part in self.program.text().split("\x1b[36;1m#\n")[1:]:
            part = part.split("\x1b[;m")[0].replace("\r\n", "\n")
            path, _, message = part.partition("\n")
            messages.append((path.endswith(f"-> {self.peer}"), message))
        return messages

    def saw(self, start, *contains, sent=False):
        """The first message that begins with `start` and has all of `contains` in it, or None."""
        for was_sent, message in self.trace():
            if was_sent == sent and message.startswith(start) and all(c in message for c in contains):
                return message
        return None

    def ear(self, milliseconds=500):
        """The newest samples that the phone has heard in its newest call, at most so many milliseconds of them."""
        recordings = glob.glob(os.path.join(self.folder, "dump-*-dec.wav"))
        if not recordings:
            return array.array("h")
        newest = max(recordings, key=os.path.getmtime)
        with open(newest, "rb") as recording:
            size = recording.seek(0, os.SEEK_END)
            length = 2 * RATE * milliseconds // 1000
            start = max(44, size - length)  # after the WAV header; its length field is not right before the end
            recording.seek(start + start % 2)
            data = recording.read()
        return array.array("h", data[: len(data) // 2 * 2])

    def hears(self, what, tones, seconds=8.0):
        """Waits until half a second of nothing but `what` (a name in `tones`, "silence" or "other") was heard."""
        heard = ["nothing"]

        def now():
            before = self.ear_position()
            # A recording that does not grow is of the past.
            deadline = time.monotonic() + 0.5
            while self.ear_position() == before:
                if time.monotonic() > deadline:
                    heard[0] = "nothing"
                    return False
                time.sleep(0.01)
            samples = self.ear()
            if len(samples) == RATE // 2:
                heard[0] = name_of(samples, tones)
            return heard[0] == what

        try:
            return until("", now, seconds)
        except Failure:
            raise Failure(f"phone {self.extension} hears {heard[0]}, not {what}") from None

    def gets_audio(self):
        """Waits until the phone has been sent another half second of audio, whatever can be heard in it."""

        def seconds():
            said = re.search(r"^ rx:.*?^ +time = ([\d.]+) sec", self.command("audio_debug")["data"], re.M | re.S)
            return float(said.group(1)) if said else 0.0

        start = seconds()
        until(f"audio comes to phone {self.extension}", lambda: seconds() >= start + 0.5)

    def ear_position(self):
        """Something that changes while the phone hears anything."""
        return sorted((path, os.path.getsize(path)) for path in glob.glob(os.path.join(self.folder, "dump-*-dec.wav")))

    def stop(self):
        """Unregisters and ends."""
        if self.connection:
            self.connection.close()
        self.program.stop()
