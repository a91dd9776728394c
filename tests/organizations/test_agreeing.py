"""P23 in an organization: who administers it asks a member, who answers in kept words; it ends as agreed, or with either's place."""

import re
import uuid
from typing import Any

import pytest
from psycopg import Connection, Error

from tests.browsing import Browser
from tests.consent.lending import BROWSER, EMAIL, NAME, looks, prove
from tests.organizations.conftest import Harbor, call
from tests.rights.asking import erased, exported, part
from troth.consent import agreed, permissions
from troth.consent.agreed import Agreed, Proposal
from troth.consent.errors import ConsentRefusal
from troth.database import connect

WORDS = {"en": "May I see your address?", "es": "¿Puedo ver tu dirección?"}
MAIL = {each: {"subject": each, "text": "t", "html": ""} for each in WORDS}


@pytest.fixture
def club(harbor: Harbor, owner: Connection[Any]) -> Harbor:
    """The organization, whose people have proven their addresses."""
    for person in harbor.people.values():
        prove(owner, person)
    return harbor


def ask(club: Harbor, who: str = "dana", whom: str = "bob", **told: Any) -> uuid.UUID:
    plain: dict[str, Any] = {"address": "", "purpose": None, "categories": [EMAIL], "reason": "For the list of crews."}
    plain |= {"terms": "", "days": 10, "ends": "at once", "notice": 0}
    return agreed.propose_to_member(
        token=club.people[who].token, organization=club.organization, member=club.people[whom].subject,
        proposal=Proposal(**(plain | told)), words=WORDS, mail=MAIL,
    )  # fmt: skip


def answer(club: Harbor, which: uuid.UUID, *, accepts: bool = True, who: str = "bob", words: str = WORDS["en"]) -> None:
    token, digest = club.people[who].token, agreed.digest(words)
    agreed.answer(token=token, agreed=which, accepts=accepts, language="en", digest=digest)


def sides(club: Harbor, who: str = "dana") -> tuple[Agreed, Agreed]:
    (mine,) = agreed.mine(club.bob.token)
    (theirs,) = agreed.proposed_to(club.people[who].token, club.organization, club.bob.subject)
    return mine, theirs


def seen(club: Harbor, who: str = "dana") -> set[str]:
    return looks(club.people[who], club.bob)


def codes(club: Harbor, **told: Any) -> str:
    with pytest.raises(ConsentRefusal) as refused:
        ask(club, **told)
    assert refused.value.advice
    return refused.value.code


def test_a_yes_lets_who_asked_see_what_was_agreed_and_both_sides_have_the_words(
    club: Harbor, owner: Connection[Any]
) -> None:
    which = ask(club)
    assert seen(club) == set(), "silence is no"
    assert owner.execute("SELECT address, facts ->> 'subject' FROM troth.notice").fetchall() == [(club.bob.email, "en")]
    answer(club, which)
    assert seen(club) == {EMAIL}
    for name in ("alice", "charlie", "olga"):
        assert seen(club, name) == set(), "it is for who asked, and nobody else"
    for each in sides(club):
        assert (each.organization, each.answer, each.wording) == (club.organization, "accepted", WORDS["en"])
        assert each.until
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.account_uses()")
    (grant,) = permissions.grants(club.bob.token)
    assert (grant.agreed, grant.used_at is not None) == (which, True)


def test_a_no_is_kept_and_shows_nothing(club: Harbor) -> None:
    answer(club, ask(club), accepts=False)
    assert seen(club) == set()
    assert {each.answer for each in sides(club)} == {"declined"}


def test_nobody_asks_but_who_administers_and_of_nobody_but_members(club: Harbor) -> None:
    for who in ("bob", "charlie", "olga"):
        assert codes(club, who=who, whom="alice") == "permission-not-administrator", who
    assert codes(club, whom="charlie") == codes(club, whom="dana") == "permission-not-administrator"
    assert agreed.mine(club.charlie.token) == agreed.proposed(club.olga.token) == []
    assert agreed.proposed_to(club.alice.token, club.organization, club.bob.subject) == []


def test_never_more_than_the_policy_lets_people_show_to_whom_they_choose(club: Harbor) -> None:
    for categories in (["access.ip"], [EMAIL, "person.phone"], ["no.such"]):
        assert codes(club, categories=categories) == "permission-not-permissible"
    ask(club, categories=[NAME, EMAIL, BROWSER])


def test_a_member_is_asked_once_in_a_day(club: Harbor, owner: Connection[Any]) -> None:
    ask(club)
    assert codes(club) == codes(club, who="alice") == "permission-limit"
    owner.execute("UPDATE troth.agreed_permission SET at = at - interval '25 hours'")
    ask(club, who="alice")


def test_other_words_and_other_people_are_refused(club: Harbor) -> None:
    which = ask(club)
    for who, words in (
        ("bob", "May I see all?"),
        ("alice", WORDS["en"]),
        ("charlie", WORDS["en"]),
        ("dana", WORDS["en"]),
    ):
        with pytest.raises(ConsentRefusal):
            answer(club, which, who=who, words=words)
    assert seen(club) == set()


@pytest.mark.parametrize(("who", "by"), [("bob", "person"), ("dana", "operator")])
def test_either_side_ends_it_at_once_and_nobody_else(club: Harbor, who: str, by: str) -> None:
    which = ask(club)
    answer(club, which)
    for other in ("alice", "charlie", "olga"):
        with pytest.raises(ConsentRefusal):
            agreed.end(token=club.people[other].token, agreed=which)
    assert seen(club) == {EMAIL}
    agreed.end(token=club.people[who].token, agreed=which)
    assert seen(club) == set()
    assert {each.over_by for each in sides(club)} == {by}


def test_it_ends_with_notice_or_by_itself_where_that_was_agreed(club: Harbor, owner: Connection[Any]) -> None:
    which = ask(club, ends="with notice", notice=3)
    answer(club, which)
    agreed.end(token=club.bob.token, agreed=which)
    assert seen(club) == {EMAIL}, "until the notice is over"
    owner.execute("UPDATE troth.agreed_permission SET at = at - interval '25 hours'")
    fixed = ask(club, categories=[BROWSER], ends="at its end")
    answer(club, fixed)
    for who in ("bob", "dana"):
        with pytest.raises(ConsentRefusal):
            agreed.end(token=club.people[who].token, agreed=fixed)
    owner.execute("UPDATE troth.person_grant SET until = now(), since = now() - interval '1 day'")
    assert seen(club) == set()


#: What ends somebody's place in the organization: the member's, or that of who asked.
ENDS = {
    "the member leaves": ("self", "bob", "SELECT troth.leave_organization(%(org)s)"),
    "who asked administers no longer": (
        "administrator",
        "alice",
        "SELECT troth.give_role(%(org)s, %(dana)s, 'member')",
    ),
    "who asked is removed": ("administrator", "alice", "SELECT troth.remove_member(%(org)s, %(dana)s)"),
    "the organization ends": ("administrator", "alice", "SELECT troth.delete_organization(%(org)s)"),
}


@pytest.mark.parametrize("end", ENDS)
def test_it_ends_with_the_place_of_either_and_does_not_come_back(
    club: Harbor, owner: Connection[Any], end: str
) -> None:
    answer(club, ask(club))
    role, name, statement = ENDS[end]
    with connect.acting(role, token=club.people[name].token) as connection:
        connection.execute(statement.encode(), {"org": club.organization, "dana": club.dana.subject})
    assert seen(club) == set(), "at the very next statement"
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.lapse_permissions()")
    assert owner.execute("SELECT over_by FROM troth.agreed_permission").fetchall() == [("operator",)]
    if end == "who asked administers no longer":
        call("administrator", club.alice.token, "SELECT troth.give_role(%s, %s, 'administrator')", club.organization,
             club.dana.subject)  # fmt: skip
        assert seen(club) == set()


def test_what_waits_for_an_answer_is_refused_when_who_asked_is_gone(club: Harbor) -> None:
    which = ask(club)
    call("administrator", club.alice.token, "SELECT troth.remove_member(%s, %s)", club.organization, club.dana.subject)
    with pytest.raises(ConsentRefusal):
        answer(club, which)


def test_each_control_is_missed_when_it_is_taken_away(club: Harbor, owner: Connection[Any]) -> None:
    """Being in office, which is asked when it is proposed, answered and used."""
    answer(club, ask(club))
    call("administrator", club.alice.token, "SELECT troth.give_role(%s, %s, 'member')", club.organization,
         club.dana.subject)  # fmt: skip
    assert seen(club) == set()
    owner.execute(
        "CREATE OR REPLACE FUNCTION troth.in_office(org uuid, who uuid, whom uuid) RETURNS boolean LANGUAGE sql STABLE"
        " SECURITY DEFINER SET search_path = '' AS 'SELECT true'"
    )
    assert seen(club) == {EMAIL}
    ask(club, whom="charlie")


def test_no_role_asks_past_the_function_and_what_was_asked_is_exported_and_erased(
    club: Harbor, owner: Connection[Any]
) -> None:
    answer(club, ask(club))
    for role in ("administrator", "member", "chosen", "staff"):
        for statement in (
            "SELECT troth.propose_in_organization(NULL, NULL, NULL, '', '', 1, 'at once', 0, '{}', '{}')",
            "SELECT troth.in_office(NULL, NULL, NULL)",
            "INSERT INTO troth.agreed_permission (subject) VALUES (gen_random_uuid())",
        ):
            with pytest.raises(Error) as refused, connect.acting(role, token=club.dana.token) as connection:
                connection.execute(statement.encode())
            assert refused.value.sqlstate == "42501", (role, statement)
    for person in (club.bob, club.dana):
        (row,) = part(exported(owner, person), "agreed_permission").rows
        assert row.values["reason"] == "For the list of crews."
    erased(owner, club.dana)
    assert not agreed.mine(club.bob.token)
    assert not permissions.grants(club.bob.token)


def test_the_pages_ask_answer_and_end(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    home = str(browser.post("/organizations", {"name": "Harbor {Rowing} 50%"}).headers["Location"])
    bob = Browser()
    whose = bob.sign_up(owner, "bob@harbor.example", "Bob")
    browser.post(f"{home}/joining", {"action": "link", "role": "member", "joins": "1", "days": "3"})
    word = re.search(r"/join/([\w-]+)", browser.get(f"{home}/joining").content.decode())
    assert word
    bob.post(f"/join/{word.group(1)}")
    where = f"{home}/permissions/{whose}"
    assert where in browser.get(f"{home}/members/{whose}").content.decode()
    assert "You have asked for nothing" in browser.get(where).content.decode()
    assert bob.get(where).status_code == 404
    empty = browser.post(where, {"reason": "x", "days": "3", "ends": "at once"})
    assert empty.status_code == 422
    form = {"categories": EMAIL, "reason": "For the crews.", "days": "3", "ends": "at once", "do": "ask"}
    assert browser.post(where, form).status_code == 302
    assert browser.post(where, form).status_code == 422, "once in a day"
    card = bob.get("/me/permissions?kind=agreed").content.decode()
    assert "Harbor {Rowing} 50%" in card
    way = re.search(r"/me/permissions/agreed/[\w-]+", card)
    assert way
    page = bob.get(way.group()).content.decode()
    assert "who administers Harbor {Rowing} 50%" in page
    digest = re.search(r'name="digest" value="(\w+)"', page)
    assert digest
    bob.post(way.group(), {"answer": "accept", "language": "en", "digest": digest.group(1)})
    assert "Last used" in bob.get("/me/permissions?kind=agreed").content.decode()
    given = re.search(r"/me/permissions/people/[\w-]+", browser.get("/me/permissions?kind=people").content.decode())
    assert given
    assert "bob@harbor.example" in browser.get(given.group()).content.decode()
    told = browser.get(where).content.decode()
    which = re.search(r'name="agreed" value="([\w-]+)"', told)
    assert which
    assert browser.post(where, {"do": "end", "agreed": "x"}).status_code == 404
    browser.post(where, {"do": "end", "agreed": which.group(1)})
    assert "is over" in browser.get(where).content.decode()
    assert "the organization" in bob.get(way.group()).content.decode()
