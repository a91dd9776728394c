"""Detectors of what says who somebody is: pure functions from folded text to spans, each confirmed by its checksum.

Patterns have no unbounded repeat inside another, and of each kind at most MOST candidates of a text are confirmed: what
looks like more of it is taken for it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import accumulate

import phonenumbers
from stdnum import luhn, numdb
from stdnum.iso7064 import mod_97_10

type Span = tuple[int, int]
#: Candidates of one kind in one text that are confirmed one by one.
MOST = 64
#: How far before a number the word may stand that says what it is.
NEAR = 40
#: A text without any of this holds none of what the detectors know. It begins with a sign that few texts have, so that
#: a text is told nearly as fast as it is read: what begins an address; seven digits, as many as the shortest number has
#: that has no letters; or fewer beside the letters of the countries' numbers that have some, or of an account's.
ANYTHING = re.compile(
    r"[@%&\d](?:(?<=@)|(?<=%)40|(?<=&)#64;|(?<=\d)(?:[ ./()+-]{0,4}\d){6}"
    r"|(?<=[A-Za-z]{6}\d)[\dLMNP-Vlmnp-v][A-Za-z]|(?<=[A-Za-z]{4}\d)\d{5}[A-Za-z]|(?<=\d)\d{5}[Aa]\d"
    r"|(?:(?<=[A-Za-z]{2}\d)|(?<=[A-Za-z]{2} \d))\d(?: ?\d\d){2} ?[A-Da-d](?![0-9A-Za-z])"
    r"|(?<=[A-Za-z]{2}\d)(?<![0-9A-Za-z][A-Za-z]{2}\d)\d(?:[ -]?[0-9A-Za-z]){11})"
)

EMAIL = re.compile(
    r"[\w.!#$%'*+~-]{1,64}(?:@|%40|&#64;)(?:(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])|\[[0-9A-Fa-f.:]{3,45}\])"
)
CARD = re.compile(r"(?<![0-9A-Za-z])(?<!\d[.,-])(?=((?:\d[ -]?){11,18}\d)(?![0-9A-Za-z]|[.,]\d))")
CARDS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720))\d{12,14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|(?:6011|65\d\d|64[4-9]\d|62\d\d|35\d\d)\d{12,15}|(?:50|5[6-9]|6[37])\d{10,17}"
)
IBAN = re.compile(r"(?<![0-9A-Za-z])(?=([A-Za-z]{2}\d\d(?:[ -]?[0-9A-Za-z]){11,30}))")
ABROAD = re.compile(r"(?<![0-9A-Za-z])(?:\+ ?|00[ -]?)(?=[1-9(])(?:\(?\d[ ./()-]{0,3}){6,14}\d(?!\d)")
#: Numbers as they are written within a country: only grouped as people there group them.
AT_HOME = {
    "US": re.compile(r"(?<![\w.+-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\w-]|\.\d)"),
    "ES": re.compile(r"(?<![\w.+-])[6789]\d\d[ .-](?:\d{3}[ .-]\d{3}|\d\d[ .-]\d\d[ .-]\d\d)(?![\w-]|[.,]\d| \d)"),
    "FR": re.compile(r"(?<![\w.+-])0[1-9](?:[ .-]\d\d){4}(?![\w-]|\.\d)"),
    "DE": re.compile(
        r"(?<![\w.+-])(?<!\d )\(?0[1-9]\d{1,4}\)?[ /-]{1,2}\d{3,5}[ -]?\d{2,5}(?:[ -]\d{1,4})?(?![\w-]|\.\d)"
    ),
    "GB": re.compile(r"(?<![\w.+-])(?<!\d )\(?0(?:20|1\d{2,3}|7\d{3})\)? ?\d{3,4} ?\d{3,4}(?![\w-]|\.\d)"),
    "IT": re.compile(r"(?<![\w.+-])(?<!\d )3[2-9]\d[ .-]\d{3}[ .-]?\d{4}(?![\w-]|\.\d)"),
}
#: As many digits as a phone's number has at the least, however it is written: a text without them has none.
SEVEN = re.compile(r"\d(?:[ ./()+-]{0,4}\d){6}")
#: How a word begins before which a number is a phone's, in small letters: most texts with a long number have none.
CALLS = re.compile(r"tel|tél|phone|mob|mov|móv|cell|call|fax|whats|sms|llam|handy|anruf|rufnum|port|appel|jo.ndre")
CALLED = re.compile(
    r"(?i)\b(?:tel|phone|telephone|mobile|cell|call|fax|whatsapp|sms|llama|llame|móvil|movil|teléfono|telefono|handy|"
    r"telefon|telefonnummer|mobil|anruf|rufnummer|portable|téléphone|telephone|appelez|joindre|cellulare)\b[^\w+(]{0,6}"
    r"(?:\w{1,10}[^\w+(]{1,3}){0,2}(?=((?:\(?\d\)?[ ./-]{0,2}){6,14}\d)(?!\d))"
)


@dataclass(frozen=True, slots=True)
class Detector:
    """`find` yields spans in folded text; `name` is what is counted and what stands in place of what was found."""

    name: str
    find: Callable[[str], Iterator[Span]]


@dataclass(frozen=True, slots=True)
class National:
    """A country's number: how it is written, what confirms it, and the word without which it would be any number.

    `signs` are those that it is written with, and `written` these where they are no part of something else. `digits`
    says how many follow each other in it, with at most one sign between two: a text without so many together does not
    have it. Where it is empty, that says nothing.
    """

    signs: str
    written: re.Pattern[str]
    module: str
    cue: re.Pattern[str] | None
    digits: frozenset[int]


#: Runs of digits with one sign between two, that sign, and of how many runs a row is looked at.
ROW, BETWEEN, MOST_RUNS = re.compile(r"\d+(?:[ .+-]\d+)*"), re.compile(r"[ .+-]"), 20


def _number(signs: str, module: str, *digits: int, cue: str = "") -> National:
    words = re.compile(rf"(?i)(?<![^\W_])(?:{cue})(?![^\W_])") if cue else None
    return National(signs, _written(signs), module, words, frozenset(digits))


def _written(*signs: str) -> re.Pattern[str]:
    """Return a pattern of a number that is written in one of these ways, and is no part of something else."""
    return re.compile(rf"(?i)(?<![0-9A-Za-z])(?<!\d[.,])(?:{'|'.join(signs)})(?![0-9A-Za-z]|[.,]\d)")


NATIONAL = (
    _number(r"\d{8}[ -]?[A-Z]", "es.dni", 8),
    _number(r"\d{2}\.\d{3}\.\d{3}[ -]?[A-Z]", "es.dni", 8),
    _number(r"[XYZ][ -]?\d{7}[ -]?[A-Z]", "es.nie", 7),
    _number(r"[1-478] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", "fr.nir", 8, 15),
    _number(r"\d\d ?\d{3} ?\d{3} ?\d{3}", "de.idnr", 11),
    _number(r"[A-Z]{6}\d[0-9LMNP-V][A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]", "it.codicefiscale"),
    _number(r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", "", 6),
    _number(r"\d{3} \d{3} \d{4}", "gb.nhs", 10),
    _number(r"\d{10}", "gb.nhs", 10, cue="nhs"),
    _number(r"\d{3}-\d\d-\d{4}", "us.ssn", 9),
    _number(r"\d{3} ?\d\d ?\d{4}", "us.ssn", 9, cue="ssn|social security"),
    _number(r"\d{9}|\d{4}\.\d\d\.\d{3}", "nl.bsn", 9, cue="bsn|burgerservicenummer|sofinummer"),
    _number(r"\d{3} ?\d{3} ?\d{3}", "pt.nif", 9, cue="nif|contribuinte"),
    _number(r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", "be.nn", 11),
    _number(r"\d{11}", "pl.pesel", 11),
    _number(r"(?:19|20)?\d{6}[-+]\d{4}", "se.personnummer", 10, 12),
    _number(r"\d{6}[-+A]\d{3}[0-9A-Y]", "fi.hetu", 6, 9, 10),
    _number(r"\d{3}\.\d{3}\.\d{3}-\d\d", "br.cpf", 11),
    _number(r"\d{11}", "br.cpf", 11, cue="cpf"),
    _number(r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", "mx.curp", 6),
    _number(r"756\.?\d{4}\.?\d{4}\.?\d\d", "ch.ssn", 13),
    _number(r"\d{1,2}\.\d{3}\.\d{3}-[0-9K]", "cl.rut", 7, 8, 9),
    _number(r"\d{4} \d{4} \d{4}", "in_.aadhaar", 12),
    _number(r"\d{3}[ -]\d{3}[ -]\d{3}", "ca.sin", 9, cue="sin|social insurance|nas"),
)
#: Whichever of them: a text without has none, which one look tells where looking for each takes two dozen.
ANY_NATIONAL = _written(*(number.signs for number in NATIONAL))


def emails(text: str) -> Iterator[Span]:
    """Yield addresses of mail."""
    if "@" in text or "%40" in text or "&#64;" in text:
        yield from (found.span() for found in EMAIL.finditer(text))


def cards(text: str) -> Iterator[Span]:
    """Yield numbers of payment cards: an issuer's first digits, a length of theirs, and Luhn's digit."""
    for start, candidate, sure in _candidates(CARD, text):
        for end in _ends(candidate) if sure else ():
            digits = re.sub(r"\D", "", candidate[:end])
            if CARDS.fullmatch(digits) and luhn.is_valid(digits):
                yield start, start + end
                break
        if not sure:
            yield start, start + len(candidate)


def ibans(text: str) -> Iterator[Span]:
    """Yield numbers of accounts: as long as their country's are, with the right check digits."""
    for start, candidate, sure in _candidates(IBAN, text):
        length = lengths().get(candidate[:2].upper(), 0)
        end = _after(candidate, length)
        account = re.sub(r"[ -]", "", candidate[:end]).upper()
        if end and (not sure or mod_97_10.is_valid(account[4:] + account[:4])):
            yield start, start + end


def phones(text: str) -> Iterator[Span]:
    """Yield numbers of phones: with a country's code, grouped as in some country, or behind a word such as `tel`."""
    if not SEVEN.search(text):
        return
    for found, sure in _counted(ABROAD.finditer(text)):
        digits = re.sub(r"^00", "+", re.sub(r"[^\d+]", "", found[0]))
        if not sure or _is_phone(digits, None):
            yield found.span()
    for country, written in AT_HOME.items():
        for found, sure in _counted(written.finditer(text)):
            if not sure or _is_phone(found[0], country):
                yield found.span()
    for found, sure in _counted(CALLED.finditer(text) if CALLS.search(text.lower()) else iter(())):
        if not sure or any(_is_phone(found[1], country) for country in AT_HOME):
            yield found.span(1)


def nationals(text: str) -> Iterator[Span]:
    """Yield what countries number their people by."""
    if not ANY_NATIONAL.search(text):
        return
    there = together(text)
    for number in NATIONAL:
        if number.digits and there is not None and number.digits.isdisjoint(there):
            continue
        for found, sure in _counted(number.written.finditer(text)):
            if number.cue and not number.cue.search(text, max(0, found.start() - NEAR), found.start()):
                continue
            if not sure or not number.module or _confirms(number.module)(found[0].upper()):
                yield found.span()


def together(text: str) -> set[int] | None:
    """Return how many digits follow each other in a text, from some run's begin to some run's end; None: any number."""
    found = set[int]()
    for row in ROW.finditer(text):
        runs = [len(run) for run in BETWEEN.split(row[0])]
        if len(runs) > MOST_RUNS:
            return None
        for first in range(len(runs)):
            found.update(accumulate(runs[first:]))
    return found


#: In the order in which one is believed where two found the same.
DETECTORS = (
    Detector("e-mail", emails),
    Detector("iban", ibans),
    Detector("card", cards),
    Detector("phone", phones),
    Detector("national-id", nationals),
)


@cache
def lengths() -> dict[str, int]:
    """Return how long the account numbers of each country are."""
    structure = re.compile(r"(\d+)!")
    return {
        country: 4 + sum(map(int, structure.findall(told["bban"])))
        for _, country, _, told, _ in numdb.get("iban").prefixes
    }


@cache
def _confirms(module: str) -> Callable[[str], bool]:
    found: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
    return found


def _is_phone(number: str, country: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, country))
    except phonenumbers.NumberParseException:
        return False


def _counted(found: Iterator[re.Match[str]]) -> Iterator[tuple[re.Match[str], bool]]:
    for nth, each in enumerate(found):
        yield each, nth < MOST


def _candidates(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str, bool]]:
    for found, sure in _counted(pattern.finditer(text)):
        yield found.start(), found[1], sure


def _ends(candidate: str) -> Iterator[int]:
    """Yield where a number may end: at the end, or before a group; the longest first."""
    yield len(candidate)
    yield from (place.start() for place in reversed(list(re.finditer(r"[ -]", candidate))))


def _after(candidate: str, length: int) -> int:
    """Return where so many letters and digits end, unless more follow at once; 0 where there are fewer."""
    many = 0
    for place, sign in enumerate(candidate):
        many += sign.isalnum()
        if many == length:
            rest = candidate[place + 1 : place + 2]
            return 0 if rest.isalnum() else place + 1
    return 0
