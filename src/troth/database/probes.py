"""The closed list of probes: what must hold is tried as the roles themselves, every minute, and the answer is kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection, errors

from troth.database import connect, published, pulse, walls
from troth.database.place import Place
from troth.database.probing import NotFoundOut, Round, limited
from troth.database.statements import load

SQL = load("troth.database.sql")


@dataclass(frozen=True, slots=True)
class Probe:
    """What must hold, in a sentence, for which promises; `run` yields a sentence for each thing that does not."""

    name: str
    promises: tuple[str, ...]
    sentence: str
    run: Callable[[Round], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe found: `ok` is None where it could not be found out. `at` is None until it is kept."""

    probe: Probe
    ok: bool | None
    sentence: str
    at: datetime | None = None


def tried(where: Place, owner: Connection[Any]) -> list[Found]:
    """Try everything, in bounded time. A database without a policy is asked nothing."""
    with limited(owner):
        now = published.on(owner)
    if now is None:
        return []
    with Round(where, owner, now) as turn:
        return [found(probe, turn) for probe in PROBES]


def found(probe: Probe, turn: Round) -> Found:
    """Try one probe."""
    try:
        broken = list(probe.run(turn))
    except NotFoundOut as reason:
        return Found(probe, None, f"could not be found out: {reason}")
    except (errors.QueryCanceled, errors.LockNotAvailable, psycopg.OperationalError) as error:
        return Found(probe, None, f"could not be found out in time ({error.sqlstate or 'no connection'})")
    except psycopg.Error as error:
        # Only the code: what PostgreSQL says may hold values.
        return Found(probe, ok=False, sentence=f"what is asked is answered with the error {error.sqlstate}")
    more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
    return Found(probe, not broken, f"{broken[0]}{more}" if broken else probe.sentence)


def keep(where: Place, owner: Connection[Any]) -> list[Found]:
    """Try everything and write down what was found, over the owner's autocommitting connection."""
    results = tried(where, owner)
    for each in results:
        told = {"name": each.probe.name, "ok": each.ok, "sentence": each.sentence}
        owner.execute(SQL["write_probe"].encode(), told)
    owner.execute(SQL["forget_probes"].encode(), {"names": [probe.name for probe in PROBES]})
    return results


def latest(role: str = "door") -> list[Found]:
    """Return what was found last, in the order of the list; a probe that was never tried is not known."""
    with connect.acting(role) as connection:
        kept = {name: told for name, *told in connection.execute(SQL["latest_probes"].encode())}
    return [Found(probe, *kept.get(probe.name, (None, "was not tried yet", None))) for probe in PROBES]


PROBES = (
    Probe(
        "withheld",
        ("P3", "P5", "P8", "P11"),
        "no purpose reads a column that the policy withholds from it",
        walls.withheld,
    ),
    Probe("granted", ("P3", "P20"), "each purpose reads what the policy grants it", walls.granted),
    Probe("windows", ("P8", "P26"), "no purpose sees a row that is older than its window", walls.windows),
    Probe("stamped", ("P2", "P3", "P39"), "whoever has rows that a purpose sees is in that purpose", walls.stamped),
    Probe("writes", ("P3",), "no purpose writes anything", walls.writes),
    Probe(
        "partitions",
        ("P3", "P8"),
        "nobody reaches a month of events past the rules of its table, and the next month stands ready",
        walls.partitions,
    ),
    Probe("apart", ("P3", "P24"), "no role becomes another", walls.apart),
    Probe("makes", ("P3",), "no role makes tables, schemas or programs", walls.makes),
    Probe(
        "functions",
        ("P2", "P22"),
        "each function is called by those who are named, and by nobody else",
        walls.functions,
    ),
    Probe("viewer", ("P22", "P24"), "without a token, and with a forged one, nobody's data is shown", walls.viewer),
    Probe("shown", ("P22", "P32"), "whoever looks reads what the policy shows them, and nothing else", walls.shown),
    Probe(
        "intake",
        ("P5", "P8", "P9", "P11", "P14"),
        "nothing is stored that is not collected, or finer than is said",
        walls.intake,
    ),
    Probe(
        "identifiers",
        ("P19",),
        "an anonymous identifier has rows nowhere but where it may, and nothing sensitive there",
        walls.identifiers,
    ),
    Probe("ledger-closed", (), "nobody writes into the ledger but through its one door", walls.ledger),
    Probe("ledger-tail", (), "the ledger's last entries follow from each other", pulse.tail),
    Probe(
        "versions",
        ("P1", "P36", "P38"),
        "each version of policy and terms is what the operator's key signed, and none is gone",
        pulse.versions,
    ),
    Probe("drift", (), "the database is what the policy in force says", pulse.drifting),
    Probe("outbox", ("P37",), "no notice waits for long", pulse.outbox),
    Probe("retention", ("P8", "P26"), "nothing is kept an hour past its time", pulse.retention),
    Probe("encryption", ("P34",), "pages answer by TLS alone, and so does a database elsewhere", pulse.encryption),
)
