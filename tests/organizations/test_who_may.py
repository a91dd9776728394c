"""Who may do what in an organization (P6): each of the cast tries each action; the database answers."""

from typing import Any

import pytest
from psycopg import Connection, Error, errors

from tests.conftest import Person, make
from tests.organizations.conftest import Harbor, call
from troth.database import connect
from troth.people import organizations

CAST = ("alice", "dana", "bob", "charlie", "olga")
NOT_THERE, NOT_ALLOWED, LAST = "TR040", "TR041", "TR042"
#: action -> (role that carries it out, statement over the organization and Eve or Bob, who may)
ACTIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "rename": ("administrator", "SELECT troth.set_organization(%(org)s, 'Harbor', true)", ("alice", "dana")),
    "make a role": ("administrator", "SELECT troth.set_role(%(org)s, 'Coach', '{invite}')", ("alice", "dana")),
    "invite": (
        "administrator",
        "SELECT troth.invite(%(org)s, 'x', 'eve@harbor.example', 'en', 'member', 1, 7)",
        ("alice", "dana"),
    ),
    "invite an owner": ("administrator", "SELECT troth.invite(%(org)s, 'x', NULL, '', 'owner', 1, 7)", ("alice",)),
    "admit": ("administrator", "SELECT troth.answer_request(%(org)s, %(eve)s, 'member')", ("alice", "dana")),
    "refuse": ("administrator", "SELECT troth.answer_request(%(org)s, %(eve)s, NULL)", ("alice", "dana")),
    "give a role": ("administrator", "SELECT troth.give_role(%(org)s, %(bob)s, 'administrator')", ("alice", "dana")),
    "make an owner": ("administrator", "SELECT troth.give_role(%(org)s, %(bob)s, 'owner')", ("alice",)),
    "remove": ("administrator", "SELECT troth.remove_member(%(org)s, %(bob)s)", ("alice", "dana")),
    "remove the owner": ("administrator", "SELECT troth.remove_member(%(org)s, %(alice)s)", ()),
    "hand over": ("administrator", "SELECT troth.hand_over(%(org)s, %(bob)s)", ("alice",)),
    "delete": ("administrator", "SELECT troth.delete_organization(%(org)s)", ("alice",)),
    "leave": ("self", "SELECT troth.leave_organization(%(org)s)", ("dana", "bob")),
    "ask": ("self", "SELECT troth.ask_to_join(%(org)s)", ("charlie", "olga")),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_each_of_the_cast_may_what_their_role_says(owner: Connection[Any], harbor: Harbor, action: str) -> None:
    call(
        "administrator",
        harbor.alice.token,
        "SELECT troth.set_organization(%s, 'Harbor Rowing', true)",
        harbor.organization,
    )
    eve = make(owner, "Eve")
    call("self", eve.token, "SELECT troth.ask_to_join(%s)", harbor.organization)
    role, statement, allowed = ACTIONS[action]
    told = {"org": harbor.organization, "eve": eve.subject, "bob": harbor.bob.subject, "alice": harbor.alice.subject}
    for name in CAST:
        refused = ""
        try:
            with connect.acting(role, token=harbor.people[name].token) as connection:
                connection.execute(statement.encode(), told)
                connection.rollback()
        except Error as error:
            refused = error.sqlstate or ""
        assert (refused == "") is (name in allowed), (name, refused)
        if name in ("charlie", "olga") and name not in allowed:
            assert refused == NOT_THERE


def test_what_is_anothers_answers_as_what_is_not_there(harbor: Harbor) -> None:
    for org in (harbor.elsewhere, "00000000-0000-0000-0000-00000000beef"):
        with pytest.raises(Error) as refused:
            call("administrator", harbor.alice.token, "SELECT troth.remove_member(%s, %s)", org, harbor.charlie.subject)
        assert refused.value.sqlstate == NOT_THERE


def test_nobody_calls_what_only_the_functions_call(harbor: Harbor) -> None:
    for role in ("self", "administrator", "member", "mirror"):
        for inner in (
            "entered(%s, %s, 'owner')",
            "acting_in(%s, %s)",
            "end_organization(%s)",
            "leave_organizations(%s)",
            "fate_of(%s, %s)",
            "organization_fates_of(%s)",
            "confirm_fates(%s, NULL)",
        ):
            values = (harbor.organization, harbor.bob.subject)[: inner.count("%s")]
            with pytest.raises((errors.InsufficientPrivilege, errors.UndefinedFunction)):
                call(role, harbor.bob.token, f"SELECT troth.{inner}", *values)


def test_an_organization_keeps_an_owner_until_it_is_handed_over(harbor: Harbor) -> None:
    with pytest.raises(Error) as refused:
        call("self", harbor.alice.token, "SELECT troth.leave_organization(%s)", harbor.organization)
    assert refused.value.sqlstate == LAST
    call(
        "administrator", harbor.alice.token, "SELECT troth.hand_over(%s, %s)", harbor.organization, harbor.dana.subject
    )
    call("self", harbor.alice.token, "SELECT troth.leave_organization(%s)", harbor.organization)
    call(
        "administrator",
        harbor.dana.token,
        "SELECT troth.give_role(%s, %s, 'owner')",
        harbor.organization,
        harbor.bob.subject,
    )


def test_closing_an_account_leaves_the_organization_to_whoever_administers(
    owner: Connection[Any], harbor: Harbor
) -> None:
    def held() -> dict[Any, str]:
        rows = "SELECT subject, role FROM troth.membership WHERE organization = %s AND ended_at IS NULL"
        return dict(owner.execute(rows, (harbor.organization,)).fetchall())

    def fates(token: str) -> list[tuple[Any, ...]]:
        return [(f.organization, f.fate, f.heir, f.others) for f in organizations.fates(token)]

    org = harbor.organization
    assert fates(harbor.alice.token) == [(org, "handed on", harbor.dana.subject, 0)]
    assert fates(harbor.dana.token) == fates(harbor.bob.token) == [(org, "left", None, 0)], "nobody else learns who"
    assert fates(harbor.charlie.token) == [(harbor.elsewhere, "ends", None, 0)]
    assert fates(harbor.olga.token) == fates("forged") == []
    for leaver in (harbor.alice, harbor.dana):
        if leaver is harbor.dana:
            assert fates(leaver.token) == [(org, "ends", None, 1)]
        with connect.acting("door") as door:
            door.execute("SELECT troth.end_subject(%s, 'asked')", (leaver.subject,))
        if leaver is harbor.alice:
            assert held() == {harbor.dana.subject: "owner", harbor.bob.subject: "member"}
    assert held() == {}
    assert owner.execute("SELECT name FROM troth.organization ORDER BY 1").fetchall() == [("Elsewhere",)]


def test_an_invitation_is_one_use_and_its_token_is_nowhere_but_in_the_mail(
    owner: Connection[Any], harbor: Harbor
) -> None:
    eve = make(owner, "Eve")
    statement = "SELECT troth.invite(%s, 'a word on its way', 'Eve@Harbor.example', 'en', 'member', 5, 7)"
    call("administrator", harbor.dana.token, statement, harbor.organization)
    assert owner.execute("SELECT address, template, facts ->> 'token' FROM troth.notice").fetchall() == [
        ("eve@harbor.example", "invitation", "a word on its way")
    ]
    row = owner.execute("SELECT to_jsonb(i)::text FROM troth.invitation AS i").fetchone()
    assert row is not None
    assert "a word" not in row[0]
    call("self", eve.token, "SELECT troth.join_by_invitation('a word on its way')")
    for again in (harbor.charlie, eve):
        with pytest.raises(Error) as refused:
            call("self", again.token, "SELECT troth.join_by_invitation('a word on its way')")
        assert refused.value.sqlstate == "TR043"


def test_an_address_that_nobody_answered_for_is_forgotten(owner: Connection[Any], harbor: Harbor) -> None:
    statement = "SELECT troth.invite(%s, 'x', 'nobody@elsewhere.example', 'en', 'member', 1, 7)"
    call("administrator", harbor.dana.token, statement, harbor.organization)
    forget = "SELECT troth.forget_invitations()"
    for left in (1, 0):
        with connect.acting("steward") as steward:
            steward.execute(forget)
        assert owner.execute("SELECT count(*) FROM troth.invitation").fetchone() == (left,)
        owner.execute("UPDATE troth.invitation SET at = at - interval '20 days', until = statement_timestamp()")


def test_each_action_is_one_entry_that_names_nobody(owner: Connection[Any], harbor: Harbor) -> None:
    call(
        "administrator",
        harbor.dana.token,
        "SELECT troth.remove_member(%s, %s)",
        harbor.organization,
        harbor.bob.subject,
    )
    entry = owner.execute("SELECT action, facts::text FROM troth.ledger_entry ORDER BY index DESC LIMIT 1").fetchone()
    assert entry is not None
    assert entry[0] == "member-removed"
    assert str(harbor.organization) not in entry[1]
    mine = "SELECT count(*) FROM troth.ledger_salt WHERE entry = (SELECT max(index) FROM troth.ledger_entry)"
    for person, count in ((harbor.bob, 1), (harbor.dana, 1), (harbor.alice, 0)):
        assert call("self", person.token, mine) == count


def test_without_the_guard_a_member_would_rule(owner: Connection[Any], harbor: Harbor) -> None:
    """The control taken away."""
    body = owner.execute("SELECT pg_get_functiondef('troth.acting_in(uuid, text)'::regprocedure)").fetchone()
    assert body is not None
    owner.execute(body[0].replace("NOT power = ANY (may)", "false").encode())
    remove = "SELECT troth.remove_member(%s, %s)"
    call("administrator", harbor.bob.token, remove, harbor.organization, harbor.bob.subject)


def test_a_closed_policy_lets_nobody_be_tied_to_an_organization(
    owner: Connection[Any], cast: dict[str, Person]
) -> None:
    """Where no clause collects it, the row rule of the very insert says no."""
    owner.execute("ALTER POLICY registrar_insert ON troth.membership WITH CHECK (false)")
    with pytest.raises(errors.InsufficientPrivilege):
        call("self", cast["alice"].token, "SELECT troth.found_organization('Harbor')")
