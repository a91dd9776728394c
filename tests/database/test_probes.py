"""What the keeper tries every minute as the roles themselves: everything holds, and what does not is said."""

import time
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person
from troth.database import connect, probes, published, pulse
from troth.database.keeper import Keeper
from troth.database.place import Place
from troth.database.probes import PROBES, Found
from troth.database.probing import Round

#: The control that is taken away, the probe that must say so, a word of what it says.
BROKEN = {
    "withheld": ("GRANT SELECT (ip) ON troth.access TO troth_understand", "access.ip"),
    "granted": ("REVOKE SELECT (url) ON troth.access FROM troth_understand", "understand"),
    "windows": ("ALTER POLICY understand_select ON troth.access USING (uses <> 0)", "30 days"),
    "stamped": ("ALTER POLICY announce_select ON troth.person USING (true)", "announce"),
    "writes": ("GRANT DELETE ON troth.access TO troth_protect", "protect"),
    "partitions": ("GRANT DELETE ON troth.access_other TO troth_understand", "access_other"),
    "apart": ("GRANT troth_protect TO troth_announce", "announce"),
    "makes": ("GRANT TEMP ON DATABASE troth TO PUBLIC", "temporary"),
    "functions": ("GRANT EXECUTE ON FUNCTION troth.fold(uuid) TO troth_self", "fold"),
    "viewer": ("ALTER POLICY self_select ON troth.person USING (true)", "person"),
    "intake": ("ALTER POLICY intake_insert ON troth.access WITH CHECK (true)", "access"),
    "ledger-closed": ("GRANT INSERT ON troth.ledger_entry TO troth_self", "self"),
    "ledger-tail": ("UPDATE troth.ledger_entry SET action = 'another' WHERE index = 3", "entry 3"),
    "versions": ("UPDATE troth.policy_version SET raised = 3", "version 1"),
    "drift": ("ALTER VIEW understand.access RESET (security_invoker)", "understand.access"),
    "outbox": ("UPDATE troth.notice SET next_try_at = statement_timestamp() - interval '11 minutes'", "1 notices"),
    "retention": ("UPDATE troth.access SET at = statement_timestamp() - interval '92 days'", "access"),
}
MENDED = {
    "apart": "REVOKE troth_protect FROM troth_announce",
}


def tried(where: Place, owner: Connection[Any]) -> dict[str, Found]:
    return {each.probe.name: each for each in probes.tried(where, owner)}


def one(where: Place, owner: Connection[Any], name: str) -> Found:
    probe = next(each for each in PROBES if each.name == name)
    now = published.on(owner)
    assert now is not None
    with Round(where, owner, now) as turn:
        return probes.found(probe, turn)


@pytest.fixture
def told(cast: dict[str, Person], owner: Connection[Any]) -> dict[str, Person]:
    owner.execute(
        "INSERT INTO troth.notice (subject, address, template, facts) VALUES (%s, 'a@harbor.example', 'code', '{}')",
        (cast["alice"].subject,),
    )
    return cast


def test_everything_holds_in_little_time_and_nothing_is_left_behind(
    told: dict[str, Person], owner: Connection[Any], database: Place
) -> None:
    before = owner.execute("SELECT count(*) FROM troth.access").fetchone()
    began = time.monotonic()
    found = tried(database, owner)
    print(f"a round took {time.monotonic() - began:.2f} s")
    assert {name: each.sentence for name, each in found.items() if not each.ok} == {
        "encryption": "could not be found out: no pages are served from here"
    }
    assert found["encryption"].ok is None
    assert owner.execute("SELECT count(*) FROM troth.access").fetchone() == before


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_hold_is_said_in_a_sentence(
    told: dict[str, Person], owner: Connection[Any], database: Place, name: str
) -> None:
    if name == "windows":
        owner.execute("UPDATE troth.access SET at = statement_timestamp() - interval '31 days'")
    assert one(database, owner, name).ok
    statement, word = BROKEN[name]
    owner.execute(statement.encode())
    try:
        found = one(database, owner, name)
    finally:
        owner.execute(MENDED.get(name, "SELECT 1").encode())
    assert not found.ok
    assert word in found.sentence


def test_a_letter_waits_for_people_and_no_probe_misses_it(
    told: dict[str, Person], owner: Connection[Any], database: Place
) -> None:
    late = "next_try_at = at - interval '1 day', tries = 3, at = at - interval '1 day'"
    owner.execute(f"UPDATE troth.notice SET channel = 'letter', {late}".encode())
    assert one(database, owner, "outbox").ok
    owner.execute("UPDATE troth.notice SET channel = 'e-mail'")
    assert "1 notices" in one(database, owner, "outbox").sentence


def test_the_keeper_writes_down_what_it_found_and_the_pages_read_it(
    told: dict[str, Person], owner: Connection[Any], database: Place
) -> None:
    assert {each.ok for each in probes.latest()} == {None}
    owner.execute("INSERT INTO troth.probe VALUES ('of another time', true, '', statement_timestamp())")
    owner.execute("GRANT SELECT (ip) ON troth.access TO troth_understand")
    Keeper(database).turn()
    for role in ("door", "self", "steward"):
        kept = {each.probe.name: each for each in probes.latest(role)}
        assert kept["viewer"].ok
        assert kept["viewer"].at
        assert kept["withheld"].ok is False
    with connect.acting("steward") as steward:
        names = {name for (name,) in steward.execute("SELECT name FROM troth.probe")}
    assert names == {probe.name for probe in PROBES}


def test_a_wait_is_no_answer(told: dict[str, Person], owner: Connection[Any], database: Place) -> None:
    with connect.owning(database) as other, other.transaction():
        other.execute("LOCK TABLE troth.choice IN ACCESS EXCLUSIVE MODE")
        found = tried(database, owner)
    assert found["granted"].ok is None
    assert "in time" in found["granted"].sentence


@pytest.mark.asvs("4.1.2", "12.2.1")
def test_pages_that_answer_without_tls_are_told(
    told: dict[str, Person], owner: Connection[Any], database: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert list(pulse._spoken("127.0.0.1", server.server_port)) == [
            "the pages do not speak TLS",
            "the pages answer without TLS",
        ]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
