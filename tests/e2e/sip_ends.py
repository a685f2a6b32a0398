"""The two ends of a call in a few lines each: a PBX that answers everything, and a phone that asks.

They are for stories about where a request goes. What they say is right enough for that and no more: no password,
no sound, no repetition (nothing is lost on loopback).
"""

import contextlib
import itertools
import re
import socket
import threading
import time

from processes import Failure

NUMBERS = itertools.count(1)

SDP = "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"


def field(message, name):
    """The values of one header field, in order."""
    return re.findall(rf"^{name}:[ \t]*(.*?)\r?$", message, re.M | re.I)


def status(response):
    """The status code of a response."""
    return int(response.split(" ", 2)[1])


def _with_body(lines, body=""):
    if body:
        lines = lines + ["Content-Type: application/sdp"]
    return ("\r\n".join(lines + [f"Content-Length: {len(body)}", "", ""]) + body).encode()


class Host:
    """One host of the PBX, on one port by UDP and by TCP, on all of its addresses; it keeps a journal.

    It answers 200 OK; while `busy`, 503; while it `hangs_up`, nothing, and closes the stream by which it was asked.
    """

    def __init__(self, addresses, port):
        self.addresses = addresses
        self.port = port
        self.journal = []  # (transport, local address, method, whole request)
        self.busy = False
        self.hangs_up = False
        self.ends = []  # (socket, the thread that reads it)
        self.listen()

    def listen(self):
        """Opens its port on every address."""
        for address in self.addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            udp, tcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.bind((address, self.port))
            tcp.bind((address, self.port))
            tcp.listen()
            self._read(udp, self._datagrams, address)
            self._read(tcp, self._accept, address)

    def _read(self, end, read, address):
        reader = threading.Thread(target=read, args=(end, address), daemon=True)
        self.ends.append((end, reader))
        reader.start()

    def close(self):
        """Nothing listens there any more once this returns."""
        while self.ends:  # streams that are accepted meanwhile come behind
            end, reader = self.ends.pop(0)
            with contextlib.suppress(OSError):  # it says that it is not connected, and wakes the reader all the same
                end.shutdown(socket.SHUT_RDWR)
            reader.join()
            end.close()

    def heard(self, method=None, since=0):
        """What was asked of it, of one method or of all, from the `since`th entry of the journal on."""
        return [entry for entry in self.journal[since:] if method in (None, entry[2])]

    def _datagrams(self, udp, address):
        while True:
            try:
                data, peer = udp.recvfrom(65535)
            except OSError:
                return
            if not data:
                return
            answer = self._answer("udp", address, data.decode("utf-8", "replace"))
            if answer:
                udp.sendto(answer, peer)

    def _accept(self, tcp, address):
        while True:
            try:
                stream, _ = tcp.accept()
            except OSError:
                return
            self._read(stream, self._stream, address)

    def _stream(self, stream, address):
        kept = b""
        while True:
            try:
                read = stream.recv(65535)
            except OSError:
                return
            if not read:
                return
            kept += read
            while b"\r\n\r\n" in kept:
                head, rest = kept.lstrip(b"\r\n").split(b"\r\n\r\n", 1)
                text = head.decode("utf-8", "replace") + "\r\n"
                length = int((field(text, "Content-Length") + ["0"])[0])
                if len(rest) < length:
                    break
                kept = rest[length:]
                answer = self._answer("tcp", address, text)
                if self.hangs_up:
                    stream.shutdown(socket.SHUT_RDWR)
                    return
                if answer:
                    stream.sendall(answer)

    def _answer(self, transport, address, request):
        method = request.split(" ", 1)[0]
        self.journal.append((transport, address, method, request))
        if method == "ACK":
            return None
        lines = ["SIP/2.0 503 Busy" if self.busy else "SIP/2.0 200 OK"]
        lines += [f"Via: {via}" for via in field(request, "Via")]
        lines += [f"From: {field(request, 'From')[0]}"]
        to = field(request, "To")[0]
        lines += [f"To: {to}" if ";tag=" in to else f"To: {to};tag=host{self.port}"]
        lines += [f"{name}: {field(request, name)[0]}" for name in ("Call-ID", "CSeq")]
        if self.busy:
            return _with_body(lines)
        if method == "REGISTER":
            lines += [f"Contact: {contact};expires=60" for contact in field(request, "Contact")]
        elif method == "INVITE":
            host = f"[{address}]" if ":" in address else address
            lines += [f"Contact: <sip:pbx@{host}:{self.port};transport={transport}>"]
            return _with_body(lines, SDP.format(ip="192.0.2.1"))
        return _with_body(lines)


class Desk:
    """A phone by UDP that knows one server, Parkade, and one domain."""

    def __init__(self, address, server, domain, extension="101"):
        self.address, self.server, self.domain, self.extension = address, server, domain, extension
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]

    def close(self):
        """Hangs up the socket; no call is up any more."""
        self.socket.close()

    def register(self, seconds=8.0):
        """Registers; returns the final response."""
        return self._ask("REGISTER", f"sip:{self.domain}", self.extension, seconds)[0]

    def call(self, seconds=8.0):
        """Calls 200, hangs up if it is answered; returns the final response to the INVITE."""
        answer, branch, call = self._ask("INVITE", f"sip:200@{self.domain}", "200", seconds)
        to = field(answer, "To")[0]
        if status(answer) >= 300:
            self._send("ACK", f"sip:200@{self.domain}", to, 1, branch, call)
            return answer
        contact = re.search(r"<([^>]+)>", field(answer, "Contact")[0]).group(1)
        self._send("ACK", contact, to, 1, f"z9hG4bK{next(NUMBERS)}ack", call)
        bye = self._ask("BYE", contact, to, seconds, 2, call)[0]
        if status(bye) != 200:
            raise Failure(f"the BYE was answered with {bye.splitlines()[0]}")
        return answer

    def _ask(self, method, uri, to, seconds, number=1, call=None):
        if "<" not in to:
            to = f"<sip:{to}@{self.domain}>"
        branch, call = f"z9hG4bK{self.port}x{next(NUMBERS)}", call or f"{self.port}-{next(NUMBERS)}@{self.address}"
        self._send(method, uri, to, number, branch, call)
        end = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                response = self.socket.recv(65535).decode("utf-8", "replace")
            except TimeoutError:
                raise Failure(f"no final answer to {method} within {seconds:g} s") from None
            # Late repetitions of what was answered before are not for this request.
            if response.startswith("SIP/2.0") and branch in field(response, "Via")[0] and status(response) >= 200:
                return response, branch, call

    def _send(self, method, uri, to, number, branch, call):
        own = f"sip:{self.extension}@{self.domain}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};rport;branch={branch}",
            f"From: <{own}>;tag=desk{self.port}", f"To: {to}", f"Call-ID: {call}", f"CSeq: {number} {method}",
            f"Contact: <sip:{self.extension}@{self.address}:{self.port}>", "Max-Forwards: 70",
        ]
        body = SDP.format(ip=self.address) if method == "INVITE" else ""
        self.socket.sendto(_with_body(lines, body), (self.server, 5060))
