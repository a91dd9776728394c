"""Whether the address to serve at is free, said before anything slow begins."""

import errno
import os
import socket
import time
from pathlib import Path

from troth.database.errors import ServerRefusal
from troth.database.place import replace_file

#: A server whose keeper was killed ends by itself, its requests answered, within this many seconds.
LAST_SERVER = 15.0
FILE = "server.pid"


def remember(data: Path, server: int) -> None:
    """Note the process that serves, so that a keeper that follows can wait for it to end."""
    replace_file(data / FILE, f"{server}\n".encode(), 0o600)


def ensure_free(data: Path, host: str, port: int) -> None:
    """Return when `host`:`port` can be listened on. Raises ServerRefusal when it cannot."""
    deadline = time.monotonic() + LAST_SERVER
    while True:
        try:
            bind_all(host, port)
        except socket.gaierror as error:
            sentence = f"`{host}` is no address of this machine"
            raise ServerRefusal(sentence, advice="name one with --host, or leave it out") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline and last_server_runs(data):
                time.sleep(0.1)
                continue
            raise ServerRefusal(_sentence(error, host, port), advice="name another with --port") from error
        else:
            return


def bind_all(host: str, port: int) -> None:
    """Bind every address that `host` stands for, and let go. Raises OSError."""
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)


def last_server_runs(data: Path) -> bool:
    """Whether the server that was started last in this data folder is still there."""
    try:
        os.kill(int((data / FILE).read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        return False
    return True


def _sentence(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} of `{host}` is taken by another program"
        case errno.EACCES:
            return f"this user may not listen on port {port}"
        case errno.EADDRNOTAVAIL:
            return f"`{host}` is no address of this machine"
        case _:
            return f"port {port} of `{host}` cannot be listened on: {error.strerror}"
