"""A service manager that keeps descriptors, as systemd does (sd_notify(3), sd_listen_fds(3))."""

import os
import socket
import sys
import threading

MOST = 1024

# Moves the descriptors to where a service finds them, and becomes the service.
STARTER = """
import fcntl, os, sys
given = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 2048) for fd in sys.argv[1].split(",") if fd]
for place, fd in enumerate(given, 3):
    os.dup2(fd, place)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class ServiceManager:
    """Keeps what it is given, and hands it to the next run."""

    def __init__(self, folder):
        self.kept = []  # (name, descriptor), in the order in which they came
        self.path = str(folder / "notify.sock")
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.door.bind(self.path)
        self.door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        while True:
            message, given, _, _ = socket.recv_fds(self.door, 4096, 8)
            said = dict(line.partition("=")[::2] for line in message.decode().splitlines())
            name = said.get("FDNAME", "stored")
            if "FDSTORE" in said:
                self.kept += [(name, fd) for fd in given]
            if "FDSTOREREMOVE" in said:
                for fd in [fd for of, fd in self.kept if of == name]:
                    os.close(fd)
                self.kept = [(of, fd) for of, fd in self.kept if of != name]

    def ports(self, name):
        """The ports of the sockets that are kept under this name."""
        ports = set()
        for of, fd in list(self.kept):
            with socket.socket(fileno=os.dup(fd)) as one:
                if of == name:
                    ports.add(one.getsockname()[1])
        return ports

    def started(self, command):
        """The same command with what is kept, for subprocess.Popen."""
        kept = list(self.kept)
        fds = [fd for _, fd in kept]
        told = {"NOTIFY_SOCKET": self.path, "FDSTORE": str(MOST)}
        if kept:
            told |= {"LISTEN_FDS": str(len(kept)), "LISTEN_FDNAMES": ":".join(name for name, _ in kept)}
        listed = ",".join(map(str, fds))
        return {
            "args": [sys.executable, "-c", STARTER, listed, *command], "pass_fds": fds, "env": {**os.environ, **told},
        }
