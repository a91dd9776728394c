"""What a version touches of the viewer's own: records, counted as they see them, and how their purposes stand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from psycopg import Connection, Error

from troth.consent.errors import NotSignedIn
from troth.database import connect, published, simulate
from troth.database.catalog import of as catalog_of
from troth.database.simulate import Membership, Plans, Simulation
from troth.database.statements import load
from troth.policy.compare import compare
from troth.policy.meaning import Basis, Policy
from troth.policy.plan import plan

SQL = load("troth.consent")


class Change(StrEnum):
    """What becomes of a purpose."""

    WIDER = "wider"
    NEW = "new"
    ENDS = "ends"


class Stands(StrEnum):
    """How it stands for the viewer once they agree; of one that ends, how it stands before."""

    ON = "on"
    OBJECTED = "objected"
    ASKED = "asked"  # it rests on consent: their agreement alone switches nothing on
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Setting:
    """A purpose that a version widens, brings or ends, as it stands for the viewer."""

    purpose: str
    change: Change
    stands: Stands


@dataclass(frozen=True, slots=True)
class Mine:
    """What changes from one policy to another, and for the viewer: None where counting took too long."""

    before: Policy
    after: Policy
    simulation: Simulation | None
    settings: tuple[Setting, ...]


def ahead(token: str, policy: Policy) -> Mine:
    """Say what a version that waits for its day would touch."""
    return _mine(token, published.current().policy, policy)


def since(token: str, version: int) -> Mine | None:
    """Say what the version in force touches for whoever agreed to an earlier one; None where that is not known here."""
    now = published.current().policy
    known = {each.published.version: each.published.policy for each in published.history()}
    return _mine(token, known[version], now) if version in known and version < now.version else None


def _mine(token: str, before: Policy, after: Policy) -> Mine:
    try:
        with connect.looking(token) as connection:
            found, settings = _counted(connection, before, after)
    except Error:
        return Mine(before, after, None, ())
    return Mine(before, after, found, settings)


def _counted(connection: Connection[Any], before: Policy, after: Policy) -> tuple[Simulation, tuple[Setting, ...]]:
    catalog = catalog_of(connection)
    plans = Plans(before, after, plan(before, catalog), plan(after, catalog), frozenset(), catalog)
    found = simulate.personal(connection, compare(before, after, plans.opened), plans, _viewer(connection))
    return found, tuple(_settings(plans, {each.purpose: each for each in found.memberships}))


def _viewer(connection: Connection[Any]) -> Any:  # noqa: ANN401 - a subject
    row = connection.execute(SQL["viewer"].encode()).fetchone()
    if row is None or row[0] is None:
        raise NotSignedIn("nobody is signed in", advice="sign in again")
    return row[0]


def _settings(plans: Plans, members: Mapping[str, Membership]) -> Iterator[Setting]:
    known = {each.name for each in plans.before.purposes}
    for purpose in plans.after.purposes:
        if purpose.name in plans.opened:
            change = Change.WIDER if purpose.name in known else Change.NEW
            yield Setting(purpose.name, change, _after(members.get(purpose.name), purpose.basis))
    left = known - {each.name for each in plans.after.purposes}
    for name in (each.name for each in plans.before.purposes if each.name in left):
        yield Setting(name, Change.ENDS, _before(members.get(name)))


def _after(member: Membership | None, basis: Basis) -> Stands:
    if member is not None and member.objected:
        return Stands.OBJECTED
    if member is not None and member.agreed:
        return Stands.ON
    return Stands.ASKED if basis is Basis.CONSENT else Stands.OFF


def _before(member: Membership | None) -> Stands:
    return Stands.ON if member is not None and member.before else Stands.OFF
