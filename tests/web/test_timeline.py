"""`/me/timeline`: what was collected of oneself, item by item, with clause, purposes and window; and deleting one of them."""

import re
import uuid
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.conftest import POLICY, TERMS, Person
from tests.database.test_endings import agree
from tests.intake.sending import event, registered, sent
from tests.intake.test_recorder import an_access, in_purposes, run
from troth.database import apply, connect, published
from troth.database.catalog import load as load_catalog
from troth.intake import queries, timeline
from troth.intake.event import Event, now
from troth.intake.recorder import Recorder
from troth.intake.steps import coarse_time
from troth.policy.meaning import Precision

PAGE = "/me/timeline"
SAFE, UNDERSTOOD = "collect-access-ip-on-access-2", "collect-access-ip-on-access"


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


def lasting(item: timeline.Item) -> set[str]:
    return {use.purpose for clause in item.clauses for use in clause.uses if use.lasts}


def test_each_sees_their_own_items_alone_with_clause_purposes_and_window(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    crashed(owner, cast["alice"], cast["bob"])
    recorded(an_access(cast["alice"].subject, "/of-alice"), an_access(cast["bob"].subject, "/of-bob"))
    (crash,) = mine(cast["alice"], of=["crash"])
    (clause,) = crash.clauses
    assert (crash.words, clause.name) == ("TypeError", "collect-crash-report-on-crash")
    ((use),) = clause.uses
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
    assert lasting(old) == {"protect"}, "`understand` may know it for 30 days"
    assert lasting(new) == {"protect"}, "to `understand` the browser objects"
    with connect.acting("self", token=alice.token) as viewer:
        viewer.execute("SELECT troth.choose('protect', 'objection')")
    for item in mine(alice, of=["access"]):
        assert lasting(item) == set()
        assert [clause.name for clause in item.clauses] == [SAFE, UNDERSTOOD], "which collected it all the same"
    assert in_purposes("protect")


def test_each_clause_that_let_something_of_an_item_be_collected_is_named_with_its_purposes(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Of a position three clauses collect what is shown: where, when, and what it was found by with metadata."""
    notes = registered(owner, events=["location"])
    there = {"latitude": 41.38879, "longitude": 2.15899}
    told = {"kind": "location", "person": notes.knows(cast["alice"])}
    bodies = [
        told | {"key": f"position-{nth}", "data": there | more} for nth, more in enumerate(({}, {"source": "gps"}))
    ]
    assert sent(bodies, key=notes.key).status == 200
    for item in mine(cast["alice"], of=["location"]):
        assert [(clause.name, {use.purpose for use in clause.uses}) for clause in item.clauses] == [
            ("collect-location-gps-on-use-of-location", {"provide", "understand"}),
            ("collect-location-time-on-use-of-location", {"provide", "understand"}),
            ("collect-location-accuracy-on-use-of-location", {"provide"}),
        ]  # fmt: skip
        days = {use.until - item.at for clause in item.clauses for use in clause.uses if use.until}
        assert days == {timedelta(days=30)}


def test_a_clause_to_which_one_must_say_yes_is_named_once_one_did(cast: dict[str, Person]) -> None:
    alice = cast["alice"]
    recorded(an_access(alice.subject, "/before-yes"))
    assert [clause.name for clause in mine(alice, of=["access"])[0].clauses] == [SAFE, UNDERSTOOD]
    with connect.acting("self", token=alice.token) as viewer:
        viewer.execute("SELECT troth.choose('personalise', 'consent')")
    recorded(an_access(alice.subject, "/behind-yes"))
    *_, fitted = mine(alice, of=["access"])[0].clauses
    assert fitted.name == "collect-access-url-on-access"
    assert [(use.purpose, use.until, use.lasts) for use in fitted.uses] == [("personalise", None, True)]


def test_what_of_an_item_nothing_else_collects_names_the_clause_that_does(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Whoever objected to it later, and whoever took back a yes: what they see was collected by that all the same."""
    alice, notes = cast["alice"], registered(owner)
    use = event("feature_use", notes.knows(alice), "feature-0001")
    assert sent([use], key=notes.key).status == 200
    with connect.acting("self", token=alice.token) as viewer:
        viewer.execute("SELECT troth.choose('understand', 'objection')")
    (item,) = mine(alice, of=["feature_use"])
    assert [(clause.name, clause.uses) for clause in item.clauses] == [("collect-use-feature-on-use-of-features", [])]


def test_what_an_item_shows_are_columns_that_it_has() -> None:
    """A name that is none would name no clause."""
    for table in timeline.tables():
        told = re.search(r"jsonb_build_object\(([^)]*)\)", timeline.SQL[f"timeline_{table}"])
        assert told is not None
        columns = [column.name for column in load_catalog().table(table).columns if column.category]
        assert set(re.findall(r"'(\w+)', \w+", told.group(1))) <= set(columns)


def under(owner: Connection[Any], source: str, version: int) -> None:
    apply.apply(owner, source.replace("version 1 effective", f"version {version} effective"), TERMS)
    published.forget()


def came_in(person: Person) -> list[Any]:
    return [item.received for item in mine(person, of=["crash"])]


def test_what_came_in_later_than_it_happened_says_both_times(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice, notes = cast["alice"], registered(owner)
    who, soon = notes.knows(alice), now()
    late = (soon - timedelta(hours=49)).replace(minute=0, second=0, microsecond=0)
    for key, at in (("soon", soon), ("late", soon - timedelta(hours=48)), ("whole", late)):
        assert sent([event("crash", who, f"came-{key}", at=at.isoformat())], key=notes.key).status == 200
    prompt, *later = came_in(alice)
    assert prompt is None
    assert len(later) == 2
    for received in later:
        assert soon - timedelta(seconds=1) < received < now(), "exactly, though it happened at a whole hour"
    assert mine(alice, of=["access"])[0].received is None


@pytest.mark.parametrize(("how", "precision"), [("hour", Precision.HOUR), ("day", Precision.DAY)])
def test_when_it_came_in_is_told_as_finely_as_the_policy_had_its_time_stored(
    cast: dict[str, Person], owner: Connection[Any], how: str, precision: Precision
) -> None:
    """Under the version of then, too: what was reduced does not become finer."""
    source = POLICY.read_text(encoding="utf-8")
    exactly = "location [P9, P13]\n    for provide 30 days\n    for understand 30 days as day"
    assert exactly in source
    under(owner, source.replace(exactly, exactly.replace("30 days\n", f"30 days as {how}\n")), 2)
    alice, notes = cast["alice"], registered(owner, events=["location"])
    told = {"kind": "location", "person": notes.knows(alice), "data": {"latitude": 41.38879, "longitude": 2.15899}}
    for key, at in (("soon", now()), ("late", now() - timedelta(hours=49))):
        assert sent(told | {"key": f"came-{key}", "at": at.isoformat()}, key=notes.key).status == 201
    prompt, late = [item.received for item in mine(alice, of=["location"])]
    assert prompt in {None, coarse_time(now(), precision)}
    assert late is not None
    assert late == coarse_time(late, precision)
    assert late in {coarse_time(each, precision) for each in (now() - timedelta(minutes=1), now())}
    under(owner, source, 3)
    agree(alice, owner)
    assert [item.received for item in mine(alice, of=["location"])] == [prompt, late]


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


def test_an_item_shows_every_value_that_was_collected_and_that_the_policy_shows(
    browser: Browser, owner: Connection[Any]
) -> None:
    whose = browser.sign_up(owner, "lena@harbor.example")
    notes = registered(owner, events=["crash", "location"])
    browser.get(PAGE)
    lena = Person("Lena", whose, "lena@harbor.example", str(browser.cookies["__Host-viewer"].value))
    frames = [{"function": "save", "file": "store.py", "line": 41}]
    told = [
        event("crash", notes.knows(lena), "value-0001", data={"kind": "TypeError", "stack": frames, "environment": "test"}),
        {"kind": "location", "key": "value-0002", "person": notes.names["Lena"],
         "data": {"latitude": 41.38879, "longitude": 2.15899, "accuracy": 12, "altitude": 20, "source": "gps"}},
    ]  # fmt: skip
    assert [each["outcome"] for each in sent(told, key=notes.key).body["events"]] == ["stored"] * 2
    recorded(an_access(whose, "/of-lena", ip="192.0.2.77", referrer="https://elsewhere.example/"))
    page = words(browser.get(PAGE).content.decode())
    for value in ("store.py", "Environment test", "How exactly, in metres 12", "How high, in metres 20", "Found by GPS",
                  "Address 192.0.2", "From https://elsewhere.example/"):  # fmt: skip
        assert value in page, value
    without = POLICY.read_text(encoding="utf-8").replace("version 1 effective", "version 2 effective")
    assert "session.*, crash.*, " in without
    apply.apply(owner, without.replace("session.*, crash.*, ", "session.*, crash.time, "), TERMS)
    published.forget()
    browser.agree()
    page = words(browser.get(f"{PAGE}?of=crash").content.decode())
    assert "store.py" not in page, "the policy does not show it any more"


def test_what_is_no_kind_is_not_everything(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, "lena@harbor.example")
    for kind, status in (("access", 200), ("", 200), ("bogus", 404), ("person", 404)):
        assert browser.get(f"{PAGE}?of={kind}").status_code == status, kind
    page = browser.get(PAGE).content.decode()
    assert 'href="/me/accesses"' in page
    assert 'href="/me/sent"' in page


def test_where_only_the_newest_stand_it_is_said_and_leads_to_all(browser: Browser, owner: Connection[Any]) -> None:
    email, notes = "lena@harbor.example", registered(owner)
    whose = browser.sign_up(owner, email)
    browser.get("/me")
    name = notes.knows(Person("Lena", whose, email, browser.cookies["__Host-viewer"].value))
    uses = [event("feature_use", name, f"many-{nth:04}") for nth in range(queries.PAGE)]
    assert sent(uses[1:], key=notes.key).status == 200
    assert "These are the newest" not in browser.get("/me/sent").content.decode()
    assert sent(uses[0], key=notes.key).status == 201
    page = browser.get("/me/sent").content.decode()
    assert f"These are the newest {queries.PAGE}. Every one of them" in words(page)
    assert 'href="/me/timeline?of=feature_use"' in page
