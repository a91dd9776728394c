"""`/me/timeline`: what was collected of oneself, item by item, with clause, purposes and window; and deleting one of them."""

import re
import uuid
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.conftest import Person
from tests.intake.sending import event, registered, sent
from tests.intake.test_recorder import an_access, in_purposes, run
from troth.database import connect, published
from troth.intake import timeline
from troth.intake.event import Event, now
from troth.intake.recorder import Recorder
from troth.intake.steps import coarse_time
from troth.policy.meaning import Precision

PAGE = "/me/timeline"


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def recorded(*events: Event) -> None:
    async def scenario(each: Recorder) -> None:
        for one in events:
            each.record(one)

    run(scenario)


def crashed(owner: Connection[Any], *people: Person, kind: str = "TypeError") -> None:
    notes = registered(owner)
    bodies = [event("crash", notes.knows(who), f"{kind}-{who.name}", data={"kind": kind}) for who in people]
    assert sent(bodies, key=notes.key).status == 200


def mine(person: Person, **told: Any) -> list[timeline.Item]:
    return timeline.items(person.token, **({"of": timeline.tables()} | told))


def test_each_sees_their_own_items_alone_with_clause_purposes_and_window(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    crashed(owner, cast["alice"], cast["bob"])
    recorded(an_access(cast["alice"].subject, "/of-alice"), an_access(cast["bob"].subject, "/of-bob"))
    (crash,) = mine(cast["alice"], of=["crash"])
    assert (crash.words, crash.clause) == ("TypeError", "collect-crash-report-on-crash")
    ((use),) = crash.uses
    assert (use.purpose, use.until) == ("provide", crash.at + timedelta(days=90))
    seen = [item.words for item in mine(cast["alice"], of=["access"])]
    assert "GET /of-alice" in seen
    assert "GET /of-bob" not in seen


def test_a_purpose_that_one_left_or_whose_window_is_over_uses_it_no_longer(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    owner.execute("DELETE FROM troth.access WHERE subject = %s", (alice.subject,))
    recorded(
        an_access(alice.subject, "/mine", at=now() - timedelta(days=40)), an_access(alice.subject, "/new", objects=True)
    )
    new, old = mine(alice, of=["access"])
    assert [use.purpose for use in old.uses] == ["protect"], "`understand` may know it for 30 days"
    assert [use.purpose for use in new.uses] == ["protect"], "to `understand` the browser objects"
    with connect.acting("self", token=alice.token) as viewer:
        viewer.execute("SELECT troth.choose('protect', 'objection')")
    assert all(not item.uses for item in mine(alice, of=["access"]))
    assert in_purposes("protect")


def test_what_came_in_later_than_it_happened_says_both_times_as_finely_as_either_may_be_known(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice, notes = cast["alice"], registered(owner)
    who, soon = notes.knows(alice), now()
    for key, at in (("soon", soon), ("late", soon - timedelta(hours=49, seconds=7))):
        assert sent([event("crash", who, f"came-{key}", at=at.isoformat())], key=notes.key).status == 200
    prompt, late = mine(alice, of=["crash"])
    assert prompt.received is None
    assert late.received is not None
    assert soon - timedelta(seconds=1) < late.received < now()
    owner.execute("UPDATE troth.crash SET at = date_trunc('hour', at) WHERE at < now() - interval '1 day'")
    assert mine(alice, of=["crash"])[1].received == late.received.replace(minute=0, second=0, microsecond=0)
    owner.execute("UPDATE troth.crash SET at = date_trunc('day', at, 'UTC') WHERE at < now() - interval '1 day'")
    assert mine(alice, of=["crash"])[1].received == coarse_time(late.received, Precision.DAY)
    owner.execute("UPDATE troth.crash SET at = date_trunc('day', now(), 'UTC')")
    assert [item.received for item in mine(alice, of=["crash"])] == [None, None]
    assert mine(alice, of=["access"])[0].received is None


def test_both_times_are_on_the_page(browser: Browser, owner: Connection[Any]) -> None:
    whose = browser.sign_up(owner, "lena@harbor.example")
    owner.execute("SET session_replication_role = replica")
    owner.execute(
        "INSERT INTO troth.crash (subject, at, id, application, kind) VALUES (%s, '2026-11-20 10:00:01Z', %s, 'notes', 'Odd')",
        (whose, uuid.UUID("01938c00-0000-7000-8000-000000000000")),
    )
    owner.execute("RESET session_replication_role")
    page = words(browser.get(PAGE).content.decode())
    assert "10:00 UTC · came in on" in page


def test_items_of_one_moment_are_paged_without_losing_one(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice, at = cast["alice"], now()
    owner.execute("DELETE FROM troth.access WHERE subject = %s", (alice.subject,))
    recorded(*(an_access(alice.subject, f"/n{nth}", at=at) for nth in range(7)))
    found, before = [], ""
    while page := mine(alice, of=["access"], before=before, limit=2):
        found += [item.words for item in page]
        before = page[-1].place
    assert sorted(map(str, found)) == [f"GET /n{nth}" for nth in range(7)]


def test_one_deletes_what_the_policy_lets_them_and_only_their_own(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice, bob = cast["alice"], cast["bob"]
    crashed(owner, alice, bob)
    (item,), (other,) = mine(alice, of=["crash"]), mine(bob, of=["crash"])
    assert item.deleted_by == "let-people-delete-crash"
    assert not timeline.remove(alice.token, other), "which is somebody else's"
    assert timeline.remove(alice.token, item)
    assert not timeline.remove(alice.token, item), "which is gone"
    assert mine(alice, of=["crash"]) == []
    assert len(mine(bob, of=["crash"])) == 1
    entry = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'record-deleted' AND facts = '{}'"
    assert owner.execute(entry).fetchone() == (1,)


def test_what_the_policy_lets_nobody_delete_stays(cast: dict[str, Person]) -> None:
    alice = cast["alice"]
    recorded(an_access(alice.subject, "/stays"))
    item = next(each for each in mine(alice, of=["access"]) if each.words == "GET /stays")
    assert item.deleted_by == ""
    assert not timeline.remove(alice.token, item)
    assert item.id in {each.id for each in mine(alice, of=["access"])}


def test_without_a_viewer_nothing_is_deleted_or_told(cast: dict[str, Person], owner: Connection[Any]) -> None:
    crashed(owner, cast["alice"])
    (item,) = mine(cast["alice"], of=["crash"])
    asked = (["crash"], [item.at], [item.id])
    with connect.acting("self", token="guessed") as viewer:
        assert viewer.execute("SELECT uses FROM troth.uses_of_own(%s, %s, %s)", asked).fetchall() == [(None,)]
    with connect.acting("self", token=cast["bob"].token) as viewer:
        assert viewer.execute("SELECT uses FROM troth.uses_of_own(%s, %s, %s)", asked).fetchall() == [(None,)]
    with pytest.raises(psycopg.errors.DatabaseError) as refused, connect.acting("self", token="guessed") as viewer:
        viewer.execute("SELECT troth.remove_own('crash', %s, %s)", (item.at, item.id))
    assert refused.value.sqlstate == "TR003"
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("understand") as reader:
        reader.execute("SELECT troth.remove_own('crash', %s, %s)", (item.at, item.id))
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        connect.acting("self", token=cast["alice"].token) as viewer,
    ):
        viewer.execute("DELETE FROM troth.crash")


def test_the_page_says_each_thing_with_its_clause_and_deletes_after_asking(
    browser: Browser, owner: Connection[Any]
) -> None:
    whose = browser.sign_up(owner, "alice@harbor.example")
    assert "Nothing of this kind is recorded." in browser.get(f"{PAGE}?of=crash").content.decode()
    token = str(browser.cookies["__Host-viewer"].value)
    crashed(owner, Person("alice", whose, "alice@harbor.example", token))
    page = browser.get(PAGE).content.decode()
    assert "A program crashed" in page
    assert 'href="/policy#collect-crash-report-on-crash"' in page
    assert re.search(r"provide the service and administer your use of it, until \d+ \w+ \d{4}", words(page))
    (way,) = set(re.findall(r'href="(/me/timeline/crash/[^"]+/delete)"', page))
    before = browser.get(way).content.decode()
    assert "This goes" in before
    assert "TypeError" in before
    assert browser.post(way, {}).headers["Location"] == PAGE
    assert "TypeError" not in browser.get(PAGE).content.decode()
    assert browser.get(way).status_code == 404
    assert browser.get(f"{PAGE}?before=nonsense").status_code == 404


def test_nobody_deletes_by_address_what_is_somebody_elses(
    browser: Browser, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    crashed(owner, cast["bob"])
    (item,) = mine(cast["bob"], of=["crash"])
    browser.sign_up(owner, "mallory@harbor.example")
    assert browser.post(f"{PAGE}/crash/{item.place}/delete", {}).status_code == 404
    assert browser.post(f"{PAGE}/person/{uuid.uuid4()}/delete", {}).status_code == 404
    assert len(mine(cast["bob"], of=["crash"])) == 1
    assert published.current().plan.removable("access") == ""
