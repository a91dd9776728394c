"""Letters about a version, where the policy tells people by letter: lists of who is owed one, and which of them left.

Whoever publishes takes a list, which is written down for everybody who is on it. What stands on an envelope is read as
a purpose by agreement, so that it is what that purpose may know of whoever is in it; nothing is stored with the letter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql

from troth.consent.acting import act
from troth.consent.errors import ConsentRefusal, NothingToPublish, Unsecured
from troth.database import connect, published
from troth.policy.meaning import Basis
from troth.policy.standards import mapping

REFUSALS: Mapping[str, type[ConsentRefusal]] = {"TR040": NothingToPublish, "TR065": Unsecured}
#: Letters of one list: the next one goes on once these have left.
AT_ONCE = 500
#: What the vocabulary calls a category that says where a letter goes.
POSTAL = "pd:PhysicalAddress"
#: What became of a letter.
OUTCOMES = ("sent", "failed")


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that is owed: to whom, from which version on, in which language, or that a version was withdrawn.

    `name` and each of `address` are None where no purpose by agreement may know them of this person.
    """

    letter: UUID
    subject: UUID
    before: int | None
    language: str
    withdrawn: bool
    name: str | None = None
    address: tuple[str, ...] = ()


def taken(*, viewer: str, telling: UUID, many: int = AT_ONCE) -> list[Letter]:
    """Take the first so many that are owed about a version and not sent. Raises NothingToPublish, Unsecured."""
    rows = act("staff", viewer, "list_letters", {"telling": telling, "many": many}, REFUSALS)
    subjects = [row[1] for row in rows]
    names = _known("person", "name", subjects)
    addresses = [_known("profile", column, subjects) for column in _postal()]
    found = []
    for letter, subject, before, language, withdrawn in rows:
        address = tuple(each[subject] for each in addresses if subject in each)
        found.append(Letter(letter, subject, before, language, withdrawn, names.get(subject), address))
    return found


def settle(*, viewer: str, telling: UUID, letters: Iterable[UUID] | None, how: str) -> int:
    """Say of these letters of lists, or of all that are on one, what became of them; return of how many it is said now.

    `how` is one of OUTCOMES. Raises NothingToPublish, Unsecured.
    """
    told = {"telling": telling, "letters": None if letters is None else list(letters), "how": how}
    ((many,),) = act("staff", viewer, "settle_letters", told, REFUSALS)
    return int(many)


def _known(table: str, column: str, subjects: list[UUID]) -> dict[UUID, str]:
    """Return what the first purpose by agreement that may read a column knows there of some people."""
    now = published.current()
    readers = {each.purpose for each in now.plan.readings if (each.table, each.column) == (table, column)}
    agreed = (each.name for each in now.policy.purposes if each.basis is Basis.AGREEMENT and each.name in readers)
    purpose = next(agreed, None)
    if purpose is None:
        return {}
    names = sql.Identifier(column), sql.Identifier(table)
    query = sql.SQL("SELECT subject, {0} FROM {1} WHERE subject = ANY(%s) AND {0} IS NOT NULL").format(*names)
    with connect.acting(purpose) as connection:
        return {subject: str(value) for subject, value in connection.execute(query, (subjects,))}


def _postal() -> list[str]:
    """Return the declared fields in which people say where they live, by what they hold."""
    words = mapping.load("dpv")
    columns = (
        column for table in published.current().catalog.stamped if table.name == "profile" for column in table.columns
    )
    return [each.name for each in columns if each.category and words.word("categories", each.category) == POSTAL]


def numbers(text: str) -> list[UUID]:
    """Return the letters that a text names, one number a line. Raises ValueError."""
    return [UUID(line.strip()) for line in text.split() if line.strip()]


def told(letter: Letter, version: int) -> dict[str, Any]:
    """Return a letter as a line of a list."""
    return {
        "letter": str(letter.letter),
        "name": letter.name or "",
        "address": "\n".join(letter.address),
        "language": letter.language,
        "version": version,
        "before": letter.before or "",
        "what": "withdrawn" if letter.withdrawn else "version",
    }
