"""One end of an RTP stream: sends a tone as G.711 A-law, and says what it hears.

A party of a scenario owns one RtpEnd. SIPp carries its port in the SDP; the runner points the end at
the address that the other side's SDP names, and then asks: which tone, or music, or nothing? and is
what arrives one unbroken stream? It also runs alone: rtp_end.py TONE_HZ PEER_HOST PEER_PORT SECONDS.
"""

import math
import random
import socket
import struct
import sys
import threading
import time
from collections import namedtuple

RATE = 8000  # samples a second
FRAME = 160  # samples in a packet: 20 ms
PCMA = 8  # RTP payload type (RFC 3551)
EVENTS, SIGNS = 101, "0123456789*#ABCD"  # RTP payload type of keys, as SIPp's SDP says; keys by event (RFC 4733)
LOUD = 150  # root mean square of 16-bit samples, above which something is heard at all

Packet = namedtuple("Packet", "at sequence timestamp ssrc marker payload_type payload")


def alaw_encode(sample):
    """One 16-bit sample as an A-law byte (G.711)."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(32767, sample if sample >= 0 else -sample - 1) >> 4
    if magnitude < 16:
        code = magnitude
    else:
        exponent = magnitude.bit_length() - 4
        code = exponent << 4 | (magnitude >> (exponent - 1)) & 0x0F
    return (code | sign) ^ 0x55


def alaw_decode(byte):
    """One A-law byte as a 16-bit sample (G.711)."""
    byte ^= 0x55
    exponent, mantissa = byte >> 4 & 7, byte & 0x0F
    magnitude = (mantissa << 4) + 8 if exponent == 0 else (mantissa << 4) + 0x108 << exponent - 1
    return magnitude if byte & 0x80 else -magnitude


DECODED = [alaw_decode(byte) for byte in range(256)]


def tone_frames(hertz):
    """One second of the tone, as 50 payloads; seamless when repeated, as the frequency is whole."""
    samples = (int(8000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(RATE))
    coded = bytes(alaw_encode(sample) for sample in samples)
    return [coded[at : at + FRAME] for at in range(0, RATE, FRAME)]


def share_of_tone(samples, hertz):
    """How much of the energy is at `hertz`, from 0 to 1 (Goertzel)."""
    energy = sum(sample * sample for sample in samples)
    if not energy:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * hertz / RATE)
    before, last = 0.0, 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    power = before * before + last * last - coefficient * before * last
    return 2 * power / (len(samples) * energy)


class RtpEnd:
    """A socket on loopback with a receiving and a sending thread."""

    def __init__(self, hertz, host="127.0.0.1"):
        self.hertz = hertz
        self.packets = []
        self.peer = None
        self.is_silent = False
        self._keys = []
        self._stopped = threading.Event()
        self._socket = _even_port(host)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._receive, daemon=True)]
        self._threads[0].start()

    def talk_to(self, peer):
        """Sends the tone to (host, port), now and until stop(); may be called again to move."""
        first = self.peer is None
        self.peer = peer
        if first:
            self._threads.append(threading.Thread(target=self._send, daemon=True))
            self._threads[-1].start()

    def hush(self):
        """Sends nothing, as one who is put on hold, until speak()."""
        self.is_silent = True

    def speak(self):
        self.is_silent = False

    def press(self, keys):
        """Presses keys as telephone-events (RFC 4733), one after another, in place of the tone."""
        self._keys.extend(SIGNS.index(key) for key in keys)

    def stop(self):
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _receive(self):
        while not self._stopped.is_set():
            try:
                data = self._socket.recv(2048)
            except TimeoutError:
                continue
            except OSError:
                time.sleep(0.01)  # an ICMP error for something sent; the peer may come yet
                continue
            if len(data) < 12 or data[0] >> 6 != 2 or 64 <= data[1] & 0x7F <= 95:
                continue
            sequence, timestamp, ssrc = struct.unpack("!HII", data[2:12])
            start = 12 + 4 * (data[0] & 0x0F)
            self.packets.append(
                Packet(time.monotonic(), sequence, timestamp, ssrc, data[1] >> 7, data[1] & 0x7F, data[start:])
            )

    def _send(self):
        frames = tone_frames(self.hertz)
        sequence, timestamp = random.getrandbits(16), random.getrandbits(32)
        ssrc, marker = random.getrandbits(32), 0x80
        started = time.monotonic()
        count, since, part = 0, 0, 0
        while not self._stopped.wait(max(0.0, started + count * 0.02 - time.monotonic())):
            if self.is_silent:
                marker = 0x80
            else:
                kind, stamp, payload = PCMA, timestamp, frames[count % len(frames)]
                if self._keys:
                    # Four packets of a key that is held, three that say that it is over, a pause.
                    since = timestamp if part == 0 else since
                    if part < 7:
                        over = 0x8A if part > 3 else 0x0A
                        kind, stamp = EVENTS, since
                        payload = struct.pack("!BBH", self._keys[0], over, FRAME * (1 + min(part, 4)))
                    part = (part + 1) % 10
                    if part == 0:
                        del self._keys[0]
                head = struct.pack("!BBHII", 0x80, marker | kind, sequence, stamp, ssrc)
                try:
                    self._socket.sendto(head + payload, self.peer)
                except OSError:
                    pass
                marker, sequence = 0, sequence + 1 & 0xFFFF
            count, timestamp = count + 1, timestamp + FRAME & 0xFFFFFFFF

    def heard(self, seconds=0.3):
        """The samples of the last `seconds`; empty as long as there are not that many."""
        count = int(seconds * 50)
        recent = self.packets[-count:]
        if len(recent) < count or time.monotonic() - recent[-1].at > 0.2:
            return []
        return [DECODED[byte] for packet in recent for byte in packet.payload]

    def hears_tone(self, hertz):
        """Whether that tone, and hardly anything else, has been arriving just now."""
        samples = self.heard()
        return bool(samples) and _loudness(samples) > LOUD and share_of_tone(samples, hertz) > 0.8

    def hears_music(self, *tones):
        """Whether something is heard that is none of the tones."""
        samples = self.heard()
        if not samples or _loudness(samples) <= LOUD:
            return False
        return all(share_of_tone(samples, hertz) < 0.1 for hertz in tones)

    def hears_nothing(self, seconds=0.3):
        """Whether no packet has arrived for so long."""
        return not self.packets or time.monotonic() - self.packets[-1].at > seconds

    def describe(self, *tones):
        """What is heard, in words, for the report of a failure."""
        samples = self.heard()
        if not samples:
            return f"nothing (of {len(self.packets)} packets, none just now)"
        shares = ", ".join(f"{hertz} Hz {share_of_tone(samples, hertz):.2f}" for hertz in tones)
        return f"loudness {_loudness(samples):.0f}, {shares}"

    def breaks(self, payload_type=PCMA, since=0):
        """Where what arrived is not one stream: other SSRC, sequence not +1, time standing still.

        Packets before the one of the number `since` do not count.
        """
        found = []
        packets = self.packets[since:]
        for index, (last, this) in enumerate(zip(packets, packets[1:]), start=1):
            step = this.sequence - last.sequence & 0xFFFF
            elapsed = this.timestamp - last.timestamp & 0xFFFFFFFF
            if this.ssrc != last.ssrc:
                found.append(f"packet {index}: SSRC {last.ssrc:08x} became {this.ssrc:08x}")
            if step != 1:
                found.append(f"packet {index}: sequence {last.sequence} became {this.sequence}")
            if not 0 < elapsed < 5 * RATE:
                found.append(f"packet {index}: timestamp {last.timestamp} became {this.timestamp}")
            if this.payload_type != payload_type:
                found.append(f"packet {index}: payload type {this.payload_type}")
        return found


def _even_port(host):
    """A free even port, as RTP wants (RFC 3550 §11)."""
    for _ in range(100):
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.bind((host, 0))
        if end.getsockname()[1] % 2 == 0:
            return end
        end.close()
    raise OSError("no free even port")


def _loudness(samples):
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


def main():
    hertz, host, port, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    end = RtpEnd(hertz)
    print(f"port {end.port}", flush=True)
    end.talk_to((host, port))
    time.sleep(seconds)
    print(end.describe(hertz))
    print("\n".join(end.breaks()) or "unbroken")
    end.stop()


if __name__ == "__main__":
    main()
