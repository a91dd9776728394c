"""A real DNS server on loopback, which answers for one zone with whatever a test puts into it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@dataclass(slots=True)
class Names:
    """What stands in the DNS: name -> texts. A `broken` name is answered as by a server that fails, a `silent` one not at all."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def answer(self, wire: bytes) -> bytes | None:
        question = dns.message.from_wire(wire)
        name = question.question[0].name.to_text(omit_final_dot=True).lower()
        self.asked.append(name)
        if name in self.silent:
            return None
        response = dns.message.make_response(question)
        response.flags |= dns.flags.RA | dns.flags.AA
        if name in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name in self.texts:
            quoted = [" ".join(f'"{part}"' for part in text.split("|")) for text in self.texts[name]]
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", *quoted))
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


@contextmanager
def serving() -> Iterator[Names]:
    """Answer until the context ends."""
    names = Names()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(0.1)
        names.port = line.getsockname()[1]
        stopped = threading.Event()

        def run() -> None:
            while not stopped.is_set():
                try:
                    wire, whence = line.recvfrom(4096)
                except TimeoutError:
                    continue
                answered = names.answer(wire)
                if answered is not None:
                    line.sendto(answered, whence)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield names
        finally:
            stopped.set()
            thread.join()
