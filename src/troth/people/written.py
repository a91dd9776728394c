"""What an operator writes in TOML and the policy must cover: errors with their lines, and the clauses missing."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from troth.people.errors import ManifestRefusal
from troth.policy.catalog import Catalog
from troth.policy.meaning import Policy
from troth.policy.planned import Plan


@dataclass(slots=True)
class Desk:
    """What is known while a text is read; `wrong` gathers every error with its line."""

    text: str
    told: dict[str, Any]
    policy: Policy
    plan: Plan
    catalog: Catalog
    errors: list[tuple[int, str]] = field(default_factory=list)

    def wrong(self, words: str, *place: str) -> None:
        """Note an error where the last word of a path stands."""
        self.errors.append((line(self.text, *place), words))

    def refuse(self, what: str) -> None:
        """Raise ManifestRefusal with every error, if there is any."""
        if self.errors:
            listed = "\n".join(f"  line {number}: {words}" for number, words in sorted(self.errors))
            raise ManifestRefusal(f"{what}:\n{listed}", advice="mend the lines, or the policy")

    def undeclared(self, category: str) -> Iterator[str]:
        """Yield that the policy has no such category."""
        if category not in {each.name for each in self.policy.categories}:
            yield f"the policy has no category `{category}`; it would need: category {category}"


def toml(text: str, what: str) -> dict[str, Any]:
    """Return a text's TOML. Raises ManifestRefusal where it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ManifestRefusal(f"{what} is no TOML: {error}", advice="mend the line it names") from error
    except RecursionError:
        raise ManifestRefusal(f"{what} is nested too deeply", advice="lists and tables stand side by side") from None


def line(text: str, *place: str) -> int:
    """Return the line on which the last word of a path stands, behind those before it; 1 when it stands nowhere."""
    at = 0
    for word in place:
        found = re.compile(rf"""(?m)(^\s*|[.\["'])({re.escape(word)})(?=["'\s=\].])""").search(text, at)
        if found is None:
            break
        at = found.start(2)
    return text.count("\n", 0, at) + 1
