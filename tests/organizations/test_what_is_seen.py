"""What an administrator sees of a member (P32): names and profile, nothing else, and only of their own organization."""

from typing import Any

import pytest
from psycopg import Connection, errors

from tests.conftest import make
from tests.organizations.conftest import Harbor, call, looked
from troth.database import connect, published
from troth.database.catalog import load
from troth.people import looking
from troth.policy.audiences import ROLES

SEEN = "SELECT name FROM troth.membership ORDER BY name"
FORGERIES = (
    "SELECT name FROM troth.membership WHERE organization = '{org}'",
    "WITH f AS MATERIALIZED (SELECT set_config('troth.token', '{subject}', true)) SELECT name FROM f, troth.membership",
    "WITH f AS MATERIALIZED (SELECT set_config('troth.viewer', '{subject}', true)) SELECT name FROM f, troth.membership"
    " WHERE organization = '{org}'",
    "SELECT m.name FROM (SELECT set_config('troth.token', 'token of', true)) f, LATERAL (SELECT name FROM troth.membership) m",
    "SELECT name FROM troth.organization WHERE organization = '{org}'",
    "SELECT may::text FROM troth.organization_role WHERE organization = '{org}'",
    "SELECT domain FROM troth.invitation WHERE organization = '{org}'",
)
STEALS = (
    "SELECT email FROM troth.person",
    "SELECT name FROM troth.person",
    "SELECT url FROM troth.access",
    "SELECT browser FROM troth.device",
    "SELECT address FROM troth.invitation",
    "SELECT digest FROM troth.invitation",
    "SELECT uses FROM troth.membership",
    "SELECT ended_at FROM troth.membership",
    "SELECT email FROM troth.people_account",
    "SELECT hash FROM troth.request_token",
    "UPDATE troth.membership SET role = 'owner'",
    "DELETE FROM troth.membership",
    "INSERT INTO troth.membership (subject, organization, role) SELECT subject, organization, 'owner' FROM troth.membership",
    "SELECT set_config('role', 'troth_self', true)",
    "SELECT set_config('role', 'troth_owner', true)",
    "SELECT set_config('session_authorization', 'troth_door', true)",
)
#: What people may open to the operator's staff, who reach no row of it before.
OPENED = STEALS[:4]


def seen(role: str, token: str) -> list[str]:
    with connect.acting(role, token=token) as connection:
        return [name for (name,) in connection.execute(SEEN.encode())]


def members(harbor: Harbor, name: str, *, elsewhere: bool = False) -> list[str]:
    return looked(harbor.people[name].token, harbor.elsewhere if elsewhere else harbor.organization, SEEN)


def test_administrators_see_the_names_of_their_members_and_nobody_else_does(harbor: Harbor) -> None:
    assert members(harbor, "alice") == members(harbor, "dana") == ["Alice", "Bob", "Dana"]
    assert members(harbor, "charlie", elsewhere=True) == ["Charlie"]
    for name in ("bob", "charlie", "olga"):
        assert members(harbor, name) == []


def test_the_other_audiences_see_no_name_that_no_clause_shows_them(harbor: Harbor) -> None:
    for role in ("member", "reader", "passer"):
        with pytest.raises(errors.InsufficientPrivilege):
            seen(role, harbor.alice.token)


def test_each_member_opens_exactly_what_the_administrator_sees_of_them(owner: Connection[Any], harbor: Harbor) -> None:
    assert seen("mirror", harbor.bob.token) == ["Bob"]
    both = "SELECT count(*) FROM information_schema.column_privileges WHERE grantee = 'troth_mirror'"
    assert owner.execute(both).fetchone() == (0,)
    # Whatever else an administrator were given, a member would see it of themselves.
    with pytest.raises(errors.InsufficientPrivilege):
        call("mirror", harbor.bob.token, "SELECT at FROM troth.membership")
    owner.execute("GRANT SELECT (at) ON troth.membership TO troth_administrator")
    assert call("mirror", harbor.bob.token, "SELECT at FROM troth.membership") is not None


#: Those to whom people post see who posted to them.
READERS = ("member", "reader", "passer")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("attempt", STEALS)
def test_no_audience_reads_or_writes_anything_else(harbor: Harbor, role: str, attempt: str) -> None:
    if role == "staff" and attempt in OPENED:
        assert call(role, harbor.dana.token, attempt) is None, "nobody opened anything to the staff"
        return
    if role in READERS and attempt == "SELECT name FROM troth.person":
        assert call(role, harbor.dana.token, attempt) is None, "nobody posted anything"
        return
    with pytest.raises((errors.InsufficientPrivilege, errors.InvalidParameterValue)):
        call(role, harbor.dana.token, attempt)


@pytest.mark.parametrize("attempt", FORGERIES)
def test_no_forgery_shows_a_member_of_another_organization(harbor: Harbor, attempt: str) -> None:
    told = attempt.format(org=harbor.organization, subject=harbor.alice.subject)
    for where in (harbor.organization, harbor.elsewhere):
        assert set(looked(harbor.charlie.token, where, told)) <= {"Charlie", "Elsewhere"}


def test_without_the_rule_another_administrator_would_read_them(owner: Connection[Any], harbor: Harbor) -> None:
    """The control taken away."""
    owner.execute("ALTER POLICY administrator_select ON troth.membership USING (true)")
    assert seen("administrator", harbor.charlie.token) == ["Alice", "Bob", "Charlie", "Dana"]


def test_whoever_has_not_agreed_to_be_seen_is_not(owner: Connection[Any], harbor: Harbor) -> None:
    """A wider sight opens a fresh bit: until they agree, their rows are not stamped for it."""
    bit = owner.execute("SELECT bit FROM troth.unit WHERE purpose = 'administrator' AND retired_at IS NULL").fetchone()
    assert bit is not None
    owner.execute(
        "UPDATE troth.membership SET uses = uses & ~(1::bigint << %s) WHERE subject = %s", (bit[0], harbor.bob.subject)
    )
    assert members(harbor, "dana") == ["Alice", "Dana"]
    assert seen("mirror", harbor.bob.token) == []


def test_a_name_is_one_everywhere_at_once(owner: Connection[Any], harbor: Harbor) -> None:
    call("self", harbor.bob.token, "UPDATE troth.person SET name = 'Robert' RETURNING 1")
    assert members(harbor, "dana") == ["Alice", "Dana", "Robert"]
    # Nobody writes another name into a copy, not even the owner.
    owner.execute("UPDATE troth.membership SET name = 'Mallory' WHERE subject = %s", (harbor.bob.subject,))
    assert members(harbor, "dana") == ["Alice", "Dana", "Robert"]
    owner.execute("DROP TRIGGER spread_membership_name ON troth.person")
    call("self", harbor.bob.token, "UPDATE troth.person SET name = 'Bobby' RETURNING 1")
    assert members(harbor, "dana") == ["Alice", "Dana", "Robert"]


def test_the_page_of_members_is_read_from_the_index(owner: Connection[Any], harbor: Harbor) -> None:
    owner.execute("ANALYZE troth.membership")
    query = """EXPLAIN (COSTS OFF) SELECT subject, role, name FROM troth.membership
        WHERE organization = %s AND (sought, subject) > ('a', '00000000-0000-0000-0000-000000000000') AND sought ^@ 'b'
        ORDER BY organization, sought, subject LIMIT 51"""
    with looking.looking("administrator", harbor.dana.token, harbor.organization, "list") as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        connection.execute("SET LOCAL enable_bitmapscan = off")
        told = "\n".join(row[0] for row in connection.execute(query.encode(), (harbor.organization,)))
    assert "membership_listed" in told
    assert "Index Cond: ((organization = " in told
    assert "sought >= 'b'" in told
    assert "Sort" not in told


def test_every_column_that_an_audience_reads_is_shown_by_the_policy_or_its_own(owner: Connection[Any]) -> None:
    """What no clause shows reaches no audience, and of all that only the staff read more than names and profile."""
    catalog, plan = load(), published.current().plan
    for role in ROLES:
        found = owner.execute(
            "SELECT table_name, column_name FROM information_schema.column_privileges"
            " WHERE table_schema = 'troth' AND privilege_type = 'SELECT' AND grantee = %s",
            (f"troth_{role}",),
        ).fetchall()
        categories = {catalog.table(table).column(column).category for table, column in found} - {None}
        shown = plan.shown_to("administrator" if role == "directory" else role)
        own = {"person.organization"} | ({"person.email", "person.employment"} if role == "directory" else set())
        assert categories <= shown | own, role
        posted = {"post.text", "post.file"} if role in READERS else set()
        assert role == "staff" or categories <= {"person.name", "person.profile", *own, *posted}, role


def test_an_account_that_ended_is_shown_to_nobody(owner: Connection[Any], harbor: Harbor) -> None:
    eve = make(owner, "Eve")
    call(
        "administrator",
        harbor.dana.token,
        "SELECT troth.invite(%s, 'w', NULL, '', 'member', 1, 7)",
        harbor.organization,
    )
    call("self", eve.token, "SELECT troth.join_by_invitation('w')")
    assert "Eve" in members(harbor, "dana")
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (eve.subject,))
    assert "Eve" not in members(harbor, "dana")
