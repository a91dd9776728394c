"""Text as it is looked at: folded to what its signs stand for, with where each came from, so that spans lead back."""

import unicodedata
from dataclasses import dataclass

#: Signs that are printed and show nothing, beside those of Unicode's category Cf.
UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800") | {chr(n) for n in range(0xFE00, 0xFE10)}
#: Signs that look like others and that compatibility decomposition does not fold.
ALIKE = {"\N{MINUS SIGN}": "-", "\N{FRACTION SLASH}": "/", "\N{DIVISION SLASH}": "/", "\N{ONE DOT LEADER}": "."}


@dataclass(frozen=True, slots=True)
class Plain:
    """Folded text; `origins[n]` is where its sign n stood, and the last one the length of what was folded."""

    text: str
    origins: tuple[int, ...] | None = None

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in what was folded; signs that show nothing and stand inside belong to it."""
        if self.origins is None:
            return start, end
        return self.origins[start], self.origins[end - 1] + 1


def fold(text: str) -> Plain:
    """Fold full-width and other digits, dashes and spaces; leave out what shows nothing."""
    if text.isascii():
        return Plain(text)
    signs, origins = list[str](), list[int]()
    for place, sign in enumerate(text):
        for each in sign if sign.isascii() else _folded(sign):
            signs.append(each)
            origins.append(place)
    return Plain("".join(signs), (*origins, len(text)))


def _folded(sign: str) -> str:
    category = unicodedata.category(sign)
    if category == "Cf" or sign in UNSEEN:
        return ""
    match category:
        case "Nd":
            return str(unicodedata.digit(sign))
        case "Pd":
            return "-"
        case "Zs":
            return " "
        case _:
            return ALIKE.get(sign) or unicodedata.normalize("NFKC", sign)
