"""Hardening 6 and 7, by somebody who did not write drift: what an owner could be talked into, beside the obvious."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS
from troth.database import apply, connect, observe, place
from troth.database.drift import drift

TRICKS = {
    "table given away": "ALTER TABLE troth.person OWNER TO troth_understand",
    "partition given away": "ALTER TABLE troth.access_other OWNER TO troth_understand",
    "schema given away": "ALTER SCHEMA understand OWNER TO troth_understand",
    "database given away": "ALTER DATABASE troth OWNER TO troth_understand",
    "trigger on a partition": "CREATE TRIGGER spy AFTER INSERT ON troth.access_other FOR EACH ROW EXECUTE FUNCTION troth.stamp_person()",
    "rewrite rule": "CREATE RULE copy AS ON INSERT TO troth.person DO ALSO NOTIFY copied",
    "default privileges": "ALTER DEFAULT PRIVILEGES IN SCHEMA troth GRANT SELECT ON TABLES TO troth_understand",
    "event trigger": "CREATE EVENT TRIGGER spy ON ddl_command_end EXECUTE FUNCTION troth.spy()",
    "publication": "CREATE PUBLICATION everything FOR ALL TABLES",
    "extension": "CREATE EXTENSION file_fdw",
    "precision computed otherwise": "ALTER TABLE troth.access ALTER COLUMN network SET EXPRESSION AS (ip::cidr)",
    "table without its log": "ALTER TABLE troth.notice SET UNLOGGED",
    "operator": "CREATE OPERATOR public.= (leftarg = text, rightarg = text, function = pg_catalog.texteq)",
    "role's setting in the database": "ALTER ROLE troth_self IN DATABASE troth SET row_security = off",
    "setting of all roles": "ALTER ROLE ALL SET row_security = off",
    "precision of a partition": "ALTER TABLE troth.access_other ALTER COLUMN network SET EXPRESSION AS (ip::cidr)",
    "password of its own": "ALTER ROLE troth_understand PASSWORD 'mine'",
    "parameter granted": "GRANT SET ON PARAMETER session_replication_role TO troth_self",
    "predefined role": "GRANT pg_read_all_data TO troth_understand",
}


@pytest.fixture(autouse=True)
def roles_as_they_were(owner: Connection[Any]) -> Iterator[None]:
    yield
    for statement in (
        "DROP EVENT TRIGGER IF EXISTS spy",
        "ALTER ROLE ALL RESET row_security",
        "ALTER ROLE troth_self IN DATABASE troth RESET row_security",
        "REVOKE SET ON PARAMETER session_replication_role FROM troth_self",
        "REVOKE pg_read_all_data FROM troth_understand",
        "ALTER DATABASE troth OWNER TO troth_owner",
    ):
        owner.execute(statement.encode())
    give_back_passwords(owner)


def give_back_passwords(owner: Connection[Any]) -> None:
    """Passwords outlive the database of a test."""
    verifier = place.secrets_of(place.current()).verifier("troth_understand")
    owner.execute(f"ALTER ROLE troth_understand PASSWORD '{verifier}'".encode())


@pytest.mark.parametrize("trick", TRICKS)
def test_what_an_owner_was_talked_into_shows(owner: Connection[Any], trick: str) -> None:
    if trick == "event trigger":
        owner.execute("CREATE FUNCTION troth.spy() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'")
    before = set(drift(owner).lines())
    owner.execute(TRICKS[trick].encode())
    assert set(drift(owner).lines()) - before, trick


def test_a_password_that_a_role_gave_itself_shows_and_is_taken_back(owner: Connection[Any]) -> None:
    with connect.acting("understand") as connection:
        connection.execute("SET TRANSACTION READ WRITE")
        connection.execute("ALTER ROLE troth_understand PASSWORD 'mine'")
    assert any("troth_understand password" in line for line in drift(owner).lines())
    connect.close()
    apply.apply(owner, POLICY.read_text(encoding="utf-8"), TERMS)
    assert drift(owner).lines() == []
    with connect.acting("understand") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_shows_stops_an_apply_that_cannot_mend_it(owner: Connection[Any]) -> None:
    owner.execute(TRICKS["precision computed otherwise"].encode())
    with pytest.raises(apply.ApplyRefusal, match="no room declares"):
        apply.apply(owner, POLICY.read_text(encoding="utf-8"), TERMS)


def test_a_look_for_copies_that_was_taken_away_is_noticed(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """P29: what would carry rows elsewhere is looked for, and here no longer is."""
    monkeypatch.setattr(observe, "_strangers", lambda _connection: iter(()))
    with pytest.raises(AssertionError):
        test_what_an_owner_was_talked_into_shows(owner, "publication")
