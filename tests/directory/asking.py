"""An organization with a directory, and what the directory asks, as a real one would write it."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from psycopg import Connection
from scim2_server.requests import ScimRequest

from tests.conftest import Person
from troth.api.scim.mount import Mount
from troth.people import directories

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
WORK = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ROLES = {
    "owner": ["see", "invite", "members", "roles", "own"],
    "administrator": ["see", "invite", "members"],
    "member": [],
}


@dataclass(slots=True)
class Answer:
    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def found(self) -> list[dict[str, Any]]:
        return list(self.body.get("Resources", []))


@dataclass(slots=True)
class Asking:
    """A directory that holds a token."""

    token: str
    organization: uuid.UUID
    mount: Mount = field(default_factory=lambda: Mount("https://localhost:8443"))

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        path, _, query = path.partition("?")
        told = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/scim+json"} | headers
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        asked = ScimRequest(method, self.mount.base_url, path, dict(parse_qsl(query)), told, content)
        answered = self.mount.answer(asked)
        return Answer(int(answered.status), answered.body or {}, answered.headers)

    def find(self, condition: str, kind: str = "Users", **more: Any) -> Answer:
        return self.ask("GET", f"/{kind}?{urlencode({'filter': condition} | more)}")

    def provision(self, user_name: str, **told: Any) -> Answer:
        return self.ask("POST", "/Users", {"schemas": [USER], "userName": user_name} | told)

    def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> Answer:
        return self.ask("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **headers)


def organize(owner: Connection[Any], name: str, who: Person, *others: Person) -> uuid.UUID:
    """Make an organization that somebody owns and others are in."""
    organization = uuid.uuid4()
    owner.execute("INSERT INTO troth.organization (organization, name) VALUES (%s, %s)", (organization, name))
    for role, may in ROLES.items():
        told = (organization, role, may)
        owner.execute("INSERT INTO troth.organization_role (organization, role, may) VALUES (%s, %s, %s)", told)
    for place, person in enumerate((who, *others)):
        row = (person.subject, organization, "member" if place else "owner")
        owner.execute("INSERT INTO troth.membership (subject, organization, role) VALUES (%s, %s, %s)", row)
    return organization


def directory_of(organization: uuid.UUID, who: Person, name: str = "Harbor's directory") -> Asking:
    """Open a directory as an administrator does."""
    made = directories.open_directory(token=who.token, organization=organization, name=name, days=90)
    return Asking(made, organization)


@contextmanager
def without(owner: Connection[Any], fact: str, again: str) -> Iterator[None]:
    """Take a control away for a while."""
    owner.execute(fact.encode())
    try:
        yield
    finally:
        owner.execute(again.encode())
