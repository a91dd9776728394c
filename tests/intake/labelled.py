"""Labelled texts for the guard, made by templates and number makers that know nothing of the detectors; seeds are fixed.

Each case is a text, and the kinds of identifiers in it. Check digits are computed here, by the rules as they are published.
"""

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

SEED = 20261129
#: Texts of each kind and language, and near misses of each kind and language.
EACH, MISSES = 40, 20
Dice = random.Random


@dataclass(frozen=True, slots=True)
class Case:
    """A text, its language, what it holds (empty: nothing), and of what kind the near miss is."""

    text: str
    language: str
    holds: str
    like: str = ""


def digits(dice: Dice, many: int, first: str = "0123456789") -> str:
    return dice.choice(first) + "".join(dice.choice("0123456789") for _ in range(many - 1))


def with_luhn(body: str) -> str:
    total = 0
    for nth, sign in enumerate(reversed(body)):
        each = int(sign) * (2 if nth % 2 == 0 else 1)
        total += each - 9 if each > 9 else each
    return body + str(-total % 10)


def grouped(text: str, sizes: tuple[int, ...], by: str) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(text[at : at + size])
        at += size
    return by.join(part for part in (*parts, text[at:]) if part)


def an_address(dice: Dice) -> str:
    first = dice.choice(["ana", "lucas", "j.weber", "marie_curie", "o'neil", "info+news", "x99", "b-schmidt"])
    domain = dice.choice(["harbor", "mail.heron", "uni-ulm", "poste", "cafe-luna"])
    return f"{first}{dice.choice(['', digits(dice, 2)])}@{domain}.{dice.choice(['example', 'es', 'de', 'fr', 'co.uk', 'org'])}"


def a_card(dice: Dice) -> str:
    start, length, sizes = dice.choice(
        [("4", 16, (4, 4, 4)), ("51", 16, (4, 4, 4)), ("55", 16, (4, 4, 4)), ("2223", 16, (4, 4, 4)), ("37", 15, (4, 6)),
         ("6011", 16, (4, 4, 4)), ("3530", 16, (4, 4, 4))]
    )  # fmt: skip
    whole = with_luhn(start + digits(dice, length - 1 - len(start)))
    return grouped(whole, sizes, dice.choice(["", " ", "-"]))


def an_account(dice: Dice) -> str:
    country, bank = dice.choice([("ES", 20), ("DE", 18), ("FR", 23), ("NL", 0), ("GB", 0), ("AT", 16)])
    held = (
        digits(dice, bank)
        if bank
        else "".join(dice.choices(string.ascii_uppercase, k=4)) + digits(dice, 10 if country == "NL" else 14)
    )
    number = int("".join(str(int(sign, 36)) for sign in held + country + "00"))
    whole = f"{country}{98 - number % 97:02}{held}"
    return grouped(whole, (4,) * 8, dice.choice(["", " "]))


def a_phone(dice: Dice) -> str:
    ways: list[Callable[[], str]] = [
        lambda: f"+34 6{digits(dice, 2)} {digits(dice, 3)} {digits(dice, 3)}",
        lambda: f"+346{digits(dice, 8)}",
        lambda: f"+49 170 {digits(dice, 7, '123456789')}",
        lambda: f"+49 (0)30 {digits(dice, 7, '23456789')}",
        lambda: f"+33 6 {grouped(digits(dice, 8), (2, 2, 2), ' ')}",
        lambda: f"+1 (212) {digits(dice, 3, '23456789')}-{digits(dice, 4)}",
        lambda: f"+1-415-{digits(dice, 3, '23456789')}-{digits(dice, 4)}",
        lambda: f"0033 6 {grouped(digits(dice, 8), (2, 2, 2), '.')}",
        lambda: f"06 {grouped(digits(dice, 8), (2, 2, 2), ' ')}",
        lambda: f"(212) {digits(dice, 3, '23456789')}-{digits(dice, 4)}",
        lambda: f"+44 7700 900{digits(dice, 3)}".replace("7700 900", f"7911 {digits(dice, 3, '123')}"),
        lambda: f"6{digits(dice, 2)} {digits(dice, 3)} {digits(dice, 3)}",
        lambda: f"0171 {digits(dice, 7, '123456789')}",
    ]
    return dice.choice(ways)()


def an_identity(dice: Dice) -> str:
    return dice.choice([_dni, _nie, _steuer, _nir, _ssn, _pesel, _cpf, _ahv, _rut, _belgian, _nhs, _codice])(dice)


def _letter(number: int) -> str:
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23]


def _dni(dice: Dice) -> str:
    number = digits(dice, 8)
    return f"{number}{dice.choice(['', '-'])}{_letter(int(number))}"


def _nie(dice: Dice) -> str:
    place, rest = dice.randrange(3), digits(dice, 7)
    return f"{'XYZ'[place]}{dice.choice(['', '-'])}{rest}{dice.choice(['', '-'])}{_letter(int(f'{place}{rest}'))}"


def _steuer(dice: Dice) -> str:
    """The tax number of Germany: of ten digits one stands twice and one is missing; ISO 7064 mod 11, 10."""
    while True:
        pool = dice.sample("0123456789", 9)
        body = [*pool, dice.choice(pool)]
        dice.shuffle(body)
        if body[0] != "0" and not any(a == b for a, b in pairwise(body)):
            break
    product = 10
    for sign in body:
        product = ((int(sign) + product) % 10 or 10) * 2 % 11
    whole = "".join(body) + str((11 - product) % 10)
    return grouped(whole, (2, 3, 3), dice.choice(["", " "]))


def _nir(dice: Dice) -> str:
    body = f"{dice.choice('12')}{dice.randrange(100):02}{dice.randrange(1, 13):02}{dice.randrange(1, 96):02}{dice.randrange(1, 900):03}{dice.randrange(1, 900):03}"
    return grouped(f"{body}{97 - int(body) % 97:02}", (1, 2, 2, 2, 3, 3), dice.choice(["", " "]))


def _ssn(dice: Dice) -> str:
    return f"{dice.randrange(100, 665)}-{dice.randrange(10, 99)}-{dice.randrange(1000, 9999)}"


def _pesel(dice: Dice) -> str:
    body = f"{dice.randrange(40, 99)}{dice.randrange(1, 13):02}{dice.randrange(1, 28):02}{digits(dice, 4)}"
    check = sum(int(sign) * weight for sign, weight in zip(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=True))
    return body + str(-check % 10)


def _cpf(dice: Dice) -> str:
    body = digits(dice, 9, "123456789")
    for _ in range(2):
        total = sum(int(sign) * weight for sign, weight in zip(body, range(len(body) + 1, 1, -1), strict=True))
        body += str(0 if total % 11 < 2 else 11 - total % 11)
    return f"{grouped(body[:9], (3, 3), '.')}-{body[9:]}"


def _ahv(dice: Dice) -> str:
    body = "756" + digits(dice, 9)
    check = sum(int(sign) * (3 if nth % 2 else 1) for nth, sign in enumerate(body))
    return grouped(body + str(-check % 10), (3, 4, 4), ".")


def _rut(dice: Dice) -> str:
    body = digits(dice, 8, "12")
    total = sum(int(sign) * (2 + nth % 6) for nth, sign in enumerate(reversed(body)))
    return f"{grouped(body, (2, 3), '.')}-{'0K987654321'[total % 11] if total % 11 else '0'}"


def _belgian(dice: Dice) -> str:
    body = f"{dice.randrange(40, 99)}{dice.randrange(1, 13):02}{dice.randrange(1, 28):02}{dice.randrange(1, 997):03}"
    return f"{grouped(body[:6], (2, 2), '.')}-{body[6:]}.{97 - int(body) % 97:02}"


def _nhs(dice: Dice) -> str:
    while True:
        body = digits(dice, 9, "4569")
        check = 11 - sum(int(sign) * weight for sign, weight in zip(body, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return grouped(body + str(check % 11), (3, 3), " ")


def _codice(dice: Dice) -> str:
    body = f"{''.join(dice.choices('BCDFGLMNPRST', k=6))}{dice.randrange(40, 99)}{dice.choice('ABCDEHLMPRST')}{dice.randrange(1, 29):02}H{dice.randrange(100, 999)}"
    odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
    value = [int(sign) if sign.isdigit() else ord(sign) - 65 for sign in body]
    total = sum(odd[each] if nth % 2 == 0 else each for nth, each in enumerate(value))
    return body + chr(65 + total % 26)


MAKERS: dict[str, Callable[[Dice], str]] = {
    "e-mail": an_address, "card": a_card, "iban": an_account, "phone": a_phone, "national-id": an_identity,
}  # fmt: skip

FRAMES = {
    "en": [
        "could not save {} for the form",
        "value={}",
        "the user typed {}, then left",
        "{}",
        "failed: field 3 was {} (too long)",
        "retry 2 of 5 for {}: timeout",
    ],
    "es": [
        "no se pudo guardar {} en el formulario",
        "valor={}",
        "la persona escribió {} y se fue",
        "campo «{}» rechazado",
        "error 12 al enviar a {}; otra vez",
    ],
    "de": [
        "{} konnte nicht gespeichert werden",
        "Wert={}",
        "Eingabe {} abgelehnt, Schritt 4",
        "Fehler bei {}: Zeit überschritten",
        "Formular mit {} wurde verworfen",
    ],
    "fr": [
        "impossible d'enregistrer {} ici",
        "valeur={}",
        "la personne a saisi {}, puis rien",
        "erreur 7 pour {} : délai dépassé",
        "le champ {} est trop long",
    ],
}

MISS: dict[str, Callable[[Dice], str]] = {
    "order number": lambda d: f"{d.choice(['order', 'ref', 'SO', 'no.'])} {digits(d, 4)}-{digits(d, 6)}",
    "version": lambda d: f"{d.randrange(1, 30)}.{d.randrange(30)}.{d.randrange(30000)}.{d.randrange(9000)}",
    "uuid": lambda d: grouped("".join(d.choices("0123456789abcdef", k=32)), (8, 4, 4, 4), "-"),
    "timestamp": lambda d: d.choice(
        [f"2026-{d.randrange(1, 13):02}-{d.randrange(1, 29):02}T{d.randrange(24):02}:{d.randrange(60):02}:{d.randrange(60):02}.{digits(d, 6)}Z", str(d.randrange(1_600_000_000_000, 1_900_000_000_000)), str(d.randrange(1_600_000_000, 1_900_000_000))]
    ),
    "price": lambda d: d.choice(["{}.{}.{},{} €", "${},{},{}.{}", "{} {} {},{} EUR"]).format(digits(d, 2, "123456789"), digits(d, 3), digits(d, 3), digits(d, 2)),
    "ip": lambda d: ".".join(str(d.randrange(1, 255)) for _ in range(4)) + d.choice(["", f":{d.randrange(1024, 65535)}"]),
    "hash": lambda d: "".join(d.choices("0123456789abcdef", k=d.choice([32, 40, 64]))),
    "card that is none": lambda d: _broken(a_card(d)),
    "iban that is none": lambda d: _broken(an_account(d)),
    "size": lambda d: f"{digits(d, 7, '123456789')} bytes of {digits(d, 8, '123456789')}",
    "address in memory": lambda d: f"0x{''.join(d.choices('0123456789abcdef', k=16))}",
    "package": lambda d: f"{d.choice(['left-pad', 'react', 'vue'])}@{d.randrange(1, 20)}.{d.randrange(20)}.{d.randrange(20)}",
    "decorator": lambda d: f"@{d.choice(['Override', 'dataclass', 'app.route'])} in line {d.randrange(1, 9000)}",
    "coordinates": lambda d: f"{d.randrange(-90, 90)}.{digits(d, 6)}, {d.randrange(-180, 180)}.{digits(d, 6)}",
}  # fmt: skip


def _broken(number: str) -> str:
    """Return a number whose last digit is another: its check no longer holds."""
    return number[:-1] + str((int(number[-1]) + 1) % 10)


def cases() -> Iterator[Case]:
    """Yield every case, the same at every run."""
    dice = random.Random(SEED)
    for language, frames in FRAMES.items():
        for kind, make in MAKERS.items():
            yield from (Case(dice.choice(frames).format(make(dice)), language, kind) for _ in range(EACH))
        for like, make in MISS.items():
            yield from (Case(dice.choice(frames).format(make(dice)), language, "", like) for _ in range(MISSES))
        yield from (Case(text, language, name) for name, texts in SPECIAL[language].items() for text in texts)
        yield from (Case(text, language, "", "everyday words") for text in EVERYDAY[language])


SPECIAL: dict[str, dict[str, list[str]]] = {
    "en": {
        "health": ["she is pregnant and cannot come", "note: patient has diabetes", "HIV result is in", "on antidepressants since May", "diagnosed last week", "his dementia got worse"],
        "religion": ["he is a practising Muslim", "we are Jewish", "raised Catholic", "needs halal food"],
        "sex-life": ["came out as gay", "she is a lesbian", "ask about sexual orientation"],
        "politics": ["a lifelong socialist", "which political party is she in"],
        "trade-union": ["asked the shop steward", "his trade union called"],
        "race": ["field: ethnicity", "of indigenous descent"],
        "genetic-biometric": ["her DNA test came back", "iris scan failed"],
    },
    "es": {
        "health": ["está embarazada de tres meses", "tiene diabetes tipo 2", "baja médica hasta junio", "le diagnosticaron cáncer", "toma antidepresivos"],
        "religion": ["es musulmana practicante", "familia católica", "somos judíos"],
        "sex-life": ["es lesbiana", "su orientación sexual"],
        "politics": ["vota comunista", "afiliada a un partido político"],
        "trade-union": ["delegado del sindicato"],
        "race": ["de etnia gitana"],
        "genetic-biometric": ["huella dactilar guardada", "prueba de ADN"],
    },
    "de": {
        "health": ["sie ist schwanger", "hat Krebs im Endstadium", "Krankschreibung liegt bei", "leidet an Depressionen", "Diabetiker seit 2010"],
        "religion": ["evangelisch getauft", "ist Muslim", "Konfession: keine"],
        "sex-life": ["er ist schwul", "ihre sexuelle Orientierung"],
        "politics": ["überzeugter Kommunist"],
        "trade-union": ["in der Gewerkschaft aktiv"],
        "race": ["ethnische Herkunft angeben"],
        "genetic-biometric": ["Fingerabdruck gespeichert", "Gentest positiv"],
    },
    "fr": {
        "health": ["elle est enceinte", "atteint d'un cancer", "arrêt maladie de deux mois", "souffre d'épilepsie", "diabétique"],
        "religion": ["de confession juive", "il est musulman", "catholique pratiquant"],
        "sex-life": ["il est homosexuel", "son orientation sexuelle"],
        "politics": ["militant communiste"],
        "trade-union": ["délégué du syndicat"],
        "race": ["origine ethnique du client"],
        "genetic-biometric": ["empreinte digitale refusée", "reconnaissance faciale"],
    },
}  # fmt: skip
EVERYDAY: dict[str, list[str]] = {
    "en": ["race condition in the scheduler", "union type expected", "third party library missing", "aborted by user", "fingerprint of the key changed", "conservative collector ran", "black screen after login", "healthy: all checks passed", "patient retry", "cannot read property of undefined"],
    "es": ["condición de carrera en el planificador", "unión de tipos inválida", "partida guardada", "abortado por el usuario", "pantalla en negro", "salud del servidor: bien", "no se pudo leer la propiedad"],
    "de": ["Wettlauf im Planer", "Vereinigung erwartet", "abgebrochen", "schwarzer Bildschirm", "Partei A der Verbindung fehlt", "Eigenschaft nicht lesbar"],
    "fr": ["situation de compétition", "union attendue", "partie sauvegardée", "avorté par le noyau", "écran noir", "propriété illisible", "santé du serveur : bonne"],
}  # fmt: skip
