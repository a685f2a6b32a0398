"""The signalling of both ends: phones that call, park and retrieve, and the PBX that answers, many calls at once.

Just enough SIP for that: nothing is lost between these networks as long as few messages are under way at once.
"""

import collections
import re
import select
import time

from networks import PARKADE_FOR_PHONES, PBX, PHONES, SIP, udp_socket

FIRST_PORT = 20000  # of the media of both sides; each call has this port and the next on either
FIRST_SLOT = 2000  # a slot for each call
AT_ONCE = 40
PACE = 200  # calls a second at most: ports are bound ahead, not without end
PATIENCE = 30  # seconds
SPEAKS_FIRST = 0.03  # seconds for which a retriever has spoken when it acknowledges, so that its own start is no gap

# G.711 alone, packets of 20 ms.
SDP = (
    "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=ptime:20\r\n"
)
# The same with SRTP. The load sends none: what it hears is counted by its headers, which stay readable.
SRTP = SDP.replace("RTP/AVP", "RTP/SAVP") + (
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR\r\n"
)


def field(message, name):
    """The first value of a header field."""
    found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", message, re.M | re.I)
    return found.group(1) if found else ""


def media_address(message):
    """Where a description wants its sound, as address:port."""
    return re.search(r"^c=IN IP4 (\S+)", message, re.M).group(1) + ":" + re.search(r"^m=audio (\d+)", message, re.M).group(1)


def port_of(number):
    """The media port of both ends of a call."""
    return FIRST_PORT + 2 * number


class Call:
    """One call, its parker's dialog or its retriever's."""

    def __init__(self, number, asks):
        self.number = number
        self.asks = asks  # whom it dials
        self.answer = None  # the 200 to its INVITE
        self.phone_to = self.pbx_to = None  # where the two ends are to send
        self.parked = False
        self.cseq = 1


class Dialling:
    """Phones on one port, the PBX on another."""

    def __init__(self, server_port):
        self.server = (PARKADE_FOR_PHONES, server_port)
        self.phones = udp_socket("phones", PHONES, SIP)
        self.pbx = udp_socket("pbx", PBX, SIP)
        self.calls = {}  # by Call-ID
        self.sdp = SDP
        self.run = time.monotonic_ns()
        self.branch = 0
        self.on_answer = self.on_parked = lambda call: None
        self.late = collections.deque()  # ACKs that wait, each with its time

    def close(self):
        """Nobody answers any more."""
        self.phones.close()
        self.pbx.close()

    def dial(self, count):
        """Makes so many calls; returns them in order when all are up."""
        begun = [self._begin("call", number, "200") for number in range(count)]
        self._all(begun, self._invite, lambda call: call.answer and call.pbx_to)
        return begun

    def park(self, calls):
        """Parks each in a slot of its own; the parkers hang up, which `on_parked` is told."""
        self._all(calls, self._refer, lambda call: call.parked)

    def retrieve(self, calls):
        """Takes each from its slot, by the phone that parked it; `on_answer` is told where that phone is to send, from then
        on, and not only when it has acknowledged."""
        takers = [self._begin("take", call.number, str(FIRST_SLOT + call.number)) for call in calls]
        self._all(takers, self._invite, lambda call: call.answer)
        while self.late:
            self.hear(0.01)

    def _begin(self, kind, number, asks):
        call = self.calls[f"{kind}-{self.run}-{number}"] = Call(number, asks)
        call.id = f"{kind}-{self.run}-{number}"
        return call

    def _all(self, calls, ask, is_done):
        """Asks for each, some at once, until all are done."""
        open_, begun = [], time.monotonic()
        end = begun + PATIENCE
        waiting = list(reversed(calls))
        while waiting or open_:
            due = len(calls) - PACE * (time.monotonic() - begun)
            while len(waiting) > max(0, due) and len(open_) < AT_ONCE:
                open_.append(waiting.pop())
                ask(open_[-1])
            self.hear(0.01)
            left = [call for call in open_ if not is_done(call)]
            if len(left) < len(open_):
                open_, end = left, time.monotonic() + PATIENCE
            if time.monotonic() > end:
                raise SystemExit(f"{len(left)} calls do not get on, the first is {left[0].id}")

    def hear(self, seconds):
        """Deals with what has come; waits so long if nothing has."""
        while self.late and self.late[0][0] < time.monotonic():
            self._within(self.late.popleft()[1], "ACK", 1)
        for udp in select.select([self.phones, self.pbx], [], [], seconds)[0]:
            data, peer = udp.recvfrom(65535)
            message = data.decode("utf-8", "replace")
            if message.startswith("SIP/2.0"):
                self._answered(message)
            else:
                self._asked(udp, peer, message)

    def _answered(self, message):
        status, method = int(message[8:11]), field(message, "CSeq").split()[1]
        call = self.calls.get(field(message, "Call-ID"))
        if call is None or status < 200:
            return
        if status >= 300:
            raise SystemExit(f"{method} of {call.id} was answered:\n{message}")
        if method == "INVITE":
            if not call.answer:
                call.answer, call.phone_to = message, media_address(message)
                self.on_answer(call)
                if call.id.startswith("take"):
                    self.late.append((time.monotonic() + SPEAKS_FIRST, call))
                    return
            self._within(call, "ACK", 1)

    def _asked(self, udp, peer, request):
        method, call = request.split(" ", 1)[0], self.calls.get(field(request, "Call-ID"))
        if method == "ACK":
            return
        lines = ["SIP/2.0 200 OK"] + [f"Via: {via}" for via in re.findall(r"^Via:[ \t]*(.*?)\r?$", request, re.M)]
        to = field(request, "To")
        lines += [f"From: {field(request, 'From')}", f"To: {to}" if ";tag=" in to else f"To: {to};tag=pbx"]
        lines += [f"{name}: {field(request, name)}" for name in ("Call-ID", "CSeq")]
        body = ""
        if method == "INVITE":
            ip = PBX if udp is self.pbx else PHONES
            lines.append(f"Contact: <sip:200@{ip}:{SIP}>")
            body = self.sdp.format(ip=ip, port=port_of(call.number))
            if udp is self.pbx:
                call.pbx_to = media_address(request)
        self._send(udp, peer, lines, body)
        if method == "NOTIFY" and call and not call.parked and "SIP/2.0 200" in request:
            call.parked = True
            self._within(call, "BYE")
            self.on_parked(call)

    def _invite(self, call):
        uri = f"sip:{call.asks}@{PARKADE_FOR_PHONES}"
        lines = self._lines("INVITE", uri, f"<{uri}>", call, 1)
        self._send(self.phones, self.server, lines, self.sdp.format(ip=PHONES, port=port_of(call.number)))

    def _refer(self, call):
        self._within(call, "REFER", more=[f"Refer-To: <sip:{FIRST_SLOT + call.number}@{PARKADE_FOR_PHONES}>"])

    def _within(self, call, method, cseq=None, more=()):
        if cseq is None:
            call.cseq += 1
        uri = re.search(r"<([^>]+)>", field(call.answer, "Contact")).group(1)
        lines = self._lines(method, uri, field(call.answer, "To"), call, cseq or call.cseq)
        self._send(self.phones, self.server, [*lines, *more])

    def _lines(self, method, uri, to, call, cseq):
        self.branch += 1
        return [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {PHONES}:{SIP};rport;branch=z9hG4bK{self.run}x{self.branch}",
            f"From: <sip:103@{PARKADE_FOR_PHONES}>;tag={call.id}", f"To: {to}", f"Call-ID: {call.id}",
            f"CSeq: {cseq} {method}", f"Contact: <sip:103@{PHONES}:{SIP}>", "Max-Forwards: 70",
        ]

    def _send(self, udp, to, lines, body=""):
        if body:
            lines = [*lines, "Content-Type: application/sdp"]
        udp.sendto(("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]) + body).encode(), to)
