"""A phone with a key that has a lamp: it registers by password, watches one extension (RFC 4235), and answers each NOTIFY.

It is for what a lamp is told and no more: nothing is repeated (nothing is lost on loopback), and it takes no calls.
"""

import hashlib
import re
import socket
import threading
from xml.etree import ElementTree

from processes import Failure, until
from sip_ends import field, status

SPACE = "{urn:ietf:params:xml:ns:dialog-info}"


class Notice:
    """One NOTIFY of the subscription."""

    def __init__(self, text):
        self.standing = field(text, "Subscription-State")[0]
        self.number = int(field(text, "CSeq")[0].split()[0])
        self.body = text.partition("\r\n\r\n")[2]
        root = ElementTree.fromstring(self.body) if self.body.strip() else None
        self.version = None if root is None else int(root.get("version"))
        self.entity = None if root is None else root.get("entity")
        dialogs = [] if root is None else list(root.iter(f"{SPACE}dialog"))
        states = [(dialog, dialog.findtext(f"{SPACE}state", "").strip()) for dialog in dialogs]
        # Each live dialog: the user of its far end, and its state.
        self.shows = [(_far_end(dialog), state) for dialog, state in states if state != "terminated"]


def _far_end(dialog):
    return re.sub("^sips?:|@.*", "", dialog.findtext(f"{SPACE}remote/{SPACE}identity", ""))


class Lamp:
    """The phone of `extension`, by UDP; `server` is whom the phones have to register with."""

    def __init__(self, server, domain, extension):
        self.server, self.domain, self.extension = server, domain, extension
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.notices = []
        self.answers = {}  # CSeq → final response
        self.number = 0
        self.tag = f"lamp{self.port}"
        threading.Thread(target=self._listen, daemon=True).start()

    def stop(self):
        """Is silent from now on."""
        self.socket.close()

    def register(self):
        """Registers, by its password."""
        uri = f"sip:{self.domain}"
        challenge = field(self._ask("REGISTER", uri, 401), "WWW-Authenticate")[0]
        told = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        own = _md5(f"{self.extension}:{told['realm']}:pw-{self.extension}")
        answer = _md5(f"{own}:{told['nonce']}:{_md5(f'REGISTER:{uri}')}")
        self._ask(
            "REGISTER", uri, 200,
            f'Authorization: Digest username="{self.extension}", realm="{told["realm"]}", nonce="{told["nonce"]}", '
            f'uri="{uri}", response="{answer}"',
        )

    def watch(self, extension):
        """Subscribes to what that extension does."""
        uri = f"sip:{extension}@{self.domain}"
        self._ask("SUBSCRIBE", uri, (200, 202), "Event: dialog", "Accept: application/dialog-info+xml", "Expires: 600")

    def sees(self, what, shows, since=0):
        """Waits until the last notice, one after the first `since`, shows just these dialogs; returns how many there
        were."""
        try:
            until("", lambda: len(self.notices) > since and sorted(self.notices[-1].shows) == sorted(shows))
        except Failure:
            last = self.notices[-1].shows if self.notices else "nothing at all"
            raise Failure(f"the lamp does not show {what}: {shows}; it shows {last}") from None
        return len(self.notices)

    def _ask(self, method, uri, expected, *lines):
        self.number += 1
        number = self.number
        to = f"<sip:{self.extension}@{self.domain}>" if method == "REGISTER" else f"<{uri}>"
        message = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch=z9hG4bK{self.port}x{number}",
            f"From: <sip:{self.extension}@{self.domain}>;tag={self.tag}", f"To: {to}",
            f"Call-ID: {method.lower()}-{self.port}@127.0.0.1", f"CSeq: {number} {method}",
            f"Contact: <sip:{self.extension}@127.0.0.1:{self.port}>", "Max-Forwards: 70", *lines,
            "Content-Length: 0", "", "",
        ]
        self.socket.sendto("\r\n".join(message).encode(), self.server)
        answer = until(f"{method} of the lamp's phone is answered", lambda: self.answers.get(number))
        if status(answer) not in (expected if isinstance(expected, tuple) else (expected,)):
            raise Failure(f"{method} of the lamp's phone was answered {answer.splitlines()[0]}")
        return answer

    def _listen(self):
        while True:
            try:
                data, peer = self.socket.recvfrom(65535)
            except OSError:
                return
            text = data.decode("utf-8", "replace")
            if text.startswith("SIP/2.0"):
                if status(text) >= 200:
                    self.answers[int(field(text, "CSeq")[0].split()[0])] = text
                continue
            lines = ["SIP/2.0 200 OK"] + [f"Via: {via}" for via in field(text, "Via")]
            lines += [f"{name}: {field(text, name)[0]}" for name in ("From", "To", "Call-ID", "CSeq")]
            self.socket.sendto("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode(), peer)
            # One that is sent again is the same notice.
            if field(text, "Event")[:1] == ["dialog"]:
                notice = Notice(text)
                if all(notice.number != known.number for known in self.notices):
                    self.notices.append(notice)


def _md5(text):
    return hashlib.md5(text.encode()).hexdigest()
