"""Named SQL statements, kept in `.sql` files beside the code that runs them."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from troth.database.errors import StatementsRefusal

HEADING = re.compile(r"^-- name: ([a-z][a-z0-9_]*)[ \t]*$", re.MULTILINE)


@cache
def load(package: str) -> Mapping[str, str]:
    """Return the statements of `package` by name, from every `.sql` file directly inside it.

    A statement begins with a line `-- name: xyz` and ends where the next begins. Raises StatementsRefusal when a
    name is used twice.
    """
    statements: dict[str, str] = {}
    for file in sorted(resources.files(package).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            for name, text in blocks(file.read_text(encoding="utf-8")):
                if name in statements:
                    sentence = f"statement `{name}` is written twice"
                    raise StatementsRefusal(sentence, place=f"{package}/{file.name}", advice="rename one of them")
                statements[name] = text
    return MappingProxyType(statements)


def blocks(text: str) -> list[tuple[str, str]]:
    """Return (name, statement) in order; what stands before the first heading is a remark."""
    headings = list(HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return [(h.group(1), text[h.end() : end].strip()) for h, end in zip(headings, ends, strict=True)]
