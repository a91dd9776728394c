"""Whether the database is still what the policy in force made of it: catalog, settings, grants and stamps."""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from troth.database.apply import newest, target_of
from troth.database.catalog import of
from troth.database.observe import observe
from troth.database.statements import load
from troth.policy import parse
from troth.policy.facts import Difference, difference
from troth.policy.plan import plan
from troth.policy.sql import desired


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs: facts of the catalog, and per table the rows whose stamp is not what `permitted` says."""

    facts: Difference
    misstamped: tuple[tuple[str, int], ...]

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.facts or self.misstamped)

    def lines(self) -> list[str]:
        """Say each difference in a line."""
        said = [f"missing: {fact}" for fact in self.facts.missing] + [
            f"not of the policy: {fact}" for fact in self.facts.surplus
        ]
        return said + [
            f"stamps: {rows} rows of {table} are not stamped as `permitted` says" for table, rows in self.misstamped
        ]


def drift(connection: Connection[Any]) -> Drift:
    """Compare, over the owner's connection. A database without a policy has no drift."""
    if newest(connection) is None:
        return Drift(Difference((), ()), ())
    stamps = connection.execute(load("troth.database.sql")["misstamped"].encode()).fetchall()
    return Drift(differing(connection), tuple((str(t), int(n)) for t, n in stamps))


def differing(connection: Connection[Any]) -> Difference:
    """Compare the facts alone, which takes as long whatever the rows."""
    version = newest(connection)
    if version is None:
        return Difference((), ())
    catalog = of(connection)
    wanted = desired(plan(parse.read(version.source, version.name), catalog), catalog, target_of(connection))
    return difference(wanted, observe(connection, catalog))
