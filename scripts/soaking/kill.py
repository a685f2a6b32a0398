"""`scripts/soak kill`: Parkade is killed (SIGKILL) at random moments, a hundred times, while calls are parked, others talk,
and more come and go; each time it is started again at once. After each start the same calls must be parked and the same
must talk; at the end every parked call is retrieved. Reported are the calls that were lost, how long it took until it
answered again, and how long whoever talks heard nothing. With --kernel this is done in a network namespace of its own (as root)
where the kernel forwards for calls that talk, and it is killed no sooner than the kernel does.
"""

import os
import random
import shutil
import socket
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "benchmarks"))

from limits import files_allowed  # noqa: E402
from load import Answerer, Caller  # noqa: E402
from measured import LOAD, start_parkade  # noqa: E402
from operating import Operator  # noqa: E402
from words import command_line, say, spread  # noqa: E402

FRAME = 0.02
FIRST_SLOT = 10_000
APART = "PARKADE_KILLED_APART"  # set in the namespace
UNTIL_FORWARDED = 1.5  # seconds: the kernel takes over from the table of the run before, and then path by path


class Phone:
    """A trusted device that makes one call at a time, and answers whatever it is asked in it."""

    def __init__(self, port, number="105"):
        self.there = ("127.0.0.1", port)
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind(("127.0.0.1", 0))
        self.sip.settimeout(0.2)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind(("127.0.0.1", 0))
        self.rtp.settimeout(0.2)
        self.here = f"127.0.0.1:{self.sip.getsockname()[1]}"
        self.number, self.calls, self.cseq = number, 0, 0

    def request(self, method, uri, to, body=""):
        self.cseq += method != "ACK"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self.sip.sendto(
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.here};branch=z9hG4bK{time.monotonic_ns()}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{self.number}@pbx.test>;tag=t{self.calls}\r\nTo: {to}\r\nCall-ID: {self.call}\r\n"
            f"CSeq: {self.cseq} {method}\r\nContact: <sip:{self.number}@{self.here}>\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode(), self.there,
        )

    def final(self, method, within):
        """The final answer to our request; what is asked meanwhile is answered."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            message = self.hear()
            if message and message.startswith("SIP/2.0 ") and f" {method}\r\n" in message and not message.startswith("SIP/2.0 1"):
                return message
        return None

    def hear(self):
        """One message; a request is answered with 200."""
        try:
            message = self.sip.recv(65536).decode()
        except TimeoutError:
            return None
        if not message.startswith("SIP/2.0") and not message.startswith("ACK"):
            names = ("via:", "from:", "to:", "call-id:", "cseq:")
            kept = [line for line in message.split("\r\n") if line.lower().startswith(names)]
            answer = "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""])
            self.sip.sendto(answer.encode(), self.there)
        return message

    def dial(self, number, within=10):
        """Calls; returns the status."""
        self.calls += 1
        self.call = f"{time.monotonic_ns()}-{self.calls}@soak"
        port = self.rtp.getsockname()[1]
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 8 0\r\na=rtpmap:8 PCMA/8000\r\n"
        )
        self.request("INVITE", f"sip:{number}@pbx.test", f"<sip:{number}@pbx.test>", body)
        answer = self.final("INVITE", within)
        if answer is None:
            return 0
        status = int(answer.split(" ")[1])
        lines = answer.split("\r\n")
        self.to = next(line for line in lines if line.lower().startswith("to:"))[3:].strip()
        contact = [line for line in lines if line.lower().startswith("contact:")]
        self.target = contact[0].partition("<")[2].partition(">")[0] if contact else f"sip:{number}@pbx.test"
        self.request("ACK", self.target, self.to)
        if status < 300:
            media = next(line for line in lines if line.startswith("m=audio "))
            self.far = ("127.0.0.1", int(media.split(" ")[1]))
        return status

    def hang_up(self):
        """Ends the call; returns the status."""
        self.request("BYE", self.target, self.to)
        answer = self.final("BYE", 10)
        return int(answer.split(" ")[1]) if answer else 0


class Talk:
    """A call that talks to an echo all the time, and knows for how long it has heard nothing."""

    def __init__(self, port):
        self.phone = Phone(port, "190")
        if (status := self.phone.dial("200")) != 200:
            raise SystemExit(f"the call that listens for gaps was answered with {status}")
        self.last, self.longest, self.over = time.monotonic(), 0.0, False
        for work in (self.speak, self.listen, self.answer):
            threading.Thread(target=work, daemon=True).start()

    def speak(self):
        sequence, due = 0, time.monotonic()
        while not self.over:
            packet = b"\x80\x08" + sequence.to_bytes(2, "big") + (sequence * 160).to_bytes(4, "big") + b"soak" + b"\xd5" * 160
            self.phone.rtp.sendto(packet, self.phone.far)
            sequence, due = (sequence + 1) % 65536, due + FRAME
            time.sleep(max(0.0, due - time.monotonic()))

    def listen(self):
        while not self.over:
            try:
                self.phone.rtp.recv(2048)
            except OSError:
                continue
            now = time.monotonic()
            self.longest, self.last = max(self.longest, now - self.last), now

    def answer(self):
        while not self.over:
            self.phone.hear()

    def gap(self):
        """The longest silence since this was last asked."""
        gap, self.longest = self.longest, 0.0
        return max(gap, time.monotonic() - self.last)


class House:
    """Parkade with a journal, and its API."""

    def __init__(self, folder, program, answerer, calls, kernel):
        self.operator = Operator(program)
        self.measured = start_parkade(
            folder, answerer.port, program, "always", "Parkade", slots=f"{FIRST_SLOT}-{FIRST_SLOT + calls}",
            admin=self.operator.settings(), journal=True, media=f'fast_path = "{"nftables" if kernel else "off"}"',
        )

    def parked(self):
        return {call["park"] for call in self.operator.parked()}

    def talking(self):
        return {call["call_id"] for call in self.operator.talking()}

    def kill_and_start(self):
        """Kills it, and starts it again at once; returns how long it took until it answered."""
        self.operator.hang_up()
        self.measured.kill()
        return self.measured.start_again()


def main():
    arguments = command_line("soak kill", __doc__)
    arguments.add_argument("--kills", type=int, default=100, help="how often it is killed (%(default)s)")
    arguments.add_argument("--parked", type=int, default=200, help="how many calls are parked (%(default)s)")
    arguments.add_argument("--talking", type=int, default=200, help="how many others talk (%(default)s)")
    arguments.add_argument("--rate", type=int, default=20, help="how many more come a second, of a second each (%(default)s)")
    arguments.add_argument("--kernel", action="store_true", help="the kernel forwards for calls that talk; takes root")
    chosen = arguments.parse_args()
    if chosen.kernel and not os.environ.get(APART):
        ready = f'ip link set lo up && echo 1 >/proc/sys/net/ipv4/ip_forward && {APART}=1 exec "$0" "$@"'
        os.execvp("unshare", ["unshare", "--net", "sh", "-c", ready, sys.executable, *sys.argv])
    calls = chosen.parked + chosen.talking
    os.sched_setaffinity(0, {LOAD})
    files_allowed(calls * 4 + 4_000)
    folder = tempfile.mkdtemp(prefix="parkade-soak-")
    answerer = Answerer(folder, "-rtp_echo")
    house = House(folder, chosen.parkade, answerer, chosen.parked, chosen.kernel)
    standing, passing, good = None, None, False
    try:
        standing = Caller(folder, house.measured, calls, 100, 3_600_000)
        house.operator.park(house.operator.until_talking(calls, calls / 100 + 30)[: chosen.parked], FIRST_SLOT)
        parked, talking = house.parked(), house.talking()
        talk = Talk(house.measured.port)
        passing = Caller(folder, house.measured, 1_000_000, chosen.rate, 1_000)
        time.sleep(1)
        talk.gap()
        chance, starts, gaps, lost_parked, lost_talking = random.Random(1), [], [], 0, 0
        for number in range(chosen.kills):
            time.sleep(chance.uniform(0.3, 1.5) + chosen.kernel * UNTIL_FORWARDED)
            starts.append(house.kill_and_start() * 1e3)
            still_parked, still_talking = house.parked(), house.talking()
            lost_parked = max(lost_parked, len(parked - still_parked))
            lost_talking = max(lost_talking, len(talking - still_talking))
            time.sleep(0.3)
            gaps.append(talk.gap() * 1e3)
            say(f"kill {number + 1}: {starts[-1]:.0f} ms until it answers, {gaps[-1]:.0f} ms of silence, "
                f"{len(parked - still_parked)} parked and {len(talking - still_talking)} talking lost")
        passing.stop()
        taken, phone = 0, Phone(house.measured.port)
        for number in range(chosen.parked):
            taken += phone.dial(str(FIRST_SLOT + number)) == 200
            phone.hang_up()
        talk.over = True
        print(f"| {calls} calls, killed {chosen.kills} times | Parkade{', the kernel forwards' * chosen.kernel} |\n|---|---|")
        print(f"| parked calls lost | {lost_parked} of {chosen.parked} |")
        print(f"| … retrieved at the end | {taken} of {chosen.parked} |")
        print(f"| talking calls lost | {lost_talking} of {chosen.talking} |")
        print(f"| from its start until it answers, median (spread) | {spread(starts, '{:.0f} ms')} |")
        print(f"| whoever talks hears nothing for, median (spread) | {spread(gaps, '{:.0f} ms')} |")
        good = lost_parked == lost_talking == 0 and taken == chosen.parked
    finally:
        for load in (passing, standing, answerer):
            if load:
                load.stop()
        house.measured.stop()
        if good:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            say(f"logs: {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
