"""A log that is followed: each line once, across rotation, truncation and packing, from where it was left."""

import asyncio
import gzip
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from psycopg import Connection

from tests.intake.test_accesslog import a_line, muted
from troth.cli.import_ import as_text
from troth.cli.tail import tail
from troth.database.errors import DatabaseRefusal
from troth.intake import tailing
from troth.intake.accesslog import Tally
from troth.intake.tailing import Tail


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes to a file that was renamed."""
    monkeypatch.setattr(tailing, "GRACE", 0.0)
    monkeypatch.setattr(tailing, "PAUSE", 0.01)


@pytest.fixture
def log(tmp_path: Path, database: Any) -> Path:
    return tmp_path / "access.log"


def write(log: Path, *numbers: int, end: str = "\n") -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write("\n".join(a_line(number) for number in numbers) + end)


def followed(log: Path) -> Tally:
    """Follow it to the end of what is there, as a process of its own would."""
    tail = Tail(log, str(log))
    asyncio.run(tail.follow(once=True))
    return tail.tally


def pages(owner: Connection[Any]) -> list[int]:
    rows = owner.execute("SELECT url FROM troth.access WHERE url ^@ '/page/'").fetchall()
    return sorted(int(url.rpartition("/")[2]) for (url,) in rows)


def test_what_is_appended_is_stored_and_nothing_twice(log: Path, owner: Connection[Any]) -> None:
    write(log, 0, 1, 2)
    assert followed(log).stored == 3
    assert followed(log).lines == 0
    write(log, 3)
    assert (followed(log).stored, pages(owner)) == (1, [0, 1, 2, 3])


def test_a_log_is_followed_where_the_word_of_who_follows_it_is_not_taken(log: Path, owner: Connection[Any]) -> None:
    muted(owner)
    for nth in range(3):
        write(log, nth)
        assert followed(log).stored == 1
    assert pages(owner) == [0, 1, 2]
    assert owner.execute("SELECT count(*) FROM troth.intake_node").fetchone() == (0,)


def test_a_line_is_taken_when_it_has_ended(log: Path, owner: Connection[Any]) -> None:
    write(log, 0, 1, end="")
    assert followed(log).stored == 1
    with log.open("a") as file:
        file.write("\n")
    assert followed(log).stored == 1
    assert pages(owner) == [0, 1]


def test_equal_lines_are_several(log: Path, owner: Connection[Any]) -> None:
    write(log, 7, 7)
    followed(log)
    write(log, 7)
    followed(log)
    assert pages(owner) == [7, 7, 7]


@pytest.mark.parametrize("packed", [False, True])
def test_a_renamed_file_is_read_to_its_end_and_so_is_what_came_between(
    log: Path, owner: Connection[Any], *, packed: bool
) -> None:
    write(log, 0, 1)
    followed(log)
    write(log, 2, 3)
    for numbers in ((4, 5), (6,), ()):
        rotated(log)
        if numbers:
            write(log, *numbers)
    if packed:
        for nth in (2, 3):
            plain = log.with_name(f"access.log.{nth}")
            kept = plain.stat()
            packing = log.with_name(f"access.log.{nth}.gz")
            packing.write_bytes(gzip.compress(plain.read_bytes()))
            os.utime(packing, ns=(kept.st_atime_ns, kept.st_mtime_ns))
            plain.unlink()
    followed(log)
    assert pages(owner) == [0, 1, 2, 3, 4, 5, 6]
    write(log, 7)
    followed(log)
    assert pages(owner) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_the_last_line_of_a_renamed_file_needs_no_end(log: Path, owner: Connection[Any]) -> None:
    write(log, 0, 1, end="")
    followed(log)
    log.rename(log.with_name("access.log.1"))
    write(log, 2)
    followed(log)
    assert pages(owner) == [0, 1, 2]


def test_while_a_renamed_file_may_still_grow_the_next_waits(
    log: Path, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, 0)
    followed(log)
    log.rename(log.with_name("access.log.1"))
    write(log, 2)
    monkeypatch.setattr(tailing, "GRACE", 1.0)
    tail = Tail(log, str(log))

    async def grown() -> None:
        following = asyncio.create_task(tail.follow(once=True))
        await asyncio.sleep(0.3)
        write(log.with_name("access.log.1"), 1)
        await following

    asyncio.run(grown())
    assert pages(owner) == [0, 1, 2]


def test_a_file_that_was_copied_and_cut_is_read_to_the_end_of_its_copy(log: Path, owner: Connection[Any]) -> None:
    write(log, 0, 1)
    followed(log)
    write(log, 2)
    shutil.copyfile(log, log.with_name("access.log.1"))
    with log.open("r+") as file:
        file.truncate()
    write(log, 3)
    followed(log)
    assert pages(owner) == [0, 1, 2, 3]


def rotated(log: Path) -> None:
    """Give every file its next name."""
    for nth in range(5, 0, -1):
        older = log.with_name(f"access.log.{nth}")
        if older.exists():
            older.rename(log.with_name(f"access.log.{nth + 1}"))
    log.rename(log.with_name("access.log.1"))


def cut(log: Path) -> None:
    """Copy it, and empty it."""
    shutil.copyfile(log, log.with_name("access.log.1"))
    os.truncate(log, 0)


def before(patched: pytest.MonkeyPatch, whose: Any, name: str, done: Callable[[], None]) -> None:
    """Do something once, right before a function is called."""
    original, waiting = getattr(whose, name), [done]

    def first(*given: Any) -> Any:
        while waiting:
            waiting.pop()()
        return original(*given)

    patched.setattr(whose, name, first)


@pytest.mark.parametrize("where", ["_keep", "_lines", "_holds"])
@pytest.mark.parametrize("then", [(), (2, 3, 4, 5)])
def test_a_file_that_is_cut_while_it_is_read_loses_nothing(
    log: Path, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, where: str, then: tuple[int, ...]
) -> None:
    """What begins it afterwards is not taken for the beginning of what was read."""

    def happens() -> None:
        cut(log)
        if then:
            write(log, *then)

    write(log, 0, 1)
    before(monkeypatch, Tail, where, happens)
    followed(log)
    write(log, 6)
    followed(log)
    assert pages(owner) == [0, 1, *then, 6]


@pytest.mark.parametrize("begun", [True, False])
def test_a_file_that_was_only_begun_is_found_in_its_copy(
    log: Path, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    def killed(*_given: Any) -> None:
        raise KeyboardInterrupt

    if begun:
        write(log, 0, 1)
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(Tail, "_keep", killed)
            followed(log)
    else:
        log.touch()
        followed(log)
        time.sleep(0.05)  # what a file is stamped with may be some milliseconds old
        write(log, 0, 1)
    cut(log)
    write(log, 2)
    followed(log)
    assert pages(owner) == [0, 1, 2]


def test_what_is_rotated_while_a_backlog_is_read_is_read_too(
    log: Path, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, 0)
    followed(log)
    write(log, 1)
    rotated(log)
    write(log, 2)

    def happens() -> None:
        rotated(log)
        write(log, 3)

    before(monkeypatch, Tail, "_keep", happens)
    followed(log)
    assert pages(owner) == [0, 1, 2, 3]


def test_a_file_that_was_rotated_between_its_name_and_its_opening_is_not_passed_over(
    log: Path, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, 0)
    followed(log)
    rotated(log)
    write(log, 1)

    def happens() -> None:
        rotated(log)
        write(log, 2)

    before(monkeypatch, Tail, "_begun", happens)
    followed(log)
    assert pages(owner) == [0, 1, 2]


def test_where_a_file_is_gone_those_that_came_after_it_are_read(
    log: Path, owner: Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    write(log, 0)
    followed(log)
    time.sleep(0.05)
    for number in (1, 2):
        rotated(log)
        write(log, number)
    log.with_name("access.log.2").unlink()
    followed(log)
    assert (pages(owner), "is gone" in caplog.text) == ([0, 1, 2], True)


def test_part_of_a_line_is_no_mark_of_a_file(log: Path, owner: Connection[Any]) -> None:
    """The next file may begin with the same address."""
    text = a_line(0)
    log.write_text(text[:9], "utf-8")
    followed(log)
    time.sleep(0.05)
    with log.open("a") as file:
        file.write(text[9:] + "\n")
    cut(log)
    write(log, 1)
    followed(log)
    assert pages(owner) == [0, 1]


def test_a_file_that_was_emptied_begins_anew(log: Path, owner: Connection[Any]) -> None:
    write(log, 0, 1)
    followed(log)
    log.write_bytes(b"")
    followed(log)
    write(log, 0)
    followed(log)
    assert pages(owner) == [0, 0, 1]


def test_what_a_kill_leaves_between_the_commit_and_the_place_is_not_stored_twice(
    log: Path, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, *range(5))
    remember = Tail._remember

    def killed(tail: Tail, at: tailing.Place) -> None:
        if at.offset:
            raise KeyboardInterrupt
        remember(tail, at)

    with monkeypatch.context() as patched:
        patched.setattr(Tail, "_remember", killed)
        with pytest.raises(KeyboardInterrupt):
            followed(log)
    assert pages(owner) == [0, 1, 2, 3, 4]
    found = followed(log)
    assert (found.already, found.stored, pages(owner)) == (5, 0, [0, 1, 2, 3, 4])


def test_the_place_holds_nothing_of_a_line(log: Path) -> None:
    write(log, 4711)
    followed(log)
    said = Tail(log, str(log)).memory.read_text("utf-8")
    assert '"offset":' in said
    for word in ("4711", "192.0.2.7", "page", "Firefox"):
        assert not re.search(rf"\b{word}\b", said)  # within a longer number or digest it says nothing


def test_overlong_lines_and_nonsense_take_nothing_along(log: Path, owner: Connection[Any]) -> None:
    write(log, 0)
    with log.open("a") as file:
        file.write("x" * 500_000 + "\nnonsense\n")
    write(log, 1)
    found = followed(log)
    assert (found.lines, found.stored, pages(owner)) == (4, 2, [0, 1])
    assert (found.unread, found.malformed) == (2, [])
    assert "         2 malformed" in as_text(found)


def test_a_log_that_is_not_there_is_said_to_be_missing_where_nobody_waits_for_it(log: Path) -> None:
    done = CliRunner().invoke(tail, [str(log), "--once"])
    assert isinstance(done.exception, DatabaseRefusal)
    assert f"there is no `{log}`" in str(done.exception)
