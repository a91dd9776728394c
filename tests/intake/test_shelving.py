"""Accesses while the database is away: what it permitted a moment ago is sealed, judged again when it is back, stored once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import finished
from tests.intake.test_away import away
from tests.intake.test_recorder import an_access, counted, in_purposes, rows, stored
from tests.rights.asking import erased
from troth.database import connect, place
from troth.database.place import Place
from troth.intake import recorder, shelving
from troth.intake.folding import EVERYTHING
from troth.intake.recorder import Recorder
from troth.intake.shelf import Folder
from troth.intake.spool import KEY, SEGMENT

type Play = Callable[[Recorder], Awaitable[None]]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said is believed for as long as a busy machine needs."""
    monkeypatch.setattr(shelving, "LEASE", 600.0)
    monkeypatch.setattr(recorder, "PAUSES", (0.2,) * 200)
    monkeypatch.setattr(recorder, "PAUSE", 0.2)


def run(*plays: Play) -> None:
    """Play each against a recorder of its own, one after the other; what one leaves the next one finds."""

    async def whole(play: Play) -> None:
        each = Recorder()
        await each.start()
        try:
            await play(each)
        finally:
            each.pool = await _ended(each.pool)
            await each.stop()

    for play in plays:
        finished(whole(play))


async def _ended(pool: Any) -> Any:
    if pool is not None:
        pool.terminate()


def lying() -> list[str]:
    folder = place.current().data / "spool" / "accesses"
    return sorted(file.suffix for file in folder.iterdir() if file.name != "lock")


async def ready(each: Recorder, *about: Person) -> None:
    """Let the recorder have asked the database."""
    for person in about:
        each.record(an_access(person.subject, "/before"))
    each.record(an_access(url="/before"))
    await stored(each)


async def shelved(each: Recorder, many: int) -> None:
    async with asyncio.timeout(30):
        while each.shelved.many < many or each.waiting or each.taken:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)


def rolled(owner: Connection[Any]) -> int:
    found = owner.execute(
        "SELECT coalesce(sum(count), 0) FROM troth.rollup WHERE dimension = %s", (EVERYTHING,)
    ).fetchone()
    return int(found[0]) if found else 0


def test_they_are_sealed_and_stored_once_when_the_database_is_back(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]

    async def play(each: Recorder) -> None:
        await ready(each, alice)
        with away(owner):
            for nth in range(5):
                each.record(an_access(alice.subject, f"/during/{nth}"))
            each.record(an_access(url="/during/visit"))
            await shelved(each, 6)
            each.record(an_access(alice.subject, "/during/later"))
            await shelved(each, 7)
            assert lying() == [KEY, SEGMENT]
            told = b"".join(file.read_bytes() for file in (place.current().data / "spool" / "accesses").iterdir())
            for word in ("during", "Firefox", "192.0.2", str(alice.subject)):
                assert word.encode() not in told
            assert alice.subject.bytes not in told
            assert rows(owner, "/during") == []
        await stored(each)
        assert lying() == []

    run(play)
    assert sorted(url for _, url, *_ in rows(owner, "/during")) == [
        *(f"/during/{nth}" for nth in range(5)), "/during/later", "/during/visit",
    ]  # fmt: skip
    assert not [key for key in counted(owner) if key[0] == "dropped"]


def test_what_cannot_be_judged_or_is_not_permitted_touches_no_disk(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = cast["alice"], cast["bob"]

    async def play(each: Recorder) -> None:
        await ready(each, alice)
        with away(owner):
            each.record(an_access(alice.subject, "/wait/declined", uses=0))
            each.record(an_access(bob.subject, "/wait/lapsed", asked=time.monotonic() - 700))
            each.record(an_access(url="/wait/whose", unsaid=True, status=503))
            await asyncio.sleep(1)
            assert lying() == []
            each.record(an_access(alice.subject, "/wait/again"))
            each.record(an_access(url="/wait/visit"))
            await asyncio.sleep(1)
            assert each.shelved.many == 2, "who said yes again, and who is nobody"
            assert len(each.waiting) + each.taken == 3
            monkeypatch.setattr(shelving, "LEASE", 0.0)
            each.record(an_access(url="/wait/longer"))
            await asyncio.sleep(1)
            assert each.shelved.many == 2
        await stored(each)

    run(play)
    # What waited in memory is judged by the database alone.
    assert {url.rpartition("/")[2] for _, url, *_ in rows(owner, "/wait")} == {
        "lapsed", "whose", "again", "visit", "longer",
    }  # fmt: skip


@pytest.mark.parametrize("taken", ["lease", "said"])
def test_the_mutations_what_was_said_is_believed_for_ever_and_whoever_could_not_be_asked_is_nobody(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    real = shelving.Shelved._passes

    def believing(self: Any, event: Any, *told: Any) -> bool:
        if taken == "lease":
            self.said[event.subject] = event.uses, time.monotonic()
            event.asked = time.monotonic()
        else:
            event.unsaid = False
        return real(self, event, *told)

    monkeypatch.setattr(shelving.Shelved, "_passes", believing)
    with pytest.raises(AssertionError):
        test_what_cannot_be_judged_or_is_not_permitted_touches_no_disk(cast, owner, monkeypatch)


def test_who_never_heard_the_policy_shelves_nothing(database: Place, owner: Connection[Any]) -> None:
    async def play(each: Recorder) -> None:
        with away(owner):
            each.record(an_access(url="/cold"))
            await asyncio.sleep(0.7)
            assert lying() == []
        await stored(each)

    run(play)
    assert len(rows(owner, "/cold")) == 1


def test_who_withdrew_or_was_erased_meanwhile_is_obeyed(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice, bob = cast["alice"], cast["bob"]

    async def play(each: Recorder) -> None:
        await ready(each, alice, bob)
        with away(owner):
            for who in (alice, bob):
                each.record(an_access(who.subject, "/meanwhile"))
            await shelved(each, 2)
            erased(owner, alice)
            with connect.acting("self", token=bob.token) as viewer:
                viewer.execute("SELECT troth.choose('understand', 'objection')")
        await stored(each)
        assert lying() == []

    run(play)
    assert [subject for subject, *_ in rows(owner, "/meanwhile")] == [bob.subject]
    assert counted(owner).get(("refused", "person-declined")) == 1
    mine = owner.execute("SELECT uses, url FROM troth.access WHERE subject = %s ORDER BY id", (bob.subject,)).fetchall()
    assert not [stamp for stamp, _ in mine if stamp & in_purposes("understand")]


def test_were_nobody_asked_again_who_was_erased_would_have_an_access_stored(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def believing(*_told: Any) -> None: ...

    monkeypatch.setattr(recorder, "ask_again", believing)
    with pytest.raises(AssertionError):
        test_who_withdrew_or_was_erased_meanwhile_is_obeyed(cast, owner)


def test_what_a_process_that_ended_left_is_stored_by_the_next_however_often_it_stumbles(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def before(each: Recorder) -> None:
        await ready(each)
        with away(owner):
            for nth in range(10):
                each.record(an_access(url=f"/left/{nth}"))
            await shelved(each, 10)
            assert each.task is not None
            each.task.cancel()
            await asyncio.gather(each.task, return_exceptions=True)

    async def after(each: Recorder) -> None:
        await stored(each)

    real, calls = Recorder._restore, [0]

    async def stumbling(self: Any, kept: Any) -> None:
        """As if the service died behind a commit, before the shelf was told."""
        await real(self, kept)
        calls[0] += 1
        if calls[0] < 3:
            raise ConnectionResetError

    monkeypatch.setattr(Recorder, "_restore", stumbling)
    run(before, after)
    assert calls[0] >= 3
    urls = [url for _, url, *_ in rows(owner, "/left")]
    assert len(urls) == len(set(urls)) == 10
    assert rolled(owner) == 11


def test_where_some_of_a_batch_was_stored_before_each_is_stored_and_counted_once(
    database: Place, owner: Connection[Any]
) -> None:
    many = [an_access(url=f"/twice/{nth}") for nth in range(9)]

    async def play(each: Recorder) -> None:
        for part in (many[:4], many[2:7], many):
            for event in part:
                each.record(event)
            await stored(each)

    run(play)
    assert len(rows(owner, "/twice")) == 9
    assert rolled(owner) == 9


def test_were_what_was_there_not_noticed_it_would_be_counted_twice(
    database: Place, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = asyncpg.Connection.execute

    async def all_new(self: Any, query: str, *told: Any, **more: Any) -> str:
        done = await real(self, query, *told, **more)
        return f"INSERT 0 {len(told[0])}" if 'INSERT INTO troth."access"' in query or "troth.access" in query else done

    monkeypatch.setattr(asyncpg.Connection, "execute", all_new)
    with pytest.raises(AssertionError):
        test_where_some_of_a_batch_was_stored_before_each_is_stored_and_counted_once(database, owner)


@contextmanager
def full(each: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    shelf = each.shelved.shelf
    assert isinstance(shelf, Folder)
    with monkeypatch.context() as patch:
        patch.setattr("troth.intake.spool.ROOM", 10)
        yield


def test_where_the_shelf_is_full_they_wait_in_memory_as_long_as_that_has_room(
    database: Place, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(each: Recorder) -> None:
        await ready(each)
        with away(owner), full(each, monkeypatch):
            for nth in range(5):
                each.record(an_access(url=f"/full/{nth}"))
            await asyncio.sleep(0.7)
            assert each.shelved.many == 0
            assert len(each.waiting) + each.taken == 5
        await stored(each)

    run(play)
    assert len(rows(owner, "/full")) == 5


def test_more_than_memory_has_room_for_is_stored_where_an_outage_is_short(
    database: Place, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "ROOM", 20)

    async def play(each: Recorder) -> None:
        await ready(each)
        with away(owner):
            for nth in range(100):
                each.record(an_access(url=f"/crowd/{nth}"))
                if nth % 15 == 14:
                    await shelved(each, nth + 1)
        await stored(each)

    run(play)
    assert len(rows(owner, "/crowd")) == 100
    assert not [key for key in counted(owner) if key[0] == "dropped"]


def test_torn_or_too_old_they_are_counted(
    database: Place, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def before(each: Recorder) -> None:
        await ready(each)
        with away(owner):
            each.record(an_access(url="/torn/whole"))
            await shelved(each, 1)
            each.record(an_access(url="/torn/half"))
            await shelved(each, 2)
            each.task.cancel()  # type: ignore[union-attr]

    async def noted(reason: str) -> None:
        """Wait until it is counted, and the recorder knows: one that is ended in between counts it again."""
        async with asyncio.timeout(30):
            while ("dropped", reason) not in counted(owner):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)

    async def after(_each: Recorder) -> None:
        await noted("spool-torn")

    async def aged(_each: Recorder) -> None:
        monkeypatch.setattr("troth.intake.spool.LONGEST", -1.0)
        await noted("spool-expired")

    def torn() -> None:
        (file,) = (place.current().data / "spool" / "accesses").glob(f"*{SEGMENT}")
        file.write_bytes(file.read_bytes()[:-3])

    run(before)
    torn()
    run(after)
    assert [url for _, url, *_ in rows(owner, "/torn")] == ["/torn/whole"]
    assert counted(owner)["dropped", "spool-torn"] == 1
    run(before, aged)
    assert counted(owner)["dropped", "spool-expired"] == 2
