"""P25, P38: whoever has not agreed to what is in force ends what they allowed before, at once, and gives nothing."""

import re
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person, employ, make
from tests.consent import test_agreeing as agreeing
from tests.consent.lending import NAME, lend, looks, offer, prove
from tests.consent.test_support import look, opened
from tests.database.test_endings import agree, with_extra
from tests.planting import APPLICATION, account, sign_in
from troth.consent import agreed, applications, permissions, queries, receipts, support
from troth.consent.errors import NothingToSee, NotSignedIn
from troth.database import apply, connect, published
from troth.people import organizations, organizing

pytestmark = pytest.mark.usefixtures("django")
Cast = dict[str, Person]


@pytest.fixture
def sue(owner: Connection[Any]) -> Person:
    return employ(owner, make(owner, "Sue"), "support")


@pytest.fixture
def alice(cast: Cast, owner: Connection[Any]) -> Person:
    account(owner, cast["alice"].subject, cast["alice"].email)
    return cast["alice"]


def widen(owner: Connection[Any], *agreeing: Person) -> None:
    """Put a version into force that needs everybody's agreement again, and have some agree to it."""
    with connect.owning() as keeper:
        apply.apply(keeper, with_extra(2), "The terms.")
    published.forget()
    for each in agreeing:
        agree(each, owner)


def unagreed(person: Person) -> bool:
    with connect.acting("self", token=person.token) as mine:
        return mine.execute("SELECT troth.viewer() IS NULL").fetchone() == (True,)


def last(owner: Connection[Any]) -> str:
    row = owner.execute("SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT 1").fetchone()
    assert row is not None
    return str(row[0])


def test_they_see_narrow_and_end_what_support_may_look_at(alice: Person, sue: Person, owner: Connection[Any]) -> None:
    access = opened(sue, alice, ("profile", "access"))
    widen(owner, sue)
    assert unagreed(alice)
    assert look(sue, access, "access"), "what they allowed goes on as they agreed before"
    (mine,) = support.of_me(alice.token)
    assert (mine.state, mine.name, [each.area for each in support.looks(alice.token)]) == ("open", "Sue", ["access"])
    support.narrow(viewer=alice.token, access=access, areas=["profile"], hours=None)
    with pytest.raises(NothingToSee):
        look(sue, access, "access")
    with pytest.raises(NothingToSee):
        support.narrow(viewer=alice.token, access=access, areas=["profile", "access"], hours=None)
    support.end(viewer=alice.token, access=access)
    assert last(owner) == "access-ended"
    with pytest.raises(NothingToSee):
        look(sue, access)
    with pytest.raises(NothingToSee):
        support.end(viewer=alice.token, access=access)


def test_they_decline_what_support_asks_and_allow_nothing(alice: Person, sue: Person, owner: Connection[Any]) -> None:
    from tests.consent.test_support import ask

    access = ask(sue)
    widen(owner, sue)
    with pytest.raises(NotSignedIn):
        support.allow(viewer=alice.token, access=access, areas=["profile"], hours=1)
    support.decline(viewer=alice.token, access=access)
    assert [each.state for each in support.of_me(alice.token)] == ["declined"]


def test_an_answer_that_says_nothing_opens_nothing(alice: Person, sue: Person, owner: Connection[Any]) -> None:
    from tests.consent.test_support import ask

    access = ask(sue)
    for areas, hours in ((None, 1), (["profile"], None)):
        with (
            pytest.raises(psycopg.Error, match="less was asked than that") as refused,
            connect.acting("self", token=alice.token) as mine,
        ):
            mine.execute("SELECT troth.answer_access(%s, %s, %s)", (access, areas, hours))
        assert refused.value.sqlstate == "TR050"
    assert [each.state for each in support.of_me(alice.token)] == ["asked"]


def test_nobody_elses_token_ends_it_nor_one_that_is_over(
    cast: Cast, alice: Person, sue: Person, owner: Connection[Any]
) -> None:
    access = opened(sue, alice)
    sign_in(owner, alice.subject)
    widen(owner, sue)
    with pytest.raises(NothingToSee):
        support.end(viewer=cast["charlie"].token, access=access)
    owner.execute("UPDATE troth.request_token SET expires_at = now() WHERE subject = %s", (alice.subject,))
    with pytest.raises(NotSignedIn):
        support.end(viewer=alice.token, access=access)
    with pytest.raises(NotSignedIn):
        applications.end(token=alice.token, application=APPLICATION)
    assert look(sue, access)


def test_they_end_what_an_application_may_see(alice: Person, owner: Connection[Any]) -> None:
    sign_in(owner, alice.subject)
    widen(owner)
    assert [each.until for each in applications.grants(alice.token)] == [None]
    with pytest.raises(NotSignedIn):
        applications.renew(token=alice.token, application=APPLICATION, kept=(), until=None)
    applications.end(token=alice.token, application=APPLICATION)
    assert last(owner) == "application-ended"
    assert all(each.until for each in applications.grants(alice.token))
    agree(alice, owner)
    assert applications.standing(alice.subject, APPLICATION) is None, "and it stays ended once they agree"


def test_they_end_what_people_may_see_and_take_an_offer_back(cast: Cast, owner: Connection[Any]) -> None:
    alice, bob = cast["alice"], cast["bob"]
    lend(alice, bob, NAME)
    link = offer(alice, NAME)
    widen(owner, bob)
    assert looks(bob, alice) == {NAME}
    with pytest.raises(NotSignedIn):
        offer(alice, NAME)
    for each in permissions.grants(alice.token):
        permissions.end(token=alice.token, given=each.given)
    assert looks(bob, alice) == set()
    assert permissions.offered(bob.token, link) is None


def test_they_end_what_they_agreed_on(cast: Cast, owner: Connection[Any]) -> None:
    alice, olga = cast["alice"], make(owner, "Olga")
    prove(owner, alice)
    prove(owner, olga, operator=True)
    given, waits = agreeing.ask(olga), agreeing.ask(olga)
    agreeing.answer(alice, given)
    widen(owner, olga)
    agreed.end(token=alice.token, agreed=given)
    assert {each.agreed: each.over_by for each in agreed.mine(alice.token)} == {given: "person", waits: None}
    with pytest.raises(NotSignedIn):
        agreeing.answer(alice, waits)


def test_they_leave_an_organization_and_ask_no_longer(cast: Cast, owner: Connection[Any]) -> None:
    alice, bob = cast["alice"], cast["bob"]
    here, there = (organizing.found(token=bob.token, name=name) for name in ("Harbor", "Port"))
    link = organizing.make_link(token=bob.token, organization=here, role="member", joins=1, days=1)
    organizing.accept(token=alice.token, word=link.rpartition("/")[2])
    organizing.change(token=bob.token, organization=there, name="Port", asking=True)
    organizing.ask(token=alice.token, organization=there)
    widen(owner, bob)
    assert [each.name for each in organizations.fates(alice.token)] == ["Harbor"]
    assert [each.organization for each in organizations.requests(alice.token)] == [there]
    organizing.leave(token=alice.token, organization=here)
    organizing.withdraw_request(token=alice.token, organization=there)
    assert last(owner) == "request-withdrawn"
    assert not organizations.fates(alice.token) + organizations.requests(alice.token)


def test_they_sign_out_elsewhere_and_stay_signed_in_here(alice: Person, owner: Connection[Any]) -> None:
    from troth.people import devices

    sessions = {}
    for word in (alice.token, "elsewhere"):
        sessions[word] = uuid.uuid4()
        owner.execute(
            "INSERT INTO troth.request_token (hash, subject, expires_at, version)"
            " VALUES (sha256(convert_to(%s, 'UTF8')), %s, now() + interval '1 hour', 1) ON CONFLICT DO NOTHING",
            (word, alice.subject),
        )
        owner.execute(
            "INSERT INTO troth.session (subject, session, viewer) VALUES (%s, %s, sha256(convert_to(%s, 'UTF8')))",
            (alice.subject, sessions[word], word),
        )
    widen(owner)
    assert {each.session: each.this for each in devices.sessions(alice.token)} == {
        sessions[alice.token]: True,
        sessions["elsewhere"]: False,
    }
    devices.end_others(token=alice.token)
    assert last(owner) == "other-sessions-ended"
    assert [each.session for each in devices.sessions(alice.token)] == [sessions[alice.token]]
    assert devices.sessions("elsewhere") == []
    devices.end(token=alice.token, session=sessions[alice.token])
    assert devices.sessions(alice.token) == []


def test_they_have_a_device_forgotten_and_name_none(alice: Person, owner: Connection[Any]) -> None:
    from troth.people import devices
    from troth.people import queries as people
    from troth.people.errors import PeopleRefusal

    widen(owner)
    (device,) = people.devices(alice.token)
    with pytest.raises(PeopleRefusal):
        devices.call(token=alice.token, device=device.device, name="Mine")
    devices.forget(token=alice.token, device=device.device)
    assert last(owner) == "device-forgotten"
    assert people.devices(alice.token) == []


def test_their_receipts_are_handed_out(alice: Person, owner: Connection[Any]) -> None:
    widen(owner)
    (given,) = queries.agreements(alice.token)
    found = receipts.agreement(token=alice.token, which=given.agreement, address="https://harbor.example")
    assert (found.facts.version, found.facts.subject) == (1, str(alice.subject))
    assert receipts.verified(found.content, receipts.key()).facts == found.facts
    assert receipts.separate(receipts.history(token=alice.token, address="https://harbor.example"))


GIVING = {
    "a grant": "SELECT troth.offer_grant('{person.name}', NULL, 'r', now(), now() + interval '1 day', '\\x00', NULL, '{}')",
    "an application": "SELECT troth.permit_application('planted', '{}', '{}')",
    "an organization": "SELECT troth.found_organization('Mine')",
    "a yes": "SELECT troth.choose('personalise', 'consent')",
    "what needs the agreement": "SELECT troth.held_viewer()",
}


@pytest.mark.parametrize("what", GIVING)
def test_they_give_nothing(alice: Person, owner: Connection[Any], what: str) -> None:
    widen(owner)
    with pytest.raises(psycopg.Error) as refused, connect.acting("self", token=alice.token) as mine:
        mine.execute(GIVING[what].encode())
    assert refused.value.sqlstate == "TR003"


#: What a holder has written down who has agreed to nothing newer.
ENDING = {
    "access-declined", "access-ended", "access-narrowed", "application-ended", "device-forgotten", "organization-left",
    "other-sessions-ended", "request-withdrawn", "session-ended",
}  # fmt: skip
GIVEN = ("agreed", "agreed-ahead", "consent", "access-allowed", "application-permitted", "name-corrected", "x")
RECORD = "SELECT troth.record(%s, %s, %s, '{\"version\": 2}')"


def test_they_have_nothing_written_down_but_that_something_ended(alice: Person, owner: Connection[Any]) -> None:
    def recorded(*told: object) -> str | None:
        with connect.acting("self", token=alice.token) as mine:
            try:
                mine.execute(RECORD, told)
            except psycopg.Error as error:
                return error.sqlstate
        return None

    widen(owner)
    me, other = alice.subject, uuid.uuid4()
    assert {recorded(action, who, who) for action in GIVEN for who in (me, None)} == {"TR003"}
    wrong = [(other, me), (me, other), (None, None), (None, me)]
    assert {recorded(action, *pair) for action in ENDING for pair in wrong} == {"TR031"}
    for action in ENDING:
        assert (recorded(action, me, me), last(owner)) == (None, action)
    agree(alice, owner)
    assert (recorded("name-corrected", me, me), last(owner)) == (None, "name-corrected")


def test_the_ledger_knows_whatever_a_holder_ends() -> None:
    """Their functions call `record` with these acts alone; what they tell it by `append` is no viewer's to call."""
    found: set[str] = {"access-declined"}  # `answer_access` takes a no of a holder, and a yes of a viewer
    for file in Path(connect.__file__).parents[1].glob("*/sql/*.sql"):
        for text in file.read_text(encoding="utf-8").split("-- name: ")[1:]:
            if re.search(r":= troth\.(held_)?holder\(\)", text):
                found |= set(re.findall(r"troth\.record\(\s*'([a-z-]+)'", text))
    assert found == ENDING
