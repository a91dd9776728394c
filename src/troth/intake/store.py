"""Store judged events as the role `intake`, which can insert and nothing else."""

import ipaddress
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from troth.database import connect
from troth.database.statements import load
from troth.intake.decisions import Decisions
from troth.intake.event import NOBODY, Event, Refused, ordered_uuids, stamp
from troth.intake.rolling import Roller
from troth.intake.sent import Sent
from troth.policy.carrying import ABSENT, AS_TEXT, BETWEEN, insert, insert_events, insert_new

SQL = load("troth.intake.sql")
TYPES: Mapping[str, str] = {
    "method": "text",
    "url": "text",
    "status": "smallint",
    "referrer": "text",
    "ip": "inet",
    "place": "text",
    "provider": "text",
    "browser": "text",
    "system": "text",
    "kind": "text",
}
ALWAYS: Mapping[str, str] = {"subject": "uuid", "at": "timestamptz", "uses": "bigint", "id": "uuid"}
DEVICES: Mapping[str, str] = {"subject": "uuid", "uses": "bigint", "device": "uuid"}
#: In the order in which `_columns` fills them.
SENT: Mapping[str, str] = {
    "subject": "uuid",
    "at": "timestamptz",
    "uses": "bigint",
    "application": "text",
    "id": "uuid",
}
#: Rows from which on it is looked which columns hold the same in all of them: there would be too many statements else.
MANY = 8
KNOWN = 50_000
#: SQLSTATE of a batch of which some came before.
BEFORE = "TR087"
#: What no text keeps that is said with others as one: what stood apart in it, and was looked through so, stays apart.
LEFT = str.maketrans(BETWEEN + ABSENT, "  ")
#: A statement of SQL, and what it is told.
type Statement = tuple[str, Sequence[Any]]
#: Bytes of a mark that the database knows a key or a body by, as of a UUID.
MARK = 16
#: Writes many values at once, far faster than each writes itself.
JSON = msgspec.json.Encoder()


async def open_pool(*, size: int = 2) -> "asyncpg.Pool[asyncpg.Record]":
    """Open connections of the role `intake`."""
    told = arguments("intake") | {"reset": _as_it_is}
    return await asyncpg.create_pool(**told, min_size=1, max_size=size, command_timeout=20)


async def _as_it_is(_: object) -> None:
    """Ask for nothing behind a commit: what is done here ends with its transaction, and leaves nothing to set back."""


def arguments(role: str) -> dict[str, Any]:
    """Return what asyncpg connects with as a role."""
    told = connect.parameters(role)
    ssl = {"verify-full": "verify-full", "verify-ca": "verify-ca", "require": "require"}.get(
        told.get("sslmode", ""), False
    )
    return {
        "host": told["host"],
        "port": told["port"],
        "database": told["dbname"],
        "user": told["user"],
        "password": told["password"],
        "ssl": ssl,
        "timeout": 10,
        # What is acknowledged is on the disk, whatever a role, a database or a server was given otherwise.
        "server_settings": {
            "search_path": "troth",
            # Nothing here is planned better for knowing its arrays, and inside of functions it was planned each time.
            "plan_cache_mode": "force_generic_plan",
            "application_name": f"troth {role}",
            "synchronous_commit": "on",
        },
    }


class StoredBefore(Exception):
    """Some of a batch is stored already, and some is not: what is counted of it would be counted twice."""


class Store:
    """Writes batches and counts them; remembers the devices that it has written."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.devices: set[uuid.UUID] = set()
        self.fresh: set[uuid.UUID] = set()
        self.roller = Roller()

    async def write(self, connection: Any, events: Sequence[Event], decisions: Decisions) -> bool:  # noqa: ANN401 - asyncpg's proxy
        """Write a batch in the caller's transaction; return whether it was not there before.

        Raises asyncpg.PostgresError, and StoredBefore for one of which some was; then nothing of it is stored.
        """
        self.fresh.clear()
        if not events:
            return True
        kept = set().union(*(decisions.kept.values()))
        columns = dict(ALWAYS) | {name: kind for name, kind in TYPES.items() if name in kept}
        arrays = [[_value(event, column) for event in events] for column in columns]
        done = await connection.execute(insert("access", columns), *arrays)
        many = int(done.rpartition(" ")[2])
        if not many:
            return False
        if many < len(events):
            raise StoredBefore
        await self._write_devices(connection, events, decisions)
        await self.roller.roll(connection, events, decisions)
        return True

    async def _write_devices(self, connection: Any, events: Sequence[Event], decisions: Decisions) -> None:  # noqa: ANN401
        if "device" not in decisions.devices:
            return
        fresh = {}
        for event in events:
            if event.subject != NOBODY and event.device:
                device = event.identified or event.device.seen_by(event.subject)
                if device not in self.devices:
                    fresh[device] = event
        if not fresh:
            return
        described = [name for name in ("browser", "system", "kind", "model") if name in decisions.devices]
        columns = dict(DEVICES) | dict.fromkeys(described, "text")
        arrays: list[list[Any]] = [[e.subject for e in fresh.values()], [e.stamp for e in fresh.values()], list(fresh)]
        arrays += [[getattr(event.device, name) for event in fresh.values()] for name in described]
        await connection.execute(insert("device", columns), *arrays)
        self.fresh |= fresh.keys()

    def committed(self) -> None:
        """Remember the devices of the batch that was written last."""
        if len(self.devices) > KNOWN:
            self.devices.clear()
        self.devices |= self.fresh


async def ask_again(connection: Any, events: Sequence[Event]) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Leave of what people permitted when events were captured what they still permit, until the transaction ends."""
    whose = list({event.subject for event in events if event.subject != NOBODY})
    rows = await connection.fetch("SELECT subject, uses FROM troth.uses_now($1)", whose) if whose else []
    permitted = dict(rows)
    for event in events:
        if event.subject != NOBODY:
            event.uses &= permitted.get(event.subject, 0)


async def write_sent(connection: Any, events: Sequence[Sent], decisions: Decisions) -> None:  # noqa: ANN401
    """Write what applications sent in the caller's transaction. Raises asyncpg.PostgresError; then none is stored."""
    for table in sorted({event.kind.table for event in events}):
        columns, arrays = _columns(table, events, decisions)
        await connection.execute(insert_events(table, columns), *arrays)


def laid_out(
    senders: Mapping[bytes, str], events: Sequence[Sent], rolled: Sequence[Any], decisions: Decisions
) -> Statement:
    """Return what writes, in one statement, events whose keys are new, and counts them.

    `senders` is by the digest of a key which application it is of, `rolled` what `troth.roll` takes.
    """
    tables, told = list[tuple[str, tuple[tuple[str, str], ...], frozenset[str]]](), list[Any]()
    for table in sorted({event.kind.table for event in events}):
        columns, arrays = _columns(table, events, decisions)
        alike = told_once(columns, arrays)
        tables.append((table, tuple(columns.items()), alike))
        told += [as_told(name, kind, array, alike) for (name, kind), array in zip(columns.items(), arrays, strict=True)]
    keys, bodies = marks(event.key for event in events), marks(event.body for event in events)
    return insert_new(tuple(tables)), [list(senders), list(senders.values()), keys, bodies, *rolled, *told]


async def write_new(connection: Any, statement: Statement) -> bool:  # noqa: ANN401 - asyncpg's proxy
    """Write what was laid out; False where a sender's key ended.

    Raises asyncpg.PostgresError, with the code `BEFORE` where some key is not new; then none is stored.
    """
    told, arguments = statement
    return bool(await connection.fetch(told, *arguments))


def _columns(
    table: str, events: Sequence[Sent], decisions: Decisions
) -> tuple[Mapping[str, str], Sequence[Sequence[Any]]]:
    """Return the columns that events of a table fill, with their types, and what stands in each: no text is empty."""
    mine = [event for event in events if event.kind.table == table]
    kept = decisions.collected[table].keys() | decisions.known[table].keys()
    filled = {name: kind for name, kind in mine[0].kind.columns.items() if name in kept}
    if not any("metadata" in event.values for event in mine):
        filled.pop("metadata", None)
    arrays: list[Sequence[Any]] = [
        [each.subject for each in mine],
        [each.at for each in mine],
        [stamp(each.uses, objects=each.objects) for each in mine],
        [each.application for each in mine],
        [each.id.hex if each.id else fresh for each, fresh in zip(mine, ordered_uuids(len(mine)), strict=True)],
    ]
    for name, kind in filled.items():
        told = [event.values.get(name) for event in mine]
        arrays.append([each or None for each in told] if kind == "text" else told)
    return {**SENT, **filled}, arrays


def marks(of: Iterable[bytes]) -> str:
    """Return the text of an array of what the database knows keys, or bodies, by."""
    return f"{{{_digits(each[:MARK] for each in of)}}}"


def told_once(columns: Mapping[str, str], arrays: Sequence[Sequence[Any]]) -> frozenset[str]:
    """Return which columns hold the same in all rows, of many, and can be told once; never whose a row is, or when."""
    if len(arrays[0]) < MANY:
        return frozenset()
    return frozenset(
        name
        for (name, kind), array in zip(columns.items(), arrays, strict=True)
        if kind in ("text", "bigint") and array[0] == array[-1] and array.count(array[0]) == len(array)
    )


def as_told(name: str, kind: str, array: Sequence[Any], alike: Collection[str]) -> Any:  # noqa: ANN401 - what asyncpg is given
    """Return a column as `insert_new` takes it."""
    if name not in alike:
        return as_text(kind, array)
    return as_text(kind, array[:1]).strip("{}") if kind in AS_TEXT else array[0] and _joined(array[:1])


def as_text(kind: str, array: Sequence[Any]) -> Any:  # noqa: ANN401 - what asyncpg is given
    """Return a column as a text where its type is said so: a client writes one a lot faster than an array."""
    if kind == "text":
        return _joined(array)
    return f"{{{WRITTEN[kind](array)}}}" if kind in AS_TEXT else array


def _digits(of: Iterable[bytes]) -> str:
    """Return 16 bytes each as hexadecimal digits, between commas."""
    return b"".join(of).hex(",", MARK)


def _uuids(of: Sequence[Any]) -> str:
    return ",".join(of) if isinstance(of[0], str) else _digits([each.bytes for each in of])


def _values(of: Sequence[datetime] | Sequence[int]) -> str:
    return JSON.encode(of)[1:-1].decode()


#: How what stands in a column is written, of the types that are said as the text of an array.
WRITTEN: Mapping[str, Callable[[Any], str]] = {"uuid": _uuids, "timestamptz": _values, "bigint": _values}


def _joined(texts: Sequence[str | None]) -> str:
    """Return texts of a column as one, which a client says a lot faster than an array; an empty one is none.

    What is printable holds neither of the signs that stand between texts and for none; of all else a space is left.
    """
    told = BETWEEN.join([each or ABSENT for each in texts])
    if told.count(BETWEEN) == len(texts) - 1 and told.count(ABSENT) == sum(not each for each in texts):
        return told
    return BETWEEN.join([(each or "").translate(LEFT) or ABSENT for each in texts])


def _value(event: Event | Sent, column: str) -> Any:  # noqa: ANN401 - whatever the column holds
    if isinstance(event, Event) and column == "ip":
        return ipaddress.ip_interface(event.ip) if event.ip else None
    return event.stamp if column == "uses" else getattr(event, column)


async def count_refused(connection: Any, refused: Mapping[Refused, int]) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Add to what was refused, by kind, reason and clause, always in the same order."""
    for why, many in sorted(refused.items(), key=lambda each: (each[0].kind, each[0].reason, each[0].clause)):
        await count(connection, "refused", why.reason, many, kind=why.kind, clause=why.clause)


async def note_refused(connection: Any, about: Mapping[tuple[uuid.UUID, Refused], int]) -> None:  # noqa: ANN401
    """Add to what people see of what was refused about them."""
    if about:
        columns = [(whose, why.kind, why.reason, why.clause, many) for (whose, why), many in about.items()]
        arrays = list(map(list, zip(*columns, strict=True)))
        await connection.execute("SELECT troth.note_refusals($1, $2, $3, $4, $5)", *arrays)


async def count_found(connection: Any, events: Sequence[Event | Sent]) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Add to what the guard took out, by kind of event and detector; never what it was."""
    found: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.found:
            kind = event.kind.table if isinstance(event, Sent) else event.occasion.value
            found.update({(kind, name): many for name, many in event.found.items()})
    for (kind, name), many in sorted(found.items()):
        await count(connection, "reduced", name, many, kind=kind)


async def count(
    connection: Any,  # noqa: ANN401 - asyncpg's proxy
    outcome: str,
    reason: str,
    many: int,
    *,
    kind: str = "",
    clause: str = "",
) -> None:
    """Add to what was refused or dropped."""
    told = (outcome, kind, reason[:200], clause, many)
    await connection.execute("SELECT troth.count_outcomes($1, $2, $3, $4, $5)", *told)
