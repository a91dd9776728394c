"""The tables' migrations: carried out when something that may hold one has changed, and not asked about otherwise."""

import os
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from psycopg import Connection

from troth.database import connect
from troth.database.errors import ServerRefusal
from troth.database.place import Place
from troth.database.statements import load
from troth.policy.carrying import migrated

SQL = load("troth.database.sql")
TROTH = Path(__file__).parents[1]
#: What of troth's own files can hold a migration, or say whose migrations there are.
KINDS = frozenset({".py", ".sql"})


def up_to_date(connection: Connection[Any]) -> bool:
    """Whether this troth with these packages has migrated this database, and nothing was undone since."""
    row = connection.execute(SQL["migrated_by"].encode()).fetchone()
    return row is not None and row[0] == _fingerprint(connection)


def migrate(where: Place) -> None:
    """Carry out what is missing, as the owner, in a process of its own. Raises ServerRefusal with what it said last."""
    told = os.environ | {
        "TROTH_CONNECT_AS": "owner",
        "TROTH_DATA": str(where.data),
        "DJANGO_SETTINGS_MODULE": "troth.config.settings",
    }
    command = [sys.executable, "-m", "django", "migrate", "--no-input", "--verbosity", "0"]
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ServerRefusal(
            f"the tables cannot be brought up to date: {last}", advice="restore a backup, or report this"
        )
    with connect.owning(where) as connection:
        connection.execute(migrated(_fingerprint(connection)).encode())


def _fingerprint(connection: Connection[Any]) -> str:
    """Return what stands for the code that migrates and for the migrations that the database says it has."""
    told = sha256()
    for each in sorted(f"{found.name}=={found.version}" for found in distributions()):
        told.update(f"{each}\n".encode())
    for file in sorted(file for file in TROTH.rglob("*") if file.suffix in KINDS):
        told.update(f"{file.relative_to(TROTH)} {sha256(file.read_bytes()).hexdigest()}\n".encode())
    for app, name in connection.execute(SQL["migrations"].encode()):
        told.update(f"{app}.{name}\n".encode())
    return told.hexdigest()
