"""A person's own copy: what the policy shows them of all that is held, nothing of anybody else, agreed or not."""

import io
import json
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import browser
from tests.conftest import Person
from tests.rights.asking import exported, plant, planted_in, text
from tests.rights.test_export import written
from troth.consent.errors import NotSignedIn
from troth.database import connect, published
from troth.database.catalog import load
from troth.policy.viewing import granted_to
from troth.rights import document, exporting
from troth.rights.persons import held_tables

__all__ = ["browser"]
pytestmark = pytest.mark.usefixtures("browser")


def taken(person: Person) -> document.Export:
    from troth.rights import actions

    out = io.BytesIO()
    rows = actions.take_copy(person.token, out)
    found = document.read(out.getvalue())
    assert sum(len(table.rows) for table in found.tables) == rows
    return found


def test_it_is_what_the_operator_would_hand_out_less_what_no_page_shows(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    for number, person in enumerate(cast.values(), start=10):
        plant(owner, person, number)
    alice = cast["alice"]
    whole = {table.table: table for table in exported(owner, alice).tables}
    own = taken(alice)
    full = 0
    for table in own.tables:
        shown = granted_to("self", published.current().plan, load().table(table.table))
        given = {column.name for column in table.columns if column.withheld is None}
        assert given <= shown, table.table
        theirs = [
            written({name: value for name, value in row.values.items() if name in given})
            for row in whole[table.table].rows
            if row.values.get("subject") == str(alice.subject)
        ]
        if given and table.table != "ledger_salt":  # which the first of the two added to
            assert sorted(theirs) == sorted(written(row.values) for row in table.rows), table.table
            full += bool(table.rows)
    assert full > 20
    access = {t.table: t for t in own.tables}["access"]
    assert access.rows[0].purposes == ("protect", "understand")
    assert json.dumps(access.rows[0].ends) == json.dumps(whole["access"].rows[0].ends)
    assert {word for word in planted_in(text(own)) if not word.startswith("canary-alice-")} == set()
    assert {t.table for t in own.tables} == {t.name for t in held_tables(load())}, "what is not shown is named"


def test_whoever_has_not_agreed_to_what_is_in_force_takes_theirs_and_the_ledger_says_so(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    owner.execute("UPDATE troth.request_token SET version = 0 WHERE subject = %s", (alice.subject,))
    with connect.acting("self", token=alice.token) as connection:
        assert connection.execute("SELECT count(*) FROM troth.access").fetchone() == (0,)
    tables = {table.table: table for table in taken(alice).tables}
    assert len(tables["access"].rows) == 2
    assert tables["person"].rows[0].values["email"] == alice.email
    noted = "SELECT facts FROM troth.ledger_entry WHERE action = 'exported-by-person'"
    (facts,) = (facts for (facts,) in owner.execute(noted))
    assert facts == {"rows": sum(len(table.rows) for table in tables.values())}


def test_a_token_that_opens_nothing_takes_nothing(cast: dict[str, Person], owner: Connection[Any]) -> None:
    from troth.rights import actions

    out = io.BytesIO()
    with pytest.raises(NotSignedIn):
        actions.take_copy("no token of anybody", out)
    assert out.getvalue() == b""
    with pytest.raises(Exception, match="permission denied"), connect.acting("door") as door:
        door.execute("SELECT troth.note_export(1)")
    assert exporting.write_own("", out) == 0
