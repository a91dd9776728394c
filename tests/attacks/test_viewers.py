"""Hardening 3 and 9: a viewer is proven by a token, and a connection carries nothing from one to the next."""

import threading
import time
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, errors

from tests.conftest import Person, again, make
from troth.database import connect

OTHERS = (
    "SELECT name FROM troth.person WHERE subject = '{other}'",
    "WITH forged AS (SELECT set_config('troth.viewer', '{other}', true)) SELECT name FROM troth.person, forged WHERE subject = '{other}'",
    "WITH forged AS MATERIALIZED (SELECT set_config('troth.token', '{other}', true)) SELECT name FROM forged, troth.person"
    " WHERE subject = '{other}'",
    "SELECT p.name FROM (SELECT set_config('troth.token', encode(sha256('token of Bob'), 'hex'), true)) f, LATERAL"
    " (SELECT name FROM troth.person WHERE subject = '{other}') p",
    "SELECT name FROM troth.person, LATERAL (SELECT set_config('troth.subject', '{other}', true)) s WHERE subject = '{other}'",
    "SELECT url FROM troth.access WHERE subject = '{other}'",
    "SELECT version FROM troth.agreement WHERE subject = '{other}'",
    "SELECT kind FROM troth.choice WHERE subject = '{other}'",
    "SELECT uses FROM troth.permitted WHERE subject = '{other}'",
    "SELECT salt FROM troth.ledger_salt WHERE subject = '{other}'",
    "UPDATE troth.person SET name = 'Mallory' WHERE subject = '{other}' RETURNING name",
)


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("attempt", OTHERS)
def test_nobody_reads_or_writes_for_another(cast: dict[str, Person], attempt: str) -> None:
    with connect.acting("self", token=cast["alice"].token) as connection:
        assert connection.execute(attempt.format(other=cast["bob"].subject).encode()).fetchall() == []


def test_without_the_rule_alice_would_read_bob(cast: dict[str, Person], owner: Connection[Any]) -> None:
    """The control taken away."""
    owner.execute("ALTER POLICY self_select ON troth.person USING (true)")
    with connect.acting("self", token=cast["alice"].token) as connection:
        assert connection.execute(OTHERS[0].format(other=cast["bob"].subject).encode()).fetchall() == [("Bob",)]


def test_tokens_themselves_cannot_be_read_or_made_by_viewers(cast: dict[str, Person]) -> None:
    for attempt in (
        "SELECT hash FROM troth.request_token",
        "INSERT INTO troth.request_token VALUES (sha256('x'), gen_random_uuid(), now() + interval '1 day', 1)",
        "SELECT troth.open_token(gen_random_uuid(), sha256('x'), now() + interval '1 day')",
        "SELECT troth.fold(gen_random_uuid())",
        "SELECT troth.restamp(gen_random_uuid(), 1)",
        "SELECT troth.end_subject(gen_random_uuid(), 'x')",
        "SELECT troth.agree(gen_random_uuid(), 1, '', '', '', '', '')",
    ):
        with (
            pytest.raises(errors.InsufficientPrivilege),
            connect.acting("self", token=cast["alice"].token) as connection,
        ):
            connection.execute(attempt.encode())


@pytest.mark.asvs("7.2.1")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=st.text(min_size=0, max_size=60).filter(lambda text: "\0" not in text and not text.startswith("token of ")))
def test_no_guessed_token_opens_anything(cast: dict[str, Person], word: str) -> None:
    with connect.acting("self") as connection:
        connection.execute("SELECT set_config('troth.token', %s, true)", (word.encode("utf-8", "ignore").decode(),))
        assert connection.execute("SELECT troth.viewer(), (SELECT count(*) FROM troth.person)").fetchone() == (None, 0)


def test_an_ended_or_outdated_token_opens_nothing(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice, bob = cast["alice"], cast["bob"]
    owner.execute(
        "UPDATE troth.request_token SET expires_at = statement_timestamp() WHERE subject = %s", (alice.subject,)
    )
    with connect.acting("self", token=alice.token) as connection:
        assert connection.execute("SELECT troth.viewer()").fetchone() == (None,)
    owner.execute("UPDATE troth.request_token SET version = 0 WHERE subject = %s", (bob.subject,))
    with connect.acting("self", token=bob.token) as connection:
        assert connection.execute("SELECT troth.viewer()").fetchone() == (None,)


def test_whoever_has_not_agreed_gets_no_token(owner: Connection[Any]) -> None:
    newcomer = make(owner, "Newcomer", agreed=False)
    with pytest.raises(psycopg.Error) as refused, connect.acting("door") as door:
        door.execute(
            "SELECT troth.open_token(%s, sha256('x'), statement_timestamp() + interval '1 day')", (newcomer.subject,)
        )
    assert refused.value.sqlstate == "TR001"


def test_a_returned_connection_carries_nothing(cast: dict[str, Person]) -> None:
    with connect.acting("self", token=cast["alice"].token) as connection:
        connection.execute("SELECT set_config('troth.token', %s, false)", (cast["alice"].token,))
        connection.execute("SELECT set_config('search_path', 'public', false)")
        connection.execute("PREPARE mine AS SELECT 1")
        connection.execute("DECLARE kept CURSOR WITH HOLD FOR SELECT 1")
        connection.execute("LISTEN somebody")
        pid = connection.info.backend_pid
    with again("self", pid) as connection:
        assert connection.execute("SELECT troth.viewer(), current_setting('search_path')").fetchone() == (None, "troth")
        assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pg_cursors WHERE name = 'kept'").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pg_listening_channels()").fetchone() == (0,)


@pytest.mark.parametrize("part", connect.FORGETTING.split(";"), ids=lambda part: part.strip())
def test_a_returned_connection_forgets_each_thing(owner: Connection[Any], part: str) -> None:
    """Each part has something to forget, which stays when that part is taken away."""
    part = part.strip()
    owner.execute("CREATE SEQUENCE public.counted")
    kept = "SELECT nextval('public.counted')"
    made, left = {
        "CLOSE ALL": ("DECLARE kept CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors WHERE name = 'kept'"),
        "SET SESSION AUTHORIZATION DEFAULT": ("SET SESSION AUTHORIZATION troth_door", "SELECT (current_user = 'troth_door')::int"),
        "RESET ALL": ("SET timezone = 'Asia/Tokyo'", "SELECT (current_setting('timezone') = 'Asia/Tokyo')::int"),
        "DEALLOCATE ALL": ("PREPARE mine AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE name = 'mine'"),
        "UNLISTEN *": ("LISTEN somebody", "SELECT count(*) FROM pg_listening_channels()"),
        "SELECT pg_advisory_unlock_all()": (
            "SELECT pg_advisory_lock(1)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"),
        "DISCARD TEMP": ("CREATE TEMP TABLE mine ()", "SELECT count(*) FROM pg_class WHERE relname = 'mine'"),
        "DISCARD SEQUENCES": (kept, "SELECT count(lastval())"),
    }[part]  # fmt: skip

    def remains(told: str) -> bool:
        owner.execute(made.encode())
        owner.execute(told.encode())
        try:
            return owner.execute(left.encode()).fetchone() != (0,)
        except psycopg.errors.ObjectNotInPrerequisiteState:  # no sequence was asked
            return False

    assert remains(connect.FORGETTING.replace(part, "SELECT 1"))
    owner.execute(connect.FORGETTING.encode())
    assert not remains(connect.FORGETTING)


def test_without_the_reset_the_token_would_stay(cast: dict[str, Person], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control taken away."""
    monkeypatch.setattr(connect, "forget", lambda _connection: None)
    with connect.acting("self") as connection:
        connection.execute("SELECT set_config('troth.token', %s, false)", (cast["alice"].token,))
    with connect.acting("self") as connection:
        assert connection.execute("SELECT troth.viewer()").fetchone() == (cast["alice"].subject,)


def test_a_cancelled_and_a_killed_connection_come_back_clean(cast: dict[str, Person], owner: Connection[Any]) -> None:
    for end in ("pg_cancel_backend", "pg_terminate_backend"):
        with pytest.raises(psycopg.Error), connect.acting("self", token=cast["alice"].token) as connection:
            connection.execute("SELECT set_config('troth.token', %s, false)", (cast["alice"].token,))
            pid = connection.info.backend_pid
            threading.Timer(0.2, lambda end=end, pid=pid: owner.execute(f"SELECT {end}(%s)".encode(), (pid,))).start()
            connection.execute("SELECT pg_sleep(5)")
        time.sleep(0.1)
        with connect.acting("self") as connection:
            assert connection.execute("SELECT troth.viewer()").fetchone() == (None,)
