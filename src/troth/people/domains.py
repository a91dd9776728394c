"""Domains that organizations hold: whoever can put a value into a domain's DNS speaks for it, while it stands there.

An organization that holds a domain may have the people whom its directory supplies written to at addresses in it. It
binds nobody: who has such an address still joins by themselves, or does not.
"""

import ipaddress
import os
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

import dns.exception
import dns.resolver
import idna
from psycopg.rows import class_row

from troth.database import connect
from troth.database.statements import load
from troth.people.directory import refusing
from troth.people.errors import DomainRefusal

SQL = load("troth.people")
#: The name below a domain at which the value is looked for, and what stands before it.
LABEL, PREFIX = "_troth-challenge", "troth-domain-verification="
#: Seconds for one look, all tries together.
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain as an organization's administrators see it; `value` is what has to stand in its DNS."""

    domain: str
    value: str
    at: datetime
    held_since: datetime | None
    checked_at: datetime | None
    missed: int

    @property
    def record(self) -> tuple[str, str]:
        """Return name and text of the TXT record."""
        return f"{LABEL}.{self.domain}", f"{PREFIX}{self.value}"

    @property
    def spoken(self) -> str:
        """Return the domain as people write it; only beside the other, since signs of several scripts look alike."""
        return readable(self.domain)


def canonical(told: str) -> str:
    """Return a domain as the DNS has it: lower case, and each label that is not ASCII as an A-label (RFC 5891).

    Raises DomainRefusal for what is no name of a domain: an address, a single label, what IDNA 2008 does not allow.
    """
    text = told.strip().rstrip(".")
    try:
        ascii_name = idna.encode(text, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError) as error:
        sentence = f"`{told[:80]}` is no name of a domain"
        raise DomainRefusal(sentence, advice="write it as in harbor.example") from error
    if "." not in ascii_name or _address(ascii_name):
        raise DomainRefusal(f"`{told[:80]}` is no name of a domain", advice="write it as in harbor.example")
    return ascii_name


def readable(domain: str) -> str:
    """Return the signs behind A-labels, or the name itself where there are none."""
    try:
        return str(idna.decode(domain))
    except idna.IDNAError:
        return domain


def claim(*, token: str, organization: uuid.UUID, domain: str) -> None:
    """Say that a domain is the organization's, so that it is looked for.

    Raises DomainRefusal, DirectoryClosed, DirectoryFull.
    """
    told = {"organization": organization, "domain": canonical(domain), "value": secrets.token_urlsafe(32)}
    _act("claim_domain", token, told)


def drop(*, token: str, organization: uuid.UUID, domain: str) -> None:
    """Hold a domain no longer. Raises DirectoryClosed."""
    _act("drop_domain", token, {"organization": organization, "domain": domain})


def look_again(*, token: str, organization: uuid.UUID, domain: str) -> None:
    """Have a domain looked at now. Raises DirectoryClosed."""
    _act("recheck_domain", token, {"organization": organization, "domain": domain})
    check_due()


def held_by(token: str, organization: uuid.UUID) -> list[Domain]:
    """Return the domains of an organization that the viewer administers, by name."""
    with (
        connect.acting("administrator", token=token) as connection,
        connection.cursor(row_factory=class_row(Domain)) as cursor,
    ):
        return cursor.execute(SQL["domains"].encode(), {"organization": organization}).fetchall()


def check_due() -> int:
    """Look at each domain whose time has come, a few at a time, and return how many were looked at."""
    with connect.acting("door") as connection:
        due = connection.execute(SQL["due_domains"].encode()).fetchall()
    for organization, domain, value in due:
        told = {"organization": organization, "domain": domain, "found": found(domain, value)}
        with connect.acting("door") as connection:
            connection.execute(SQL["judge_domain"].encode(), told)
    return len(due)


def found(domain: str, value: str) -> bool | None:
    """Return whether a value stands in a domain's DNS now; None when nobody answered for it."""
    try:
        answer = resolver().resolve(f"{LABEL}.{domain}", "TXT", lifetime=PATIENCE, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return False
    except dns.exception.DNSException:  # no answer in time, or one that says nothing: neither there nor absent
        return None
    texts = [b"".join(getattr(each, "strings", ())) for each in answer]
    return f"{PREFIX}{value}".encode() in texts


def resolver() -> dns.resolver.Resolver:
    """Return what asks: the system's resolver, or those that `TROTH_RESOLVERS` names as `address` or `address#port`."""
    named = os.environ.get("TROTH_RESOLVERS", "").split()
    asking = dns.resolver.Resolver(configure=not named)
    asking.cache = None
    if named:
        pairs = [each.partition("#") for each in named]
        asking.nameservers = [host for host, _, _ in pairs]
        asking.nameserver_ports = {host: int(port) for host, _, port in pairs if port}
    return asking


def _act(statement: str, token: str, told: dict[str, object]) -> None:
    with refusing(), connect.acting("self", token=token) as connection:
        connection.execute(SQL[statement].encode(), told)


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
