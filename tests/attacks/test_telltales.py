"""Hardening 11: errors, codes and logs tell nothing about rows that one may not see."""

import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person, make
from troth.database import connect, place

CANARY = "canary-7f3a"


def said(role: str, statement: str, values: Any = None, token: str | None = None) -> str:
    """Return everything that PostgreSQL answers with an error."""
    with pytest.raises(psycopg.Error) as refused, connect.acting(role, token=token) as connection:
        connection.execute("SET TRANSACTION READ WRITE")
        connection.execute(statement.encode(), values)
    told = refused.value.diag
    return " ".join(filter(None, (told.message_primary, told.message_detail, told.message_hint, told.context)))


def test_a_clash_of_keys_shows_no_value(owner: Connection[Any]) -> None:
    alice = make(owner, CANARY)
    owner.execute(
        "INSERT INTO troth.people_account (subject, email, password, is_active, date_joined)"
        " VALUES (%s, %s, 'x', true, now())",
        (alice.subject, alice.email),
    )
    insert = ("INSERT INTO troth.people_account (subject, email, password, is_active, date_joined)"
              " VALUES (%s, %s, 'x', true, now())")  # fmt: skip
    answer = said("door", insert, (uuid.uuid4(), alice.email))
    assert "duplicate key" in answer
    # PostgreSQL shows the values of a clash only to those who may read them; the door may, purposes never get so far.
    for purpose in ("protect", "understand"):
        assert CANARY not in said(purpose, insert, (uuid.uuid4(), alice.email))


def test_a_purpose_learns_nothing_from_errors_over_hidden_rows(cast: dict[str, Person], owner: Connection[Any]) -> None:
    owner.execute("UPDATE troth.access SET url = %s WHERE subject = %s", (CANARY, cast["alice"].subject))
    with connect.acting("self", token=cast["alice"].token) as connection:
        connection.execute("SELECT troth.choose('understand', 'objection')")
    with connect.acting("understand") as connection:
        # Each of these raises on the canary's row if it is ever evaluated there.
        for tried in (
            "url::int > 0",
            "1 / (CASE WHEN url = 'canary-7f3a' THEN 0 ELSE 1 END) = 1",
            "url::uuid IS NOT NULL",
        ):
            try:
                with connection.transaction():
                    connection.execute(f"SELECT count(*) FROM access WHERE {tried}".encode())
            except psycopg.Error as error:
                assert CANARY not in str(error)
        assert connection.execute(
            "SELECT count(*) FROM access WHERE 1 / (CASE WHEN url = 'canary-7f3a' THEN 0 ELSE 1 END) = 1"
        ).fetchone()


def test_without_the_rule_the_error_would_tell(cast: dict[str, Person], owner: Connection[Any]) -> None:
    """The control taken away."""
    owner.execute("UPDATE troth.access SET url = %s", (CANARY,))
    owner.execute("ALTER POLICY understand_select ON troth.access USING (true)")
    assert CANARY in said("understand", "SELECT count(*) FROM access WHERE url::int > 0")


def test_statistics_of_governed_columns_are_hidden(cast: dict[str, Person], owner: Connection[Any]) -> None:
    owner.execute("UPDATE troth.access SET url = %s", (CANARY,))
    owner.execute("ANALYZE troth.access")
    for role in ("understand", "protect", "self", "intake", "steward"):
        with connect.acting(role) as connection:
            rows = connection.execute(
                "SELECT * FROM pg_stats WHERE schemaname = 'troth' AND tablename LIKE 'access%'"
            ).fetchall()
            assert CANARY not in str(rows)


@pytest.mark.asvs("16.2.5")
def test_the_servers_log_holds_no_values(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    said(
        "door",
        "INSERT INTO troth.person (subject, email, name) VALUES (%s, %s, %s)",
        (cast["alice"].subject, CANARY, CANARY),
    )
    said(
        "self", "SELECT name FROM troth.person WHERE 1 / (length(email) - length(email)) = 1", None, cast["alice"].token
    )
    said("protect", f"SELECT '{CANARY}'::int")
    texts = [file.read_text("utf-8", "replace") for file in Path(database.data / "log").iterdir()]
    assert texts
    assert not [text for text in texts if cast["alice"].email in text or f"= {CANARY}" in text or f"({CANARY})" in text]
