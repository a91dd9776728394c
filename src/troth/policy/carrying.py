"""The emitter's statements that carry a plan out beside its facts."""

from collections.abc import Collection, Mapping
from functools import lru_cache

from troth.policy.lasting import alive
from troth.policy.planned import Retention
from troth.policy.quoting import literal, quoted

#: What stands between the texts of a column that are said as one, and what for none: no text that is stored holds them.
BETWEEN, ABSENT = "\x1e", "\x1f"
#: Types of which a column of events is told as the text of an array: none has a sign that means more there.
AS_TEXT = frozenset({"uuid", "timestamptz", "bigint"})


def password(role: str, verifier: str) -> str:
    """Give a role its password, as a SCRAM verifier so that no log can hold the password itself."""
    return f"ALTER ROLE {quoted(role)} PASSWORD {literal(verifier)}"


def lock(relation: str) -> str:
    """Lock `schema.name` against everybody else."""
    schema, name = relation.split(".", 1)
    return f"LOCK TABLE {quoted(schema)}.{quoted(name)} IN ACCESS EXCLUSIVE MODE"


def create_database(name: str) -> str:
    """Make an empty database, which gets its tables from migrations and everything else from the plan."""
    return f"CREATE DATABASE {quoted(name)}"


def migrated(fingerprint: str) -> str:
    """Write beside the list of applied migrations what stood for the code that applied them."""
    return f"COMMENT ON TABLE troth.django_migrations IS {literal(fingerprint)}"


def partition(parent: str, name: str, start: str, end: str) -> str:
    """Make one month's partition of a table; it gets its row security in the same transaction."""
    return (
        f"CREATE TABLE troth.{quoted(name)} PARTITION OF troth.{quoted(parent)}"
        f" FOR VALUES FROM ({literal(start)}) TO ({literal(end)}) WITH (fillfactor = 95)"
    )


def lasts(name: str, retention: Retention) -> str:
    """Ask whether some row of a month's partition still lasts."""
    return f"SELECT EXISTS (SELECT FROM troth.{quoted(name)} WHERE {alive(retention)})"


def unforced(name: str) -> str:
    """Let the owner, who is about to drop it, see what a month's partition holds: nobody else reaches it meanwhile."""
    return f"ALTER TABLE troth.{quoted(name)} NO FORCE ROW LEVEL SECURITY"


def held(name: str) -> str:
    """Count the rows of a month's partition."""
    return f"SELECT count(*) FROM troth.{quoted(name)}"


def drop_month(name: str) -> str:
    """Drop a month's partition with whatever it holds."""
    return f"DROP TABLE troth.{quoted(name)}"


def insert(table: str, columns: Mapping[str, str]) -> str:
    """Insert a batch from one array a column, in the order of `columns` (name -> type); `$1` is the first.

    A row that is there already is passed over, which costs as much again as storing it.
    """
    # Without a target: naming one would need the right to read it.
    return f"{_inserted(table, columns, 1)} ON CONFLICT DO NOTHING"


def insert_events(table: str, columns: Mapping[str, str]) -> str:
    """Insert a batch of events in the same way, none of which is there."""
    return _inserted(table, columns, 1)


def _inserted(
    table: str, columns: Mapping[str, str], first: int, *, joined: bool = False, alike: Collection[str] = ()
) -> str:
    places = dict(zip(columns, range(first, first + len(columns)), strict=True))
    apart, once = [name for name in columns if name not in alike], [name for name in columns if name in alike]
    names = ", ".join(map(quoted, (*apart, *once)))
    array = _joined if joined else _array
    arrays = ", ".join(array(places[name], columns[name]) for name in apart)
    told = ", ".join(("*", *(f"${places[name]}::text::{columns[name]}" for name in once)))
    return f"INSERT INTO troth.{quoted(table)} ({names}) SELECT {told} FROM unnest({arrays})"


def _array(place: int, kind: str) -> str:
    return f"${place}::{kind}[]"


def _joined(place: int, kind: str) -> str:
    """Return the array that an argument says as one text, where its type is said so."""
    if kind == "text":
        return f"string_to_array(${place}, chr({ord(BETWEEN)}), chr({ord(ABSENT)}))"
    return f"${place}::text::{kind}[]" if kind in AS_TEXT else _array(place, kind)


@lru_cache(maxsize=1024)
def insert_new(tables: tuple[tuple[str, tuple[tuple[str, str], ...], frozenset[str]], ...]) -> str:
    """Take keys that are all new, insert batches, and count them, in one statement; no row: a sender's key ended.

    `$1` and `$2` are digests of senders' keys with the applications they are of, `$3` and `$4` the events' keys and
    bodies, `$5` to `$12` what `roll` takes. One array follows for each column of each table (name, its columns' names
    and types, which of them hold the same in all rows and are told once, as a text), and of those of type `text` all
    that stands in it as one text. What is `AS_TEXT`, keys and bodies too, is the text of an array. Rows are inserted
    before they are counted, so that nobody waits for a count longer than need be.
    """
    parts, place = list[str](), 13
    for nth, (table, columns, alike) in enumerate(tables):
        inserted = _inserted(table, dict(columns), place, joined=True, alike=alike)
        parts.append(f"stored_{nth} AS ({inserted} WHERE (SELECT new FROM taken) RETURNING 1)")
        place += len(columns)
    done = " AND ".join(f"(SELECT count(*) FROM stored_{nth}) > 0" for nth in range(len(tables)))
    return (
        "WITH taken AS MATERIALIZED (SELECT troth.take_new($3::text::uuid[], $4::text::uuid[]) AS new"
        " WHERE NOT EXISTS (SELECT FROM unnest($1::bytea[], $2::text[]) AS asked (digest, application)"
        " WHERE troth.sender(asked.digest) IS DISTINCT FROM asked.application"
        f")), {', '.join(parts)}"
        f" SELECT troth.roll($5, $6, $7, $8, $9, $10, $11, $12) FROM taken WHERE {done}"
    )
