"""What is wrong with a policy: each error with its place, a plain sentence and the way out; all of them at once."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from troth.policy.meaning import Span

#: More errors than this are only counted, and longer lines only shown around the place.
MOST_SHOWN = 200
LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class PolicyError:
    """One error. `code` is stable: P-S.. syntax, P-N.. names, P-M.. meaning, P-T.. what the tables cannot do."""

    code: str
    file: str
    span: Span
    line: str
    sentence: str
    advice: str

    def __str__(self) -> str:
        """Show the place, the source line with a caret, and what to do."""
        start = 0 if len(self.line) <= LONGEST_SHOWN else max(0, self.span.column - LONGEST_SHOWN // 2)
        shown = self.line[start : start + LONGEST_SHOWN].replace("\t", " ")
        column, end = self.span.column - start, self.span.end_column - start
        width = max(1, min(end, len(shown) + 1) - column)
        if self.span.end_line > self.span.line:
            width = max(1, len(shown) + 1 - column)
        number = str(self.span.line)
        gutter = " " * len(number)
        return (
            f"{self.file}:{self.span.line}:{self.span.column}: {self.code}: {self.sentence}\n"
            f" {number} | {shown}\n {gutter} | {' ' * (column - 1)}{'^' * width}\n {gutter} = {self.advice}"
        )

    def as_data(self) -> dict[str, str | int]:
        """Return the error as plain data."""
        return {
            "code": self.code,
            "file": self.file,
            "line": self.span.line,
            "column": self.span.column,
            "end_line": self.span.end_line,
            "end_column": self.span.end_column,
            "source": self.line[:LONGEST_SHOWN],
            "message": self.sentence,
            "advice": self.advice,
        }


class PolicyErrors(ValueError):
    """All errors of a policy, in the order of their places."""

    def __init__(self, errors: Iterable[PolicyError]) -> None:
        """Sort them."""
        found = sorted(errors, key=lambda e: (e.span.line, e.span.column, e.code))
        more = found[MOST_SHOWN:]
        if more:
            count = "is 1 more error" if len(more) == 1 else f"are {len(more)} more errors"
            sentence, advice = f"there {count}", "mend the first ones and check again"
            found[MOST_SHOWN:] = [PolicyError("P-S06", more[0].file, more[0].span, more[0].line, sentence, advice)]
        self.errors = tuple(found)
        super().__init__("\n\n".join(map(str, self.errors)))

    def as_json(self) -> str:
        """Return {"errors": [...]}."""
        return json.dumps({"errors": [error.as_data() for error in self.errors]})
