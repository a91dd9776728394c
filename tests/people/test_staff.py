"""The operator's staff: roles are given by owners, refused to everybody else in the database, and each leaves its entry."""

from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection, Error, errors

from tests.conftest import Person, employ, make
from tests.planting import account
from troth.database import connect, published
from troth.database.catalog import load
from troth.people import staffing
from troth.people.errors import LastOwner, NothingThere, NotOnStaff
from troth.people.staffing import Role

pytestmark = pytest.mark.usefixtures("django")
MAIL = {"subject": "Join", "text": "at the link"}


@pytest.fixture
def django(database: Any) -> None:
    import django

    django.setup()


@pytest.fixture
def olga(owner: Connection[Any]) -> Person:
    """The first owner, who came by the first link."""
    olga = make(owner, "Olga")
    staffing.own(olga.subject)
    return employ(owner, olga)


def hired(owner: Connection[Any], name: str, *roles: str) -> Person:
    """Put somebody on the staff, as if they had accepted."""
    return employ(owner, make(owner, name), *roles)


def invite(olga: Person, email: str, *roles: str) -> str:
    token = staffing.token()
    staffing.invite(viewer=olga.token, email=email, roles=roles, token=token, mail=MAIL)
    return token


def proven(owner: Connection[Any], person: Person, email: str) -> None:
    """Let an address be one of somebody's own."""
    account(owner, person.subject, person.email, proven=email)


def entries(owner: Connection[Any]) -> list[str]:
    return [
        a for (a,) in owner.execute("SELECT action FROM troth.ledger_entry WHERE action LIKE 'staff-%' ORDER BY index")
    ]


def test_the_first_owner_is_made_once(owner: Connection[Any], olga: Person) -> None:
    assert staffing.roles_of(olga.subject) == {"owner"}
    bob = make(owner, "Bob")
    staffing.own(bob.subject)
    assert staffing.roles_of(bob.subject) == frozenset()
    with pytest.raises(Error) as refused, connect.acting("door") as door:
        door.execute("SELECT troth.first_owner(%s)", (bob.subject,))
    assert refused.value.sqlstate == "TR041"


def test_who_is_invited_joins_with_the_address_that_was_invited_and_no_other(
    owner: Connection[Any], olga: Person
) -> None:
    bob, charlie = make(owner, "Bob"), make(owner, "Charlie")
    proven(owner, bob, "bob@harbor.example")
    proven(owner, charlie, "charlie@harbor.example")
    token = invite(olga, "Bob@harbor.example", "support", "auditor")
    assert [(each.email, list(each.roles)) for each in staffing.invitations(olga.token)] == [
        ("Bob@harbor.example", ["support", "auditor"])
    ]
    assert staffing.invited_to(viewer=charlie.token, token=token) == ()
    with pytest.raises(NothingThere):
        staffing.accept(viewer=charlie.token, token=token)
    assert staffing.invited_to(viewer=bob.token, token=token) == ("support", "auditor")
    staffing.accept(viewer=bob.token, token=token)
    assert staffing.roles_of(bob.subject) == {"support", "auditor"}
    with pytest.raises(NothingThere):  # once
        staffing.accept(viewer=bob.token, token=token)
    assert owner.execute("SELECT address FROM troth.notice").fetchall() == [("Bob@harbor.example",)]
    assert entries(owner) == ["staff-joined", "staff-invited", "staff-joined"]


def test_an_invitation_that_was_taken_back_or_ran_out_opens_nothing(owner: Connection[Any], olga: Person) -> None:
    bob = make(owner, "Bob")
    proven(owner, bob, bob.email)
    token = invite(olga, bob.email, "support")
    staffing.withdraw(viewer=olga.token, invitation=staffing.invitations(olga.token)[0].invitation)
    assert staffing.invited_to(viewer=bob.token, token=token) == ()
    token = invite(olga, bob.email, "support")
    owner.execute("UPDATE troth.staff_invitation SET expires_at = statement_timestamp()")
    assert staffing.invited_to(viewer=bob.token, token=token) == ()


ACTS = {
    "invite": "SELECT troth.invite_staff('x@y.example', '{owner}', sha256('x'), now() + interval '1 day', '{}')",
    "give": "SELECT troth.give_staff_role('{olga}', 'support')",
    "end": "SELECT troth.end_staff_role('{olga}', 'owner')",
    "withdraw": "SELECT troth.withdraw_invitation(gen_random_uuid())",
}


@pytest.mark.parametrize("role", ["support", "publisher", "analyst", "auditor"])
@pytest.mark.parametrize("act", ACTS)
def test_only_owners_change_who_is_on_the_staff(owner: Connection[Any], olga: Person, role: str, act: str) -> None:
    other = hired(owner, "Bob", role)
    statement = ACTS[act].replace("{olga}", str(olga.subject))
    with pytest.raises(Error) as refused, connect.acting("staff", token=other.token) as connection:
        connection.execute(statement.encode())
    assert refused.value.sqlstate == "TR040"
    with pytest.raises(errors.InsufficientPrivilege), connect.acting("self", token=olga.token) as connection:
        connection.execute(statement.encode())
    with connect.acting("staff", token=other.token) as connection:
        try:
            assert connection.execute("SELECT * FROM troth.staff_members()").fetchall() == []
        except Error as error:
            assert error.sqlstate == "TR040"


def test_without_the_look_at_the_role_anybody_would(owner: Connection[Any], olga: Person) -> None:
    """The control taken away."""
    owner.execute(
        "CREATE OR REPLACE FUNCTION troth.staff_viewer(wanted text []) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER"
        " SET search_path = '' AS 'SELECT troth.viewer()'"
    )
    bob = make(owner, "Bob")
    staffing.give(viewer=bob.token, whom=olga.subject, role="support")
    assert staffing.roles_of(olga.subject) == {"owner", "support"}


def test_roles_are_given_and_ended_at_once_with_an_entry_each(owner: Connection[Any], olga: Person) -> None:
    bob = hired(owner, "Bob", "support")
    staffing.give(viewer=olga.token, whom=bob.subject, role=Role.PUBLISHER)
    staffing.give(viewer=olga.token, whom=bob.subject, role=Role.PUBLISHER)  # twice is once
    staffing.end(viewer=olga.token, whom=bob.subject, role=Role.SUPPORT)
    assert staffing.roles_of(bob.subject) == {"publisher"}
    assert entries(owner)[-2:] == ["staff-role-given", "staff-role-ended"]
    with pytest.raises(NotOnStaff):
        staffing.end(viewer=olga.token, whom=bob.subject, role=Role.SUPPORT)
    with pytest.raises(NotOnStaff):
        staffing.give(viewer=olga.token, whom=make(owner, "Charlie").subject, role=Role.SUPPORT)
    members = staffing.members(olga.token)
    assert [(m.name, [held.role for held in m.roles], [held.role for held in m.before]) for m in members] == [
        ("Bob", ["publisher"], ["support"]),
        ("Olga", ["owner"], []),
    ]


def test_the_last_owner_stays(owner: Connection[Any], olga: Person) -> None:
    with pytest.raises(LastOwner):
        staffing.end(viewer=olga.token, whom=olga.subject, role=Role.OWNER)
    bob = hired(owner, "Bob", "owner")
    staffing.end(viewer=bob.token, whom=olga.subject, role=Role.OWNER)
    assert staffing.roles_of(olga.subject) == frozenset()
    with pytest.raises(NothingThere):
        staffing.give(viewer=olga.token, whom=bob.subject, role=Role.SUPPORT)


def test_whoever_leaves_is_on_no_staff_and_the_next_first_link_works(owner: Connection[Any], olga: Person) -> None:
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'test')", (olga.subject,))
    assert staffing.roles_of(olga.subject) == frozenset()
    assert not staffing.has_owner()


def test_the_role_staff_reads_what_people_may_open_to_it_and_no_row_before_they_do(
    owner: Connection[Any], olga: Person
) -> None:
    make(owner, "Bob")
    held = owner.execute(
        "SELECT table_name, column_name, privilege_type FROM information_schema.column_privileges"
        " WHERE grantee = 'troth_staff' AND table_schema = 'troth'"
    ).fetchall()
    catalog, shown = load(), published.current().plan.shown_to("staff")
    assert {privilege for *_, privilege in held} == {"SELECT"}
    assert {catalog.table(table).column(column).category for table, column, _ in held} - {None} <= shown
    with connect.acting("staff", token=olga.token) as connection:
        for table in {table for table, *_ in held}:
            assert connection.execute(f"SELECT count(*) FROM troth.{table}".encode()).fetchone() == (0,), table


def test_somebody_who_is_nobody_here_reads_no_staff(owner: Connection[Any], olga: Person) -> None:
    bob = make(owner, "Bob")
    with connect.acting("self", token=bob.token) as connection:
        assert connection.execute("SELECT * FROM troth.staff").fetchall() == []
    with connect.acting("self", token=olga.token) as connection:
        assert connection.execute("SELECT subject, role FROM troth.staff").fetchall() == [
            (UUID(str(olga.subject)), "owner")
        ]
