"""The canonical form of a policy: one space, one order of breaks; remarks stay, and nothing changes its meaning."""

from collections.abc import Iterator

from lark import Token

from troth.policy.parse import grammar, plain, read
from troth.policy.source import Source, remark_of, source, without_comment

#: Where a line is broken, and by how much its continuation is indented.
WIDTH = 100
INDENT = "    "
TIGHT_BEFORE = (",", "]", ":")
TIGHT_AFTER = ("[",)


def formatted(text: str, name: str) -> str:
    """Return a policy's text in its canonical form. Raises PolicyErrors where it is not sound: nothing is then lost."""
    read(text, name)
    whole = source(text, name)
    lines = [line for block in _blocks(whole) for line in block]
    return "\n".join(_single_blanks(lines)).strip("\n") + "\n"


def _blocks(whole: Source) -> Iterator[list[str]]:
    """Yield remarks and blank lines as they are, and each clause anew; remarks inside a clause go before it."""
    clause: list[str] = []
    inside: list[str] = []
    waiting: list[str] = []
    for line in (*whole.lines, "."):
        bare, remark = without_comment(line), remark_of(line)
        if bare and not bare[0].isspace():
            if clause:
                yield [*inside, *_clause("\n".join(clause)), *waiting]
            else:
                yield waiting
            clause, inside, waiting = [bare], [remark] if remark else [], []
        elif bare.strip():
            inside += [each for each in (*waiting, remark) if each.strip()]
            waiting = []
            clause.append(bare)
        else:
            waiting.append(remark)


def _single_blanks(lines: list[str]) -> Iterator[str]:
    before = ""
    for line in lines:
        if line or before:
            yield line
        before = line


def _clause(text: str) -> list[str]:
    tokens = list(grammar().parse_interactive(text).iter_parse())
    lines = _lines(tokens, {"FOR"} if tokens[0] == "collect" else set())
    if max(map(len, lines)) > WIDTH:
        lines = _lines(tokens, {"FOR"} if tokens[0] == "collect" else {"IN", "BY"})
    broken = [_wrapped(line, INDENT * min(number, 1)) for number, line in enumerate(lines)]
    return [line for block in broken for line in block]


def _lines(tokens: list[Token], breaks: set[str]) -> list[str]:
    """Return a clause's tokens as lines, a new one before each token of these kinds."""
    lines: list[list[str]] = [[]]
    for token in tokens:
        if token.type in breaks:
            lines.append([])
        lines[-1].append(_word(token))
    return [_joined(words) for words in lines]


def _word(token: Token) -> str:
    return str(token) if token.type == "STRING" else plain(token)


def _joined(words: list[str]) -> str:
    text = ""
    for before, word in zip(["[", *words], words, strict=False):
        text += word if before in TIGHT_AFTER or word in TIGHT_BEFORE else f" {word}"
    return text


def _wrapped(line: str, indent: str) -> Iterator[str]:
    """Break a line that is too long behind a comma outside quotation marks; a text is never broken."""
    rest, own = line, indent
    while len(own) + len(rest) > WIDTH:
        quoted, place = False, -1
        for at, sign in enumerate(rest):
            quoted = quoted is not (sign in '"[]')
            if not quoted and rest.startswith(", ", at) and (len(own) + at < WIDTH or place < 0):
                place = at
        if place < 0:
            break
        yield own + rest[: place + 1]
        rest, own = rest[place + 2 :], indent + INDENT
    yield own + rest
