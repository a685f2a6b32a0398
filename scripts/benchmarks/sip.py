"""SIP by UDP as the soak needs it, for many phones and a PBX in one thread: requests that are sent again until they are
answered and repetitions that get the same answer (RFC 3261 §17), dialogs (§12), and the sound of a call.
"""

import asyncio
import collections
import contextlib
import itertools
import re
import socket

PATIENCE = 15.0  # seconds until a final answer must have come
T1 = 0.5  # seconds until a request, or an answer that lacks its ACK, is sent again (RFC 3261 §17.1.1.1)
REMEMBERED = 8_192  # so many answers are kept for repetitions: those of the last minute
FRAME = 0.02

BRANCH = re.compile(r"branch=(z9hG4bK[^;,\s]+)")
URI = re.compile(r"<([^>]+)>")
TAG = re.compile(r";tag=([^;\s]+)")
NUMBERS = itertools.count(1)


class Failed(Exception):
    """A call did not go as it should."""


class Message:
    """A request or an answer."""

    def __init__(self, data):
        head, _, self.body = data.decode("latin-1").partition("\r\n\r\n")
        self.start, *self.lines = head.split("\r\n")
        self.status = int(self.start.split(" ")[1]) if self.start.startswith("SIP/2.0 ") else 0
        self.method = self.field("cseq").rpartition(" ")[2] if self.status else self.start.partition(" ")[0]

    def field(self, name):
        """The first value of that name."""
        return next((line.partition(":")[2].strip() for line in self.lines if line.partition(":")[0].lower() == name), "")

    def copied(self):
        """What an answer has of its request; not the To."""
        names = ("via", "from", "call-id", "cseq", "record-route")
        return [line for line in self.lines if line.partition(":")[0].lower() in names]

    def branch(self):
        """What names its transaction."""
        found = BRANCH.search(self.field("via"))
        return found.group(1) if found else ""

    def sound(self):
        """Where its SDP wants to have sound."""
        port = re.search(r"^m=audio (\d+)", self.body, re.MULTILINE)
        host = re.search(r"^c=IN IP4 (\S+)", self.body, re.MULTILINE)
        if not port or not host or port.group(1) == "0":
            raise Failed(f"{self.start} has no sound")
        return host.group(1), int(port.group(1))


def tag(value):
    """The tag of a From or To."""
    found = TAG.search(value)
    return found.group(1) if found else ""


def uri(value):
    """What stands between < and >."""
    found = URI.search(value)
    return found.group(1) if found else value.partition(";")[0]


def address(target):
    """The host and port that a URI names."""
    host, _, port = target.rpartition("@")[2].partition(";")[0].partition(":")
    return host.removeprefix("sip:"), int(port or 5060)


class Sound:
    """A socket for RTP; what is not read falls by the wayside, so that nothing piles up."""

    def __init__(self, host):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        self.udp.bind((host, 0))
        self.udp.setblocking(False)
        self.host, self.port = self.udp.getsockname()
        self.sequence = next(NUMBERS) % 0x8000
        self.mark = self.port.to_bytes(2, "big") * 80

    def describe(self):
        """SDP for it."""
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            f"m=audio {self.port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        )

    def say(self, far):
        """Sends a packet that only this end sends."""
        self.sequence += 1
        stamp = (self.sequence * 160).to_bytes(4, "big")
        packet = b"\x80\x08" + (self.sequence % 65_536).to_bytes(2, "big") + stamp + self.mark[:4] + self.mark
        with contextlib.suppress(OSError):
            self.udp.sendto(packet, far)

    def heard(self):
        """What has come since this was last asked, as far as there was room."""
        packets = []
        with contextlib.suppress(OSError):
            while True:
                packets.append(self.udp.recv(2_048)[12:])
        return packets

    def close(self):
        """Nothing is heard any more."""
        self.udp.close()


class Call:
    """One end of a call."""

    def __init__(self, end, call_id, local, remote):
        self.end, self.call_id, self.local, self.remote = end, call_id, local, remote
        self.target, self.sound, self.far = "", None, None
        self.number = 0
        self.notices = asyncio.Queue()  # NOTIFYs in it
        self.acknowledged, self.over = asyncio.Event(), asyncio.Event()
        end.calls[call_id, tag(local)] = self

    def compose(self, method, target, more="", body=""):
        """A request in it."""
        self.number += method != "ACK"
        return (
            f"{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {self.end.here};branch=z9hG4bK{next(NUMBERS)};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: {self.local}\r\nTo: {self.remote}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {self.number} {method}\r\nContact: {self.end.contact}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    async def ask(self, method, wanted, more=""):
        """Asks something in it, which must be answered so."""
        answer = await self.end.ask(self.compose(method, self.target, more), self.end.proxy or address(self.target))
        if answer.status != wanted:
            raise Failed(f"{method} of {self.end.name} was answered with {answer.status}")

    async def hang_up(self):
        """Ends it."""
        await self.ask("BYE", 200)
        self.leave()

    async def is_hung_up(self, within):
        """Waits until the other end has hung up."""
        await timely(self.over.wait(), within, f"{self.end.name} is not hung up on")

    def leave(self):
        """It is over here."""
        self.over.set()
        self.end.calls.pop((self.call_id, tag(self.local)), None)
        if self.sound:
            self.sound.close()


async def timely(what, within, otherwise):
    """Waits for that so long, and then fails."""
    try:
        return await asyncio.wait_for(what, within)
    except TimeoutError:
        raise Failed(f"{otherwise} within {within:g} s") from None


class End(asyncio.DatagramProtocol):
    """Who speaks SIP at an address of its own: a phone, or the PBX. Whoever calls it is answered at once."""

    def __init__(self, name, number, proxy=None):
        self.name, self.number, self.proxy = name, number, proxy
        self.calls = {}
        self.waiting = {}  # by branch: who waits for a final answer
        self.trying = set()  # branches that have a provisional one
        self.answers = collections.OrderedDict()  # by branch and method: the answer that we gave, and the ACK that we sent
        self.faults = collections.Counter()
        self.transport, self.nobody = None, None

    async def open(self, host):
        """Takes an address."""
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        udp.bind((host, 0))
        self.host, self.port = udp.getsockname()
        self.here = f"{self.host}:{self.port}"
        self.contact = f"<sip:{self.number}@{self.here}>"
        self.nobody = Sound(host)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=udp)

    def connection_made(self, transport):
        self.transport = transport

    def is_quiet(self, invite):
        """Whether a call is one of many without sound, that nobody attends."""
        return False

    def called(self, call):
        """A call has come that is attended."""

    def registered(self, request):
        """What a REGISTER is answered with besides."""
        return ""

    def datagram_received(self, data, peer):
        if not data.strip():
            return
        message = Message(data)
        if message.status:
            self.is_answered(message)
        elif message.method == "ACK":
            if call := self.call_of(message):
                call.acknowledged.set()
        elif known := self.answers.get((message.branch(), message.method)):
            self.transport.sendto(known, peer)
        else:
            self.is_asked(message, peer)

    def call_of(self, request):
        """The call in which that is asked."""
        return self.calls.get((request.field("call-id"), tag(request.field("to"))))

    def is_answered(self, answer):
        """Gives an answer to who waits for it; a 2xx that comes again gets its ACK again."""
        branch = answer.branch()
        waits = self.waiting.get(branch)
        if answer.status < 200:
            self.trying.add(branch)
        elif waits and not waits.done():
            waits.set_result(answer)
        elif answer.method == "INVITE" and (sent := self.answers.get((branch, "ACK"))):
            self.transport.sendto(*sent)

    def is_asked(self, request, peer):
        """Answers a request: everything is agreed to."""
        call = self.call_of(request)
        if request.method == "INVITE":
            self.is_invited(request, peer, call)
            return
        if request.method == "BYE" and not call:
            self.reply(request, peer, "481 Call/Transaction Does Not Exist", request.field("to"))
            self.faults[f"a BYE for {self.name} in a call that it has not"] += 1
            return
        more = self.registered(request) if request.method == "REGISTER" else ""
        to = request.field("to")
        self.reply(request, peer, "200 OK", to if tag(to) else f"{to};tag={self.number}", more)
        if call and request.method == "NOTIFY":
            call.notices.put_nowait(request)
        if call and request.method == "BYE":
            call.leave()

    def is_invited(self, request, peer, call):
        """Rings and answers; offered sound again in a call, takes it."""
        if not call:
            to = f"{request.field('to')};tag=a{next(NUMBERS)}"
            call = Call(self, request.field("call-id"), to, request.field("from"))
            call.target = uri(request.field("contact"))
            self.reply(request, peer, "180 Ringing", to, f"Contact: {self.contact}\r\n")
            if not self.is_quiet(request):
                call.sound = Sound(self.host)
                self.called(call)
        call.far = request.sound()
        body = (call.sound or self.nobody).describe()
        call.acknowledged.clear()
        more = f"Contact: {self.contact}\r\nContent-Type: application/sdp\r\n"
        text = self.reply(request, peer, "200 OK", call.local, more, body)
        asyncio.get_running_loop().call_later(T1, self.insist, call, text, peer, T1)

    def insist(self, call, text, peer, pause):
        """Sends a 2xx again as long as its ACK has not come (RFC 3261 §13.3.1.4)."""
        if call.acknowledged.is_set() or call.over.is_set():
            return
        if pause > PATIENCE:
            self.faults[f"no ACK for {self.name}"] += 1
            return
        self.transport.sendto(text, peer)
        asyncio.get_running_loop().call_later(2 * pause, self.insist, call, text, peer, 2 * pause)

    def reply(self, request, peer, status, to, more="", body=""):
        """Sends an answer; a final one is remembered."""
        head = [f"SIP/2.0 {status}", *request.copied(), f"To: {to}"]
        text = "\r\n".join([*head, f"{more}Content-Length: {len(body)}", "", body]).encode("latin-1")
        if not status.startswith("1"):
            self.remember((request.branch(), request.method), text)
        self.transport.sendto(text, peer)
        return text

    def remember(self, key, what):
        """Keeps that until there is much newer."""
        self.answers[key] = what
        if len(self.answers) > REMEMBERED:
            self.answers.popitem(last=False)

    async def ask(self, text, there):
        """Sends a request until it is answered; the final answer."""
        branch, invites = BRANCH.search(text).group(1), text.startswith("INVITE")
        waits = self.waiting[branch] = asyncio.get_running_loop().create_future()
        until, pause = asyncio.get_running_loop().time() + PATIENCE, T1
        try:
            while not waits.done():
                if not (invites and branch in self.trying):
                    self.transport.sendto(text.encode("latin-1"), there)
                left = until - asyncio.get_running_loop().time()
                if left <= 0:
                    raise Failed(f"{text.partition(' ')[0]} of {self.name} is not answered within {PATIENCE:g} s")
                await asyncio.wait({waits}, timeout=min(pause, left))
                pause = min(2 * pause, 4.0)
            return waits.result()
        finally:
            del self.waiting[branch]
            self.trying.discard(branch)

    async def call(self, target, to, there):
        """Calls somebody, and must be answered with 200."""
        local = f"<sip:{self.number}@pbx.test>;tag=c{next(NUMBERS)}"
        call = Call(self, f"{next(NUMBERS)}@{self.here}", local, f"<{to}>")
        call.sound = Sound(self.host)
        text = call.compose("INVITE", target, "Content-Type: application/sdp\r\n", call.sound.describe())
        try:
            answer = await self.ask(text, there)
            call.remote, call.target = answer.field("to"), uri(answer.field("contact")) or target
            # The ACK of a 2xx is a transaction of its own, the ACK of a refusal is not (RFC 3261 §17.1.1.3).
            ack = call.compose("ACK", call.target if answer.status < 300 else target)
            if answer.status >= 300:
                ack = BRANCH.sub(BRANCH.search(text).group(0), ack)
            where = self.proxy or address(call.target)
            self.transport.sendto(ack.encode(), where)
            self.remember((answer.branch(), "ACK"), (ack.encode(), where))
            if answer.status != 200:
                raise Failed(f"INVITE of {self.name} was answered with {answer.status}")
            call.far = answer.sound()
        except Failed:
            call.leave()
            raise
        return call

    def close(self):
        """It is there no more."""
        for call in list(self.calls.values()):
            call.leave()
        if self.transport:
            self.transport.close()
            self.nobody.close()
