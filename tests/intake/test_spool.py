"""What is acknowledged while the database is away is on the disk, sealed; whatever is torn off, what was whole before is read."""

import errno
import json
import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from troth.intake import spool
from troth.intake.spool import HOUR, KEY, LONGEST, SEGMENT, TORN, Spool, SpoolFull

SECRET = bytes(range(32))
RECORDS = [b"first", b"", b"third " * 50]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool", SECRET)
    yield made
    made.close()


@contextmanager
def again(before: Spool, secret: bytes = SECRET) -> Iterator[Spool]:
    """As the next process finds it."""
    before.close()
    with closing(Spool(before.folder, secret)) as after:
        yield after


def test_what_was_kept_is_read_in_order_by_the_next_process_and_goes_with_its_key(kept: Spool) -> None:
    for record in RECORDS:
        kept.append(record, 1)
    (name,) = kept.names
    with again(kept) as after:
        assert after.names == [name]
        assert after.read(name) == spool.Read(RECORDS, torn=False)
        after.forget(name)
        assert [file.name for file in after.folder.iterdir()] == ["lock"]


def test_neither_the_folder_alone_nor_a_segment_without_its_key_says_anything(kept: Spool, tmp_path: Path) -> None:
    kept.append(b"the diary of Alice", 1)
    (name,) = kept.names
    assert all(b"Alice" not in file.read_bytes() for file in kept.folder.iterdir())
    with again(kept, bytes(32)) as stranger:
        assert stranger.read(name) == spool.Read((), torn=True)
    (kept.folder / f"{name}{KEY}").unlink()
    with again(kept) as after:
        assert after.read(name) == spool.Read((), torn=True)


def test_torn_at_every_byte_what_was_whole_is_read_and_the_rest_set_aside(tmp_path: Path) -> None:
    made = Spool(tmp_path / "spool", SECRET)
    ends = [len(spool.MAGIC)]
    for record in RECORDS:
        made.append(record, 1)
        ends.append((made.folder / f"{made.names[0]}{SEGMENT}").stat().st_size)
    (name,) = made.names
    file = made.folder / f"{name}{SEGMENT}"
    whole = file.read_bytes()
    for length in range(len(whole) + 1):
        file.write_bytes(whole[:length])
        found = made.read(name)
        assert list(found.records) == RECORDS[: sum(end <= length for end in ends[1:])], length
        assert found.torn is (length not in {0, *ends}), length
    file.write_bytes(whole[:-1])
    made.forget(name, torn=True)
    assert {each.suffix for each in made.folder.iterdir()} == {TORN, KEY, ""}
    with again(made) as after:
        assert after.names == []


def test_a_changed_byte_a_moved_or_a_repeated_record_ends_what_is_read(kept: Spool) -> None:
    for record in (b"alike", b"alikE", b"aliKE"):
        kept.append(record, 1)
    (name,) = kept.names
    file = kept.folder / f"{name}{SEGMENT}"
    whole, start = file.read_bytes(), len(spool.MAGIC)
    size = (len(whole) - start) // 3
    first, second, third = (whole[start + nth * size : start + (nth + 1) * size] for nth in range(3))
    for parts, left in (
        ((first, third, second), 1), ((first, first, second), 1), ((second, third), 0), ((first, third), 1),
    ):  # fmt: skip
        file.write_bytes(spool.MAGIC + b"".join(parts))
        found = kept.read(name)
        assert (len(found.records), found.torn) == (left, True)
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1
        file.write_bytes(changed)
        found = kept.read(name)
        assert found.torn
        assert len(found.records) == max(0, (at - start) // size), at


def test_without_the_tag_it_would_be_believed(kept: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Blind:
        def __init__(self, _key: bytes) -> None: ...
        def encrypt(self, _nonce: bytes, content: bytes, _with: bytes) -> bytes:
            return content + bytes(spool.TAG)

        def decrypt(self, _nonce: bytes, content: bytes, _with: bytes) -> bytes:
            return content[: -spool.TAG]

    monkeypatch.setattr(spool, "AESGCM", type("AESGCM", (Blind,), {"generate_key": staticmethod(os.urandom)}))
    kept.secret = Blind(b"")  # type: ignore[assignment]
    with pytest.raises(AssertionError):
        test_a_changed_byte_a_moved_or_a_repeated_record_ends_what_is_read(kept)


def test_one_key_seals_an_hour_and_after_a_day_nothing_lies_there(tmp_path: Path) -> None:
    now = [1_000_000.0]
    made = Spool(tmp_path / "spool", SECRET, clock=lambda: now[0])
    made.append(b"one", 2)
    made.append(b"two", 1)
    now[0] += HOUR
    made.append(b"three", 4)
    assert len(made.names) == 2
    keys = [(made.folder / f"{name}{KEY}").read_bytes() for name in made.names]
    assert keys[0] != keys[1]
    made.finish()
    now[0] += LONGEST - HOUR
    assert made.expire() == 0
    now[0] += 1
    assert made.expire() == 3
    assert len(made.names) == 1
    now[0] += HOUR
    assert made.expire() == 4
    assert [file.name for file in made.folder.iterdir()] == ["lock"]
    made.close()


def test_no_more_lies_there_than_may(kept: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "ROOM", 2_000)
    with pytest.raises(SpoolFull):
        for _ in range(100):
            kept.append(b"x" * 100, 1)
    assert sum(file.stat().st_size for file in kept.folder.iterdir()) <= 2_000
    (name,) = kept.names
    assert not kept.read(name).torn


def test_two_processes_do_not_share_it(kept: Spool) -> None:
    with pytest.raises(OSError, match="unavailable"):
        Spool(kept.folder, SECRET)


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("seed", [7, 20261129])
def test_what_the_disk_refuses_is_not_kept_and_what_it_took_before_and_after_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, seed: int
) -> None:
    print(f"seed {seed}")
    chance, real = random.Random(seed), getattr(os, call)
    failing = False

    def sometimes(*told: object) -> object:
        if failing and chance.random() < 0.3:
            if call == "write":
                real(told[0], bytes(told[1])[: chance.randrange(40)])  # type: ignore[call-overload]
            raise OSError(chance.choice([errno.ENOSPC, errno.EIO]), "the disk says no")
        return real(*told)

    monkeypatch.setattr(os, call, sometimes)
    made, kept, failed, failing = Spool(tmp_path / "spool", SECRET), list[bytes](), 0, True
    for nth in range(200):
        record = b"%d" % nth + b"." * chance.randrange(200)
        try:
            made.append(record, 1)
        except OSError:
            failed += 1
        else:
            kept.append(record)
    failing = False
    with again(made) as after:
        found = [record for name in after.names for record in after.read(name).records]
    assert failed > 10
    assert found == kept


FILLED = """
import sys
from pathlib import Path
from troth.intake.spool import Spool
kept = Spool(Path(sys.argv[1]), bytes(range(32)))
try:
    for nth in range(10_000):
        kept.append(b"%06d" % nth + b"." * 3_000, 1)
        print(nth, flush=True)
except OSError as error:
    print(type(error).__name__, error.errno, flush=True)
"""


def test_a_file_that_may_grow_no_further_ends_what_is_acknowledged_and_nothing_before_it(tmp_path: Path) -> None:
    """A limit of the operating system's, as a full disk is: the last record was written in part."""
    done = subprocess.run(
        [sys.executable, "-c", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + FILLED, str(tmp_path / "spool")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    *acknowledged, last = done.stdout.splitlines()
    assert last.split()[1] == str(errno.EFBIG)
    with closing(Spool(tmp_path / "spool", SECRET)) as after:
        found = [int(record[:6]) for name in after.names for record in after.read(name).records]
    assert found == [int(each) for each in acknowledged]
    assert len(found) > 20


STUMBLING = """
import json, sys
from contextlib import closing
from pathlib import Path
from troth.intake.spool import Spool
kept, refused = [], []
with closing(Spool(Path(sys.argv[1]), bytes(range(32)))) as spool:
    for nth in range(int(sys.argv[2])):
        try:
            spool.append(b"%06d" % nth + b"." * 3_000, 1)
            kept.append(nth)
        except OSError as error:
            refused.append(error.errno)
with closing(Spool(Path(sys.argv[1]), bytes(range(32)))) as spool:
    found = [int(record[:6]) for name in spool.names for record in spool.read(name).records]
print(json.dumps([kept, refused, found]))
"""


def stumbled(folder: Path, *before: str, many: int = 60) -> tuple[list[int], list[int], list[int]]:
    """Keep records in a process of its own; return which were acknowledged, what the disk said, which are there."""
    done = subprocess.run(
        [*before, sys.executable, "-c", STUMBLING, str(folder), str(many)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    kept, refused, found = json.loads(done.stdout)
    return kept, refused, found


def traces() -> bool:
    """Whether what a process asks of the kernel can be answered for it here."""
    asked = ["strace", "-f", "-qq", "-o", "/dev/null", "true"]
    return bool(shutil.which("strace")) and not subprocess.run(asked, capture_output=True, check=False).returncode


@pytest.mark.skipif(not traces(), reason="nothing here may trace a process")
@pytest.mark.parametrize("call", ["fsync", "write"])
def test_an_error_of_the_disk_itself_is_never_acknowledged(tmp_path: Path, call: str) -> None:
    """The kernel's answer is replaced, so nothing of ours can look away."""
    which = f"{call}:error=EIO:when={9 if call == 'fsync' else 12}+7"
    traced = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={which}"]
    kept, refused, found = stumbled(tmp_path / "spool", *traced)
    assert set(refused) == {errno.EIO}
    assert len(kept) > 20
    assert set(kept) <= set(found)
    assert len(found) == len(set(found))
    assert found == sorted(found)


@pytest.mark.skipif(bool(os.geteuid()), reason="only root mounts a small disk")
def test_a_full_disk_ends_what_is_acknowledged_and_nothing_before_it(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run([shutil.which("mount") or "mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)], check=True)
    try:
        kept, refused, found = stumbled(disk / "spool", many=100)
    finally:
        subprocess.run([shutil.which("umount") or "umount", str(disk)], check=True)
    assert set(refused) == {errno.ENOSPC}
    assert len(kept) > 20
    assert found == kept
