"""Tones by which the test knows who is heard: each phone sings one frequency."""

import array
import math
import wave

RATE = 8000
SILENT = 60.0  # RMS of 16-bit samples below which nothing is said


def write_tone(path, hertz, seconds):
    """A mono WAV file of one sine at a quarter of full scale."""
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        # The frequencies are whole numbers of Hz, so one second repeats without a seam.
        second = array.array("h", (round(8000 * math.sin(2 * math.pi * hertz * i / RATE)) for i in range(RATE)))
        out.writeframes(second.tobytes() * seconds)


def rms(samples):
    """Loudness: root of the mean square."""
    return math.sqrt(sum(s * s for s in samples) / len(samples)) if samples else 0.0


def share(samples, hertz):
    """What part (0 to 1) of the sound's power is at this frequency: Goertzel's algorithm over a Hann window."""
    n = len(samples)
    turn = 2 * math.cos(2 * math.pi * hertz / RATE)
    before = last = power = 0.0
    for i, sample in enumerate(samples):
        windowed = sample * (0.5 - 0.5 * math.cos(2 * math.pi * i / n))
        power += windowed * windowed
        before, last = last, windowed + turn * last - before
    if power == 0.0:
        return 0.0
    at = last * last + before * before - turn * last * before
    # A pure sine under a Hann window has |X|^2 = (A n / 4)^2 and power A^2 n 3/16, hence the factor.
    return min(1.0, at * 3.0 / (n * power))


def name_of(samples, tones):
    """What is heard: the name of the one tone among `tones` (name to Hz), "silence", or "other" for anything else."""
    if rms(samples) < SILENT:
        return "silence"
    for name, hertz in tones.items():
        if share(samples, hertz) > 0.8:
            return name
    return "other"
