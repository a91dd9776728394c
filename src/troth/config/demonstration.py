"""`--demo`: a fictional company's people and weeks of accesses, made by going through the real doors."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import django

from troth.database import connect
from troth.policy.meaning import Basis

SEED = 20261123
WEEKS = 6
PASSWORD = "a lighthouse keeps nine quiet herons"  # noqa: S105 - printed for whoever tries the demonstration
NAMES = (
    "Alice Okafor", "Bob Lindqvist", "Charlie Nakamura", "Dana Moreau", "Emeka Obi", "Fatima Zahra", "Gustavo Prieto",
    "Hana Sato", "Ilse van der Meer", "Jamal Haddad", "Kateryna Shevchenko", "Liam Ó Súilleabháin", "Maya Iyer",
    "محمد بن عبد الرحمن", "נועה כהן", "Oluwaseun Adebayo-Fitzgerald", "Priya Raghunathan", "Quentin Dubois",
    "Rosa María de los Ángeles Fernández de Córdoba y Álvarez", "Søren Ægidius", "Tomás Ruiz", "Ulla Virtanen",
    "Wei Zhang", "Ximena Paz", "Yusuf Demir", "Zoë Brandt",
)  # fmt: skip
PAGES = (
    "/",
    "/me",
    "/policy",
    "/boards",
    "/boards/harbour",
    "/files",
    "/files/tide-tables.pdf",
    "/search?q=tides",
    "/settings",
)
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.0 Safari/605.1.15"
    ),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.0 Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Mobile Safari/537.36"
    ),
)
#: What people choose about a purpose of a basis, and how often.
ODDS = {Basis.LEGITIMATE_INTEREST: ("objection", 0.15), Basis.CONSENT: ("consent", 0.45)}
#: Addresses that documentation may use (RFC 5737, RFC 3849).
NETWORKS = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:7::")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose accesses to make up, and with what."""

    subject: str | None
    uses: int
    agent: str
    address: str


def main() -> None:
    """Fill an empty service; say what was made, or that there are people already."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "troth.config.settings")
    os.environ["TROTH_UNLIMITED"] = "1"
    django.setup()
    from troth.people.actions import Account  # noqa: PLC0415 - Django must be set up first
    from troth.web.operating import use_up  # noqa: PLC0415

    if Account.objects.exists():
        print("there are people already; the demonstration left them alone")  # noqa: T201
        return
    chance = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    visitors = people(chance)
    stored = asyncio.run(accesses(visitors, chance))
    organization(chance)
    choices(chance)
    use_up()  # Olga operates; another operator's link would open nothing
    print(f"{len(NAMES)} people and {stored:,} accesses")  # noqa: T201
    print(f"sign in as alice@harbor.example with: {PASSWORD}")  # noqa: T201
    print("the operator's account is olga@harbor.example, with the same password")  # noqa: T201


def people(chance: random.Random) -> list[Visitor]:
    """Sign people up, let all but one agree, and return them as visitors, with some who never signed up."""
    from allauth.account.models import EmailAddress  # noqa: PLC0415 - Django must be set up first
    from django.contrib.auth.hashers import make_password  # noqa: PLC0415

    from troth.consent import actions, queries  # noqa: PLC0415
    from troth.database import published  # noqa: PLC0415
    from troth.people.actions import Account, sign_up  # noqa: PLC0415
    from troth.people.queries import asked_on_sign_up  # noqa: PLC0415
    from troth.people.staffing import own  # noqa: PLC0415

    now, hashed = published.current(), make_password(PASSWORD)
    made = []
    for place, name in enumerate((*NAMES, "Olga Harper")):
        first = {0: "alice", 1: "bob", 2: "charlie", 3: "dana", len(NAMES): "olga"}.get(place, f"person{place}")
        account = Account(email=f"{first}@harbor.example", password=hashed)
        sign_up(account, name=name if "person.name" in asked_on_sign_up() else None)
        if first == "olga":
            own(account.subject)
        EmailAddress.objects.create(user=account, email=account.email, verified=True, primary=True)
        actions.agree(
            account.subject, version=now.version, policy=now.digest, terms=now.terms_digest,
            how="demonstration", wording=f"I agree to version {now.version} of the policy and to the terms.",
            language="en",
        )  # fmt: skip
        uses = queries.standing(account.subject).uses
        made.append(Visitor(str(account.subject), uses, chance.choice(AGENTS), address(chance)))
    return made + [Visitor(None, 0, chance.choice(AGENTS), address(chance)) for _ in range(12)]


def organization(chance: random.Random) -> None:
    """Let Alice found an organization, Dana administer it, Bob and others join, one ask, and one be invited."""
    from troth.people import organizations, organizing  # noqa: PLC0415 - Django must be set up first
    from troth.people.actions import Account, open_viewer  # noqa: PLC0415

    if not organizations.are_kept():
        return
    until = datetime.now(UTC) + timedelta(minutes=5)
    tokens = {a.email.partition("@")[0]: open_viewer(a, until=until) for a in Account.objects.order_by("id")}
    made = organizing.found(token=tokens["alice"], name="Harbor Rowing Club")
    organizing.change(token=tokens["alice"], organization=made, name="Harbor Rowing Club", asking=True)
    others = [name for name in tokens if name.startswith("person")]
    for name in ("dana", "bob", *chance.sample(others, 9)):
        role = "administrator" if name == "dana" else "member"
        link = organizing.make_link(token=tokens["alice"], organization=made, role=role, joins=1, days=1)
        organizing.accept(token=tokens[name], word=link.rpartition("/")[2])
    organizing.ask(token=tokens["charlie"], organization=made)
    organizing.invite(
        token=tokens["dana"], organization=made, role="member", address="zoe@elsewhere.example", language="en"
    )


def choices(chance: random.Random) -> None:
    """Let some object, some consent, as the policy lets them, and two leave."""
    from troth.consent import actions  # noqa: PLC0415 - Django must be set up first
    from troth.database import published  # noqa: PLC0415
    from troth.people.actions import Account, close_viewer, open_viewer  # noqa: PLC0415
    from troth.rights.actions import close  # noqa: PLC0415

    everybody = list(Account.objects.order_by("id"))
    purposes = published.current().policy.purposes
    for account in everybody[1:-1]:
        token = open_viewer(account, until=datetime.now(UTC) + timedelta(minutes=5))
        for purpose in purposes:
            kind, odds = ODDS.get(purpose.basis, ("", 0.0))
            if chance.random() < odds:
                actions.choose(token=token, purpose=purpose.name, kind=kind)
        close_viewer(token)
    for account in everybody[-3:-1]:
        close(account)


async def accesses(visitors: list[Visitor], chance: random.Random) -> int:
    """Send weeks of accesses through the intake's steps and store, and return how many were stored."""
    from troth.database import published  # noqa: PLC0415 - Django must be set up first
    from troth.intake.decisions import Decisions  # noqa: PLC0415
    from troth.intake.event import Event  # noqa: PLC0415
    from troth.intake.steps import through  # noqa: PLC0415
    from troth.intake.store import Store, open_pool  # noqa: PLC0415

    policy = await asyncio.to_thread(published.current)
    decisions = Decisions.of(policy.plan, policy.bits)
    judged = [through(event, decisions) for event in made_up(visitors, chance)]
    kept = [event for event in judged if isinstance(event, Event)]
    pool, store = await open_pool(size=1), Store()
    try:
        for start in range(0, len(kept), 1000):
            async with pool.acquire() as connection, connection.transaction():
                await store.write(connection, kept[start : start + 1000], decisions)
    finally:
        await pool.close()
    return len(kept)


def made_up(visitors: list[Visitor], chance: random.Random) -> Iterator["Event"]:  # type: ignore[name-defined]  # noqa: F821
    """Yield accesses: busier on weekdays and by day, some people keener than others."""
    import uuid  # noqa: PLC0415 - only here

    from troth.intake.event import NOBODY, Event  # noqa: PLC0415 - Django must be set up first

    end = datetime.now(UTC)
    keen = Counter({place: chance.paretovariate(1.3) for place in range(len(visitors))})
    for back in range(WEEKS * 7):
        day = end - timedelta(days=back)
        many = int((90 if day.weekday() < 5 else 35) * chance.uniform(0.8, 1.2))  # noqa: PLR2004 - weekdays
        for place in chance.choices(list(keen), weights=list(keen.values()), k=many):
            who = visitors[place]
            at = day - timedelta(seconds=chance.triangular(0, 86_000, 30_000))
            subject = uuid.UUID(who.subject) if who.subject else NOBODY
            yield Event(
                at=at, method="GET", url=chance.choice(PAGES), status=200, ip=who.address, agent=who.agent,
                referrer=None, subject=subject, uses=who.uses,
            )  # fmt: skip


def address(chance: random.Random) -> str:
    """Return an address of a documentation network."""
    return f"{chance.choice(NETWORKS)}{chance.randint(1, 250)}"


if __name__ == "__main__":
    try:
        main()
    finally:
        connect.close()  # so that an error is the last thing said
