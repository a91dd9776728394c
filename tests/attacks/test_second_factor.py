"""A password alone opens nothing of the staff's, whatever a page lets through: the database asks for the second factor."""

from typing import Any

import pytest
from psycopg import Connection, Error, sql

from tests.conftest import Person, employ, make
from tests.consent.lending import NAME, prove
from troth.consent import support
from troth.database import connect
from troth.people import staffing

pytestmark = pytest.mark.usefixtures("django")
ROLES = ("owner", "support", "publisher", "analyst", "auditor")
PROPOSED = "SELECT count(*) FROM troth.proposed_permissions()"
#: Every function that only the staff may call, with as many nothings as it takes arguments.
CALLS = """
SELECT proname, pronargs FROM pg_proc
WHERE pronamespace = 'troth'::regnamespace AND has_function_privilege('troth_staff', oid, 'EXECUTE')
  AND NOT has_function_privilege('troth_self', oid, 'EXECUTE')
"""
WITHOUT = {
    "token": "UPDATE troth.request_token SET level = 1",
    "factor": "DELETE FROM troth.mfa_authenticator",
    "codes alone": "UPDATE troth.mfa_authenticator SET type = 'recovery_codes'",
}
OPEN = (
    "CREATE OR REPLACE FUNCTION troth.secured() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ''"
    " AS 'SELECT true'"
)


@pytest.fixture
def django(database: Any) -> None:
    import django

    django.setup()


@pytest.fixture
def olga(owner: Connection[Any]) -> Person:
    """Somebody who holds every role."""
    return employ(owner, make(owner, "Olga"), *ROLES)


def called(olga: Person, name: str, many: int) -> str:
    """Call a function of the staff's with nothings; return the code of the refusal, or how many rows came."""
    asked = sql.SQL("SELECT * FROM troth.{}({})").format(sql.Identifier(name), sql.SQL(", ").join([sql.NULL] * many))
    try:
        with connect.acting("staff", token=olga.token) as connection:
            return f"{len(connection.execute(asked).fetchall())} rows"
    except Error as error:
        return error.sqlstate or ""


@pytest.mark.asvs("6.3.3", "8.3.1")
@pytest.mark.parametrize("without", WITHOUT)
def test_no_function_of_the_staff_answers_whoever_showed_none(
    owner: Connection[Any], olga: Person, without: str
) -> None:
    staffing.invite(viewer=olga.token, email="x@harbor.example", roles=["owner"], token="t", mail={})
    calls = owner.execute(CALLS).fetchall()
    assert len(calls) >= 15
    assert not [name for name, many in calls if called(olga, name, many) == "TR065"]
    owner.execute(WITHOUT[without].encode())
    answers = {name: called(olga, name, many) for name, many in calls}
    # `looking` and its like are asked by row rules, and say nothing.
    assert {name: answer for name, answer in answers.items() if answer not in {"TR065", "0 rows"}} == {
        name: answer for name, answer in answers.items() if name in {"looking", "token_level", "this_turn"}
    }
    owner.execute(OPEN)  # the control taken away
    assert "TR065" not in {called(olga, name, many) for name, many in calls}
    assert len(staffing.invitations(olga.token)) == 1


@pytest.mark.parametrize("without", WITHOUT)
def test_a_look_that_is_open_shows_nothing_any_more(owner: Connection[Any], olga: Person, without: str) -> None:
    alice = make(owner, "Alice")
    prove(owner, alice)
    told: dict[str, Any] = {"reason": "a bill", "ticket": "T-1", "areas": ["profile"], "hours": 4}
    access = support.ask(viewer=olga.token, email=alice.email, mail={"en": {"subject": "s", "text": "t"}}, **told)
    support.allow(viewer=alice.token, access=access, areas=["profile"], hours=1)

    def seen(before: str | None) -> list[Any]:
        with connect.acting("staff", token=olga.token) as connection:
            opens = connection.execute("SELECT troth.look(%s, 'profile')", (access,)).fetchone()
            connection.commit()
            if before:
                owner.execute(before.encode())
            carry = "SELECT set_config('troth.token', %s, true), set_config('troth.look', %s, true)"
            connection.execute(carry, (olga.token, *(opens or ())))
            return connection.execute("SELECT name FROM troth.person").fetchall()

    assert seen(None) == [("Alice",)]
    assert seen(WITHOUT[without]) == []
    owner.execute(OPEN)  # the control taken away
    assert seen(None) == [("Alice",)]


@pytest.mark.parametrize("without", WITHOUT)
def test_nothing_is_proposed_in_the_operators_name(owner: Connection[Any], olga: Person, without: str) -> None:
    alice = make(owner, "Alice")
    prove(owner, alice)
    propose = (
        "SELECT troth.propose_permission(%s, NULL, %s::text[], 'A bill.', '', 10, 'at once', 0, '{\"en\": \"May we?\"}',"
        ' \'{"subject": "s", "text": "t"}\')'
    )

    def proposes() -> str:
        try:
            with connect.acting("self", token=olga.token) as connection:
                connection.execute(propose.encode(), (alice.email, [NAME]))
                row = connection.execute(PROPOSED).fetchone()
                return f"{row[0] if row else 0} proposed"
        except Error as error:
            return error.sqlstate or ""

    assert proposes() == "1 proposed"
    owner.execute(WITHOUT[without].encode())
    assert proposes() == "TR074"
    with connect.acting("self", token=olga.token) as connection:
        assert connection.execute(PROPOSED).fetchone() == (0,)
    owner.execute(OPEN)  # the control taken away
    assert proposes() == "2 proposed"


def test_nobody_raises_a_token_but_the_door_when_it_opens_one(owner: Connection[Any]) -> None:
    query = (
        "SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'troth_') AND rolname <> 'troth_owner'"
        " AND has_column_privilege(rolname, 'troth.request_token', 'level', 'UPDATE')"
    )
    assert owner.execute(query).fetchall() == []
    opens = "troth.open_token(uuid, bytea, timestamp with time zone, integer)"
    query = (
        "SELECT rolname FROM pg_roles WHERE rolcanlogin AND starts_with(rolname, 'troth_') AND rolname <> 'troth_owner'"
        " AND has_function_privilege(rolname, %s, 'EXECUTE')"
    )
    assert owner.execute(query, (opens,)).fetchall() == [("troth_door",)]
