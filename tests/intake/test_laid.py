"""What is laid out while another batch is committed is stored as if it had been judged then, or judged again."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import Application, Sent, event, finished, post, registered
from troth.api.app import Lean
from troth.database import connect
from troth.intake import ahead, store
from troth.intake.ahead import Laid
from troth.intake.gate import Gate
from troth.intake.rolling import Salt
from troth.people import registering

HALF = 30
#: What a commit was told, and what had been laid out for it.
type Commits = list[store.Statement]


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice and Bob use."""
    made = registered(owner)
    made.knows(cast["alice"])
    made.knows(cast["bob"])
    return made


def uses(notes: Application, name: str, whose: str = "Alice", many: int = HALF) -> list[dict[str, Any]]:
    return [event("feature_use", notes.names[whose], f"{name}-{nth:04}") for nth in range(many)]


def sending(lean: Lean, notes: Application, bodies: Sequence[dict[str, Any]]) -> Awaitable[list[Sent]]:
    """Send them at once, each saying how short it is: there is room for few that do not."""
    told = [json.dumps(body).encode() for body in bodies]
    return asyncio.gather(*(post(lean, body, key=notes.key, content_length=str(len(body))) for body in told))


async def warmed(lean: Lean, notes: Application) -> None:
    """Let everybody be known, and the salt of the day, which who made it does not remember."""
    for nth in range(2):
        for whose in notes.names:
            assert {
                each.status for each in await sending(lean, notes, uses(notes, f"warm-{whose}-{nth}", whose, 1))
            } == {201}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)


def halves(
    monkeypatch: pytest.MonkeyPatch,
    notes: Application,
    first: Sequence[dict[str, Any]],
    second: Sequence[dict[str, Any]],
    meanwhile: Callable[[Gate, Laid], object] = lambda _gate, _laid: None,
) -> tuple[list[list[Sent]], Laid, Commits]:
    """Send one half, and another while the first is held at its commit; return the answers to both.

    And what was laid out of the second, and what each commit behind the first was told. `meanwhile` happens before that
    goes on.
    """
    commits, really = list[store.Statement](), store.write_new

    async def whole() -> tuple[list[list[Sent]], Laid]:
        go, lean = asyncio.Event(), Lean()

        async def write_new(connection: Any, statement: store.Statement) -> bool:
            commits.append(statement)
            await go.wait()
            return await really(connection, statement)

        await lean.start()
        try:
            await warmed(lean, notes)
            gate = lean.intake.gate
            monkeypatch.setattr(store, "write_new", write_new)
            before = asyncio.ensure_future(sending(lean, notes, first))
            await until(lambda: bool(commits))
            after = asyncio.ensure_future(sending(lean, notes, second))
            await until(lambda: gate.laid is not None)
            laid = gate.laid
            await until(lambda: gate.laid is not None)
            laid = gate.laid
            assert laid is not None
            commits.clear()
            await asyncio.to_thread(meanwhile, gate, laid)
            go.set()
            found = [await before, await after]
            assert (gate.held, gate.queued, gate.laid, len(gate.ahead.unseen)) == (0, 0, None, 0)
        finally:
            go.set()
            await lean.stop()
        return found, laid

    found, laid = finished(whole())
    monkeypatch.setattr(store, "write_new", really)
    return found, laid, commits


def stored(owner: Connection[Any]) -> int:
    """Return how many uses are stored, and counted, and known by their keys; those that made everybody known are left out."""
    told = (
        "SELECT count(*) FROM troth.feature_use",
        "SELECT sum(count)::bigint FROM troth.rollup WHERE kind = 'feature_use' AND dimension = ''",
        "SELECT count(*) FROM troth.intake_taken",
    )
    (many,) = {row[0] for row in (owner.execute(each.encode()).fetchone() for each in told) if row}
    return int(many) - 4


def test_what_was_laid_out_is_what_is_stored(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, laid, commits = halves(monkeypatch, notes, uses(notes, "first"), uses(notes, "second"))
    assert laid.statement is not None
    assert [each is laid.statement for each in commits] == [True]
    assert [{(each.status, each.body["outcome"]) for each in half} for half in found] == [{(201, "stored")}] * 2
    assert stored(owner) == 2 * HALF


def chosen(person: Person, kind: str) -> None:
    with connect.acting("self", token=person.token) as viewer:
        viewer.execute("SELECT troth.choose('understand', %s)", (kind,))


def test_a_no_that_came_meanwhile_counts(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    second = uses(notes, "alices", many=HALF // 2) + uses(notes, "bobs", "Bob", many=HALF // 2)
    (_, found), laid, commits = halves(
        monkeypatch, notes, uses(notes, "first", "Bob"), second, lambda _g, _l: chosen(cast["alice"], "objection")
    )
    assert commits[0] is laid.statement, "the database is what refuses it"
    assert [each.status for each in found] == [403] * (HALF // 2) + [201] * (HALF // 2)
    assert {each.body.get("reason") for each in found[: HALF // 2]} == {"person-declined"}
    assert stored(owner) == HALF + HALF // 2


def test_a_key_that_ended_meanwhile_brings_nothing(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_gate: Gate, _laid: Laid) -> None:
        registering.end_keys(owner, {"application": notes.application})

    found, _, _ = halves(monkeypatch, notes, uses(notes, "first"), uses(notes, "second"), end)
    assert [{(each.status, each.body["reason"]) for each in half} for half in found] == [{(403, "key-ended")}] * 2
    assert stored(owner) == 0


@pytest.mark.parametrize("what", ["judged long ago", "decided otherwise", "another salt"])
def test_what_is_not_as_it_was_is_judged_again(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def change(gate: Gate, laid: Laid) -> None:
        match what:
            case "judged long ago":
                laid.batch[7].ahead.moment -= ahead.AHEAD + 0.1
            case "decided otherwise":
                gate.decisions = None
            case _:
                gate.roller.salt = Salt(laid.salt.day, bytes(16))

    found, laid, commits = halves(monkeypatch, notes, uses(notes, "first"), uses(notes, "second"), change)
    assert laid.statement is not None
    assert all(each is not laid.statement for each in commits)
    assert [{each.status for each in half} for half in found] == [{201}] * 2
    assert stored(owner) == 2 * HALF


def test_keys_that_came_before_are_told_so(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = uses(notes, "first")
    again = [*uses(notes, "second")[2:], first[3], first[4] | {"data": {"feature": "other"}}]
    (_, found), laid, commits = halves(monkeypatch, notes, first, again)
    assert commits[0] is laid.statement, "the database is what knows them"
    assert [each.status for each in found] == [201] * (HALF - 2) + [200, 409]
    assert stored(owner) == 2 * HALF - 2


def test_a_key_that_comes_twice_is_stored_once(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = uses(notes, "twice")
    (_, found), laid, _ = halves(monkeypatch, notes, uses(notes, "first"), [*twice[1:], twice[5]])
    assert laid.statement is None
    assert sorted(each.status for each in found) == [200] + [201] * (HALF - 1)
    assert stored(owner) == 2 * HALF - 1


def test_what_the_guard_takes_out_is_counted(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = event("crash", notes.names["Alice"], "second-9999")
    (_, found), laid, _ = halves(monkeypatch, notes, uses(notes, "first"), [*uses(notes, "second")[1:], told])
    assert laid.statement is None
    assert {each.status for each in found} == {201}
    counted = "SELECT sum(count)::bigint FROM troth.intake_count WHERE outcome = 'reduced' AND reason = 'e-mail'"
    assert owner.execute(counted.encode()).fetchone() == (1,)


def test_what_cannot_be_laid_out_for_whatever_reason_is_not_lost(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(ahead, "rolled", failing)
    found, laid, _ = halves(monkeypatch, notes, uses(notes, "first"), uses(notes, "second"))
    assert laid.statement is None
    assert [{each.status for each in half} for half in found] == [{201}] * 2
    assert stored(owner) == 2 * HALF


def test_what_is_about_somebody_who_is_not_known_is_left_to_its_commit(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    second = [*uses(notes, "second")[1:], event("feature_use", "nobody-known", "second-9999")]
    (_, found), laid, _ = halves(monkeypatch, notes, uses(notes, "first"), second)
    assert laid.statement is None
    assert [each.status for each in found] == [201] * (HALF - 1) + [403]
    assert stored(owner) == 2 * HALF - 1


def test_with_the_database_away_what_was_laid_out_is_kept_as_all_else_and_stored_once(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(gate: Gate, _laid: Laid) -> None:
        gate.away_until = 10**12

    (_, found), laid, commits = halves(monkeypatch, notes, uses(notes, "first"), uses(notes, "second"), leave)
    assert laid.statement is not None
    assert commits == []
    assert {(each.status, each.body["outcome"]) for each in found} == {(202, "kept")}

    async def drained() -> None:
        lean = Lean()
        await lean.start()
        await until(lambda: not lean.intake.gate.bridge.holds)
        await lean.stop()

    finished(drained())
    assert stored(owner) == 2 * HALF


def test_a_gate_that_stops_tells_those_whose_batch_was_laid_out(
    notes: Application, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def whole() -> list[Sent]:
        lean, stopped = Lean(), asyncio.Event()

        async def write_new(_connection: Any, _statement: store.Statement) -> bool:
            stopped.set()
            await asyncio.sleep(60)
            raise AssertionError

        await lean.start()
        await warmed(lean, notes)
        monkeypatch.setattr(store, "write_new", write_new)
        first = asyncio.ensure_future(sending(lean, notes, uses(notes, "first")))
        await stopped.wait()
        second = asyncio.ensure_future(sending(lean, notes, uses(notes, "second")))
        await until(lambda: lean.intake.gate.laid is not None)
        await lean.stop()
        return await first + await second

    assert {(each.status, each.body["code"]) for each in finished(whole())} == {(503, "unavailable")}
    assert stored(owner) == 0


def test_nothing_of_what_was_committed_waits_for_a_look(notes: Application) -> None:
    async def whole() -> None:
        lean = Lean()
        await lean.start()
        for nth in range(5):
            assert (await post(lean, uses(notes, f"alone-{nth}", many=1)[0], key=notes.key)).status == 201
        assert (len(lean.intake.gate.ahead.unseen), lean.intake.gate.ahead.many) == (0, 0)
        await lean.stop()

    finished(whole())
