"""What happened is counted as it arrives: by hour and bounded words, of nobody, and nothing that fewer than five people did."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import event, finished, registered, sent
from tests.intake.test_recorder import an_access, in_purposes, run
from troth.database import connect, published
from troth.database.catalog import load
from troth.intake import accesslog, rolling, rollups, store
from troth.intake.decisions import Counting, Decisions
from troth.intake.event import Event, now
from troth.intake.folding import folded
from troth.intake.recorder import Recorder
from troth.intake.rolling import Salt, counted
from troth.intake.steps import through
from troth.policy.meaning import Occasion
from troth.policy.parse import read
from troth.policy.plan import plan

#: Networks of visitors, one each.
NETWORKS = [f"198.51.{nth}.7" for nth in range(60)]


def recorded(events: Iterable[Event]) -> None:
    """Record accesses, and store them."""

    async def scenario(each: Recorder) -> None:
        for one in events:
            each.record(one)

    run(scenario)


def visits(url: str, many: int, *, each: int = 1, **told: Any) -> list[Event]:
    """Return visits of a page from so many networks, so many from each."""
    return [an_access(url=url, ip=network, **told) for network in NETWORKS[:many] for _ in range(each)]


def held(owner: Connection[Any], dimension: str = "page") -> dict[str, int]:
    """Return what the table holds, as nobody but its owner reads it."""
    rows = owner.execute(
        "SELECT value, sum(count)::bigint FROM troth.rollup WHERE dimension = %s GROUP BY 1", (dimension,)
    )
    return dict(rows.fetchall())


def told(dimension: str = "page", kinds: Sequence[str] = ("access", "visit")) -> dict[str | None, int | None]:
    """Return what is counted out of the last day."""
    return {each.value: each.count for each in rollups.by_word(kinds, dimension, rollups.last(1))}


def test_what_is_stored_is_counted_with_it_in_the_same_transaction(owner: Connection[Any]) -> None:
    recorded(visits("/policy", 12))
    assert held(owner) == {"/policy": 12}
    assert held(owner, "") == {"": 12}
    assert held(owner, "status") == {"2xx": 12}
    assert held(owner, "browser") == {"Firefox": 12}
    assert owner.execute("SELECT count(*) FROM troth.access").fetchone() == (12,)


def test_only_whole_fives_of_at_least_five_people_are_counted_out(owner: Connection[Any]) -> None:
    recorded([*visits("/policy", 13), *visits("/terms", 4), *visits("/closed", 2, each=30)])
    assert held(owner) == {"/policy": 13, "/terms": 4, "/closed": 60}
    assert told() == {"/policy": 10, None: None}, "neither four people nor one that came often is a number"


def test_no_difference_of_two_answers_is_a_count_of_fewer(owner: Connection[Any]) -> None:
    """Someone asks for every span and every step, before and after one more visit, and subtracts."""
    recorded([*visits("/policy", 13), *visits("/terms", 1, each=3)])
    before = everything()
    recorded(visits("/terms", 1))
    after = everything()
    assert "/terms" not in {word for _, word in before | after}
    numbers = {many for many in (*before.values(), *after.values()) if many is not None}
    assert numbers
    assert all(many % 5 == 0 for many in numbers)
    assert {abs(a - b) for a in numbers for b in numbers} & {1, 2, 3, 4} == set()


def everything() -> dict[tuple[str, str | None], int | None]:
    """Return whatever the role of the pages is told, over every span and by every step."""
    found: dict[tuple[str, str | None], int | None] = {}
    with connect.acting("door") as door:
        for back in range(30):
            for step in ("", "hour", "day"):
                for till in ("infinity", str(now() - timedelta(hours=back - 24)), str(now().date())):
                    asked = (["access", "visit"], now() - timedelta(hours=back), till, step)
                    rows = door.execute("SELECT * FROM troth.rolled(%s, 'page', %s, %s, %s)", asked).fetchall()
                    rows += door.execute("SELECT * FROM troth.rolled(%s, '', %s, %s, %s)", asked).fetchall()
                    found |= {(f"{back} {till} {step} {at}", word): many for at, _, word, many in rows}
    return found


def test_nobody_reads_the_counts_but_through_the_function(database: Any) -> None:
    recorded(visits("/policy", 6))
    for role in ("intake", "door", "self", "steward", "protect", "understand", "provide"):
        for table in ("rollup", "rollup_salt"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting(role) as connection:
                connection.execute(f"SELECT * FROM troth.{table}".encode())
    for role in ("intake", "self", "understand"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting(role) as connection:
            connection.execute("SELECT * FROM troth.rolled('{visit}', 'page', '-infinity', 'infinity', '')")


def test_who_objects_is_not_counted_for_what_they_object_to(cast: dict[str, Person], owner: Connection[Any]) -> None:
    bob = cast["bob"]
    recorded([an_access(bob.subject, "/me", uses=in_purposes("protect", "provide"))])
    assert held(owner) == {}, "pages are counted to understand how the service is used"
    assert held(owner, "system") == {"Linux": 1}, "which `protect` alone may use, and so it counts that"
    recorded([an_access(bob.subject, "/me", uses=in_purposes("understand"))])
    assert held(owner) == {"/me": 1}


def test_a_browser_that_objects_is_not_counted_for_what_it_objects_to(owner: Connection[Any]) -> None:
    recorded(visits("/policy", 6, objects=True))
    assert held(owner) == {}
    assert held(owner, "system") == {}, "of visits no purpose may use it"


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("/", "/"),
        ("/me/accesses?before=2026-11-01", "/me/accesses"),
        ("/static/app1.js", "/static/*"),
        ("/orders/4711", "/orders/*"),
        ("/alice@harbor.example", "/*"),
        ("/users/alice%40harbor.example/orders", "/users/*/orders"),
        ("/users/Alice/x", "/users/*/x"),
        ("/receipts/3f2a9c0d-11aa-4b6e-9f00-0123456789ab", "/receipts/*"),
        ("/t/eyJhbGciOiJIUzI1NiJ9.e30.Z", "/t/*"),
        ("/call/34600111222", "/call/*"),
        ("/a/b/c/d/e/f", "/a/b/c/d/*"),
        ("/" + "a" * 200, "/*"),
    ],
)
def test_a_page_says_nothing_of_whose_it_is(url: str, page: str) -> None:
    assert folded(url) == page


def test_an_address_that_was_made_up_is_no_page(owner: Connection[Any]) -> None:
    recorded([an_access(url=f"/who-is-{'abcdefghij'[nth]}", status=404, ip=ip) for nth, ip in enumerate(NETWORKS[:9])])
    assert held(owner) == {}
    assert held(owner, "status") == {"4xx": 9}


def test_an_application_cannot_write_a_person_into_the_counts(cast: dict[str, Person], owner: Connection[Any]) -> None:
    notes = registered(owner, events=("crash", "feature_use"))
    name = notes.knows(cast["alice"])
    crash = {"kind": "TypeError", "release": "alice@harbor.example", "message": "of Alice"}
    named = {"feature": "Alice Doe 600 111 222"}
    bodies = [event("crash", name, "crash-0001", data=crash), event("feature_use", name, "use-00001", data=named)]
    assert sent(bodies, key=notes.key).status == 200
    assert held(owner, "release") == {"other": 1}
    assert held(owner, "feature") == {"other": 1}
    whole = str(owner.execute("SELECT * FROM troth.rollup").fetchall())
    assert "alice" not in whole.lower()
    assert str(cast["alice"].subject) not in whole
    assert notes.application in whole


def test_of_an_hour_the_first_fifty_words_are_known_and_the_rest_is_one(owner: Connection[Any]) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [first + second for first in letters[:4] for second in letters]
    recorded([an_access(url=f"/{word}") for word in words])
    assert len(held(owner)) == 51
    assert held(owner)["other"] == len(words) - 50
    recorded([an_access(url=f"/z{word}") for word in words])
    assert len(held(owner)) == 51
    assert sum(held(owner).values()) == 2 * len(words)


def test_what_comes_after_the_fifty_is_never_counted_out(owner: Connection[Any]) -> None:
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    add = "INSERT INTO troth.rollup VALUES (%s, 'visit', '', 'page', %s, 40, -1)"
    owner.execute(add, (at, "other"))
    assert told() == {None: None}
    owner.execute(add, (at, "/policy"))
    assert told() == {"/policy": 40, None: None}


def test_a_day_that_is_over_has_no_salt_and_what_comes_late_is_told_apart_by_that_of_today(
    owner: Connection[Any],
) -> None:
    recorded(visits("/policy", 6))
    days = "SELECT day FROM troth.rollup_salt"
    assert owner.execute(days).fetchall() == [(now().date(),)]
    owner.execute("UPDATE troth.rollup_salt SET day = day - 1")
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.forget_rollups()")
    assert owner.execute(days).fetchall() == []
    recorded(visits("/terms", 9, at=now() - timedelta(days=2)))
    late = owner.execute("SELECT sum(count), max(salted) FROM troth.rollup WHERE value = '/terms'").fetchone()
    assert late == (9, now().date())
    past = rollups.by_word(("visit",), "page", rollups.until((now() - timedelta(days=2)).date(), 1))
    assert [(each.value, each.count) for each in past] == [("/terms", 5)]


def test_bits_that_two_salts_made_are_never_taken_together(owner: Connection[Any]) -> None:
    """Four people are counted on a day, and the same four again by a log that is brought in later."""
    past, day = now() - timedelta(days=3), (now() - timedelta(days=3)).date()
    recorded(visits("/policy", 4, at=past))
    owner.execute("UPDATE troth.rollup SET salted = %s", (day,))
    owner.execute("UPDATE troth.rollup_salt SET salt = gen_random_uuid()")
    recorded(visits("/policy", 4, at=past))
    assert held(owner) == {"/policy": 8}
    assert {each.count for each in rollups.by_word(("visit",), "page", rollups.until(day, 1))} == {None}
    recorded(visits("/policy", 30, at=past))
    (row,) = owner.execute("SELECT count, salted FROM troth.rollup WHERE value = '/policy'").fetchall()
    assert row == (38, now().date()), "where one salt tells more people apart, that is the one that stays"
    assert {each.count for each in rollups.by_word(("visit",), "page", rollups.until(day, 1))} == {35}


def test_a_log_of_past_days_is_counted_out_for_its_days(owner: Connection[Any], tmp_path: Path) -> None:
    day = now() - timedelta(days=40)
    line = '198.51.{net}.7 - - [{at:%d/%b/%Y:10}:{minute:02}:00 +0000] "GET /{page} HTTP/1.1" 200 5 "-" "Firefox/140.0"'
    lines = [line.format(net=nth, at=day, minute=nth, page="old" if nth % 3 else "rare") for nth in range(12)]
    log = tmp_path / "access.log"
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    tally = finished(accesslog.bring_in(log, source="access.log"))
    assert (tally.lines, tally.stored) == (12, 12)
    found = rollups.by_word(("visit",), "page", rollups.until(day.date(), 1))
    assert [(each.value, each.count) for each in found] == [("/old", 5), (None, None)]
    assert [each.at.hour for each in rollups.by_step(("visit",), rollups.until(day.date(), 1))] == [10]
    assert rollups.by_word(("visit",), "page", rollups.last(30)) == []


def viewed(name: str, key: str, url: str) -> dict[str, Any]:
    """Return a page of an application that was shown to somebody."""
    return {"key": key, "kind": "page_view", "person": name, "data": {"url": url, "browser": "Firefox 140"}}


def test_pages_of_applications_are_counted_by_application_without_what_tells_whose_they_are(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    notes = registered(owner, events=("page_view",))
    name = notes.knows(cast["alice"])
    urls = ("/notes/4711?q=alice", "https://notes.example/notes/17#x", "settings", "/mail/alice%40harbor.example")
    bodies = [viewed(name, f"view-{nth:05}", url) for nth, url in enumerate(urls)]
    assert sent(bodies, key=notes.key).status == 200
    assert held(owner) == {"/notes/*": 2, "/settings": 1, "/mail/*": 1}
    assert held(owner, "browser") == {"Firefox": 4}
    assert owner.execute("SELECT DISTINCT kind, application FROM troth.rollup").fetchall() == [
        ("page_view", notes.application)
    ]
    assert told(kinds=("page_view",)) == {None: None}, "one person is no number"


def test_an_application_that_makes_up_pages_fills_no_table(cast: dict[str, Person], owner: Connection[Any]) -> None:
    notes = registered(owner, events=("page_view",))
    name, letters = notes.knows(cast["alice"]), "abcdefghijklmnopqrstuvwxyz"
    words = [first + second for first in letters[:4] for second in letters]
    bodies = [viewed(name, f"view-{nth:05}", f"/{word}") for nth, word in enumerate(words)]
    for at in range(0, len(bodies), 50):
        assert sent(bodies[at : at + 50], key=notes.key).status == 200
    assert len(held(owner)) == 51
    assert held(owner)["other"] == len(words) - 50


def test_what_an_application_called_something_that_few_had_to_do_with_goes_with_its_day(owner: Connection[Any]) -> None:
    add = "INSERT INTO troth.rollup VALUES (%s, %s, %s, 'page', %s, 40, %s, %s)"
    today = now().replace(minute=0, second=0, microsecond=0)
    past = today - timedelta(days=2)
    for at, salted in ((past, past.date()), (past, today.date()), (today, today.date())):
        owner.execute("DELETE FROM troth.rollup")
        for application in ("notes", ""):
            owner.execute(add, (at, "page_view" if application else "visit", application, "/u/alice", 15, salted))
            owner.execute(add, (at, "page_view" if application else "visit", application, "/notes", 31, salted))
        with connect.acting("steward") as steward:
            steward.execute("SELECT troth.forget_rollups()")
            steward.execute("SELECT troth.forget_rollups()")
        left = dict(owner.execute("SELECT value, count FROM troth.rollup WHERE application = 'notes'").fetchall())
        over = salted < today.date()
        assert left == ({"other": 40, "/notes": 40} if over else {"/u/alice": 40, "/notes": 40})
        whole = owner.execute("SELECT count(*) FROM troth.rollup WHERE application = ''").fetchone()
        assert whole == (2,), "what the service itself has is a page"


def test_the_same_person_sets_one_bit_however_often_and_another_in_each_count(owner: Connection[Any]) -> None:
    salt, decisions = Salt(now().date(), bytes(16)), in_force()
    events = [through(each, decisions) for each in (*visits("/policy", 1, each=40), *visits("/terms", 1))]
    counts = counted([each for each in events if isinstance(each, Event)], decisions, salt)
    pages = {word: (many, bits) for (_, _, _, dimension, word), (many, bits) in counts.items() if dimension == "page"}
    assert {word: (many, bits.bit_count()) for word, (many, bits) in pages.items()} == {
        "/policy": (40, 1),
        "/terms": (1, 1),
    }
    several = {bits for many, bits in counts.values()}
    assert len(several) > 1, "no bit follows somebody from count to count"


def in_force() -> Decisions:
    return Decisions.of(published.current().plan, published.current().bits)


def test_a_batch_that_fails_is_not_counted_and_leaves_no_salt_to_believe(database: Any) -> None:
    async def scenario() -> tuple[Salt | None, int]:
        pool, roller, decisions = await store.open_pool(), rolling.Roller(), in_force()
        events = [each for each in (through(one, decisions) for one in visits("/policy", 6)) if isinstance(each, Event)]
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await roller.roll(connection, events, decisions)
            await transaction.rollback()
            forgotten = roller.salt
            async with connection.transaction():
                await roller.roll(connection, events, decisions)
            async with connection.transaction():
                await roller.roll(connection, events, decisions)
        await pool.close()
        return forgotten, 0 if roller.salt is None else 1

    assert finished(scenario()) == (None, 1)
    with connect.owning(database) as owner:
        assert held(owner) == {"/policy": 12}
    assert told() == {"/policy": 10}


DAILY = """policy "P" version 1 effective 2026-11-01
operator "O" contact a@b.example
require agreement before use [P2]
category access.url, access.time
purpose look "look" by legitimate interest
collect access.url on access
    for look 30 days
collect access.time on access
    for look 30 days{precision}
"""


@pytest.mark.parametrize(("precision", "daily"), [("", False), (" as hour", False), (" as day", True)])
def test_a_purpose_that_knows_the_day_alone_counts_by_day(precision: str, *, daily: bool) -> None:
    compiled = plan(read(DAILY.format(precision=precision), "a test"), load())
    counting = Decisions.of(compiled, {"look": 3}).counting
    named = {"access": ("at", "day", "hour", "url"), "page_view": ("application", "at", "day", "hour", "url")}
    assert counting == {
        (Occasion.ACCESS, table, column): Counting(8, "look", daily)
        for table, columns in named.items()
        for column in columns
    }
