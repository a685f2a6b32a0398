"""A baresip softphone without a window, made for the test."""

import glob
import os
import re

from processes import Program, free_port, free_range
from softphone import Softphone
from tones import RATE, write_tone

MODULE_FOLDERS = ["/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib/baresip/modules"]

CONFIG = """\
poll_method epoll
sip_listen {address}:{port}
net_interface {address}
rtp_ports {rtp}-{rtp_end}
call_local_timeout 60
call_max_calls 4
audio_source aufile,{folder}/tone.wav
audio_player aubridge,ear
audio_alert aubridge,bell
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
snd_path {folder}
ringback_disabled yes
ctrl_tcp_listen 127.0.0.1:{control}
module_path {modules}
module g711.so
module sndfile.so
module aufile.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""

ACCOUNT = '"{name}" <sip:{extension}@{domain}>;auth_user={extension};auth_pass={password};outbound="{proxy}";regint=60;audio_codecs=pcma\n'


def module_folder():
    """Where baresip's modules are installed, or None."""
    for pattern in MODULE_FOLDERS:
        for folder in sorted(glob.glob(pattern)):
            if os.path.exists(os.path.join(folder, "ctrl_tcp.so")):
                return folder
    return None


class Phone(Softphone):
    """Extension `extension`, which sings `hertz` into every call; `encrypts` is how: baresip's `mediaenc`, with suites behind a comma."""

    def __init__(self, program, folder, extension, hertz, proxy, domain, password=None, name=None, authority=None,
                 encrypts=None):
        # One address for all phones: baresip binds its media sockets to no address, so that their packets come from
        # 127.0.0.1 wherever on loopback the phone says that it is, and Parkade rightly takes none of a stranger.
        self.address = "127.0.0.1"
        self.peer = re.search(r"[\d.]+:\d+", proxy).group(0)  # the only one that it exchanges SIP messages with
        os.makedirs(folder)
        write_tone(os.path.join(folder, "tone.wav"), hertz, 120)
        self.control = free_port()
        rtp = free_range(100)
        with open(os.path.join(folder, "config"), "w") as out:
            out.write(
                CONFIG.format(
                    address=self.address, port=free_port(self.address), rtp=rtp, rtp_end=rtp + 99, folder=folder,
                    rate=RATE, control=self.control, modules=module_folder(),
                )
            )
            if encrypts:
                out.write("module srtp.so\nmodule dtls_srtp.so\n")
            if authority:
                out.write(f"sip_cafile {authority}\n")
        with open(os.path.join(folder, "accounts"), "w") as out:
            out.write(
                ACCOUNT.format(
                    name=name or f"Phone {extension}", extension=extension, domain=domain, proxy=proxy,
                    password=password or f"pw-{extension}",
                ).replace("\n", f";mediaenc={encrypts}\n" if encrypts else "\n")
            )
        running = Program(f"phone {extension}", [program, "-s", "-f", folder], os.path.join(folder, "log"))
        super().__init__(extension, running, ("127.0.0.1", self.control), folder)

    def trace(self):
        """Every SIP message that this phone has sent or received, as (sent, text)."""
        messages = []
        for part in self.program.text().split("\x1b[36;1m#\n")[1:]:
            part = part.split("\x1b[;m")[0].replace("\r\n", "\n")
            path, _, message = part.partition("\n")
            messages.append((path.endswith(f"-> {self.peer}"), message))
        return messages

    def saw(self, start, *contains, sent=False):
        """The first message that begins with `start` and has all of `contains` in it, or None."""
        for was_sent, message in self.trace():
            if was_sent == sent and message.startswith(start) and all(c in message for c in contains):
                return message
        return None
