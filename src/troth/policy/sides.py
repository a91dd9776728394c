"""Two versions sentence by sentence: which sentence became which, and the words in which the two differ."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from troth.policy import explain
from troth.policy.meaning import Policy

#: From which likeness on, of 1, a sentence is what became of another one and not a new one beside it.
ALIKE = 0.5

#: Words of a sentence, with whether the other side has others in their place.
type Pieces = tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence in two versions, in pieces; the side of a version that says nothing of the kind is empty."""

    old: Pieces
    new: Pieces


def pairs(old: Policy, new: Policy, language: str = "en") -> Iterator[Pair]:
    """Pair the sentences that only one version says, in the order of the new one, then what is said no longer.

    What a clause is called says nothing of what it became: names are numbered anew when another clause comes. So each
    is paired with the one that it is most like.
    """
    before, after = (_said(each, language) for each in (old, new))
    left = [text for text in before if text not in set(after)]
    for text in (each for each in after if each not in set(before)):
        like = _most_like(text, left)
        if like:
            left.remove(like)
        yield Pair(*_marked(like, text))
    for text in left:
        yield Pair(*_marked(text, ""))


def _said(policy: Policy, language: str) -> list[str]:
    return [sentence.text for section in explain.sections(policy, language) for sentence in section.sentences]


def _most_like(text: str, others: Iterable[str]) -> str:
    matcher = SequenceMatcher(None, b=text.split(), autojunk=False)
    best, found = ALIKE, ""
    for other in others:
        matcher.set_seq1(other.split())
        if matcher.quick_ratio() >= best and (ratio := matcher.ratio()) >= best and (ratio > best or not found):
            best, found = ratio, other
    return found


def _marked(before: str, after: str) -> tuple[Pieces, Pieces]:
    old, new = before.split(), after.split()
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    left = tuple((" ".join(old[a:b]), tag != "equal") for tag, a, b, _, _ in steps if a != b)
    right = tuple((" ".join(new[c:d]), tag != "equal") for tag, _, _, c, d in steps if c != d)
    return left, right
