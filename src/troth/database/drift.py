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

SQL = load("troth.database.sql")


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs: facts of the catalog, per table the rows whose stamp is not what `permitted` says, and `widened`.

    That is, by purpose or audience, how many people `permitted` has in it though nothing that they said put them there.
    """

    facts: Difference
    misstamped: tuple[tuple[str, int], ...]
    widened: tuple[tuple[str, int], ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.facts or self.misstamped or self.widened)

    def lines(self) -> list[str]:
        """Say each difference in a line."""
        said = [f"missing: {fact}" for fact in self.facts.missing] + [
            f"not of the policy: {fact}" for fact in self.facts.surplus
        ]
        said += [
            f"stamps: {rows} rows of {table} are not stamped as `permitted` says" for table, rows in self.misstamped
        ]
        return said + [f"permitted: {many} people are in {unit} and nothing says so" for unit, many in self.widened]


def drift(connection: Connection[Any]) -> Drift:
    """Compare, over the owner's connection. A database without a policy has no drift."""
    if newest(connection) is None:
        return Drift(Difference((), ()), ())
    stamps, widened = (
        tuple((str(name), int(many)) for name, many in connection.execute(SQL[query].encode()))
        for query in ("misstamped", "widened")
    )
    return Drift(differing(connection), stamps, widened)


def differing(connection: Connection[Any]) -> Difference:
    """Compare the facts alone, which takes as long whatever the rows. No version comes into force meanwhile."""
    with connection.transaction():
        connection.execute(SQL["keep_appliers_out"].encode())
        version = newest(connection)
        if version is None:
            return Difference((), ())
        catalog, policy = of(connection), parse.read(version.source, version.name, settled=True)
        wanted = desired(plan(policy, catalog), catalog, target_of(connection))
        return difference(wanted, observe(connection, catalog))
