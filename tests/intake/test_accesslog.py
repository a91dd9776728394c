"""Access logs come in once: every line is stored, refused, already there or malformed, and the four add up."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from tests.conftest import SHARED
from troth.cli.import_ import access_log
from troth.database import published
from troth.database.errors import DatabaseRefusal
from troth.database.place import Place
from troth.intake import keeping
from troth.intake.accesslog import Tally, bring_in, last_time, source_of
from troth.intake.lines import event_of
from troth.policy.meaning import Occasion, Window, WindowKind

TROTH = Path(sys.executable).with_name("troth")
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def stamp(at: datetime) -> str:
    return at.strftime("%d/%b/%Y:%H:%M:%S +0000")


def a_line(
    number: int = 0, *, days: float = 1, address: str = "192.0.2.7", combined: bool = True, url: str = ""
) -> str:
    at = datetime.now(UTC).replace(microsecond=0, second=0, minute=0) - timedelta(days=days)
    common = f'{address} - - [{stamp(at)}] "GET {url or f"/page/{number}"} HTTP/1.1" 200 512'
    return common + (f' "https://elsewhere.example/a?token=x" "{AGENT}"' if combined else "")


def a_log(folder: Path, lines: list[str], name: str = "access.log") -> Path:
    file = folder / name
    text = "".join(f"{line}\n" for line in lines).encode()
    file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return file


def brought(file: Path, *, shift: bool = False, source: str = "test") -> Tally:
    found = asyncio.run(bring_in(file, source=source, shift_to_now=shift))
    assert found.lines == found.stored + found.already + found.refused.total() + len(found.malformed)
    return found


def many(owner: Connection[Any]) -> int:
    row = owner.execute("SELECT count(*) FROM troth.access").fetchone()
    assert row is not None
    return int(row[0])


def test_common_and_combined_lines_are_judged_as_the_visit_would_have_been(
    tmp_path: Path, owner: Connection[Any]
) -> None:
    found = brought(
        a_log(
            tmp_path, [a_line(1, url="/x?password=hunter2"), a_line(2, combined=False, address="2001:db8:aaaa:bbbb::1")]
        )
    )
    assert (found.lines, found.stored) == (2, 2)
    rows = owner.execute(
        "SELECT subject, method, url, status, host(ip), text(network), referrer, browser, system, kind FROM troth.access ORDER BY status, url DESC"
    )
    nobody = "00000000-0000-0000-0000-000000000000"
    first, second = sorted(rows.fetchall(), key=lambda row: str(row[2]), reverse=True)
    assert tuple(map(str, first)) == (
        nobody,
        "GET",
        "/x?password=-",
        "200",
        "192.0.2.0",
        "192.0.2.0/24",
        "None",
        "Firefox 140",
        "None",
        "computer",
    )
    assert tuple(map(str, second)) == (
        nobody,
        "GET",
        "/page/2",
        "200",
        "2001:db8:aaaa::",
        "2001:db8:aaaa::/48",
        "None",
        "None",
        "None",
        "None",
    )


def test_whoever_looks_at_the_figures_elsewhere_learns_of_it(tmp_path: Path, owner: Connection[Any]) -> None:
    commits = "SELECT coalesce(sum(commits), 0)::int FROM troth.intake_node"
    log = a_log(tmp_path, [a_line(1), a_line(2)])
    (before,) = owner.execute(commits).fetchone() or (0,)
    brought(log)
    (once,) = owner.execute(commits).fetchone() or (0,)
    brought(log)  # nothing of it is new
    assert (once > before, owner.execute(commits).fetchone()) == (True, (once,))


def test_the_sums_add_up_and_say_why(tmp_path: Path, owner: Connection[Any]) -> None:
    lines = [a_line(1), "nonsense", a_line(2, days=91), "", a_line(3, days=-2), a_line(4)]
    found = brought(a_log(tmp_path, lines))
    assert (found.lines, found.stored, found.already) == (6, 2, 0)
    assert found.refused == {"older-than-every-window": 1, "in-the-future": 1}
    assert found.malformed == [("access.log", 2), ("access.log", 4)]
    assert many(owner) == 2
    counted = owner.execute("SELECT outcome, reason, count FROM troth.intake_count ORDER BY reason").fetchall()
    assert counted == [  # what the operator's page shows
        ("refused", "in-the-future", 1),
        ("refused", "malformed-line", 2),
        ("refused", "older-than-every-window", 1),
    ]


def test_the_same_file_again_or_grown_or_packed_stores_nothing_twice(tmp_path: Path, owner: Connection[Any]) -> None:
    lines = [a_line(place % 5) for place in range(40)]
    assert brought(a_log(tmp_path, lines)).stored == 40
    again = brought(a_log(tmp_path, lines))
    assert (again.stored, again.already) == (0, 40)
    grown = brought(a_log(tmp_path, [*lines, a_line(1), a_line(77)], name="access.log.gz"))
    assert (grown.stored, grown.already) == (2, 40)
    assert many(owner) == 42


def test_lines_of_another_source_are_other_lines(tmp_path: Path, owner: Connection[Any]) -> None:
    file = a_log(tmp_path, [a_line(1)])
    assert brought(file, source="first").stored == brought(file, source="second").stored == 1
    assert many(owner) == 2


def test_keys_tell_nothing_about_lines(tmp_path: Path, owner: Connection[Any]) -> None:
    """Whoever reads the keys and guesses a line cannot see whether it was there: the digest is keyed."""
    import hashlib

    line = a_line(1)
    brought(a_log(tmp_path, [line]))
    keys = {bytes(key) for (key,) in owner.execute("SELECT key FROM troth.imported").fetchall()}
    assert len(keys) == 1
    assert hashlib.sha256(line.encode()).digest() not in keys


def test_shifting_moves_the_last_line_to_now_and_doubles_nothing(tmp_path: Path, owner: Connection[Any]) -> None:
    file = a_log(tmp_path, [a_line(1, days=4001), a_line(2, days=4000)])
    assert brought(file).refused == {"older-than-every-window": 2}
    assert brought(file, shift=True).stored == 2
    assert brought(file, shift=True).already == 2
    row = owner.execute(
        "SELECT statement_timestamp() - max(at) < '1 minute', max(at) - min(at) = '1 day' FROM troth.access"
    ).fetchone()
    assert row == (True, True)


def test_an_import_cut_off_anywhere_and_repeated_stores_each_line_once(
    tmp_path: Path, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.intake import accesslog
    from troth.intake.store import Store

    monkeypatch.setattr(accesslog, "BATCH", 10)
    file = a_log(tmp_path, [a_line(place) for place in range(95)])
    real = Store.write
    for cut in (0, 1, 4, 9):
        written = 0

        async def breaking(self: Store, connection: Any, events: Any, decided: Any, cut: int = cut) -> None:
            nonlocal written
            await real(self, connection, events, decided)
            written += 1
            if written > cut:
                raise ConnectionResetError

        monkeypatch.setattr(Store, "write", breaking)
        with pytest.raises(DatabaseRefusal, match="run the same import again"):
            brought(file)
        assert many(owner) == cut * 10
    monkeypatch.setattr(Store, "write", real)
    found = brought(file)
    assert (found.stored, found.already) == (5, 90)
    assert many(owner) == 95


def test_without_the_keys_lines_would_be_stored_twice(tmp_path: Path, owner: Connection[Any]) -> None:
    """The control taken away."""
    file = a_log(tmp_path, [a_line(1)])
    brought(file)
    owner.execute("TRUNCATE troth.imported")
    brought(file)
    assert many(owner) == 2


def test_keys_are_forgotten_once_their_lines_are_refused_for_their_age(tmp_path: Path, owner: Connection[Any]) -> None:
    """Visits are used for 90 days, and a file that was rotated is brought in once more at most 31 days later."""
    file = a_log(tmp_path, [a_line(1)])
    brought(file)
    for days, left in ((120, 1), (122, 0)):
        owner.execute("UPDATE troth.imported SET at = statement_timestamp() - make_interval(days => %s)", (days,))
        keeping.forget(owner)
        assert owner.execute("SELECT count(*) FROM troth.imported").fetchone() == (left,)
    old = brought(a_log(tmp_path, [a_line(1, days=122)], name="access.log.9"))
    assert (old.stored, old.refused) == (0, {"older-than-every-window": 1})


def test_keys_of_visits_that_have_no_end_are_kept(database: Place) -> None:
    now = published.current()
    window, occasion = Window(WindowKind.ACCOUNT, 0), Occasion.VISIT
    endless = [
        replace(u, atoms=frozenset(replace(a, window=window) if a.occasion is occasion else a for a in u.atoms))
        for u in now.plan.units
    ]
    assert keeping.imported_for(now) == timedelta(days=121)
    assert keeping.imported_for(replace(now, plan=replace(now.plan, units=tuple(endless)))) is None
    unkept = tuple(each for each in now.plan.collected if each.occasion is not occasion)
    assert keeping.imported_for(replace(now, plan=replace(now.plan, collected=unkept))) == timedelta(days=31)


def command(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(TROTH), "import", "access-log", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert not check or done.returncode == 0, done.stderr
    return done


#: A database that takes what is stored, and no word of how the process that stores it does.
MUTE = "REVOKE EXECUTE ON FUNCTION troth.beat(uuid, timestamptz, timestamptz, bigint, bigint []) FROM {role}"


def muted(owner: Connection[Any]) -> None:
    (role,) = owner.execute("SELECT current_database() || '_intake'").fetchone() or ("",)
    owner.execute(MUTE.format(role=role).encode())
    held = "SELECT has_function_privilege(%s, oid, 'EXECUTE') FROM pg_proc WHERE proname = 'beat'"
    assert owner.execute(held, (role,)).fetchall() == [(False,)]


def test_an_import_goes_on_where_its_word_of_itself_is_not_taken(tmp_path: Path, owner: Connection[Any]) -> None:
    """Each batch is committed before it is said: what cannot be said takes nothing along."""
    muted(owner)
    file = a_log(tmp_path, [a_line(nth) for nth in range(5)])
    assert brought(file).stored == 5
    assert brought(file).already == 5
    assert owner.execute("SELECT count(*) FROM troth.access WHERE url ^@ '/page/'").fetchone() == (5,)
    assert owner.execute("SELECT count(*) FROM troth.intake_node").fetchone() == (0,)


def test_the_command_prints_sums_and_the_numbers_of_malformed_lines(tmp_path: Path, owner: Connection[Any]) -> None:
    file = a_log(tmp_path, [a_line(1), "nonsense"])
    said = command(str(file)).stdout
    assert "2 lines" in said
    assert "1 stored" in said
    assert "line 2 of access.log" in said
    again = json.loads(command(str(file), "--format", "json").stdout)
    assert again == {
        "lines": 2,
        "stored": 0,
        "already": 1,
        "refused": {},
        "malformed": [{"file": "access.log", "line": 2}],
    }


@pytest.mark.asvs("5.2.3")
@pytest.mark.parametrize("damage", ["cut", "flipped", "no gzip"])
def test_a_damaged_packed_log_is_refused_with_a_sentence(tmp_path: Path, owner: Connection[Any], damage: str) -> None:
    file = a_log(
        tmp_path, [a_line(place, url=f"/{os.urandom(20).hex()}") for place in range(3000)], name="access.log.gz"
    )
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "cut": whole[:middle],
            "flipped": whole[:middle] + b"\xff" * 40 + whole[middle + 40 :],
            "no gzip": whole[:2] + whole[40:],
        }[damage]
    )
    done = command(str(file), check=False)
    assert done.returncode == 1
    assert f"`{file}` cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_killed_in_the_middle_and_run_again_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path, owner: Connection[Any]
) -> None:
    file = a_log(tmp_path, [a_line(place) for place in range(6_000)])
    for _ in range(2):
        before = many(owner)
        importing = subprocess.Popen(
            [str(TROTH), "import", "access-log", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while many(owner) == before and importing.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        importing.send_signal(signal.SIGKILL)
        importing.wait(10)
    found = json.loads(command(str(file), "--format", "json").stdout)
    assert found["stored"] + found["already"] == 6_000
    assert found["already"] > 0
    row = owner.execute("SELECT count(*), count(DISTINCT url) FROM troth.access").fetchone()
    assert row == (6_000, 6_000)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "-",
        '192.0.2.7 - - [31/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1',
        '192.0.2.7 - - [01/Foo/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1',
        '192.0.2.7 - - [01/Nov/2026:25:00:00 +0000] "GET / HTTP/1.1" 200 1',
        '192.0.2.7 - - [01/Nov/2026:10:00:00] "GET / HTTP/1.1" 200 1',
        '192.0.2.7 - - [01/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1 200 1',
        '192.0.2.7 - - [01/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" two 1',
    ],
)
def test_what_is_no_line_is_malformed(line: str) -> None:
    assert event_of(line.encode()) is None


def test_quotes_users_and_scanners_noise_are_read() -> None:
    escaped = event_of(rb'192.0.2.7 - a b [01/Nov/2026:10:00:00 +0530] "GET /a\"b HTTP/1.1" 404 - "-" "say \"hi\""')
    assert escaped is not None
    assert (escaped.url, escaped.status, escaped.agent) == ('/a\\"b', 404, 'say \\"hi\\"')
    assert escaped.at.astimezone(UTC) == datetime(2026, 11, 1, 4, 30, tzinfo=UTC)
    noise = event_of(rb'192.0.2.7 - - [01/Nov/2026:10:00:00 +0000] "\x16\x03\x01" 400 0')
    assert noise is not None
    assert (noise.method, noise.url, noise.status) == (None, None, 400)


@given(st.binary(max_size=400))
def test_no_line_makes_the_reader_stumble(line: bytes) -> None:
    event_of(line)
    event_of(b'192.0.2.7 - - [01/Nov/2026:10:00:00 +0000] "' + line + b'" 200 1 "' + line + b'" "' + line + b'"')


def test_a_hostile_line_is_read_in_linear_time() -> None:
    began = time.perf_counter()
    for line in (
        b"a - " + b" [" * 30_000,
        b'a - - [x] "' + b"\\" * 60_000,
        b'a - - [x] "' + b'" 200 1 "' * 7_000,
        b"a - " + b'[x] "' * 12_000,
    ):
        assert event_of(line) is None
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("access.log", "access.log"),
        ("access.log.1", "access.log"),
        ("access.log.12.gz", "access.log"),
        ("access.log-20261101.gz", "access.log"),
        ("access.1.log", "access.1.log"),
        ("site-2.log", "site-2.log"),
        (".1", ".1"),
    ],
)
def test_a_log_is_known_by_the_name_it_had_before_it_was_rotated(name: str, source: str) -> None:
    assert source_of(Path(name)) == source


def test_a_rotated_log_stores_nothing_twice(tmp_path: Path, owner: Connection[Any]) -> None:
    lines = [a_line(number) for number in range(3)]
    told = []
    for name, more in (("a.log", []), ("a.log.1", []), ("a.log.2.gz", []), ("a.log", [a_line(9)])):
        done = CliRunner().invoke(access_log, [str(a_log(tmp_path, lines + more, name)), "--format", "json"])
        assert done.exit_code == 0, done.output
        told.append((json.loads(done.output)["stored"], json.loads(done.output)["already"]))
    assert told == [(3, 0), (0, 3), (0, 3), (1, 3)]
    done = CliRunner().invoke(
        access_log, [str(a_log(tmp_path, lines, "renamed.log")), "--source", "a.log", "--format", "json"]
    )
    assert json.loads(done.output)["already"] == 3
    assert many(owner) == 4


@pytest.mark.real
def test_the_real_log_comes_in_whole_and_once(owner: Connection[Any]) -> None:
    file = SHARED / "access_logs" / "elastic_apache_logs.log"
    found = brought(file, shift=True)
    assert found.lines == 10_000
    assert found.stored > 9_900
    assert many(owner) == found.stored
    again = brought(file, shift=True)
    assert (again.stored, again.already) == (0, found.stored)
    row = owner.execute(
        "SELECT count(*) FILTER (WHERE host(ip) !~ '\\.0$'), count(referrer), count(system) FROM troth.access WHERE family(ip) = 4"
    ).fetchone()
    assert row == (0, 0, 0)


@pytest.mark.parametrize("time", ["31/Dec/9999:23:59:59 -2359", "01/Jan/0001:00:00:00 +2359"])
def test_a_time_at_the_end_of_all_calendars_is_malformed(time: str) -> None:
    assert event_of(f'192.0.2.7 - - [{time}] "GET / HTTP/1.1" 200 5'.encode()) is None


def test_a_line_from_far_ahead_moves_no_log_and_ends_no_import(owner: Connection[Any], tmp_path: Path) -> None:
    ahead = a_line(2).replace(a_line(2)[a_line(2).index("[") : a_line(2).index("]")], "[31/Dec/9999:00:00:00 +0000")
    found = brought(a_log(tmp_path, [a_line(1, days=400), ahead]), shift=True)
    assert (found.stored, dict(found.refused), many(owner)) == (1, {"in-the-future": 1}, 1)


def test_a_packed_line_without_an_end_takes_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "access.log.gz"
    with gzip.open(file, "wb", compresslevel=1) as packed:
        for _ in range(64):
            packed.write(b"x" * 1_000_000)
    tracemalloc.start()
    last_time(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000
