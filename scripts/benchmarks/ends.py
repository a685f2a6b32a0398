"""Who calls and is called: a PBX that lets everybody register and answers every call, and phones that park."""

import asyncio
import itertools

from sip import End, Failed, address, timely, uri

PBX, PHONES = "127.0.0.2", "127.0.0.3"
PATIENCE = 5.0  # seconds that a step may take
REGISTERED_FOR = 300  # seconds
# Who is dialled in calls that nobody attends.
PLAIN = "200"


class Pbx(End):
    """Where everybody registers, and where everybody is who is called."""

    def __init__(self):
        super().__init__("the PBX", "pbx")
        self.contacts = {}

    def registered(self, request):
        contact = request.field("contact")
        self.contacts[uri(request.field("to")).removeprefix("sip:").partition("@")[0]] = uri(contact)
        return f"Contact: {contact};expires={REGISTERED_FOR}\r\n"

    def is_quiet(self, invite):
        return invite.start.startswith(f"INVITE sip:{PLAIN}@")

    def end_of(self, call_id):
        """Its end of a call: Parkade keeps the Call-ID on both sides."""
        return next(call for (known, _), call in self.calls.items() if known == call_id)

    async def call_phone(self, number):
        """Calls a phone where it has registered."""
        contact = self.contacts[number]
        return await self.call(contact, f"sip:{number}@pbx.test", address(contact))


class Phone(End):
    """A desk phone."""

    def __init__(self, number):
        super().__init__("the phone", number)
        self.registrations = itertools.count(1)
        self.incoming = asyncio.Queue()

    def called(self, call):
        self.incoming.put_nowait(call)

    async def register(self):
        """Registers through Parkade."""
        number = next(self.registrations)
        record = f"<sip:{self.number}@pbx.test>"
        answer = await self.ask(
            f"REGISTER sip:pbx.test SIP/2.0\r\nVia: SIP/2.0/UDP {self.here};branch=z9hG4bKr{number}x{self.port};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: {record};tag=r{self.number}\r\nTo: {record}\r\nCall-ID: register-{self.here}\r\n"
            f"CSeq: {number} REGISTER\r\nContact: {self.contact}\r\nExpires: {REGISTERED_FOR}\r\nContent-Length: 0\r\n\r\n",
            self.proxy,
        )
        if answer.status != 200:
            raise Failed(f"REGISTER was answered with {answer.status}")

    async def dial(self, number):
        """Calls a number."""
        return await self.call(f"sip:{number}@pbx.test", f"sip:{number}@pbx.test", self.proxy)

    async def park(self, call, place):
        """Transfers the other end to a place; seconds until it is told that the call is parked."""
        begun = asyncio.get_running_loop().time()
        await call.ask("REFER", 202, f"Refer-To: <sip:{place}@pbx.test>\r\nReferred-By: <sip:{self.number}@pbx.test>\r\n")
        while True:
            notice = await timely(call.notices.get(), PATIENCE, "the parker is not told that the call is parked")
            told = notice.body.split(" ")
            if not notice.body.startswith("SIP/2.0 ") or int(told[1]) > 200:
                raise Failed(f"the parker is told {notice.body.strip()!r} of its park")
            if told[1] == "200":
                return asyncio.get_running_loop().time() - begun
