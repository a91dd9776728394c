"""A database that was started again costs nobody an answer."""

from typing import Any

from psycopg import Connection

from tests.browsing import Browser


def test_the_next_page_after_every_connection_was_cut_is_answered(browser: Browser, owner: Connection[Any]) -> None:
    from django.db import close_old_connections

    browser.sign_up(owner, "alice@harbor.example")
    for _ in range(3):
        assert browser.get("/me").status_code == 200
        close_old_connections()  # as the server does after each answer
        cut = owner.execute(
            "SELECT count(pg_terminate_backend(pid, 2000)) FROM pg_stat_activity"
            " WHERE datname = 'troth' AND usename LIKE 'troth\\_%' AND usename <> 'troth_owner' AND pid <> pg_backend_pid()"
        ).fetchone()
        assert cut
        assert cut[0] > 0
        assert browser.get("/me").status_code == 200
