"""A database of an earlier troth, whose rows no audience's bit is in: after the upgrade who agreed is seen, and nobody else."""

from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person, make
from tests.organizations.conftest import Harbor, looked
from troth.database import apply, connect, drift
from troth.database.keeper import Keeper
from troth.database.place import Place

SEEN = "SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM troth.membership WHERE organization = %s"


@pytest.fixture
def earlier(owner: Connection[Any], harbor: Harbor) -> Harbor:
    """The organization as a troth without audiences' bits left it: no unit for them, and no stamp."""
    eve = make(owner, "Eve", agreed=False)
    harbor.people["eve"] = eve
    row = owner.execute(
        "WITH gone AS (DELETE FROM troth.unit WHERE purpose = ANY (%s) RETURNING bit)"
        " SELECT bit_or(1::bigint << bit) FROM gone",
        (["administrator", "member", "reader", "directory", "staff", "chosen", "mirror", "public"],),
    ).fetchone()
    assert row is not None
    assert row[0], "there are audiences with a bit"
    for (table,) in owner.execute(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'troth' AND column_name = 'uses'"
    ).fetchall():
        owner.execute(f"UPDATE troth.{table} SET uses = uses & ~%s::bigint WHERE uses & %s <> 0".encode(), row * 2)
    return harbor


def seen(harbor: Harbor, who: Person) -> Any:
    return looked(who.token, harbor.organization, SEEN, harbor.organization)[0]


def start(database: Place) -> Keeper:
    """Start as an upgraded troth does: carry out the policy in force, then keep the house."""
    keeper = Keeper(database)
    keeper._settle()
    return keeper


def test_whoever_agreed_is_seen_after_the_upgrade_and_nobody_else(
    owner: Connection[Any], earlier: Harbor, database: Place
) -> None:
    apply.apply(owner, POLICY.read_text(encoding="utf-8"), TERMS)
    assert seen(earlier, earlier.dana) == [], "nothing has folded them yet"
    assert start(database).settled
    assert seen(earlier, earlier.dana) == ["Alice", "Bob", "Dana"]
    assert seen(earlier, earlier.charlie) == seen(earlier, earlier.bob) == []
    uses = "SELECT uses FROM troth.permitted WHERE subject = %s"
    assert owner.execute(uses, (earlier.people["eve"].subject,)).fetchone() in (None, (0,)), "who has not agreed"
    assert owner.execute("SELECT sum(rows) FROM troth.misstamped()").fetchone() == (0,)
    assert not drift.differing(owner)


def test_an_ended_account_gets_into_nothing_by_it(owner: Connection[Any], earlier: Harbor, database: Place) -> None:
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (earlier.bob.subject,))
    apply.apply(owner, POLICY.read_text(encoding="utf-8"), TERMS)
    start(database)
    assert seen(earlier, earlier.dana) == ["Alice", "Dana"]


def test_what_a_new_version_widens_is_not_folded(owner: Connection[Any], earlier: Harbor, database: Place) -> None:
    source = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ")
    wider = source.replace(
        "show person.name, person.profile to admin", "show person.name, person.email, person.profile to admin"
    )
    assert wider != source
    apply.apply(owner, wider, TERMS)
    start(database)
    assert seen(earlier, earlier.dana) == [], "they have not agreed to that"
