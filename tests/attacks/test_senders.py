"""A hostile application, and a role that inserts what policy or person refuse: the database has the last word."""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import Application, Sent, event, post, registered, sent, together
from troth.api.app import Lean
from troth.api.intake import BODIES_OF_ONE, LEAST, weight
from troth.database import connect
from troth.database.catalog import load
from troth.intake import batches, bridging, gate, queries, store
from troth.intake.sent import Known
from troth.intake.unpacking import LONGEST
from troth.people import registering

CRASH = (
    "INSERT INTO troth.crash (subject, at, id, application, kind, uses)"
    " VALUES (%s, statement_timestamp(), uuidv7(), %s, 'TypeError', ~(1::bigint << 63))"
)
USE = (
    "INSERT INTO troth.feature_use (subject, at, id, application, feature, uses)"
    " VALUES (%s, statement_timestamp(), uuidv7(), %s, 'export', ~(1::bigint << 63))"
)
END = "SELECT troth.end_application(%s)"


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice uses, and Bob, and nobody else."""
    made = registered(owner)
    for name in ("alice", "bob"):
        made.knows(cast[name])
    return made


def stored(owner: Connection[Any]) -> set[uuid.UUID]:
    return {
        subject
        for (subject,) in owner.execute(
            "SELECT subject FROM troth.crash UNION SELECT subject FROM troth.feature_use"
        ).fetchall()
    }


def try_as(role: str, statement: str, *values: Any, token: str | None = None) -> str:
    """Return the SQLSTATE with which a role is refused; empty where it is not."""
    try:
        with connect.acting(role, token=token) as connection:
            connection.execute(statement.encode(), values)
    except psycopg.Error as error:
        return error.sqlstate or "?"
    return ""


def test_no_application_sends_of_people_who_do_not_use_it_whatever_they_are_called(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    other = registered(owner)
    other.knows(cast["charlie"])
    stolen = [notes.names["Alice"], str(cast["alice"].subject), cast["alice"].email.partition("@")[0]]
    answer = sent([event("crash", name, f"stolen-{nth}") for nth, name in enumerate(stolen)], key=other.key)
    assert [each["reason"] for each in answer.body["events"]] == ["unknown-person"] * 3
    assert stored(owner) == set()
    assert queries.refusals(cast["alice"].token) == []  # what others guess is no matter of hers


def test_a_key_opens_nothing_for_another_application_nor_once_it_ended(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    body = event("crash", notes.names["Alice"], "closed-0001")
    for key in ("", "guessed", notes.application, notes.key[:-1], notes.key + "x"):
        assert sent(body, key=key).status == 401
    registering.end_keys(owner, {"application": notes.application})
    assert sent(body, key=notes.key).status == 401
    again = registering.add_key(owner, {"application": notes.application})["key"]
    assert sent(body, key=again).status == 201
    owner.execute("UPDATE troth.application SET removed_at = now()")
    assert sent(event("crash", notes.names["Alice"], "closed-0002"), key=again).status == 401


def test_the_same_key_of_two_applications_names_two_events(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    other = registered(owner)
    other.knows(cast["charlie"])
    assert sent(event("crash", notes.names["Alice"], "the-same-key"), key=notes.key).status == 201
    assert sent(event("crash", other.names["Charlie"], "the-same-key"), key=other.key).status == 201
    assert stored(owner) == {cast["alice"].subject, cast["charlie"].subject}


def test_what_an_application_did_not_declare_it_does_not_send(cast: dict[str, Person], owner: Connection[Any]) -> None:
    modest = registered(owner, events=["crash"])
    modest.knows(cast["alice"])
    answer = sent(event("feature_use", modest.names["Alice"], "undeclared"), key=modest.key)
    assert (answer.status, answer.body["reason"]) == (403, "not-declared")
    assert try_as("intake", USE, cast["alice"].subject, modest.application) == "TR071"
    assert try_as("intake", CRASH, cast["alice"].subject, modest.application) == ""


def refusals(notes: Application, cast: Mapping[str, Person], owner: Connection[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what the role of the intake tries, the SQLSTATE it must get, and what it got."""
    with connect.acting("self", token=cast["bob"].token) as viewer:
        viewer.execute("SELECT troth.choose('understand', 'objection')")
    yield "about somebody who objected", "TR070", try_as("intake", USE, cast["bob"].subject, notes.application)
    yield (
        "about somebody who does not use it",
        "TR071",
        try_as("intake", CRASH, cast["charlie"].subject, notes.application),
    )
    yield "by no application", "TR071", try_as("intake", CRASH, cast["alice"].subject, "made-up")
    yield "about nobody", "42501", try_as("intake", CRASH, uuid.UUID(int=0), notes.application)
    old = CRASH.replace("statement_timestamp()", "statement_timestamp() - interval '2161 hours'")
    yield "older than every window", "42501", try_as("intake", old, cast["alice"].subject, notes.application)
    with connect.acting("self", token=cast["alice"].token) as viewer:
        viewer.execute(END.encode(), (notes.application,))
    yield "about somebody who ended it", "TR071", try_as("intake", CRASH, cast["alice"].subject, notes.application)


def test_the_role_that_inserts_inserts_nothing_that_policy_or_person_refuse(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    for what, expected, found in refusals(notes, cast, owner):
        assert found == expected, what
    for statement in (
        "SELECT * FROM troth.crash", "SELECT * FROM troth.application_key", "SELECT * FROM troth.intake_taken",
        "SELECT * FROM troth.refused_event", "UPDATE troth.crash SET kind = ''", "DELETE FROM troth.crash",
        "SELECT known_as FROM troth.application_grant", "SELECT uses FROM troth.permitted",
    ):  # fmt: skip
        assert try_as("intake", statement) == "42501", statement
    assert stored(owner) == set()


def test_without_the_trigger_it_would(notes: Application, cast: dict[str, Person], owner: Connection[Any]) -> None:
    for table in (table.name for table in load().stamped if table.through):
        owner.execute(f"ALTER TABLE troth.{table} DISABLE TRIGGER stamp".encode())
    let = {what for what, expected, found in refusals(notes, cast, owner) if found != expected}
    assert let == {
        "about somebody who objected", "about somebody who does not use it", "by no application", "about somebody who ended it",
    }  # fmt: skip


def test_a_judge_that_knew_an_earlier_answer_is_overruled_by_the_database(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if somebody objected between the question and the insert."""
    real, asked = batches.known, list[int]()

    async def stale(connection: Any, batch: Any) -> Any:
        asked.append(1)
        known = await real(connection, batch)
        if len(asked) > 1:
            return known
        return {key: Known(each.application, each.events, each.subject, -1) for key, each in known.items()}

    monkeypatch.setattr(batches, "known", stale)
    with connect.acting("self", token=cast["alice"].token) as viewer:
        viewer.execute("SELECT troth.choose('understand', 'objection')")
    both = [event("feature_use", notes.names[name], f"stale-{name}") for name in ("Alice", "Bob")]
    answer = sent(both, key=notes.key)
    assert [each["outcome"] for each in answer.body["events"]] == ["refused", "stored"]
    assert stored(owner) == {cast["bob"].subject}
    assert len(asked) == 2


def ends(notes: Application, alice: Person) -> Callable[[], threading.Thread]:
    def run() -> threading.Thread:
        def end() -> None:
            with connect.acting("self", token=alice.token) as viewer:
                viewer.execute(END.encode(), (notes.application,))

        thread = threading.Thread(target=end)
        thread.start()
        thread.join(0.7)
        return thread

    return run


def test_nothing_is_stored_of_an_answer_that_has_ended_meanwhile(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Whoever ends it waits for what is being stored; without the bucket they would be told before it is."""
    run = ends(notes, cast["alice"])
    with connect.acting("intake") as intake:
        intake.execute(CRASH.encode(), (cast["alice"].subject, notes.application))
        ending = run()
        assert ending.is_alive()
    ending.join(10)
    assert not ending.is_alive()
    assert try_as("intake", CRASH, cast["alice"].subject, notes.application) == "TR071"
    whole = owner.execute("SELECT pg_get_functiondef('troth.end_application'::regproc)").fetchone()
    assert whole is not None
    lock = "PERFORM pg_advisory_xact_lock(7276, uuid_hash(whose) & 1023);"
    assert lock in whole[0]
    owner.execute(whole[0].replace(lock, ""))
    notes.knows(cast["alice"])
    with connect.acting("intake") as intake:
        intake.execute(CRASH.encode(), (cast["alice"].subject, notes.application))
        assert not run().is_alive()


def test_an_objection_in_the_same_moment_is_obeyed_once_it_is_acknowledged(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Judged before it, the event waits for it at the trigger, and is judged anew."""
    body, answers = event("feature_use", notes.names["Alice"], "moment-0001"), list[Sent]()
    sending = threading.Thread(target=lambda: answers.append(sent(body, key=notes.key)))
    with connect.acting("self", token=cast["alice"].token) as viewer:
        viewer.execute("SELECT troth.choose('understand', 'objection')")
        sending.start()
        sending.join(2)
        assert sending.is_alive()
    sending.join(20)
    assert [(each.status, each.body["reason"]) for each in answers] == [(403, "person-declined")]
    assert stored(owner) == set()


#: What an application sends to hurt, and how it is answered.
HURTING: tuple[tuple[bytes, str, int], ...] = (
    (b"[" * 10_000 + b"]" * 10_000, "application/json", 422),
    (b"[" * 10_000, "application/json", 422),
    (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "application/json", 422),
    (b'[{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}]", "application/json", 422),
    (b"[" + b",".join([b"1"] * 10_000) + b"]", "application/json", 413),
    (b"1\n" * 10_000, "application/x-ndjson", 413),
    (b"9" * 1_000_000, "application/json", 422),
    (b"\xff\xfe[\0]\0", "application/json", 422),
    (b"", "application/json", 422),
    (b"key=1&kind=crash", "application/x-www-form-urlencoded", 415),
    (b"{}", "text/plain", 415),
    (b"{}", "multipart/form-data; boundary=x", 415),
    (b"<e/>", "application/xml", 415),
)


def test_what_is_sent_to_hurt_is_refused_and_costs_little(notes: Application, owner: Connection[Any]) -> None:
    began = time.process_time()
    answers = together([(body, notes.key, {"content_type": kind}) for body, kind, _ in HURTING])
    assert [each.status for each in answers] == [status for *_, status in HURTING]
    assert time.process_time() - began < 5
    assert stored(owner) == set()


def test_neither_zeroes_nor_halves_of_signs_come_through(notes: Application, owner: Connection[Any]) -> None:
    whole = json.dumps(event("crash", notes.names["Alice"], "signs-0001", data={"kind": "Odd", "message": "ODD"}))
    assert sent(whole.replace("ODD", "a\\u0000b\\u001b[2J\\u202ec").encode(), key=notes.key).status == 201
    assert owner.execute("SELECT message FROM troth.crash").fetchall() == [("ab[2Jc",)]
    for odd in ("\\ud800", "\\udfff\\ud800"):
        for sign in ("ODD", "Odd", "signs-0001"):
            answer = sent(whole.replace(sign, odd * 8).encode(), key=notes.key)
            assert (answer.status, answer.body["reason"]) == (422, "malformed")
    assert sent(whole.replace("ODD", "\udc80").encode("utf-8", "surrogateescape"), key=notes.key).status == 422


def test_who_sends_slowly_takes_room_from_nobody_else(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    other = registered(owner)
    other.knows(cast["charlie"])

    async def whole() -> tuple[list[int], int]:
        lean, ended = Lean(), asyncio.Event()
        await lean.start()
        body = event("crash", notes.names["Alice"], "slow-0001")
        slow = [asyncio.create_task(post(lean, body, key=notes.key, until=ended)) for _ in range(BODIES_OF_ONE)]
        async with asyncio.timeout(20):
            while lean.intake.held < BODIES_OF_ONE * LONGEST:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        more = await post(lean, body, key=notes.key)
        theirs = await post(lean, event("crash", other.names["Charlie"], "quick-0001"), key=other.key)
        ended.set()
        done = await asyncio.gather(*slow)
        await lean.stop()
        return [more.status, theirs.status], sum(each.status in (200, 201) for each in done)

    assert asyncio.run(whole()) == ([503, 201], BODIES_OF_ONE)
    assert stored(owner) == {cast["alice"].subject, cast["charlie"].subject}


def test_many_short_ones_at_once_are_taken_and_what_may_unfold_counts_as_the_longest(
    notes: Application, owner: Connection[Any]
) -> None:
    async def whole() -> tuple[list[int], int]:
        lean, ended = Lean(), asyncio.Event()
        await lean.start()
        bodies = [event("crash", notes.names["Alice"], f"short-{nth:04}") for nth in range(4 * BODIES_OF_ONE)]
        said = [{"content_length": str(len(json.dumps(body)))} for body in bodies]
        short = [
            asyncio.create_task(post(lean, body, key=notes.key, until=ended, **told))
            for body, told in zip(bodies, said, strict=True)
        ]
        async with asyncio.timeout(20):
            while len(lean.intake.held_of) < 1 or lean.intake.held < len(bodies) * LEAST:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        held = lean.intake.held
        ended.set()
        done = await asyncio.gather(*short)
        left = lean.intake.held
        await lean.stop()
        assert held < BODIES_OF_ONE * LONGEST
        return sorted({each.status for each in done}), left

    assert asyncio.run(whole()) == ([201], 0)
    length = (b"content-length", b"100")
    assert weight({"headers": [length]}) == LEAST + 400
    for odd in (
        [],
        [length, (b"content-encoding", b"gzip")],
        [(b"content-length", b"-1")],
        [(b"content-length", b"9" * 99)],
    ):
        assert weight({"headers": odd}) == LONGEST, odd


def test_more_than_waits_is_shed_at_once_and_said_so(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "SHARE", 10)
    bodies = [[event("crash", notes.names["Alice"], f"flood-{r}-{nth}") for nth in range(6)] for r in range(5)]
    answers = together([(body, notes.key, {}) for body in bodies])
    shed = [each for each in answers if each.status == 503]
    assert shed
    assert all(each.headers[b"retry-after"] == b"5" and each.body["code"] == "busy" for each in shed)
    kept = [each for each in answers if each.status == 200]
    assert len(kept) + len(shed) == 5
    (many,) = owner.execute("SELECT count(*) FROM troth.crash").fetchone() or (0,)
    assert many == 6 * len(kept)


def test_what_was_not_committed_is_not_acknowledged_and_can_be_sent_again(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.write_sent

    async def torn(connection: Any, events: Any, decisions: Any) -> None:
        await real(connection, events, decisions)
        raise ConnectionResetError

    body = event("crash", notes.names["Alice"], "torn-0001")
    with monkeypatch.context() as patch:
        patch.setattr(store, "write_sent", torn)
        patch.setattr(bridging, "LEASE", 0.0)  # nobody is believed to permit it any more, so nothing is kept
        answer = sent(body, key=notes.key)
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"5")
    assert stored(owner) == set()
    assert [sent(body, key=notes.key).status for _ in range(2)] == [201, 200]
