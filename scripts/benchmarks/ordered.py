"""A program that is given orders, one a line, and answers each with a line of JSON when it is done."""

import json
import selectors
import subprocess

from measured import LOAD, pinned

PATIENCE = 120  # seconds until it must have done what it was told to


class Ordered:
    """One such program, kept to the core of the load."""

    def __init__(self, command, log):
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                pinned(LOAD, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, start_new_session=True
            )
        self.answers = selectors.DefaultSelector()
        self.answers.register(self.process.stdout, selectors.EVENT_READ)

    def order(self, text):
        """Has something done; returns what came of it."""
        self.process.stdin.write(f"{text}\n".encode())
        self.process.stdin.flush()
        line = self.answers.select(PATIENCE) and self.process.stdout.readline()
        if not line:
            with open(self.log, errors="replace") as log:
                raise SystemExit(f"the load did not do {text!r}; the end of its log:\n{log.read()[-2000:]}")
        return json.loads(line)

    def stop(self):
        """Ends it at once."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
