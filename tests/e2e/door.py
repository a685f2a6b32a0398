"""What Parkade tells at its Unix socket."""

import socket

from processes import Failure


def told(door, path):
    """The body of the answer to a GET of this path."""
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(10)
        asker.connect(door)
        asker.sendall(f"GET {path} HTTP/1.0\r\nHost: parkade\r\n\r\n".encode())
        answer = b""
        while more := asker.recv(65536):
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise Failure(f"{path}: {head.decode()}")
    return body.decode("utf-8", "replace")
