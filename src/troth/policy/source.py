"""A policy's text: cleaned of comments, cut into clauses that begin at column 1."""

from dataclasses import dataclass

#: A policy longer than this is refused before anything else looks at it.
LONGEST = 1_000_000
NEWLINE = "\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """One clause's text, comments blanked, and the 1-based line where it begins."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Source:
    """A named text with its lines as the reader sees them."""

    name: str
    text: str
    lines: tuple[str, ...]

    def line(self, number: int) -> str:
        """Return a 1-based line, empty beyond the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


def source(text: str, name: str) -> Source:
    """Normalise line ends, tabs and a byte-order mark."""
    clean = text.removeprefix("\ufeff").replace("\r\n", NEWLINE).replace("\r", NEWLINE).replace("\t", " ")
    return Source(name, clean, tuple(clean.split(NEWLINE)))


def pieces(text: Source) -> list[Piece]:
    """Cut: a line that begins at column 1 begins a clause, indented ones continue it."""
    found: list[tuple[int, list[str]]] = []
    for number, line in enumerate(text.lines, start=1):
        bare = without_comment(line)
        if bare and not bare[0].isspace():
            found.append((number, [bare]))
        elif found:
            found[-1][1].append(bare)
        elif bare.strip():
            found.append((number, [bare]))
    return [Piece(NEWLINE.join(lines).rstrip(), number) for number, lines in found]


def without_comment(line: str) -> str:
    """Cut from the first `#` that stands outside quotation marks."""
    return line[: _mark(line)].rstrip()


def remark_of(line: str) -> str:
    """Return the remark that a line ends with, or nothing."""
    return line[_mark(line) :].rstrip()


def _mark(line: str) -> int:
    quoted = False
    for place, sign in enumerate(line):
        if sign == '"':
            quoted = not quoted
        elif sign == "#" and not quoted:
            return place
    return len(line)
