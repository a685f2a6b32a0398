"""A running baresip, driven over its control port and heard through the recordings that it makes."""

import array
import glob
import json
import os
import re
import socket
import threading
import time

from processes import Failure, until
from tones import RATE, name_of


class Softphone:
    """Extension `extension`: a program that takes commands at `control`, and records what it hears in `folder`."""

    def __init__(self, extension, program, control, folder):
        self.extension = extension
        self.program = program
        self.folder = folder
        self.events = []
        self.replies = {}
        # It talks with one at a time: no connection before this one, only to see whether it is there.
        self.connection = until(f"phone {extension} opens its control port", lambda: connected(control))
        self.connection.settimeout(None)
        threading.Thread(target=self._listen, daemon=True).start()
        # A reply shows that it has taken the connection: what happens before that it tells nobody.
        self.command("reginfo")

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
        self.connection.close()
        self.program.stop()


def connected(address):
    """A connection, or None while nobody listens there."""
    try:
        return socket.create_connection(address, timeout=2)
    except OSError:
        return None
