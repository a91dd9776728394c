"""Backups: a dump of the database, the roles, the secrets, and a manifest that tells whether all is there.

What lets somebody in for a while is in none: a thief of a backup finds no session to go on with, and a restore does not
bring back one that was ended. Everybody signs in again.
"""

import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

from troth.database import connect, embedded, place
from troth.database.account import Account
from troth.database.catalog import load
from troth.database.errors import BackupRefusal
from troth.database.observe import is_superuser
from troth.database.place import Place
from troth.policy.carrying import create_database

MANIFEST = "manifest.json"
FORMAT = 1
KEPT = ("secrets", "tls")
DUMPED = ("roles.sql", "database.dump")


def create(where: Place, folder: Path) -> int:
    """Write a backup into a new folder and return its bytes. Raises BackupRefusal; what was begun is then removed."""
    if folder.exists():
        raise BackupRefusal(f"`{folder}` exists already", advice="name a folder that does not")
    with connect.owning(where) as connection:
        if not is_superuser(connection):
            sentence = (
                "the owner of this database is no superuser, so that PostgreSQL shows it neither roles nor all rows"
            )
            raise BackupRefusal(sentence, advice="back the server up by its own means, and the data folder beside it")
    new = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        new.mkdir(mode=0o700, parents=True)
        (new / "roles.sql").write_bytes(_run(where, "pg_dumpall", "--roles-only", f"--database={where.database}"))
        left = [f"--exclude-table-data=troth.{name}" for name in fleeting()]
        _run(
            where, "pg_dump", "--format=custom", *left, f"--file={new / 'database.dump'}", f"--dbname={where.database}"
        )
        for name in DUMPED:
            (new / name).chmod(0o600)
        for name in KEPT:
            shutil.copytree(where.data / name, new / name)
        files = {str(file.relative_to(new)): _digest(file) for file in sorted(new.rglob("*")) if file.is_file()}
        told = {"format": FORMAT, "database": where.database, "files": files}
        place.replace_file(new / MANIFEST, json.dumps(told, indent=2).encode(), 0o600)
        _sync(new)
        new.rename(folder)
    except OSError as error:
        raise BackupRefusal(
            f"the backup cannot be written: {error.strerror}", place=str(folder), advice="name another folder"
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def restore(folder: Path, data: Path) -> None:
    """Restore into a new data folder. Raises BackupRefusal for a damaged backup or a folder that is in use."""
    verify(folder)
    if data.exists() and any(data.iterdir()):
        raise BackupRefusal(f"`{data}` is not empty", advice="name a new folder with --data")
    place.prepare(data)
    try:
        with place.lock(data):
            _fill(folder, data)
    except BaseException:
        shutil.rmtree(data, ignore_errors=True)
        raise


def verify(folder: Path) -> dict[str, Any]:
    """Return the manifest when every file is there as it was written. Raises BackupRefusal."""
    try:
        told: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        wrong = [name for name, digest in told["files"].items() if _digest(folder / name) != digest]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupRefusal(f"`{folder}` is no whole backup: {error}", advice="use another one") from error
    if wrong or told.get("format") != FORMAT:
        raise BackupRefusal(f"`{folder}` was changed: {', '.join(wrong[:3]) or 'its format'}", advice="use another one")
    return told


def fleeting() -> tuple[str, ...]:
    """Return the tables whose rows let somebody in for a while; no dump holds any, and no restore brings any back."""
    return tuple(table.name for table in load() if table.fleeting)


def _restore_rows(where: Place, dump: Path, kept: Path) -> None:
    """Restore a dump but for what lets somebody in: an earlier troth's dump holds that, some of it ended since."""
    left = tuple(f" TABLE DATA troth {name} " for name in fleeting())
    listed = _run(where, "pg_restore", "--list", str(dump)).decode()
    kept.write_text("\n".join(line for line in listed.splitlines() if not any(each in line for each in left)))
    _run(where, "pg_restore", "--exit-on-error", f"--use-list={kept}", f"--dbname={where.database}", str(dump))
    kept.unlink()


def _fill(folder: Path, data: Path) -> None:
    for name in KEPT:
        shutil.rmtree(data / name, ignore_errors=True)
        shutil.copytree(folder / name, data / name)
    where = embedded.located(data)
    server = embedded.Server(where)
    server.start()
    try:
        _run(where, "psql", "--quiet", "--dbname=postgres", f"--file={folder / 'roles.sql'}", allow=(0, 3))
        with connect.owning(where, database="postgres") as connection:
            connection.execute(create_database(where.database).encode())
        _restore_rows(where, folder / "database.dump", data / "restored.list")
    finally:
        server.stop()


def _run(where: Place, tool: str, *arguments: str, allow: tuple[int, ...] = (0,)) -> bytes:
    told = connect.parameters(connect.OWNER, where)
    environment = {"PATH": os.environ.get("PATH", ""), "PGHOST": str(told["host"]), "PGPORT": str(told["port"])}
    environment |= {"PGUSER": str(told["user"]), "PGPASSWORD": str(told.get("password", "")), "LC_ALL": "C.UTF-8"}
    environment |= {f"PG{name.upper()}": value for name, value in where.tls}
    program = embedded.binaries_for(Account.mine()) / tool
    done = subprocess.run(
        [str(program), "--no-password", *arguments], env=environment, capture_output=True, check=False
    )
    if done.returncode not in allow:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise BackupRefusal(f"{tool} failed: {said[-1]}", advice="is `troth serve` running, as this user?")
    return done.stdout


def _digest(file: Path) -> str:
    found = sha256()
    with file.open("rb") as content:
        while part := content.read(1 << 20):
            found.update(part)
    return found.hexdigest()


def _sync(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
