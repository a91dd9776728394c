"""Which word of a standard says a thing of the policy: tables beside this module, each with a fallback."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any

from troth.policy.meaning import Basis, Purpose


@dataclass(frozen=True, slots=True)
class Table:
    """Patterns such as `*.email`, each with its word; the first that matches holds. `otherwise` is the fallback."""

    words: Mapping[str, str]
    otherwise: str

    def word(self, name: str) -> str:
        """Return the standard's word for a name."""
        return next((word for pattern, word in self.words.items() if fnmatchcase(name, pattern)), self.otherwise)


@dataclass(frozen=True, slots=True)
class Mapped:
    """The tables of one standard, by name, and the tables of words for purposes that only their basis is known of."""

    tables: Mapping[str, Table]
    by_basis: Mapping[str, Mapping[Basis, str]]

    def word(self, table: str, name: str) -> str:
        """Return the word for a name in one of the tables."""
        return self.tables[table].word(name)

    def purpose(self, table: str, purpose: Purpose) -> str:
        """Return the word for a purpose: by its name, or else by its basis; a legal duty is one, whatever its name."""
        named = "" if purpose.basis is Basis.LEGAL_DUTY else self.tables[table].word(purpose.name)
        return named or self.by_basis[table].get(purpose.basis, "")

    def all_words(self, *tables: str) -> frozenset[str]:
        """Return every word that the named tables, or all of them, can give."""
        names = tables or tuple(self.tables)
        words = {word for name in names for word in (*self.tables[name].words.values(), self.tables[name].otherwise)}
        return frozenset(
            word for word in words | {w for name in names for w in self.by_basis.get(name, {}).values()} if word
        )


@cache
def load(standard: str) -> Mapped:
    """Return the tables of a standard, from its TOML file."""
    told = tomllib.loads(resources.files("troth.policy.standards").joinpath(f"{standard}.toml").read_text("utf-8"))
    return Mapped(
        {name: _table(table) for name, table in told.items()},
        {
            name: {Basis(basis): word for basis, word in table["by_basis"].items()}
            for name, table in told.items()
            if "by_basis" in table
        },
    )


def _table(told: Mapping[str, Any]) -> Table:
    return Table(told["words"], told.get("otherwise", ""))
