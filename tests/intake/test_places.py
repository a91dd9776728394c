"""P12: about where an address is, and whose network, is collected as the policy says, and by nobody asked."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake.test_recorder import an_access, run, stored
from tests.intake.test_steps import SOURCE, a_visit, decisions, passed, within
from tests.intake.test_steps import an_access as judged
from tests.people.test_places import NESTED, written
from troth.intake import queries
from troth.intake.accesslog import bring_in
from troth.intake.event import Refused, now
from troth.intake.recorder import Recorder
from troth.intake.steps import through
from troth.people import places
from troth.policy.meaning import Occasion

NAMES = "access.place, access.provider, "
PROVIDER = {"autonomous_system_number": 64500, "autonomous_system_organization": "Harbor Networks"}
ADDRESS = "203.0.113.77"


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of places and one of providers, as an operator names them."""
    where = written(tmp_path / "places.mmdb", {"203.0.113.0/24": NESTED})
    whose = written(tmp_path / "providers.mmdb", {"203.0.113.0/24": PROVIDER})
    monkeypatch.setenv(places.VARIABLE, f"{where}:{whose}")
    return tmp_path


def told(owner: Connection[Any], url: str) -> list[tuple[Any, ...]]:
    query = "SELECT place, provider, host(ip) FROM troth.access WHERE url = %s ORDER BY id"
    return owner.execute(query, (url,)).fetchall()


def test_a_place_and_a_provider_stand_beside_an_access_and_its_person_sees_them(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]

    async def scenario(each: Recorder) -> None:
        each.record(an_access(alice.subject, "/placed", ip=ADDRESS))
        each.record(an_access(url="/placed/visited", ip=ADDRESS))
        each.record(an_access(alice.subject, "/placed/nowhere", ip="192.0.2.77"))
        await stored(each)

    run(scenario)
    assert told(owner, "/placed") == [("ES/Seville", "Harbor Networks", ADDRESS)]
    assert told(owner, "/placed/visited") == [("ES/Seville", "Harbor Networks", "203.0.113.0")]
    assert told(owner, "/placed/nowhere") == [(None, None, "192.0.2.77")]
    assert [(one.place, one.provider) for one in queries.accesses(alice.token, path="/placed")] == [
        (None, None),
        ("ES/Seville", "Harbor Networks"),
    ]


def test_lines_of_a_log_that_is_brought_in_are_placed_as_well(owner: Connection[Any], tmp_path: Path) -> None:
    line = f'{ADDRESS} - - [{now():%d/%b/%Y:%H:%M:%S} +0000] "GET /placed/imported HTTP/1.1" 200 5'
    (tmp_path / "access.log").write_text(f"{line}\n", encoding="utf-8")
    assert asyncio.run(bring_in(tmp_path / "access.log", source="placed")).stored == 1
    assert told(owner, "/placed/imported") == [("ES/Seville", "Harbor Networks", "203.0.113.0")]


def test_what_the_policy_does_not_collect_is_not_even_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SOURCE.count(NAMES) == len((Occasion.ACCESS, Occasion.ACCESS, Occasion.VISIT))
    asked: list[str] = []
    real = places.looked_up

    def watched(address: str) -> places.Found:
        asked.append(address)
        return real(address)

    monkeypatch.setattr(places, "looked_up", watched)
    without = decisions(SOURCE.replace(NAMES, ""))
    assert (passed(judged(ip=ADDRESS), without).place, asked) == (None, [])
    alone = decisions(SOURCE.replace(NAMES, "access.place, "))
    found = passed(judged(ip=ADDRESS), alone)
    assert (found.place, found.provider, asked) == ("ES/Seville", None, [ADDRESS])


def test_nobody_s_place_is_kept_whose_purposes_may_not_use_it() -> None:
    mine = passed(judged(ip=ADDRESS, uses=within("personalise")))
    assert (mine.place, mine.provider, mine.url) == (None, None, "/me")
    assert passed(judged(ip=ADDRESS, uses=within("understand"))).place == "ES/Seville"


def test_it_is_looked_up_before_the_address_is_coarse_and_not_again() -> None:
    visit = passed(a_visit(ip=ADDRESS))
    assert (visit.ip, visit.place) == ("203.0.113.0/24", "ES/Seville")
    again = passed(visit)
    assert (again.ip, again.place, again.provider) == ("203.0.113.0/24", "ES/Seville", "Harbor Networks")


def test_a_place_does_not_need_the_address_to_be_stored() -> None:
    addresses = r"access\.ip, (?=access\.place)|,\s+access\.ip(?= on visit)|(?<=days) as network"
    without = decisions(re.sub(addresses, "", SOURCE))
    for event in (judged(ip=ADDRESS), a_visit(ip=ADDRESS)):
        found = passed(event, without)
        assert (found.ip, found.place) == (None, "ES/Seville")


def test_a_sensitive_place_of_nobody_is_refused_where_the_policy_keeps_the_two_apart() -> None:
    rest = SOURCE.replace("category access.place, access.provider", "category access.provider").replace(NAMES, "")
    strict = decisions(
        f"{rest}\ncategory access.place sensitive [P19]\n"
        "collect access.place on access [P19]\n    for personalise while consented\n"
    )
    assert through(a_visit(ip=ADDRESS), strict) == Refused("sensitive-of-nobody", "apart", "visit")
    assert passed(judged(ip=ADDRESS, uses=within("personalise")), strict).place == "ES/Seville"
