"""A start asks Django for migrations only when something that may hold one has changed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS
from troth.database import migrating
from troth.database.errors import ServerRefusal
from troth.database.keeper import Keeper
from troth.database.place import Place


def test_a_second_start_asks_nobody(database: Place, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert migrating.up_to_date(owner)
    monkeypatch.setattr("subprocess.run", lambda *_a, **_k: pytest.fail("Django was asked"))
    Keeper(database).prepare(POLICY.read_text(encoding="utf-8"), TERMS)


def test_a_new_migration_is_carried_out(
    owner: Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "troth"
    shutil.copytree(migrating.TROTH, copy, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    monkeypatch.setattr(migrating, "TROTH", copy)
    assert migrating.up_to_date(owner), "where the files are says nothing"
    (copy / "people" / "migrations" / "9999_added.py").write_text("# a migration\n", encoding="utf-8")
    assert not migrating.up_to_date(owner)


@pytest.mark.parametrize(
    "done",
    [
        "DELETE FROM troth.django_migrations WHERE id = (SELECT max(id) FROM troth.django_migrations)",
        "COMMENT ON TABLE troth.django_migrations IS 'of another troth'",
        "COMMENT ON TABLE troth.django_migrations IS NULL",
        "DROP TABLE troth.django_migrations",
    ],
    ids=["undone", "another", "unknown", "new"],
)
def test_whatever_else_is_asked_about(owner: Connection[Any], done: str) -> None:
    owner.execute(done.encode())
    assert not migrating.up_to_date(owner)


def test_what_was_asked_about_is_remembered(database: Place, owner: Connection[Any]) -> None:
    owner.execute("COMMENT ON TABLE troth.django_migrations IS NULL")
    migrating.migrate(database)
    assert migrating.up_to_date(owner)


def test_a_migration_that_fails_is_a_refusal_with_what_it_said(database: Place, owner: Connection[Any]) -> None:
    owner.execute("DELETE FROM troth.django_migrations WHERE app = 'people'")
    with pytest.raises(ServerRefusal, match="is applied before its dependency"):
        migrating.migrate(database)
    assert not migrating.up_to_date(owner)
