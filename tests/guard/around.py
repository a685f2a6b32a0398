"""Who is around Parkade in a flood: a PBX, a phone with many calls, strangers; each at an address of its own.

They speak as much SIP as it takes, by UDP on loopback. The PBX and the strangers are processes of their own, so that
they do not delay the phone, which measures.
"""

import itertools
import multiprocessing
import os
import random
import re
import select
import socket
import time

from processes import Failure

PARKADE, PBX, PHONE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.3\r\ns=-\r\nc=IN IP4 127.0.0.3\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)
# What the PBX knows.
KNOWN = "200"
NUMBERS = itertools.count(1)


def bound(ip, port=0):
    """A UDP socket with room."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    made.bind((ip, port))
    return made


def field(text, name):
    """The first value of that name."""
    found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", text, re.MULTILINE | re.IGNORECASE)
    return found.group(1) if found else ""


def request(method, uri, at, call_id, number, more="", body="", sender=KNOWN, to=None):
    """A request, with a branch of its own."""
    branch = f"z9hG4bK{next(NUMBERS)}x{random.getrandbits(32)}"
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at[0]}:{at[1]};branch={branch};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:{sender}@pbx.example>;tag=f\r\nTo: {to or f'<sip:{sender}@pbx.example>'}\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {number} {method}\r\nContact: <sip:{sender}@{at[0]}:{at[1]}>\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
    )


def answer(text, status, more="", body=""):
    """The answer to a request."""
    kept = [line for line in text.split("\r\n\r\n")[0].split("\r\n") if re.match(r"(?i)(via|from|call-id|cseq|record-route):", line)]
    to = field(text, "To")
    to = to if "tag=" in to else f"{to};tag=pbx"
    return "\r\n".join([f"SIP/2.0 {status}", *kept, f"To: {to}", f"{more}Content-Length: {len(body)}", "", body])


def serve_as_pbx(made):
    """Lets the known phone register and call; asks everybody else for credentials, and never likes them."""
    port = made.getsockname()[1]
    while True:
        data, peer = made.recvfrom(65536)
        text = data.decode("latin-1")
        method = text.split(" ", 1)[0]
        if method in ("SIP/2.0", "ACK", ""):
            continue
        contact = f"Contact: {field(text, 'Contact')}\r\nExpires: 3600\r\n"
        if "tag=" in field(text, "To") or method in ("OPTIONS", "CANCEL"):
            told = answer(text, "200 OK")
        elif f"sip:{KNOWN}@" not in field(text, "From"):
            challenge = 'WWW-Authenticate: Digest realm="pbx.example", nonce="4f3a", algorithm=MD5\r\n'
            told = answer(text, "401 Unauthorized", challenge)
        elif method == "INVITE":
            sdp = SDP.format(port=40000)
            contact = f"Contact: <sip:pbx@{PBX}:{port}>\r\nContent-Type: application/sdp\r\n"
            told = answer(text, "200 OK", contact, sdp)
        else:
            told = answer(text, "200 OK", contact)
        made.sendto(told.encode("latin-1"), peer)


class Pbx:
    """The PBX, as a process."""

    def __init__(self):
        made = bound(PBX)
        self.port = made.getsockname()[1]
        self.process = multiprocessing.Process(target=serve_as_pbx, args=(made,), daemon=True)
        self.process.start()
        made.close()

    def end(self):
        """It is there no more."""
        self.process.kill()
        self.process.join()


class Phone:
    """A phone that is registered, and has calls."""

    def __init__(self, house):
        self.house = house
        self.socket = bound(PHONE)
        self.at = self.socket.getsockname()
        self.calls = []
        self.number = 1

    def _ask(self, text, seconds=8.0):
        """Sends a request until it has its final answer, as RFC 3261 has it, and gives that."""
        branch = re.search(r"branch=([^;\r]+)", text).group(1)
        until, pause = time.monotonic() + seconds, 0.5
        while time.monotonic() < until:
            self.socket.sendto(text.encode(), self.house)
            again = time.monotonic() + pause
            pause = min(2 * pause, 4.0)
            while (left := again - time.monotonic()) > 0:
                if not select.select([self.socket], [], [], left)[0]:
                    break
                told = self.socket.recv(65536).decode("latin-1")
                if told.startswith("SIP/2.0") and branch in told and not told.startswith("SIP/2.0 1"):
                    return told
        raise Failure(f"no answer to {text.split(' ', 1)[0]} within {seconds} s")

    def _good(self, text):
        told = self._ask(text)
        if not told.startswith("SIP/2.0 200"):
            raise Failure(f"{text.split(' ', 1)[0]} was answered {told.splitlines()[0]}")
        return told

    def register(self):
        """The PBX lets it."""
        self._good(request("REGISTER", "sip:pbx.example", self.at, "register", next(NUMBERS), "Expires: 3600\r\n"))

    def call(self):
        """One more call that is up."""
        call_id, sdp = f"call-{len(self.calls)}-{os.getpid()}", SDP.format(port=50000 + 2 * len(self.calls))
        to = "<sip:9000@pbx.example>"
        kind = "Content-Type: application/sdp\r\n"
        told = self._good(request("INVITE", "sip:9000@pbx.example", self.at, call_id, 1, kind, sdp, to=to))
        call = (call_id, re.search(r"<([^>]+)>", field(told, "Contact")).group(1), field(told, "To"))
        ack = request("ACK", call[1], self.at, call_id, 1, to=call[2])
        self.socket.sendto(ack.encode(), self.house)
        self.calls.append(call)

    def within(self, call, method):
        """Asks something in a call, of its far end."""
        self.number += 1
        self._good(request(method, call[1], self.at, call[0], self.number, to=call[2]))

    def round_trip(self):
        """How many milliseconds Parkade takes to answer."""
        uri = f"sip:{self.house[0]}:{self.house[1]}"
        text = request("OPTIONS", uri, self.at, f"ping-{next(NUMBERS)}", 1)
        begun = time.perf_counter()
        self._good(text)
        return (time.perf_counter() - begun) * 1000


def strangers(house, count, rate, seconds, sent):
    """Many addresses that send what strangers send, at a rate."""
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    chance = random.Random(5)
    ends = [bound(f"127.{66 + i // 62500}.{i // 250 % 250}.{1 + i % 250}") for i in range(count)]
    kinds = ["REGISTER"] * 8 + ["INVITE"] * 4 + ["SUBSCRIBE"] * 3 + ["scan"] * 2 + ["noise"] * 3
    made = []
    for end in ends:
        at, user = end.getsockname(), str(chance.randrange(100, 1000))
        texts = []
        for kind in kinds:
            if kind == "noise":
                texts.append(chance.randbytes(200))
                continue
            scans = kind == "scan"
            more = "User-Agent: friendly-scanner\r\n" if scans else "Event: dialog\r\nExpires: 60\r\n"
            method = "OPTIONS" if scans else kind
            texts.append(request(method, "sip:105@pbx.example", at, f"{user}-{kind}", 1, more, sender=user).encode())
        made.append(texts)
    begun, count_sent = time.monotonic(), 0
    # So few at once that a queue of the system's does not hide what it takes.
    step = max(1, rate // 1000)
    while time.monotonic() - begun < seconds:
        for _ in range(step):
            at = chance.randrange(count)
            # A tenth of them scan; the others would pass for phones.
            texts = made[at]
            ends[at].sendto(chance.choice(texts if at % 10 == 0 else texts[:15]), house)
        count_sent += step
        ahead = count_sent / rate - (time.monotonic() - begun)
        if ahead > 0:
            time.sleep(ahead)
    sent.value = count_sent


class Flood:
    """Strangers, for so many seconds, as a process."""

    def __init__(self, house, count, rate, seconds):
        self.sent = multiprocessing.Value("q", 0)
        given = (house, count, rate, seconds, self.sent)
        self.process = multiprocessing.Process(target=strangers, args=given, daemon=True)
        self.process.start()

    def lasts(self):
        """Whether it is still going on."""
        return self.process.is_alive()

    def end(self):
        """It is over."""
        self.process.kill()
        self.process.join()
