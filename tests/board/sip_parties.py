"""Phones and a PBX for the browser's stories, in a few lines each, by UDP on loopback.

They speak real SIP: registrations, calls, transfers, notices. What they leave out is what no story needs: passwords
and repetitions (nothing is lost on loopback). The first to be rung answers at once; who is not to, is told so.
"""

import itertools
import re
import socket
import threading

from processes import Failure, until
from sip_ends import field, status

NUMBERS = itertools.count(1)
SDP = (
    "v=0\r\no=- {version} {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
)


def uri_of(value):
    """The URI of a name-addr."""
    found = re.search(r"<([^>]+)>", value)
    return found.group(1) if found else value.split(";")[0].strip()


class Dialog:
    """A call, as one of its ends knows it."""

    def __init__(self, call_id, own, peer, target, route):
        self.call_id, self.own, self.peer, self.target, self.route = call_id, own, peer, target, route
        self.number = 1
        self.media = None  # where the far end wants its sound
        self.is_over = False
        self.notified = []


class Party:
    """A socket, and who answers there."""

    def __init__(self, name, server, domain="pbx.example", rtp_port=40000):
        self.name, self.server, self.domain, self.rtp_port = name, server, domain, rtp_port
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.dialogs = {}  # by Call-ID
        self.contacts = {}  # what has registered here
        self.rung = []  # the From of each call that came
        self.answers = True
        self._waiting = {}  # what was asked, by branch: its final answer
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self):
        """Nobody answers there any more."""
        self.socket.sendto(b"", ("127.0.0.1", self.port))
        self._reader.join()
        self.socket.close()

    # What comes.

    def _read(self):
        while True:
            data, peer = self.socket.recvfrom(65535)
            if not data:
                return
            text = data.decode("utf-8", "replace")
            if text.startswith("SIP/2.0 "):
                self._response(text)
            elif not text.isspace():
                self._request(text, peer)

    def _response(self, text):
        if status(text) < 200:
            return
        branch = re.search(r"branch=([^;,\s]+)", field(text, "Via")[0]).group(1)
        with self._changed:
            if branch in self._waiting:
                self._waiting[branch] = text
                self._changed.notify_all()

    def _request(self, text, peer):
        method, call_id = text.split(" ", 1)[0], field(text, "Call-ID")[0]
        dialog = self.dialogs.get(call_id)
        if method == "ACK":
            return
        if method == "REGISTER":
            self.contacts[uri_of(field(text, "To")[0]).split(":")[1].split("@")[0]] = uri_of(field(text, "Contact")[0])
            lines = [f"Contact: {value};expires=3600" for value in field(text, "Contact")]
            self._answer(text, peer, "200 OK", lines)
        elif method == "INVITE" and dialog is None:
            self.rung.append(field(text, "From")[0])
            if not self.answers:
                self._answer(text, peer, "180 Ringing", [], tag=f"{self.name}{call_id[:8]}")
                return
            self._take(text, peer, call_id)
        elif method == "CANCEL":
            self._answer(text, peer, "200 OK", [])
            self._answer(text.replace("CANCEL", "INVITE"), peer, "487 Request Terminated", [], tag=f"{self.name}{call_id[:8]}")
        elif method == "INVITE":
            dialog.media = self._media(text) or dialog.media
            self._answer(text, peer, "200 OK", [f"Contact: <{self._contact()}>"], self._sdp())
        else:
            if method == "BYE" and dialog:
                with self._changed:
                    dialog.is_over = True
                    self._changed.notify_all()
            if method == "NOTIFY" and dialog:
                dialog.notified.append(text.rsplit("\r\n\r\n", 1)[-1].strip())
            self._answer(text, peer, "200 OK", [f"Contact: <{self._contact()}>"])

    def _take(self, text, peer, call_id):
        tag = f"{self.name}{next(NUMBERS)}"
        own = field(text, "To")[0] + f";tag={tag}"
        dialog = Dialog(call_id, own, field(text, "From")[0], uri_of(field(text, "Contact")[0]), peer)
        dialog.media = self._media(text)
        self.dialogs[call_id] = dialog
        self._answer(text, peer, "200 OK", [f"Contact: <{self._contact()}>"], self._sdp(), tag)

    def _media(self, text):
        found = re.search(r"^c=IN IP4 (\S+)", text, re.M), re.search(r"^m=audio (\d+)", text, re.M)
        return (found[0].group(1), int(found[1].group(1))) if all(found) else None

    def _sdp(self):
        return SDP.format(version=next(NUMBERS), port=self.rtp_port)

    def _contact(self):
        return f"sip:{self.name}@127.0.0.1:{self.port}"

    def _answer(self, request, peer, what, lines, body="", tag=None):
        to = field(request, "To")[0]
        head = [f"SIP/2.0 {what}"] + [f"Via: {via}" for via in field(request, "Via")]
        head += [f"Record-Route: {route}" for route in field(request, "Record-Route")]
        head += [f"From: {field(request, 'From')[0]}"]
        head += [f"To: {to}" if ";tag=" in to else f"To: {to};tag={tag or f'{self.name}x'}"]
        head += [f"{name}: {field(request, name)[0]}" for name in ("Call-ID", "CSeq")]
        self._send(head + lines, body, peer)

    def _send(self, lines, body, peer):
        if body:
            lines = lines + ["Content-Type: application/sdp"]
        text = "\r\n".join(lines + [f"Content-Length: {len(body)}", "", ""]) + body
        self.socket.sendto(text.encode("utf-8", "surrogateescape"), peer)

    # What is said.

    def _ask(self, method, uri, own, peer, call_id, number, lines=(), body="", to=None, seconds=8.0):
        branch = f"z9hG4bK{self.name}{next(NUMBERS)}"
        head = [
            f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch={branch}",
            f"From: {own}", f"To: {peer}", f"Call-ID: {call_id}", f"CSeq: {number} {method}",
            f"Contact: <{self._contact()}>", "Max-Forwards: 70", "User-Agent: Parkade test phone", *lines,
        ]
        with self._changed:
            self._waiting[branch] = None
        self._send(head, body, to or self.server)
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting[branch], seconds):
                raise Failure(f"{self.name}: no final answer to {method} within {seconds:g} s")
            answer = self._waiting.pop(branch)
        if method == "INVITE":
            target = uri_of(field(answer, "Contact")[0]) if status(answer) < 300 else uri
            ack = [line.replace("INVITE", "ACK") for line in head if not line.startswith(("To:", "Contact:"))]
            ack[0] = f"ACK {target} SIP/2.0"
            if status(answer) < 300:
                ack[1] += "ack"
            self._send([*ack, f"To: {field(answer, 'To')[0]}"], "", to or self.server)
        return answer

    def register(self):
        """Registers; the answer must be 200."""
        own = f"<sip:{self.name}@{self.domain}>"
        answer = self._ask(
            "REGISTER", f"sip:{self.domain}", f"{own};tag=r{self.port}", own, f"r{self.port}@phone", 1, ["Expires: 3600"]
        )
        if status(answer) != 200:
            raise Failure(f"{self.name}: the registration was answered with {answer.splitlines()[0]}")

    def call(self, uri, display=None, user=None, to=None):
        """Calls, and returns the dialog; it must be answered. `display` is written as it stands."""
        call_id = f"{self.name}-{next(NUMBERS)}@phone"
        own = f"{display or ''} <sip:{user or self.name}@{self.domain}>;tag=c{next(NUMBERS)}".strip()
        answer = self._ask("INVITE", uri, own, f"<{uri}>", call_id, 1, body=self._sdp(), to=to)
        if status(answer) >= 300:
            raise Failure(f"{self.name}: the call to {uri} was answered with {answer.splitlines()[0]}")
        dialog = Dialog(call_id, own, field(answer, "To")[0], uri_of(field(answer, "Contact")[0]), to or self.server)
        dialog.media = self._media(answer)
        self.dialogs[call_id] = dialog
        return dialog

    def within(self, dialog, method, lines=()):
        """Asks something in a call; the status of its answer."""
        dialog.number += 1
        answer = self._ask(
            method, dialog.target, dialog.own, dialog.peer, dialog.call_id, dialog.number, lines, to=dialog.route
        )
        return status(answer)

    def transfer(self, dialog, to):
        """Transfers the call blindly; it must be taken on."""
        taken = self.within(dialog, "REFER", [f"Refer-To: <sip:{to}@{self.domain}>"])
        if taken != 202:
            raise Failure(f"{self.name}: the transfer to {to} was answered with {taken}")

    def hang_up(self, dialog):
        """Ends the call."""
        dialog.is_over = True
        return self.within(dialog, "BYE")

    def is_told(self, dialog, what):
        """Waits until a notice about the transfer says that."""
        until(f"{self.name} is told {what!r}", lambda: any(what in said for said in dialog.notified))
