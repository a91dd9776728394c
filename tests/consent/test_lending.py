"""P24: a person lets chosen others see what they choose, in a window, and nobody else sees or changes any of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.consent.lending import BROWSER, EMAIL, KIND, NAME, SHOWN, SYSTEM, TIME, URL, lend, looks, offer, prove
from troth.consent import permissions
from troth.consent.errors import ConsentRefusal
from troth.database import connect, drift

Cast = dict[str, Person]
VIEWERS = ("alice", "bob", "charlie", "dana")


def refused(code: str, action: Any, **told: Any) -> None:
    with pytest.raises(ConsentRefusal) as caught:
        action(**told)
    assert caught.value.code == code
    assert caught.value.advice


@pytest.mark.parametrize("granted", [(NAME,), (EMAIL, BROWSER), (TIME, URL), tuple(SHOWN)])
def test_each_column_is_seen_by_whom_it_was_granted_and_by_nobody_else(cast: Cast, granted: tuple[str, ...]) -> None:
    alice, bob = cast["alice"], cast["bob"]
    assert looks(bob, alice) == set()
    given = lend(alice, bob, *granted)
    for name in VIEWERS:
        for other in VIEWERS:
            seen = set(granted) if (name, other) == ("bob", "alice") else set()
            assert looks(cast[name], cast[other]) == seen, (name, other)
    permissions.end(token=alice.token, given=given)
    assert looks(bob, alice) == set()


def test_what_is_seen_is_the_row_and_the_column_alone(cast: Cast) -> None:
    alice, bob = cast["alice"], cast["bob"]
    lend(alice, bob, NAME, URL)
    assert permissions.seen(bob.token, alice.subject, NAME)[0] | {"at": 0} == {
        "subject": alice.subject,
        "name": "Alice",
        "at": 0,
    }
    urls = permissions.seen(bob.token, alice.subject, URL)
    assert {row["url"] for row in urls} == {"/me", "/files/secret-plan.pdf"}
    assert set(urls[0]) == {"subject", "id", "url"}, "when it was is another category"


def test_narrowing_and_ending_hold_at_the_very_next_statement(cast: Cast) -> None:
    alice, bob = cast["alice"], cast["bob"]
    given = lend(alice, bob, NAME, EMAIL)
    with connect.acting("chosen", token=bob.token) as looking:
        ask = "SELECT (SELECT count(*) FROM troth.chosen_person_name()), (SELECT count(*) FROM troth.chosen_person_email())"
        assert looking.execute(ask).fetchone() == (1, 1)
        narrower = permissions.change(
            token=alice.token, given=given, kept=[NAME], until=datetime.now(UTC) + timedelta(days=1)
        )
        assert looking.execute(ask).fetchone() == (1, 0)
        permissions.end(token=alice.token, given=narrower)
        assert looking.execute(ask).fetchone() == (0, 0)


def test_it_begins_and_ends_by_itself(cast: Cast) -> None:
    alice, bob, now = cast["alice"], cast["bob"], datetime.now(UTC)
    lend(alice, bob, NAME, since=now + timedelta(seconds=1.5), until=now + timedelta(seconds=3))
    seen = []
    with connect.acting("chosen", token=bob.token) as looking:
        for _ in range(45):
            row = looking.execute("SELECT count(*), pg_sleep(0.1) FROM troth.chosen_person_name()").fetchone()
            assert row is not None
            seen.append(row[0])
    assert [n for n, before in zip(seen, [None, *seen], strict=False) if n != before] == [0, 1, 0]


def test_either_side_ends_it_and_both_see_it(cast: Cast) -> None:
    alice, bob, charlie = cast["alice"], cast["bob"], cast["charlie"]
    given = lend(alice, bob, NAME)
    assert [(g.mine, g.live, g.other) for g in permissions.grants(alice.token)] == [(True, True, "Bob")]
    assert [(g.mine, g.live, g.other) for g in permissions.grants(bob.token)] == [(False, True, "Alice")]
    assert permissions.grants(charlie.token) == []
    refused("permission-unknown", permissions.end, token=charlie.token, given=given)
    permissions.end(token=bob.token, given=given)
    assert looks(bob, alice) == set()
    assert [(g.live, g.over_by) for g in permissions.grants(alice.token)] == [(False, "receiver")]
    refused("permission-unknown", permissions.end, token=alice.token, given=given)


def test_whom_it_is_for_alone_can_answer(cast: Cast, owner: Connection[Any]) -> None:
    alice, bob, charlie = cast["alice"], cast["bob"], cast["charlie"]
    for person in (bob, charlie):
        prove(owner, person)
    link = offer(alice, NAME, address="Bob@harbor.example", mail={"subject": "s", "text": "t"})
    assert owner.execute("SELECT address FROM troth.notice").fetchall() == [("Bob@harbor.example",)]
    for wrong in (alice, charlie):
        assert permissions.offered(wrong.token, link) is None
        refused("permission-unknown", permissions.answer, token=wrong.token, link=link, accepts=True)
    refused("permission-unknown", permissions.answer, token=bob.token, link="guessed", accepts=True)
    permissions.answer(token=bob.token, link=link, accepts=True)
    refused("permission-unknown", permissions.answer, token=bob.token, link=link, accepts=True)
    assert looks(bob, alice) == {NAME}


def test_the_answer_never_tells_whether_an_address_is_known(cast: Cast, owner: Connection[Any]) -> None:
    prove(owner, cast["bob"])
    for address in ("bob@harbor.example", "nobody@elsewhere.example"):
        offer(cast["alice"], NAME, address=address, mail={"subject": "s", "text": "t"})
    told = [
        (g.categories, g.other, g.live, g.waiting, g.receiver, g.accepted_at)
        for g in permissions.grants(cast["alice"].token)
    ]
    assert told[0] == told[1]
    assert owner.execute("SELECT count(*) FROM troth.notice").fetchone() == (2,)


def test_a_declined_or_outlived_offer_opens_nothing(cast: Cast, owner: Connection[Any]) -> None:
    alice, bob = cast["alice"], cast["bob"]
    link = offer(alice, NAME)
    permissions.answer(token=bob.token, link=link, accepts=False)
    assert permissions.offered(bob.token, link) is None
    old, taken_back = offer(alice, NAME), offer(alice, NAME)
    waiting = permissions.offered(bob.token, taken_back)
    assert waiting is not None
    permissions.end(token=alice.token, given=waiting.given)
    refused("permission-unknown", permissions.answer, token=bob.token, link=taken_back, accepts=True)
    owner.execute("UPDATE troth.person_grant SET at = at - interval '15 days' WHERE over_at IS NULL")
    refused("permission-unknown", permissions.answer, token=bob.token, link=old, accepts=True)
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.lapse_permissions()")
    assert owner.execute("SELECT count(*) FROM troth.person_grant WHERE over_at IS NULL").fetchone() == (0,)


def test_nothing_is_offered_that_no_clause_shows_nor_without_an_end(cast: Cast) -> None:
    alice = cast["alice"]
    wrong: list[tuple[tuple[str, ...], dict[str, Any]]]
    wrong = [((NAME, other), {}) for other in ("device.identifier", "access.ip", "nonsense")]
    wrong += [((NAME,), told) for told in ({"days": 400}, {"days": -1}, {"reason": ""})]
    for categories, told in [*wrong, ((), {})]:
        with pytest.raises(ConsentRefusal) as caught:
            offer(alice, *categories, **told)
        assert caught.value.code == "permission-not-in-policy"


def test_records_alone_are_seen_where_records_were_granted(cast: Cast) -> None:
    alice, bob = cast["alice"], cast["bob"]
    with connect.acting("self", token=alice.token) as own:
        rows = own.execute("SELECT id, url FROM troth.access ORDER BY url").fetchall()
    lend(alice, bob, URL, records=[str(rows[0][0])])
    assert [row["url"] for row in permissions.seen(bob.token, alice.subject, URL)] == [rows[0][1]]
    lend(alice, bob, URL)
    assert len(permissions.seen(bob.token, alice.subject, URL)) == len(rows)


def test_records_are_narrowed_and_never_widened_and_none_is_not_all(cast: Cast) -> None:
    alice, bob, later = cast["alice"], cast["bob"], datetime.now(UTC) + timedelta(days=3)
    both = [each.record for each in permissions.own_records(alice.token, "access")]
    assert len(both) == 2
    given = lend(alice, bob, URL, TIME, records=both)
    change: dict[str, Any] = {"token": alice.token, "kept": [URL], "until": later}
    given = permissions.change(**change, given=given)
    assert len(permissions.seen(bob.token, alice.subject, URL)) == 2, "without records they stay as they are"
    given = permissions.change(**change, given=given, records=both[:1])
    assert [str(row["id"]) for row in permissions.seen(bob.token, alice.subject, URL)] == both[:1]
    assert permissions.seen(bob.token, alice.subject, TIME) == []
    refused("permission-wider", permissions.change, **change, given=given, records=both)
    given = permissions.change(**change, given=given, records=[])
    assert permissions.seen(bob.token, alice.subject, URL) == []
    refused("permission-wider", permissions.change, **change, given=given, records=both[:1])


def test_records_of_somebody_else_show_nothing_and_are_not_listed(cast: Cast) -> None:
    alice, bob, charlie = cast["alice"], cast["bob"], cast["charlie"]
    hers, theirs = ([r.record for r in permissions.own_records(who.token, "access")] for who in (alice, charlie))
    assert not set(hers) & set(theirs)
    assert permissions.own_records(alice.token, "access", only=theirs) == []
    assert permissions.own_records("forged", "access") == []
    lend(alice, bob, URL, records=theirs)
    for whose in (alice, charlie):
        assert permissions.seen(bob.token, whose.subject, URL) == []


def test_a_list_says_of_a_record_what_the_policy_shows(cast: Cast) -> None:
    alice = cast["alice"]
    assert set(permissions.apart()) >= {"access", "device"}
    assert "person" not in permissions.apart(), "there is one row of it"
    listed = permissions.own_records(alice.token, "access")
    assert {each.values[URL] for each in listed} == {"/me", "/files/secret-plan.pdf"}
    assert [each.at for each in listed] == sorted((each.at for each in listed if each.at), reverse=True)
    assert len(permissions.own_records(alice.token, "access", most=1)) == 1
    assert set(permissions.own_records(alice.token, "device")[0].values) == {BROWSER, SYSTEM, KIND}


def test_bob_cannot_widen_and_a_day_has_twenty_offers(cast: Cast) -> None:
    alice, bob = cast["alice"], cast["bob"]
    given, later = lend(alice, bob, NAME), datetime.now(UTC) + timedelta(days=30)
    refused("permission-unknown", permissions.change, token=bob.token, given=given, kept=[NAME], until=later)
    refused("permission-wider", permissions.change, token=alice.token, given=given, kept=[NAME, EMAIL], until=later)
    permissions.change(token=alice.token, given=given, kept=[NAME], until=later)
    for _ in range(18):
        offer(alice, NAME)
    with pytest.raises(ConsentRefusal) as caught:
        offer(alice, NAME)
    assert caught.value.code == "permission-limit"


def test_asking_leaves_last_used_and_an_entry_for_both(cast: Cast, owner: Connection[Any]) -> None:
    alice, bob, charlie = cast["alice"], cast["bob"], cast["charlie"]
    lend(alice, bob, NAME)
    assert permissions.grants(alice.token)[0].used_at is None
    assert [ground.via for ground in permissions.may_see(bob.token, alice.subject, NAME)] == ["chosen"]
    assert permissions.may_see(bob.token, alice.subject, EMAIL) == []
    assert permissions.may_see(charlie.token, alice.subject, NAME) == []
    assert [ground.via for ground in permissions.may_see(alice.token, alice.subject, NAME)] == ["self"]
    assert permissions.grants(alice.token)[0].used_at is not None
    looks(bob, alice)
    with connect.acting("steward") as steward:
        moved = steward.execute("SELECT troth.account_uses() > 0, troth.account_uses()").fetchone()
        assert moved == (True, 0)
    assert permissions.grants(alice.token)[0].used_at is not None
    told = owner.execute(
        "SELECT count(DISTINCT s.subject), count(DISTINCT e.index) FROM troth.ledger_entry AS e JOIN troth.ledger_salt AS s"
        " ON s.entry = e.index WHERE action = 'permission-used'"
    ).fetchone()
    assert told == (2, 1)


def test_the_role_reads_no_table_and_writes_nothing(cast: Cast) -> None:
    alice, bob = cast["alice"], cast["bob"]
    lend(alice, bob, *SHOWN)
    for statement in (
        "SELECT name FROM troth.person", "SELECT * FROM troth.person_grant", "SELECT * FROM troth.granted('person.name')",
        "SELECT * FROM troth.live_grants('person.name')", "SELECT troth.name_for_chosen(gen_random_uuid())",
        "UPDATE troth.person_grant SET until = 'infinity'", "SELECT troth.end_grant(gen_random_uuid())",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("chosen", token=bob.token) as looking:
            looking.execute(statement)
    with connect.acting("chosen") as nobody:
        assert nobody.execute("SELECT count(*) FROM troth.chosen_person_name()").fetchone() == (0,)


def test_an_account_that_ends_takes_its_permissions_along_on_both_sides(cast: Cast, owner: Connection[Any]) -> None:
    alice, bob, charlie = cast["alice"], cast["bob"], cast["charlie"]
    lend(alice, bob, NAME)
    lend(bob, charlie, NAME)
    lend(charlie, alice, NAME)
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'left')", (bob.subject,))
    assert looks(charlie, bob) == set()
    assert looks(alice, charlie) == {NAME}
    assert owner.execute("SELECT count(*) FROM troth.person_grant").fetchone() == (1,)


def test_the_house_is_as_the_plan_says(cast: Cast, owner: Connection[Any]) -> None:
    lend(cast["alice"], cast["bob"], NAME)
    assert not drift.differing(owner)
