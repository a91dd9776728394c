"""Fields that an organization holds, the policy that lets it, and what its directory says in them."""

from typing import Any
from uuid import UUID

from psycopg import Connection

from tests.conftest import POLICY
from tests.directory.asking import Asking
from tests.directory.test_provisioning import BOB
from tests.organizations.test_seen_profile import BOTH

FIELDS = "urn:ietf:params:scim:schemas:extension:organization:2.0:User"
DECLARED = """
[badge]
type = "whole number"
category = "person.organization"
held_by = "organization"
label = { en = "Badge", es = "Credencial" }

[remote]
type = "yes or no"
category = "person.organization"
held_by = "organization"
label = { en = "Works elsewhere", es = "Trabaja en otro lugar" }

[grade]
type = "choice"
category = "person.organization"
held_by = "organization"
label = { en = "Grade", es = "Grado" }
choices = { junior = { en = "Junior", es = "Principiante" }, senior = { en = "Senior", es = "Experto" } }

[since_day]
type = "date"
category = "person.organization"
held_by = "organization"
label = { en = "First day", es = "Primer día" }

[json]
type = "web address"
category = "person.organization"
held_by = "organization"
label = { en = "Desk", es = "Puesto" }

[about]
type = "text"
category = "person.profile"
label = { en = "About you", es = "Sobre ti" }

[phone]
type = "phone"
category = "person.phone"
label = { en = "Telephone number", es = "Número de teléfono" }
"""
TOLD = {
    "badge": 7,
    "remote": False,
    "grade": "senior",
    "since_day": "2027-01-31",
    "json": "https://harbor.example/desk",
}


def source(version: int = 2) -> str:
    """Return the default policy, as one that lets organizations hold fields."""
    text = POLICY.read_text(encoding="utf-8")
    for old, new in BOTH:
        assert old in text
        text = text.replace(old, new)
    return text.replace(" version 2 ", f" version {version} ")


def supplied(
    asking: Asking, fields: dict[str, Any] = TOLD, *, user_name: str = "blindqvist", email: str = "bob@harbor.example"
) -> str:
    """Let a directory supply Bob, or somebody else, with fields; return the entry."""
    told = BOB | {"schemas": [*BOB["schemas"], FIELDS], FIELDS: fields, "emails": [{"value": email}]}
    answer = asking.provision(user_name, **told)
    assert answer.status == 201, answer.body
    return str(answer.body["id"])


def read(asking: Asking, entry: str) -> dict[str, Any]:
    answer = asking.ask("GET", f"/Users/{entry}")
    assert answer.status == 200, answer.body
    return dict(answer.body.get(FIELDS, {}))


def held(owner: Connection[Any], table: str, whose: UUID | None = None) -> list[tuple[Any, ...]]:
    query = f"SELECT badge, remote, grade, since_day::text, json FROM troth.{table} WHERE %(whose)s::uuid IS NULL OR subject = %(whose)s ORDER BY badge"
    return owner.execute(query.encode(), {"whose": whose}).fetchall()
