"""What a person said no to is not stored: an access holds what some purpose they are in may use, and nothing more."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person, count
from troth.consent import actions
from troth.database import published
from troth.intake import decisions, steps
from troth.intake.decisions import Decisions
from troth.intake.event import Event, Refused, now
from troth.intake.recorder import Recorder
from troth.policy.meaning import Precision

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
Rows = list[tuple[Any, ...]]


def decide(person: Person, **choices: str) -> int:
    """Let somebody choose, and return the bits that they are in then."""
    for purpose, kind in choices.items():
        actions.choose(token=person.token, purpose=purpose, kind=kind)
    return count("door", f"SELECT uses FROM troth.standing_of('{person.token}')")


def come(subject: uuid.UUID, uses: int, url: str) -> None:
    """Let somebody come by."""

    async def whole() -> None:
        each = Recorder()
        await each.start()
        each.record(
            Event(
                at=now(), method="GET", url=url, status=200, referrer="https://elsewhere.example/", ip="192.0.2.77",
                agent=FIREFOX, subject=subject, uses=uses,
            )
        )  # fmt: skip
        await each.stop()

    asyncio.run(whole())


def rows(owner: Connection[Any], url: str) -> Rows:
    return owner.execute(
        "SELECT method, status, referrer, host(ip), browser, system, kind FROM troth.access WHERE url = %s", (url,)
    ).fetchall()


def refused(owner: Connection[Any]) -> int:
    found = owner.execute("SELECT sum(count) FROM troth.intake_count WHERE reason = 'person-declined'").fetchone()
    return int(found[0] or 0) if found else 0


def nothing_stored(owner: Connection[Any], bob: Person) -> None:
    come(bob.subject, decide(bob, protect="objection", understand="objection"), "/after/two/noes")
    assert rows(owner, "/after/two/noes") == []
    assert refused(owner) == 1


def only_the_network(owner: Connection[Any], bob: Person) -> None:
    come(bob.subject, decide(bob, protect="objection"), "/after/one/no")
    assert rows(owner, "/after/one/no") == [("GET", 200, None, "192.0.2.0", "Firefox 140", None, "computer")]
    assert refused(owner) == 0


CONTROLS = (nothing_stored, only_the_network)


@pytest.mark.parametrize("control", CONTROLS)
def test_what_nothing_a_person_is_in_may_use_is_not_stored(
    cast: dict[str, Person], owner: Connection[Any], control: Callable[..., None]
) -> None:
    control(owner, cast["bob"])
    come(cast["alice"].subject, decide(cast["alice"]), "/beside")
    assert rows(owner, "/beside") == [
        ("GET", 200, "https://elsewhere.example/", "192.0.2.77", "Firefox 140", "Linux", "computer")
    ]


@pytest.mark.parametrize("control", CONTROLS)
def test_mutation_without_the_reduction_it_would_be(
    cast: dict[str, Person], owner: Connection[Any], control: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "narrowed", lambda kept, *_told: kept)
    with pytest.raises(AssertionError):
        control(owner, cast["bob"])


def test_a_yes_to_one_purpose_lets_in_what_it_uses_and_nothing_else(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    bob = cast["bob"]
    come(bob.subject, decide(bob, protect="objection", understand="objection", personalise="consent"), "/only/personal")
    assert rows(owner, "/only/personal") == [(None, None, None, None, None, None, None)]


def test_a_device_is_described_as_finely_as_before_by_the_purposes_that_use_devices(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """`provide` uses all of a device, on sign-in, whatever the accesses may be used for."""
    bob = cast["bob"]
    come(bob.subject, decide(bob, protect="objection"), "/with/a/device")
    devices = owner.execute(
        "SELECT browser, system, kind FROM troth.device WHERE subject = %s AND device = %s",
        (bob.subject, uuid.uuid5(bob.subject, "Firefox 140|Linux|computer")),
    ).fetchall()
    assert devices == [("Firefox 140", "Linux", "computer")]


def test_a_time_that_none_of_theirs_uses_is_kept_by_the_day(cast: dict[str, Person]) -> None:
    """A row needs some time; it is no finer than that."""
    policy = published.current()
    timeless = [
        replace(unit, atoms=frozenset(atom for atom in unit.atoms if atom.category != "access.time"))
        for unit in policy.plan.units
    ]
    found = steps.through(
        Event(at=now(), url="/", subject=cast["bob"].subject, uses=-1),
        Decisions.of(replace(policy.plan, units=tuple(timeless)), policy.bits),
    )
    assert isinstance(found, Event)
    assert found.at == steps.coarse_time(now(), Precision.DAY)


def test_a_purpose_that_was_opened_anew_is_not_theirs_until_they_agree(cast: dict[str, Person]) -> None:
    policy = published.current()
    fresh = Decisions.of(policy.plan, {name: bit + 20 for name, bit in policy.bits.items()})
    event = Event(at=now(), url="/", subject=cast["bob"].subject, uses=decide(cast["bob"]))
    assert steps.through(event, fresh) == Refused("person-declined", "collect-access-ip-on-access-2", "access")
