"""What the keeper does about a person when the operator's key asks: export, preview, erase, sign out, each an entry.

No role that can read sees past row security, and none is made here that does: only the owner reads whole persons, and
only the keeper is the owner. `docs/decisions/0007-the-keeper-exports-and-erases.md` says why.
"""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from psycopg import Connection, Error, sql
from psycopg.types.json import Jsonb

from troth.database import place, published
from troth.database.errors import RequestRefusal
from troth.database.keeper import Keeper
from troth.database.statements import load
from troth.ledger.actions import record
from troth.ledger.entry import Facts
from troth.people import organizations
from troth.rights import exporting
from troth.rights.erasing import Fate, carry_out
from troth.rights.exporting import Source
from troth.rights.persons import Person, composed, conditions, find, outwards

FOLDER = "exports"
#: Seconds after which an export that nobody came for is removed.
FORGOTTEN = 3600.0
WORD = re.compile(r"[a-z][a-z0-9-]{0,39}")

type Told = dict[str, Any]


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who can now be asked about persons too. What a killed one left of exports is removed."""
    folder = keeper.where.data / FOLDER
    _forget_left(folder, 0)
    keeper.kinds = {**keeper.kinds, **KINDS}
    keeper.chores = (*keeper.chores, lambda _connection: _forget_left(folder, FORGOTTEN))
    return keeper


def export(connection: Connection[Any], told: Told) -> Told:
    """Write everything held about a person to a file in the data folder, which whoever asked takes away.

    The answer holds the file's name and how many rows are in it. Raises RequestRefusal.
    """
    source, file = _asked(connection, told), _new_file()
    try:
        with connection.transaction():
            person = find(connection, source.catalog, str(told["person"]))
            rows = exporting.write(connection, source, person, file)
            entry = _record(connection, "exported", person, told, {"rows": rows})
    except OSError as error:
        file.unlink(missing_ok=True)
        raise RequestRefusal(
            f"the export cannot be written: {error.strerror}", advice="make room and ask again"
        ) from error
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return {"file": file.name, "rows": rows, "subject": str(person.subject), "entry": entry}


def preview(connection: Connection[Any], told: Told) -> Told:
    """Erase a person and take it back; the answer says what would have become of each table's rows.

    And of their organizations, with other people's memberships.
    """
    source = _asked(connection, told)
    with connection.transaction():
        person = find(connection, source.catalog, str(told["person"]))
        ends = organizations.fates_of(connection, person.subject)
        with connection.transaction(force_rollback=True):
            fates = carry_out(connection, source, person)
        entry = _record(connection, "erasure-previewed", person, told, {})
    return _answer(person, fates, ends, entry)


def erase(connection: Connection[Any], told: Told) -> Told:
    """Erase a person; the answer says the same as a preview's.

    `organizations` is what was shown to become of theirs, where anything was. Raises RequestRefusal after the first
    time, and where something else would become of them by now.
    """
    source = _asked(connection, told)
    with connection.transaction():
        person = find(connection, source.catalog, str(told["person"]))
        if person.ended_at is not None:
            sentence = f"this account ended on {person.ended_at:%Y-%m-%d}; what stays goes when its windows end"
            raise RequestRefusal(sentence, advice="see `troth erase PERSON --preview`")
        if "organizations" in told:
            _confirm(connection, person, told["organizations"])
        ends = organizations.fates_of(connection, person.subject)
        fates = carry_out(connection, source, person)
        counts: Facts = {"removed": sum(fate.at_once for fate in fates), "kept": sum(fate.stays for fate in fates)}
        entry = _record(connection, "erased-by-operator", person if counts["kept"] else None, told, counts)
    return _answer(person, fates, ends, entry)


def sign_out(connection: Connection[Any], told: Told) -> Told:
    """End every session, remembered browser and application's token of a person, or, without one, of everybody.

    The answer says how many rows went. Raises RequestRefusal.
    """
    source = _asked(connection, told)
    with connection.transaction():
        person = find(connection, source.catalog, str(told["person"])) if told["person"] else None
        whose = conditions(connection, source.catalog, person) if person else {}
        everybody = sql.SQL("true")
        gone = sum(
            connection.execute(
                composed("remove_rows", table=sql.Identifier(table.name), condition=whose.get(table.name, everybody))
            ).rowcount
            for table in outwards(source.catalog)
            if table.fleeting
        )
        entry = _record(connection, "signed-out-by-operator", person, told, {"ended": gone})
    return {"subject": str(person.subject) if person else None, "ended": gone, "entry": entry}


KINDS: Mapping[str, Callable[[Connection[Any], Told], Told]] = {
    "rights.export": export,
    "rights.preview": preview,
    "rights.erase": erase,
    "rights.sign-out": sign_out,
}


def _asked(connection: Connection[Any], told: Told) -> Source:
    """Return what is in force. Raises RequestRefusal for a request that nobody waits for any more."""
    if float(told["until"]) < time.time():
        raise RequestRefusal("nobody waits for this answer any more", advice="ask again")
    if not WORD.fullmatch(str(told["reason"])):
        raise RequestRefusal(f"`{told['reason']}` is no word for a reason", advice="use one like `asked`")
    now = published.on(connection)
    if now is None:
        raise RequestRefusal("no policy is in force", advice="start `troth serve`, which applies one")
    return Source(now, now.bits, now.catalog)


def _record(connection: Connection[Any], action: str, person: Person | None, told: Told, facts: Facts) -> int:
    # No subject acts here: the actor is whoever holds the operator's key, and the entry names the key.
    key = place.secrets_of(place.current()).operator.public_key()
    digest = sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()
    named: Facts = {"by": "operator", "key": digest, "reason": str(told["reason"])}
    return record(
        connection, action=action, actor=None, subject=person.subject if person else None, facts=named | facts
    )


def _new_file() -> Path:
    folder = place.current().data / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _forget_left(folder, FORGOTTEN)
    except OSError as error:
        sentence = f"the folder `{folder}` cannot be used: {error.strerror}"
        raise RequestRefusal(sentence, advice="make room, or give it back to troth's user") from error
    return folder / f"{uuid.uuid4()}.json"


def _forget_left(folder: Path, seconds: float) -> None:
    for left in folder.glob("*.json"):
        with suppress(FileNotFoundError):
            if left.stat().st_mtime <= time.time() - seconds:
                left.unlink()


def _confirm(connection: Connection[Any], person: Person, shown: list[Told]) -> None:
    read = {each["organization"]: [each["fate"], each["heir"]] for each in shown}
    try:
        connection.execute(
            load("troth.rights")["confirm_fates"].encode(), {"subject": person.subject, "told": Jsonb(read)}
        )
    except Error as error:
        if error.sqlstate != "TR066":
            raise
        sentence = "what becomes of their organizations has changed since it was shown"
        raise RequestRefusal(sentence, advice="read it again, and ask again") from error


def _answer(person: Person, fates: list[Fate], ends: list[organizations.Fate], entry: int) -> Told:
    return {
        "subject": str(person.subject),
        "account_ended_at": person.ended_at and person.ended_at.isoformat(),
        "entry": entry,
        "tables": [_fate(fate) for fate in fates],
        "organizations": [
            asdict(each) | {"organization": str(each.organization), "heir": str(each.heir) if each.heir else None}
            for each in ends
        ],
    }


def _fate(fate: Fate) -> Told:
    return {
        "table": fate.table.name,
        "rows": fate.rows,
        "at_once": fate.at_once,
        "stays": fate.stays,
        "until": fate.until,
        "because": [
            {
                "purpose": each.purpose,
                "kind": each.window.kind,
                "days": each.window.days,
                "clauses": list(each.clauses),
                "rows": each.rows,
                "until": each.until,
            }
            for each in fate.because
        ],
    }
