"""What applications send of people is judged, reduced, and acknowledged once it is committed; nothing is stored twice."""

import asyncio
import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from uuid import RFC_4122, UUID

import brotli
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, RawCursor

from tests.conftest import Person, count
from tests.intake.sending import CRASH, Application, event, finished, registered, sent, together
from troth.api.intake import MOST
from troth.database import connect
from troth.intake import keeping, queries, store
from troth.intake.answers import Answer, Part, Request
from troth.intake.event import ordered_uuids
from troth.intake.gate import Gate
from troth.intake.sent import LATEST, Sender, Sent
from troth.intake.store import open_pool
from troth.intake.unpacking import LONGEST
from troth.policy.carrying import ABSENT, AS_TEXT, BETWEEN, _inserted, _joined


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice and Bob use."""
    made = registered(owner)
    made.knows(cast["alice"])
    made.knows(cast["bob"])
    return made


def stored(owner: Connection[Any], table: str) -> int:
    row = owner.execute(f"SELECT count(*) FROM troth.{table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def choose(person: Person, purpose: str, kind: str) -> None:
    with connect.acting("self", token=person.token) as viewer:
        viewer.execute("SELECT troth.choose(%s, %s)", (purpose, kind))


def test_a_crash_is_stored_without_what_tells_of_its_person_and_they_see_it(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    assert sent(event("crash", notes.names["Alice"], "crash-0001"), key=notes.key).status == 201
    row = owner.execute(
        "SELECT subject, application, kind, message, stack, release, environment FROM troth.crash"
    ).fetchone()
    assert row == (
        cast["alice"].subject, notes.application, "TypeError", "cannot read - of [e-mail], card [card]",
        "main (app.py):3\nsave (store.py):41", "1.4.2", "production",
    )  # fmt: skip
    assert [each.kind for each in queries.crashes(cast["alice"].token)] == ["TypeError"]
    assert queries.crashes(cast["bob"].token) == []
    assert count("provide", "SELECT count(*) FROM crash") == 1


def test_the_same_failure_has_the_same_fingerprint_whoever_met_it_on_whatever_line(
    notes: Application, owner: Connection[Any]
) -> None:
    moved = CRASH | {"stack": [{"function": f["function"], "file": f["file"], "line": 7} for f in CRASH["stack"]]}  # type: ignore[index]
    other = CRASH | {"kind": "ValueError"}
    for nth, (name, data) in enumerate((("Alice", CRASH), ("Bob", moved), ("Bob", other))):
        sent(event("crash", notes.names[name], f"finger-{nth}", data=data), key=notes.key)
    marks = [mark for (mark,) in owner.execute("SELECT fingerprint FROM troth.crash ORDER BY id").fetchall()]
    assert marks[0] == marks[1] != marks[2]


def test_what_a_person_objects_to_is_refused_counted_and_shown_to_sender_operator_and_person(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    choose(cast["alice"], "understand", "objection")
    batch = [
        event("feature_use", notes.names[name], f"use-{name}-{nth}") for name in ("Alice", "Bob") for nth in range(3)
    ]
    answer = sent(batch, key=notes.key)
    assert answer.status == 200
    assert (answer.body["stored"], answer.body["refused"]) == (3, 3)
    refused = {"outcome": "refused", "reason": "person-declined", "clause": CLAUSE}
    assert answer.body["events"][:3] == [refused] * 3
    assert owner.execute("SELECT DISTINCT subject FROM troth.feature_use").fetchall() == [(cast["bob"].subject,)]
    (mine,) = queries.refusals(cast["alice"].token)
    assert (mine.kind, mine.reason, mine.clause, mine.count) == ("feature_use", "person-declined", CLAUSE, 3)
    assert queries.refusals(cast["bob"].token) == []
    (seen,) = [each for each in queries.counts() if each.kind == "feature_use"]
    assert (seen.outcome, seen.reason, seen.clause, seen.count) == ("refused", "person-declined", CLAUSE, 3)


def test_a_yes_to_another_purpose_lets_it_in_for_that_purpose_alone(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    choose(cast["alice"], "understand", "objection")
    choose(cast["alice"], "personalise", "consent")
    assert sent(event("feature_use", notes.names["Alice"], "use-0001"), key=notes.key).status == 201
    assert count("understand", "SELECT count(*) FROM feature_use") == 0
    assert count("personalise", "SELECT count(*) FROM feature_use") == 1


def test_an_event_that_is_sent_again_is_stored_once_and_another_under_its_key_is_a_conflict(
    notes: Application, owner: Connection[Any]
) -> None:
    first = event("crash", notes.names["Alice"], "again-0001", at="2026-11-28T10:00:00Z")
    first["at"] = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    assert [sent(first, key=notes.key).status for _ in range(3)] == [201, 200, 200]
    other = first | {"data": CRASH | {"kind": "KeyError"}}
    assert sent(other, key=notes.key).status == 409
    both = sent([first, other, event("feature_use", notes.names["Bob"], "again-0002")], key=notes.key)
    assert both.status == 409
    assert [each["outcome"] for each in both.body["events"]] == ["repeated", "conflict", "stored"]
    assert stored(owner, "crash") == 1


def test_a_key_is_known_longer_than_what_it_names_is_taken(notes: Application, owner: Connection[Any]) -> None:
    """Whoever still sends an event again finds its key, or is refused for its age: it is never stored twice."""
    for days in (21, 29, 31):
        told = (UUID(int=days), UUID(int=0), f"{days} days")
        owner.execute(
            "INSERT INTO troth.intake_taken (key, body, at) VALUES (%s, %s, statement_timestamp() - %s::interval)", told
        )
    keeping.forget(owner)
    held = owner.execute("SELECT key FROM troth.intake_taken").fetchall()
    assert sorted(key.int for (key,) in held) == [21, 29]
    at = (datetime.now(UTC) - LATEST - timedelta(minutes=1)).isoformat()
    answer = sent(event("feature_use", notes.names["Alice"], "so-long-ago", at=at), key=notes.key)
    assert (answer.status, answer.body["outcome"]) == (403, "refused")
    assert timedelta(days=29) > LATEST


@pytest.mark.parametrize(("requests", "halved"), [(16, True), (11, False)])
def test_half_of_what_is_held_is_committed_while_the_other_half_is_read_unless_it_is_little(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, requests: int, *, halved: bool
) -> None:
    real, sizes, many = Gate._attempt, list[int](), requests * 4

    async def noted(gate: Gate, batch: Sequence[Request], *told: Any, **more: Any) -> bool:
        sizes.append(sum(len(request.events) for request in batch))
        await asyncio.sleep(0.5)  # all the others come meanwhile
        return await real(gate, batch, *told, **more)

    monkeypatch.setattr(Gate, "_attempt", noted)
    alice = notes.names["Alice"]
    bodies = [[event("feature_use", alice, f"half-{nth:02}-{place}") for place in range(4)] for nth in range(requests)]
    answers = together([(body, notes.key, {}) for body in bodies])
    assert [answer.status for answer in answers] == [200] * requests
    assert stored(owner, "feature_use") == many
    assert (max(sizes) <= many // 2) is halved


def test_events_that_came_together_stay_in_their_order(notes: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is read in parts among them: it says more than its kind may."""
    real, seen = Gate.take, list[Part]()

    async def noted(gate: Gate, sender: Sender, events: Sequence[Part]) -> list[Answer]:
        seen.extend(events)
        return await real(gate, sender, events)

    monkeypatch.setattr(Gate, "take", noted)
    alice = notes.names["Alice"]
    bodies = [event("feature_use", alice, f"order-{nth:03}") for nth in range(5)]
    bodies[2]["data"] = bodies[2]["data"] | {"more": 1}
    sent(bodies, key=notes.key)
    moments = [each.at for each in seen if isinstance(each, Sent)]
    assert len(moments) == len(set(moments)) == len(bodies)
    assert moments == sorted(moments)


def test_what_is_acknowledged_is_on_the_disk_whatever_a_role_was_given_otherwise(
    notes: Application, owner: Connection[Any]
) -> None:
    async def asked() -> str:
        pool = await open_pool()
        try:
            return str(await pool.fetchval("SHOW synchronous_commit"))
        finally:
            await pool.close()

    owner.execute("ALTER ROLE troth_intake SET synchronous_commit = off")
    try:
        assert finished(asked()) == "on"
    finally:
        owner.execute("ALTER ROLE troth_intake RESET synchronous_commit")


def test_nothing_is_refused_by_a_node_whose_tables_another_version_changed(
    notes: Application, owner: Connection[Any]
) -> None:
    """It would be lost: what is refused is not sent again."""
    told = event("feature_use", notes.names["Alice"], "changed-0001")
    for name in ("take_new", "take_keys"):
        owner.execute(f"ALTER FUNCTION troth.{name} RENAME TO {name}_of_later".encode())
    assert sent(told, key=notes.key).status == 503
    assert [each for each in queries.counts() if each.outcome == "refused"] == []
    for name in ("take_new", "take_keys"):
        owner.execute(f"ALTER FUNCTION troth.{name}_of_later RENAME TO {name}".encode())
    assert sent(told, key=notes.key).status == 201


def test_many_who_send_the_same_at_once_store_it_once(notes: Application, owner: Connection[Any]) -> None:
    body = event("crash", notes.names["Alice"], "race-0001", at=datetime.now(UTC).isoformat())
    answers = together([(body, notes.key, {})] * 20)
    assert sorted(each.status for each in answers) == [200] * 19 + [201]
    twice = [event("crash", notes.names["Bob"], "race-0002"), event("crash", notes.names["Bob"], "race-0002")]
    assert [each["outcome"] for each in sent(twice, key=notes.key).body["events"]] == ["stored", "repeated"]
    assert stored(owner, "crash") == 2


#: The clause of the default policy that collects which features people use.
CLAUSE = "collect-use-feature-on-use-of-features"
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def test_bodies_come_packed_and_in_lines(notes: Application, owner: Connection[Any]) -> None:
    for coding, pack in PACKED.items():
        whole = [event("feature_use", notes.names["Alice"], f"{coding}-{nth:06}") for nth in range(50)]
        lines = pack(b"\n".join(json.dumps(each).encode() for each in whole))
        answer = sent(lines, key=notes.key, content_encoding=coding, content_type="application/x-ndjson")
        assert (answer.status, answer.body["stored"]) == (200, 50)
    assert stored(owner, "feature_use") == 150


def test_what_is_packed_to_hurt_is_refused(notes: Application, owner: Connection[Any]) -> None:
    tried = []
    for coding, pack in PACKED.items():
        good = pack(json.dumps(event("crash", notes.names["Alice"], "bomb-0001")).encode())
        bomb = pack(b" " * (LONGEST * 60))
        assert len(bomb) < LONGEST
        bodies = {bomb: 413, good[:-3]: 422, good + b"and more": 422, b"[]": 422}
        tried += [((body, notes.key, {"content_encoding": coding}), status) for body, status in bodies.items()]
    tried.append(((b"[]", notes.key, {"content_encoding": "compress"}), 415))
    answers = together([request for request, _ in tried])
    assert [each.status for each in answers] == [status for _, status in tried]
    assert stored(owner, "crash") == 0


def test_more_than_is_taken_at_once_is_refused_whole(notes: Application, owner: Connection[Any]) -> None:
    many = [event("feature_use", notes.names["Alice"], f"many-{nth:05}") for nth in range(MOST + 1)]
    assert sent(many, key=notes.key).status == 413
    assert sent(b" " * (1 << 21), key=notes.key).status == 413
    assert stored(owner, "feature_use") == 0


#: What is otherwise than it should be, the reason it is refused for, and the status of one event alone.
WRONG: tuple[tuple[dict[str, Any], str, int], ...] = (
    ({"kind": "diary"}, "unknown-kind", 422),
    ({"data": CRASH | {"locals": {"password": "hunter2"}}}, "malformed", 422),
    ({"data": {"message": "no kind"}}, "malformed", 422),
    ({"key": "short"}, "malformed", 422),
    ({"more": 1}, "malformed", 422),
    ({"person": "a\0b"}, "malformed", 422),
    ({"person": "trailing\n"}, "malformed", 422),
    ({"at": "9999-12-31T23:59:59-14:00"}, "malformed", 422),
    ({"at": "2999-01-01T00:00:00Z"}, "in-the-future", 403),
    ({"at": "2020-01-01T00:00:00Z"}, "older-than-every-window", 403),
    ({"at": (datetime.now(UTC) - timedelta(days=60)).isoformat()}, "sent-too-late", 403),
    ({"person": ""}, "names-nobody", 403),
    ({"person": "f" * 64}, "unknown-person", 403),
)


def test_what_is_not_understood_or_not_permitted_has_a_reason_and_is_counted(
    notes: Application, owner: Connection[Any]
) -> None:
    bodies = [
        event("crash", notes.names["Alice"], f"wrong-{nth:04}") | change for nth, (change, *_) in enumerate(WRONG)
    ]
    answers = together([(body, notes.key, {}) for body in bodies])
    found = [(answer.body["reason"], answer.status) for answer in answers]
    assert found == [(reason, status) for _, reason, status in WRONG]
    assert stored(owner, "crash") == 0
    counted = Counter[str]()
    for each in queries.counts():
        counted[each.reason] += each.count
    assert counted == Counter(reason for _, reason, _ in WRONG)


def test_the_words_of_each_event_stay_with_it_whatever_signs_they_are_sent_with(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """The texts of a batch go to the database as one: signs between them, and for none, are nobody's to send."""
    logs = registered(owner, events=("activity",))
    name = logs.knows(cast["alice"])
    words = ["first", "a\x1eb", "\x1f", "", None, "\x1e\x1e", "x\x1f\x1ey", "last"]
    batch = [
        {
            "key": f"words-{nth:04}",
            "kind": "activity",
            "person": name,
            "data": {"event": f"event-{nth}", "message": each},
        }
        for nth, each in enumerate(words)
    ]
    assert sent(batch, key=logs.key).body["stored"] == len(words)
    assert sent([batch[3] | {"key": "words-alone"}], key=logs.key).body["stored"] == 1
    rows = owner.execute("SELECT event, message FROM troth.activity ORDER BY event, id").fetchall()
    kept = ["first", "ab", None, None, None, None, "xy", "last"]
    assert rows == sorted(
        [(f"event-{nth}", each) for nth, each in enumerate(kept)] + [("event-3", None)], key=lambda r: r[0]
    )


@pytest.mark.parametrize(
    "texts", [["a"], [None], [""], ["a", None, "b"], ["\x1e", "\x1f", "c"], ["a\x1fb", None], ["\x1f"]]
)
def test_texts_as_one_are_as_many_as_before(texts: list[str | None], owner: Connection[Any]) -> None:
    """What stands between them is a space in them, had something let it in: what was looked through apart stays so."""
    asked = f"SELECT string_to_array(%s, chr({ord(BETWEEN)}), chr({ord(ABSENT)}))"
    row = owner.execute(asked.encode(), (store._joined(texts),)).fetchone()
    assert row == ([(each or "").replace(BETWEEN, " ").replace(ABSENT, " ") or None for each in texts],)


#: What a connection may have been given otherwise: how times are read and written there, and which zone is meant.
STYLES = st.fixed_dictionaries(
    {
        "DateStyle": st.sampled_from(
            [f"{how}, {order}" for how in ("ISO", "SQL", "Postgres", "German") for order in ("DMY", "MDY", "YMD")]
        ),
        "TimeZone": st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "Europe/Madrid"]),
        "IntervalStyle": st.sampled_from(["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
    }
)
OFFSETS = st.integers(-15 * 60 - 59, 15 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS)  # noqa: DTZ001 - hypothesis adds them
LARGEST = 2**63 - 1
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "uuid": st.uuids(allow_nil=True),
    "timestamptz": MOMENTS,
    "bigint": st.integers(-LARGEST - 1, LARGEST) | st.sampled_from([-LARGEST - 1, -1, 0, LARGEST]),
}


def test_every_type_that_is_told_as_text_is_drawn() -> None:
    assert VALUES.keys() == AS_TEXT == store.WRITTEN.keys()


@pytest.mark.parametrize("kind", sorted(VALUES))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.data(), styles=STYLES)
def test_what_is_told_as_text_is_stored_exactly_as_it_was_said(
    kind: str, drawn: st.DataObject, styles: dict[str, str], owner: Connection[Any]
) -> None:
    said = drawn.draw(st.lists(VALUES[kind], min_size=1, max_size=20))
    told = f"SELECT * FROM unnest({_joined(1, kind)}) WITH ORDINALITY"
    with owner.transaction(force_rollback=True), RawCursor(owner) as cursor:
        for name, style in styles.items():
            cursor.execute("SELECT set_config($1, $2, true)", (name, style))
        cursor.execute(f"CREATE TEMPORARY TABLE stored (value {kind}, place bigint)".encode())
        cursor.execute(f"INSERT INTO stored {told}".encode(), (store.as_text(kind, said),))
        cursor.execute("SET LOCAL TimeZone TO 'UTC'")  # Python finds a time that a zone had twice equal to none
        cursor.execute("SELECT value FROM stored ORDER BY place", binary=True)
        assert [value for (value,) in cursor] == said


COLUMNS = {"nth": "bigint", "uses": "bigint", "message": "text", "place": "uuid"}
TEXTS = st.none() | st.sampled_from(["a", "a, {b}", "1.4.2", f"x{BETWEEN}y", f"x{ABSENT}", "{}", '"', "\\"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    uses=st.lists(st.sampled_from([0, 7, -LARGEST - 1]), min_size=1, max_size=2),
    texts=st.lists(TEXTS, min_size=1, max_size=2),
    many=st.integers(1, 3 * store.MANY),
)
def test_what_is_the_same_in_all_rows_is_told_once_and_stored_in_each(
    uses: list[int], texts: list[str | None], many: int, owner: Connection[Any]
) -> None:
    nths, places = list(range(many)), [UUID(int=nth) for nth in range(many)]
    told: list[Sequence[Any]] = [
        nths,
        [uses[nth % len(uses)] for nth in nths],
        [texts[nth % len(texts)] for nth in nths],
        places,
    ]
    alike = store.told_once(COLUMNS, told)
    assert ("uses" in alike) is (many >= store.MANY and len({*uses}) == 1)
    assert ("message" in alike) is (many >= store.MANY and len({*texts}) == 1)
    given = [store.as_told(name, kind, each, alike) for (name, kind), each in zip(COLUMNS.items(), told, strict=True)]
    with owner.transaction(force_rollback=True), RawCursor(owner) as cursor:
        cursor.execute("CREATE TABLE troth.stored (nth bigint, uses bigint, message text, place uuid)")
        cursor.execute(_inserted("stored", COLUMNS, 1, joined=True, alike=alike).encode(), given)
        cursor.execute("SELECT nth, uses, message, place FROM troth.stored ORDER BY nth")
        expected = [(*row[:2], row[2] and row[2].translate(store.LEFT), row[3]) for row in zip(*told, strict=True)]
        assert cursor.fetchall() == expected


def test_new_ids_stand_in_the_order_in_which_they_were_made() -> None:
    made = [UUID(each) for each in ordered_uuids(store.MANY) + ordered_uuids(0)]
    assert made == sorted(made)
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
    assert abs((made[0].int >> 80) / 1000 - time.time()) < 60
    assert len({*ordered_uuids(5000)}) == 5000, "more than the counter tells apart"


@pytest.mark.parametrize("sign", ["\x1e", "\x1f", "\0", "\x7f", "\u200b"])
def test_a_sign_that_is_not_printed_hides_nothing_in_where_somebody_came_from(
    cast: dict[str, Person], owner: Connection[Any], sign: str
) -> None:
    """Nor does it hold up what is sent with it: the database would refuse a NUL, and a whole batch for it."""
    pages = registered(owner, events=("page_view",))
    name = pages.knows(cast["alice"])
    froms = [
        f"http://jane%40exam{sign}ple.com/x",
        f"http://call-+34612{sign}345678.example",
        f"http://har{sign}bor.example/",
    ]
    batch = [
        {"key": f"from-{nth:04}", "kind": "page_view", "person": name, "data": {"url": f"/{nth}", "referrer": each}}
        for nth, each in enumerate(froms)
    ]
    assert sent(batch, key=pages.key).body["stored"] == len(batch)
    rows = owner.execute("SELECT referrer FROM troth.page_view ORDER BY url").fetchall()
    assert rows == [(None,), (None,), ("http://harbor.example/",)]


def test_a_clock_that_is_wrong_is_corrected(notes: Application, owner: Connection[Any]) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=5)
    body = event("crash", notes.names["Alice"], "skew-0001", at=(ahead - timedelta(minutes=10)).isoformat())
    assert sent(body, key=notes.key, sent_at=ahead.isoformat()).status == 201
    row = owner.execute("SELECT statement_timestamp() - at FROM troth.crash").fetchone()
    assert row is not None
    assert timedelta(minutes=9) < row[0] < timedelta(minutes=11)


@pytest.mark.parametrize(
    "told",
    [
        "yesterday",
        "2026-13-01T00:00:00Z",
        "1764590400.5",
        "Tue, 99 Dec 2026 10:00:00 GMT",
        "Tue, 01 Dec 99999999999999 10:00:00 GMT",
        "\u0661",
    ],
)
def test_a_clock_that_cannot_be_read_is_said_to_be_none(notes: Application, told: str, owner: Connection[Any]) -> None:
    """Whoever says wrongly what their clock shows would never know that nothing of it is corrected."""
    for body in (
        event("crash", notes.names["Alice"], "clock-001"),
        [event("crash", notes.names["Alice"], "clock-002")],
    ):
        answer = sent(body, key=notes.key, sent_at=told)
        assert (answer.status, answer.body["code"]) == (422, "clock")
    assert owner.execute("SELECT count(*) FROM troth.crash").fetchone() == (0,)


def test_a_clock_is_read_as_http_writes_dates_too(notes: Application, owner: Connection[Any]) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=5)).replace(microsecond=0)
    body = event("crash", notes.names["Alice"], "skew-0002", at=(ahead - timedelta(minutes=10)).isoformat())
    assert sent(body, key=notes.key, sent_at=format_datetime(ahead, usegmt=True)).status == 201
    row = owner.execute("SELECT statement_timestamp() - at FROM troth.crash").fetchone()
    assert row is not None
    assert timedelta(minutes=9) < row[0] < timedelta(minutes=11)


def test_of_what_is_no_page_but_a_program_or_a_file_of_somebodys_nothing_is_kept(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    pages = registered(owner, events=("page_view",))
    name = pages.knows(cast["alice"])
    told = {
        "javascript:alert(document.cookie)": "-", "data:text/html,<b>Alice</b>": "-", "file:///home/alice/taxes.html": "-",
        "blob:https://notes.example/9a1": "-", "mailto:alice@harbor.example": "-", "about:blank": "-", "http://[": "-",
        "https://notes.example/a?b=1": "/a?b=1", "/wiki/Special:Search": "/wiki/Special:Search", "capacitor://localhost/notes": "/notes",
    }  # fmt: skip
    batch = [
        {"key": f"page-{nth:04}", "kind": "page_view", "person": name, "data": {"url": each}}
        for nth, each in enumerate(told)
    ]
    assert sent(batch, key=pages.key).body["stored"] == len(batch)
    rows = owner.execute("SELECT url FROM troth.page_view ORDER BY id").fetchall()
    assert [url for (url,) in rows] == [*told.values()]


def test_what_a_browsers_signal_objects_to_is_not_taken_from_an_application_either(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Whether the browser sends itself, or the application passes its signal on."""
    for nth, (told, headers) in enumerate((({"objects": True}, {}), ({}, {"sec_gpc": "1"}))):
        for name, personalised in (("Alice", False), ("Bob", True)):
            if personalised:
                choose(cast["bob"], "personalise", "consent")
            use = sent(event("feature_use", notes.names[name], f"use-{name}-{nth}", **told), key=notes.key, **headers)
            assert use.body == (
                {"outcome": "stored"}
                if personalised
                else {"outcome": "refused", "reason": "browser-objects", "clause": CLAUSE}
            )
            assert (
                sent(event("crash", notes.names[name], f"crash-{name}-{nth}", **told), key=notes.key, **headers).status
                == 201
            )
    assert (
        count("understand", "SELECT count(*) FROM feature_use"),
        count("personalise", "SELECT count(*) FROM feature_use"),
    ) == (0, 2)
    assert count("provide", "SELECT count(*) FROM crash") == 4
    choose(cast["bob"], "understand", "objection")
    choose(cast["bob"], "understand", "permission")
    assert count("understand", "SELECT count(*) FROM feature_use") == 0
