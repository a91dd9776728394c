"""While the database is away: who permits it, as it said a moment ago, is acknowledged, sealed, judged again, stored once."""

import asyncio
import random
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import Application, event, post, registered
from tests.rights.asking import erased, held
from troth.api.app import Lean
from troth.database import connect, place
from troth.intake import batches, bridging, gate, queries
from troth.intake.shelf import Folder
from troth.intake.spool import KEY, SEGMENT, Spool

type Play = Callable[[Lean], Awaitable[None]]
END = "SELECT troth.end_subject(%s, 'asked')"


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person], monkeypatch: pytest.MonkeyPatch) -> Application:
    """Harbor Notes, which Alice and Bob use; what the database said is believed for as long as a busy machine needs."""
    monkeypatch.setattr(bridging, "LEASE", 600.0)
    monkeypatch.setattr(gate, "LEASE", 600.0)
    monkeypatch.setattr(gate, "PAUSE", 0.2)
    made = registered(owner)
    for name in ("alice", "bob"):
        made.knows(cast[name])
    return made


@contextmanager
def away(owner: Connection[Any]) -> Iterator[None]:
    """The intake's role is let in no more, and whoever was in is put out: to the gate the database is away."""
    (limit,) = owner.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'troth_intake'").fetchone() or (-1,)
    owner.execute("ALTER ROLE troth_intake CONNECTION LIMIT 0")
    owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'troth_intake'")
    try:
        yield
    finally:
        owner.execute(f"ALTER ROLE troth_intake CONNECTION LIMIT {limit}".encode())


@asynccontextmanager
async def service() -> AsyncIterator[Lean]:
    lean = Lean()
    await lean.start()
    try:
        yield lean
    finally:
        await lean.stop()


def run(play: Play) -> None:
    """Play against a service of its own."""

    async def whole() -> None:
        async with service() as lean:
            await play(lean)

    asyncio.run(whole())


async def drained(lean: Lean) -> None:
    async with asyncio.timeout(60):
        while lean.intake.gate.bridge.holds or lean.intake.gate.bridge.lost:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)


def stored(owner: Connection[Any]) -> list[uuid.UUID]:
    return [subject for (subject,) in owner.execute("SELECT subject FROM troth.feature_use ORDER BY id").fetchall()]


def counted(owner: Connection[Any], outcome: str) -> dict[str, int]:
    found = owner.execute("SELECT reason, sum(count) FROM troth.intake_count WHERE outcome = %s GROUP BY 1", (outcome,))
    return {reason: int(many) for reason, many in found}


def lying() -> list[str]:
    folder = place.current().data / "spool"
    return sorted(file.suffix for file in folder.iterdir() if file.name != "lock")


def use(notes: Application, name: str, key: str, **told: Any) -> dict[str, Any]:
    return event("feature_use", notes.names[name], key, **told)


def test_it_is_acknowledged_sealed_and_stored_once_when_the_database_is_back(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    async def play(lean: Lean) -> None:
        assert (await post(lean, use(notes, "Alice", "before-1"), key=notes.key)).status == 201
        with away(owner):
            answer = await post(lean, use(notes, "Alice", "during-1"), key=notes.key)
            assert (answer.status, answer.body) == (202, {"outcome": "kept"})
            many = [use(notes, "Alice", f"during-{nth}") for nth in range(1, 4)]
            answer = await post(lean, many, key=notes.key)
            assert [each["outcome"] for each in answer.body["events"]] == ["repeated", "kept", "kept"]
            assert stored(owner) == [cast["alice"].subject]
            assert lying() == [KEY, SEGMENT]
            told = b"".join(file.read_bytes() for file in (place.current().data / "spool").iterdir())
            for word in ("export", "feature_use", notes.names["Alice"], notes.application, "during"):
                assert word.encode() not in told
        await drained(lean)
        assert stored(owner) == [cast["alice"].subject] * 4
        assert lying() == []
        for nth in range(1, 4):
            assert (await post(lean, use(notes, "Alice", f"during-{nth}"), key=notes.key)).status == 200
        assert stored(owner) == [cast["alice"].subject] * 4

    run(play)


def test_what_is_said_in_an_applications_own_words_is_not_kept_but_to_be_sent_again(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    async def play(lean: Lean) -> None:
        assert (await post(lean, use(notes, "Alice", "before-1"), key=notes.key)).status == 201
        with away(owner):
            own = use(notes, "Alice", "during-1", metadata={})
            assert (await post(lean, own, key=notes.key)).status == 503
            assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 202
        await drained(lean)
        assert stored(owner) == [cast["alice"].subject] * 2

    run(play)


def test_what_cannot_be_judged_or_is_not_permitted_is_not_kept_but_to_be_sent_again(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect.acting("self", token=cast["bob"].token) as viewer:
        viewer.execute("SELECT troth.choose('understand', 'objection')")

    async def play(lean: Lean) -> None:
        for name in ("Alice", "Bob"):
            await post(lean, use(notes, name, f"before-{name}"), key=notes.key)
        notes.knows(cast["charlie"])
        with away(owner):
            for what, body in (
                ("of whom nothing was asked", use(notes, "Charlie", "during-1")),
                ("who objected", use(notes, "Bob", "during-2")),
                ("one of several", [use(notes, "Alice", "during-3"), use(notes, "Bob", "during-4")]),
                ("whose browser objects", use(notes, "Alice", "during-5", objects=True)),
                ("about nobody", event("feature_use", "", "during-6")),
                ("long ago", use(notes, "Alice", "during-7", at="2020-01-01T00:00:00Z")),
            ):
                answer = await post(lean, body, key=notes.key)
                assert (answer.status, answer.headers[b"retry-after"]) == (503, b"5"), what
            assert lying() == []
            assert (await post(lean, use(notes, "Alice", "during-8"), key=notes.key)).status == 202
            monkeypatch.setattr(bridging, "LEASE", 0.0)
            assert (await post(lean, use(notes, "Alice", "during-9"), key=notes.key)).status == 503
            monkeypatch.setattr(gate, "LEASE", 0.0)
            lean.intake.gate.senders = {key: (name, 0.0) for key, (name, _) in lean.intake.gate.senders.items()}
            assert (await post(lean, use(notes, "Alice", "during-8"), key=notes.key)).status == 503
        await drained(lean)
        assert stored(owner) == [cast["alice"].subject] * 2

    run(play)


def test_the_mutation_what_was_said_is_believed_for_ever(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bridging.Bridge._passing

    def believing(self: Any, request: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(bridging, "LEASE", 600.0)
            return real(self, request)

    monkeypatch.setattr(bridging.Bridge, "_passing", believing)
    with pytest.raises(AssertionError):
        test_what_cannot_be_judged_or_is_not_permitted_is_not_kept_but_to_be_sent_again(notes, cast, owner, monkeypatch)


def test_another_event_under_the_same_key_is_a_conflict_there_and_when_it_is_stored(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    other = {"feature": "import", "outcome": "done"}

    async def play(lean: Lean) -> None:
        await post(lean, use(notes, "Alice", "taken-01"), key=notes.key)
        with away(owner):
            assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 202
            assert (await post(lean, use(notes, "Alice", "during-1", data=other), key=notes.key)).status == 409
            # Whether the database knows this key nobody can say now; when it is back, it does.
            assert (await post(lean, use(notes, "Alice", "taken-01", data=other), key=notes.key)).status == 202
        await drained(lean)

    run(play)
    found = owner.execute("SELECT feature FROM troth.feature_use ORDER BY id").fetchall()
    assert found == [("export",), ("export",)]
    assert counted(owner, "refused") == {"conflict": 1}


def test_who_withdrew_or_left_meanwhile_has_nothing_stored_and_is_told(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """By another node, say: this one acknowledged before it could hear of it, and the database judges again."""

    async def play(lean: Lean) -> None:
        for name in ("Alice", "Bob"):
            await post(lean, use(notes, name, f"before-{name}"), key=notes.key)
        with away(owner):
            for name in ("Alice", "Bob"):
                assert (await post(lean, use(notes, name, f"during-{name}"), key=notes.key)).status == 202
            with connect.acting("self", token=cast["alice"].token) as viewer:
                viewer.execute("SELECT troth.choose('understand', 'objection')")
            with connect.acting("door") as door:
                door.execute(END.encode(), (cast["bob"].subject,))
        await drained(lean)

    run(play)
    assert len(stored(owner)) == 2
    assert counted(owner, "refused") == {"person-declined": 1, "unknown-person": 1}
    assert [(each.reason, each.count) for each in queries.refusals(cast["alice"].token)] == [("person-declined", 1)]
    assert lying() == []


def test_who_was_erased_meanwhile_has_nothing_stored_and_nothing_of_theirs_is_left_lying(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    async def play(lean: Lean) -> None:
        await post(lean, use(notes, "Alice", "before-1"), key=notes.key)
        with away(owner):
            assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 202
            erased(owner, cast["alice"])
            assert lying() == [KEY, SEGMENT], "sealed, until the database is back"
        after = {name: len(rows) for name, rows in held(owner).items()}
        await drained(lean)
        assert {name: len(rows) for name, rows in held(owner).items()} == after

    run(play)
    assert counted(owner, "refused") == {"unknown-person": 1}
    assert lying() == []


def test_were_it_not_judged_again_the_database_would_still_refuse_it(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def believing(told: Any, known: Any, *_decisions: Any) -> Any:
        told.subject, told.uses = known.subject, -1 & ~(1 << 63)
        return told

    async def play(lean: Lean) -> None:
        await post(lean, use(notes, "Alice", "before-1"), key=notes.key)
        with away(owner):
            assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 202
            with connect.acting("self", token=cast["alice"].token) as viewer:
                viewer.execute("SELECT troth.choose('understand', 'objection')")
            monkeypatch.setattr("troth.intake.sent.judge", believing)
        await drained(lean)

    run(play)
    assert len(stored(owner)) == 1
    assert counted(owner, "refused") == {"refused-by-the-database": 1}


async def kept(lean: Lean, notes: Application, owner: Connection[Any], batches: int, each: int = 2) -> list[str]:
    """Have batches acknowledged while the database is away; return their keys."""
    await post(lean, use(notes, "Alice", "before-1"), key=notes.key)
    keys = []
    with away(owner):
        for batch in range(batches):
            names = [f"kept-{batch:03d}-{nth}" for nth in range(each)]
            answer = await post(lean, [use(notes, "Alice", name) for name in names], key=notes.key)
            keys += [n for n, told in zip(names, answer.body["events"], strict=True) if told["outcome"] == "kept"]
        await lean.intake.gate.stop()
    assert len(keys) == batches * each
    return keys


def left(notes: Application, owner: Connection[Any], batches: int) -> list[str]:
    """What a process that ended leaves in the spool: one that was killed leaves as much."""
    keys: list[str] = []

    async def play(lean: Lean) -> None:
        keys.extend(await kept(lean, notes, owner, batches))

    run(play)
    return keys


def test_what_a_process_that_ended_left_is_stored_by_the_next_before_anything_newer(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    keys = left(notes, owner, 3)

    async def play(lean: Lean) -> None:
        async with asyncio.timeout(60):
            assert (await post(lean, use(notes, "Alice", keys[0]), key=notes.key)).status in (200, 202)
        await drained(lean)

    run(play)
    assert len(stored(owner)) == len(keys) + 1
    assert lying() == []


@pytest.mark.parametrize("seed", [11, 20261129])
def test_delivered_twice_reordered_and_torn_each_acknowledged_event_is_stored_once_or_counted(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"seed {seed}")
    chance, folder = random.Random(seed), place.current().data / "spool"
    for nth in range(3):  # the same events, acknowledged by three processes one after another
        left(notes, owner, 2)
        folder.rename(folder.with_name(f"spool of {nth}"))
        owner.execute("DELETE FROM troth.feature_use")
    folder.mkdir()
    for file in (file for nth in range(3) for file in folder.with_name(f"spool of {nth}").iterdir()):
        file.rename(folder / file.name)
    for nth in range(3):
        folder.with_name(f"spool of {nth}").rmdir()
    first = min(folder.glob(f"*{SEGMENT}"))
    monkeypatch.setattr(Spool, "__init__", _shuffled(Spool.__init__, chance))
    first.write_bytes(first.read_bytes()[: -chance.randrange(1, 60)])
    calls, real = [0], gate.Gate._commit

    async def stumbling(self: Any, batch: Any) -> None:
        """As if the service died behind a commit, before it was noted anywhere."""
        await real(self, batch)
        calls[0] += 1
        if calls[0] % 2 and calls[0] < 8:
            raise ConnectionResetError

    monkeypatch.setattr(gate.Gate, "_commit", stumbling)

    async def play(lean: Lean) -> None:
        await drained(lean)

    run(play)
    print(f"{calls[0]} commits")
    found = owner.execute("SELECT count(*), count(DISTINCT id) FROM troth.feature_use").fetchone()
    assert found == (4, 4)
    assert counted(owner, "dropped") == {"spool-torn": 1}


def _shuffled(real: Any, chance: random.Random) -> Any:
    def made(self: Any, *told: Any, **more: Any) -> None:
        real(self, *told, **more)
        chance.shuffle(self.names)

    return made


def test_without_the_keys_it_would_be_stored_twice(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def each(_connection: Any, judged: Any) -> Any:
        for request, nth, told in judged:
            request.answers[nth] = gate.Answer(gate.Outcome.STORED)
            told.id = uuid.uuid4()
        return [told for _, _, told in judged]

    monkeypatch.setattr(batches, "fresh", each)
    with pytest.raises(AssertionError):
        test_delivered_twice_reordered_and_torn_each_acknowledged_event_is_stored_once_or_counted(
            notes, cast, owner, 11, monkeypatch
        )


def test_what_lay_there_too_long_is_gone_and_counted(
    notes: Application, cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    left(notes, owner, 2)
    monkeypatch.setattr("troth.intake.spool.LONGEST", -1.0)

    async def play(lean: Lean) -> None:
        await lean.intake.gate._drained()
        await drained(lean)

    run(play)
    assert lying() == []
    assert len(stored(owner)) == 1
    assert counted(owner, "dropped") == {"spool-expired": 4}


def test_where_nothing_can_be_kept_it_is_not_acknowledged(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    async def play(lean: Lean) -> None:
        await post(lean, use(notes, "Alice", "before-1"), key=notes.key)
        shelf = lean.intake.gate.bridge.shelf
        assert isinstance(shelf, Folder)
        spool = shelf.spool
        with away(owner):
            shutil.rmtree(spool.folder)
            for _ in range(2):
                assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 503
            spool.folder.mkdir()
            assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 202
        await drained(lean)
        assert len(stored(owner)) == 2

    run(play)


def test_a_known_answer_is_forgotten_when_the_database_says_otherwise(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    async def play(lean: Lean) -> None:
        await post(lean, use(notes, "Alice", "before-1"), key=notes.key)
        with connect.acting("self", token=cast["alice"].token) as viewer:
            viewer.execute("SELECT troth.choose('understand', 'objection')")
        assert (await post(lean, use(notes, "Alice", "before-2"), key=notes.key)).status == 403
        with away(owner):
            assert (await post(lean, use(notes, "Alice", "during-1"), key=notes.key)).status == 503
        assert lying() == []

    run(play)

    assert len(stored(owner)) == 1
