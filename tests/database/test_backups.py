"""A backup holds everything but what lets somebody in, so that nobody but its owner may read it."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import QUICK, Person, forget
from tests.planting import APPLICATION, sign_in
from troth.database import backup, connect, embedded
from troth.database.catalog import load
from troth.database.drift import drift
from troth.database.place import Place
from troth.policy.subjects import LEAST


@pytest.mark.parametrize("mask", [0o022, 0o000])
def test_what_was_dumped_is_its_owners_alone(database: Place, tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        backup.create(database, tmp_path / "backup")
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "backup").iterdir() if file.is_file()}
    assert modes == {"roles.sql": 0o600, "database.dump": 0o600, "manifest.json": 0o600}
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700


FLEETING = {
    "application_browser",
    "request_token",
    "django_session",
    "remembered",
    "application_code",
    "application_spent",
    "allauth_idp_oidc_token",
    "link_offer",
    "session",
}


def test_whatever_lets_somebody_in_for_a_while_is_declared_so() -> None:
    """A session's credential stands in no table that a backup holds."""
    held = {t.name for t in load() if any(c.credential and c.category == "person.session" for c in t.columns)}
    assert held <= set(backup.fleeting()) == FLEETING


def plant(owner: Connection[Any], person: Person) -> None:
    """Let somebody be signed in by every way there is."""
    account = owner.execute(
        "INSERT INTO troth.people_account (subject, email, password, is_active, date_joined)"
        " VALUES (%s, %s, '', true, now()) RETURNING id",
        (person.subject, person.email),
    ).fetchone()
    assert account is not None
    sign_in(owner, person.subject, account[0])
    owner.execute(
        "INSERT INTO troth.link_offer (subject, digest, expires_at) VALUES (%s, sha256('x'), now() + interval '1 day')",
        (person.subject,),
    )
    owner.execute("INSERT INTO troth.session (subject, session) VALUES (%s, gen_random_uuid())", (person.subject,))
    owner.execute("INSERT INTO troth.subject (subject, kind) VALUES (%s, 'anonymous')", (LEAST,))
    owner.execute(
        "INSERT INTO troth.application_browser (subject, application, code, redirect_uri, challenge, code_until, digest)"
        " VALUES (%s, %s, sha256('code'), 'https://planted.example/', repeat('x', 43), now(), sha256('token'))",
        (LEAST, APPLICATION),
    )
    owner.execute("INSERT INTO troth.django_session VALUES ('key', 'data', now() + interval '1 day')")
    owner.execute(
        "INSERT INTO troth.remembered (subject, digest, until) VALUES (%s, 'digest', now() + interval '1 day')",
        (person.subject,),
    )


def counts(owner: Connection[Any]) -> dict[str, int]:
    return {
        name: (owner.execute(f"SELECT count(*) FROM troth.{name}".encode()).fetchone() or (0,))[0] for name in FLEETING
    }


@contextmanager
def restored(folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection[Any]]:
    """Restore a backup, and serve what came of it."""
    backup.restore(folder, data)
    where = embedded.located(data)
    server = embedded.Server(where, settings=QUICK)
    server.start()
    where.write()
    forget()
    monkeypatch.setenv("TROTH_DATA", str(data))
    try:
        with connect.owning(where) as owner:
            yield owner
    finally:
        forget()
        server.stop()


@pytest.mark.parametrize("made_by", ["this troth", "an earlier troth"])
def test_nothing_out_of_a_backup_lets_anybody_in(
    made_by: str,
    owner: Connection[Any],
    database: Place,
    cast: dict[str, Person],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = cast["alice"]
    plant(owner, alice)
    assert all(counts(owner).values())
    with monkeypatch.context() as as_before:
        if made_by == "an earlier troth":
            as_before.setattr(backup, "fleeting", lambda: ())
        backup.create(database, tmp_path / "backup")
    with restored(tmp_path / "backup", tmp_path / "data", monkeypatch) as again:
        assert not any(counts(again).values())
        with connect.acting("self", token=alice.token) as viewer:
            assert viewer.execute("SELECT troth.viewer()").fetchone() == (None,)
        with connect.acting("provide") as provide:
            names = provide.execute("SELECT name FROM person ORDER BY name").fetchall()
        assert names == [("Alice",), ("Bob",), ("Charlie",), ("Dana",)]
        assert again.execute("SELECT count(*) FROM troth.application_grant").fetchone() == (1,)
        # A database's own privileges are put back by the next start.
        assert not [line for line in drift(again).lines() if 'DATABASE "troth"' not in line]


def test_an_earlier_backup_held_what_lets_somebody_in(
    owner: Connection[Any],
    database: Place,
    cast: dict[str, Person],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control taken away, at both ends."""
    plant(owner, cast["alice"])
    monkeypatch.setattr(backup, "fleeting", lambda: ())
    backup.create(database, tmp_path / "backup")
    with restored(tmp_path / "backup", tmp_path / "data", monkeypatch) as again:
        assert all(counts(again).values())
        with connect.acting("self", token=cast["alice"].token) as viewer:
            assert viewer.execute("SELECT troth.viewer()").fetchone() == (cast["alice"].subject,)
