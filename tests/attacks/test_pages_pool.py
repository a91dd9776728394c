"""Hardening 9 for the pages' own connections, which the framework pools: nothing is carried from one request to the next."""

import time
from typing import Any

import pytest


@pytest.fixture
def door(database: Any) -> Any:
    import django

    django.setup()
    from django.db import connection

    connection.close()
    return connection


def state(door: Any) -> tuple[Any, ...]:
    with door.cursor() as cursor:
        cursor.execute(
            "SELECT pg_backend_pid(), current_setting('search_path'), current_setting('troth.token', true),"
            " current_setting('timezone'), (SELECT count(*) FROM pg_prepared_statements WHERE name = 'mine'),"
            " (SELECT count(*) FROM pg_cursors WHERE name = 'kept')"
        )
        return tuple(cursor.fetchone())


def lent_again(door: Any, pid: int) -> tuple[Any, ...]:
    """Return the state of the connection of this process when the pool lends it the next time."""
    for _ in range(50):
        door.close()
        time.sleep(0.02)
        after = state(door)
        if after[0] == pid:
            return after
    pytest.fail("the pool never lent it again")


def test_a_pages_connection_carries_nothing_to_the_next_request(door: Any) -> None:
    before = state(door)
    with door.cursor() as cursor:
        cursor.execute("SELECT set_config('search_path', 'public', false), set_config('troth.token', 'hers', false)")
        cursor.execute("SET timezone = 'Asia/Tokyo'")
        cursor.execute("PREPARE mine AS SELECT 1")
        cursor.execute("DECLARE kept CURSOR WITH HOLD FOR SELECT 1")
    after = lent_again(door, before[0])
    assert (after[1], after[2] or "", *after[3:]) == ("troth", "", "UTC", 0, 0)
    assert door.get_autocommit()
