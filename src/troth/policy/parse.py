"""From a policy's text to its meaning: every clause is parsed by itself, so that one error hides no other."""

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from importlib import resources

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from troth.policy.check import Checked, checked
from troth.policy.desk import MOST_GUESSES
from troth.policy.errors import PolicyError, PolicyErrors
from troth.policy.meaning import (
    Audience,
    Basis,
    Change,
    Condition,
    Occasion,
    Policy,
    Precision,
    Span,
    Storage,
    Texts,
    Verb,
    Window,
    WindowKind,
)
from troth.policy.source import LONGEST, Piece, Source, pieces, source
from troth.policy.written import Named, Statement, WrittenUse

KEYWORDS = (
    "policy",
    "operator",
    "category",
    "call",
    "purpose",
    "collect",
    "coarsen",
    "store",
    "show",
    "let",
    "share",
    "never",
    "correlate",
    "honour",
    "require",
    "keep",
    "encrypt",
    "stay",
    "tie",
    "agree",
    "leave",
    "open",
    "verify",
    "allow",
    "refuse",
    "drop",
    "ask",
    "notify",
    "tell",
    "note",
)
ROOT = Span(1, 1, 1, 2)
QUOTE = '"'
#: What words are made of, and what ends one that is not.
WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
CLOSING = frozenset("],:")
#: Control characters, bytes that are not UTF-8, and marks that show a line in another order than it is read in
#: (CVE-2021-42574): with them a policy would not say what people see.
UNREADABLE = frozenset(
    code
    for part in (range(32), range(127, 160), range(0x2028, 0x202F), range(0x2066, 0x206A), range(0xD800, 0xE000))
    for code in part
)


def _choice(words: Iterable[str]) -> str:
    every = [str(word) for word in words]
    return f"{', '.join(every[:-1])} or {every[-1]}"


WORDS = {
    "NAME": "a name such as `person.email`",
    "STRING": 'a text in "quotation marks"',
    "NUMBER": "a number",
    "DATE": "a date such as 2026-11-01",
    "EMAIL": "an e-mail address",
    "PROMISE": "a promise such as P8",
    "OCCASION": f"an occasion: {_choice(Occasion)}",
    "PRECISION": f"a precision: {_choice(p for p in Precision if p is not Precision.AS_IS)}",
    "VERB": f"a verb: {_choice(Verb)}",
    "BASIS": f"a basis: {_choice(Basis)}",
    "AUDIENCE": f"an audience: {_choice(Audience)}",
    "STORAGE": f"a place: {_choice(Storage)}",
    "CHANGE": f"what may change: {_choice(Change)}",
    "CONDITION": f"a condition: {_choice(Condition)}",
    "TOPIC": "what people are told: see docs/policy-language.md",
    "CHANNEL": "a way: e-mail, letter or message",
    "LANGUAGE": "a language such as `es`",
    "CORRELATE": "`correlate`",
    "ATTRIBUTE": "`identifying` or `sensitive`",
    "LSQB": "promises in brackets",
    "RSQB": "a closing bracket",
    "COMMA": "a comma",
    "COLON": "a colon",
    "$END": "the end of the clause",
}


#: The closed words behind a terminal; any other terminal that is a word is named like it.
CLOSED: Mapping[str, Iterable[str]] = {
    "OCCASION": Occasion,
    "PRECISION": [each for each in Precision if each is not Precision.AS_IS],
    "VERB": Verb,
    "BASIS": Basis,
    "AUDIENCE": Audience,
    "STORAGE": Storage,
    "CHANGE": Change,
    "CONDITION": Condition,
    "CHANNEL": ("e-mail", "letter", "message"),
    "ATTRIBUTE": ("identifying", "sensitive"),
}
#: How alike words must be for one to be meant by the other.
NEAR = 0.75


@cache
def grammar() -> Lark:
    """Return the parser of one clause."""
    text = resources.files("troth.policy").joinpath("syntax.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="contextual", propagate_positions=True)


def read(text: str, name: str, *, settled: bool = False) -> Policy:
    """Return the meaning of a policy's text. Raises PolicyErrors with everything that is wrong with it.

    Of one that is `settled`, published before, it is not asked what later compilers ask of new ones.
    """
    whole = source(text, name)
    errors = list(_unreadable(whole))
    if errors:
        raise PolicyErrors(errors)
    statements: list[Statement] = []
    for piece in pieces(whole):
        outcome = _clause(whole, piece, guessing=len(errors) < MOST_GUESSES)
        if isinstance(outcome, PolicyError):
            errors.append(outcome)
        else:
            statements.append(outcome)
    digest = sha256(text.encode("utf-8")).hexdigest()
    found: Checked = checked(statements, digest, whole, partial=bool(errors), settled=settled)
    errors += found.errors
    if errors or found.policy is None:
        raise PolicyErrors(errors)
    return found.policy


def _unreadable(whole: Source) -> list[PolicyError]:
    if len(whole.text) > LONGEST:
        advice = f"keep a policy under {LONGEST:,} characters"
        return [PolicyError("P-S04", whole.name, ROOT, "", f"the text has {len(whole.text):,} characters", advice)]
    for number, line in enumerate(whole.lines, start=1):
        for column, sign in enumerate(line, start=1):
            if ord(sign) in UNREADABLE:
                span = Span(number, column, number, column + 1)
                shown = "".join("\N{REPLACEMENT CHARACTER}" if ord(each) in UNREADABLE else each for each in line)
                byte = 0xDC80 <= ord(sign) <= 0xDCFF  # noqa: PLR2004 - what surrogateescape makes of a byte
                what = f"the byte 0x{ord(sign) - 0xDC00:02X}" if byte else f"the character U+{ord(sign):04X}"
                sentence = f"{what} cannot be read"
                return [PolicyError("P-S03", whole.name, span, shown, sentence, "save the file as plain UTF-8 text")]
    return []


def _clause(whole: Source, piece: Piece, *, guessing: bool) -> Statement | PolicyError:
    first = piece.text.split(None, 1)[0] if piece.text.split() else ""
    if first not in KEYWORDS:
        span = Span(piece.line, 1, piece.line, 1 + max(1, len(first)))
        near = get_close_matches(first, KEYWORDS, 1) if guessing else []
        advice = (
            f"did you mean `{near[0]}`?" if near else f"a clause begins at column 1 with one of: {', '.join(KEYWORDS)}"
        )
        return PolicyError(
            "P-S01", whole.name, span, whole.line(piece.line), f"`{first[:40]}` begins no clause", advice
        )
    try:
        return _statement(grammar().parse(piece.text), piece)
    except UnexpectedInput as problem:
        return _syntax(whole, piece, problem, guessing=guessing)
    except ValueError as problem:  # a date that no calendar has
        span = Span(piece.line, 1, piece.line, len(whole.line(piece.line)) + 1)
        return PolicyError(
            "P-S05", whole.name, span, whole.line(piece.line), str(problem), "write a real date, as 2026-11-01"
        )


def _syntax(whole: Source, piece: Piece, problem: UnexpectedInput, *, guessing: bool) -> PolicyError:
    expected: set[str] = set()
    if isinstance(problem, UnexpectedToken):
        expected = set(problem.accepts or problem.expected)
    elif isinstance(problem, UnexpectedCharacters):
        expected = set(problem.allowed or ())
    ended = isinstance(problem, UnexpectedEOF) or (
        isinstance(problem, UnexpectedToken) and problem.token.type == "$END"
    )
    if ended:
        lines = piece.text.split("\n")
        number, column = piece.line + len(lines) - 1, len(lines[-1]) + 1
        span, sentence = Span(number, column, number, column + 1), "the clause ends too early"
    else:
        number, column = piece.line + max(problem.line, 1) - 1, max(problem.column, 1)
        column, word = _word_at(whole.line(number), column)
        span, sentence = Span(number, column, number, column + len(word)), f"`{word[:40]}` does not fit here"
        if word == QUOTE:
            advice = "close it on its own line"
            return PolicyError("P-S02", whole.name, span, whole.line(number), "the text has no end", advice)
    wanted = ", or ".join(sorted({_word(each) for each in expected})) or "something else"
    near = "" if ended or not guessing else _near(whole.line(span.line)[span.column - 1 :], expected)
    advice = f"expected {wanted}"
    if near:
        advice = f"did you mean `{near}`?" + (f" {advice}" if wanted != f"`{near}`" else "")
    return PolicyError("P-S02", whole.name, span, whole.line(span.line), sentence, advice)


def _near(rest: str, expected: Iterable[str]) -> str:
    """Return the word, or words, that what stands here comes nearest to of those that may; empty when none is near."""
    every = {str(word) for each in expected for word in CLOSED.get(each, (each.lower(),))}
    for words in sorted(every, key=lambda each: (-len(each.split()), each)):
        written = " ".join(rest.split()[: len(words.split())]).rstrip(",:]")
        if get_close_matches(written, [words], 1, NEAR):
            return words
    return ""


def _word_at(line: str, column: int) -> tuple[int, str]:
    """Return the whole word that a place is in, and where it begins; a quotation mark that nothing closes is one."""
    start = end = column - 1
    while start and line[start - 1] in WORD and line[start : start + 1] in WORD:
        start -= 1
    if line.startswith(QUOTE, start) and line.find(QUOTE, start + 1) < 0:
        return start + 1, QUOTE
    while end < len(line) and not line[end].isspace() and (end == start or line[end] not in CLOSING):
        end += 1
    return start + 1, line[start:end] or "?"


def _word(terminal: str) -> str:
    return WORDS.get(terminal, f"`{terminal.lower()}`")


# Trees to statements


def _span(piece: Piece, thing: Tree[Token] | Token) -> Span:
    meta = thing.meta if isinstance(thing, Tree) else thing
    shift = piece.line - 1
    return Span((meta.line or 1) + shift, meta.column or 1, (meta.end_line or 1) + shift, meta.end_column or 2)


def _statement(tree: Tree[Token], piece: Piece) -> Statement:
    tokens = {child.type: str(child) for child in tree.children if isinstance(child, Token)}
    parts: dict[str, list[Tree[Token]]] = {}
    for child in tree.children:
        if isinstance(child, Tree):
            parts.setdefault(str(child.data), []).append(child)
    lists = [tuple(_named(piece, t) for t in _tokens(part)) for part in parts.get("names", [])]
    own = tuple(_named(piece, t) for t in _tokens(tree) if t.type == "NAME")
    return Statement(
        kind=str(tree.data),
        span=_span(piece, tree),
        names=lists[0] if lists else own,
        others=lists[1] if len(lists) > 1 else own if lists else (),
        text=tokens.get("STRING", '""')[1:-1],
        translations=_translations(parts.get("translation", [])),
        number=int(tokens.get("NUMBER", "0")),
        limit=next((int(t) for kind in ("deadline", "lasting") for p in parts.get(kind, []) for t in _tokens(p)), None),
        day=date.fromisoformat(tokens["DATE"]) if "DATE" in tokens else None,
        contact=tokens.get("EMAIL", ""),
        attribute=tokens.get("ATTRIBUTE", ""),
        words=_closed(tree, parts),
        basis=Basis(_word_of(parts["basis"][0])) if "basis" in parts else None,
        precision=Precision(_word_of(parts["precision"][0])) if "precision" in parts else None,
        occasions=tuple(Occasion(plain(t)) for part in parts.get("occasions", []) for t in _tokens(part)),
        verbs=tuple(Verb(str(t)) for part in parts.get("verbs", []) for t in _tokens(part)),
        uses=tuple(_use(piece, part) for part in parts.get("use", [])),
        promises=tuple(_named(piece, t) for part in parts.get("promises", []) for t in _tokens(part)),
    )


def plain(text: str) -> str:
    """Write words with one space between them, however they were broken."""
    return " ".join(text.split())


def _closed(tree: Tree[Token], parts: dict[str, list[Tree[Token]]]) -> tuple[str, ...]:
    """Return the closed words of a clause: each is one token of its own rule, or of the clause itself."""
    own = [plain(t) for t in _tokens(tree) if t.type in ("CHANNEL", "CORRELATE")]
    kinds = ("audience", "audiences", "storage", "condition", "topic", "changes")
    return tuple(own + [plain(t) for kind in kinds for part in parts.get(kind, []) for t in _tokens(part)])


def _translations(trees: list[Tree[Token]]) -> Texts:
    return tuple((str(language), str(text)[1:-1]) for language, text in (_tokens(tree) for tree in trees))


def _tokens(tree: Tree[Token]) -> list[Token]:
    return [child for child in tree.children if isinstance(child, Token)]


def _named(piece: Piece, token: Token) -> Named:
    return Named(str(token), _span(piece, token))


def _word_of(tree: Tree[Token]) -> str:
    return plain(str(_tokens(tree)[0]))


def _use(piece: Piece, tree: Tree[Token]) -> WrittenUse:
    window, precision = Window(WindowKind.CONSENTED, 0), Precision.AS_IS
    for child in tree.children:
        if isinstance(child, Tree) and child.data == "precision":
            precision = Precision(_word_of(child))
        elif isinstance(child, Tree):
            days = [int(t) for t in _tokens(child)]
            window = Window(WindowKind(str(child.data)), days[0] if days else 0)
    return WrittenUse(_named(piece, _tokens(tree)[0]), window, precision, _span(piece, tree))
