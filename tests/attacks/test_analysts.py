"""An analyst's login takes its share of the server and no more, whatever it asks for."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import Connection, errors

from tests.conftest import POLICY, TERMS
from troth.database import apply, connect, place
from troth.database.drift import drift
from troth.database.errors import RequestRefusal
from troth.database.keeper import Keeper
from troth.policy.roles import ANALYST_CONNECTIONS, ANALYSTS_CONNECTIONS, connections

WORD = "a word of hers"


@pytest.fixture
def ann(owner: Connection[Any], database: place.Place) -> Iterator[dict[str, Any]]:
    """What Ann connects with; roles outlive the database of a test."""
    owner.execute("INSERT INTO troth.analyst (name, purpose) VALUES ('ann', 'understand')")
    apply.apply(owner, POLICY.read_text(encoding="utf-8"), TERMS, name=POLICY.name)
    owner.execute(f"ALTER ROLE troth_analyst_ann PASSWORD '{WORD}'".encode())
    told = connect.parameters("understand", database) | {"user": "troth_analyst_ann", "password": WORD}
    told.pop("options")
    yield told
    owner.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'troth_analyst_ann'")
    owner.execute("DELETE FROM troth.analyst")
    apply.apply(owner, POLICY.read_text(encoding="utf-8"), TERMS, name=POLICY.name)


def many(ann: dict[str, Any], held: ExitStack) -> int:
    """Return how many connections she gets who asks for all that there are."""
    for number in range(40):
        try:
            held.enter_context(psycopg.connect(**ann, autocommit=True))
        except psycopg.OperationalError as refused:
            assert "too many connections for role" in str(refused)
            return number
    return 40


def test_one_analyst_does_not_take_every_connection(ann: dict[str, Any]) -> None:
    with ExitStack() as held:
        assert many(ann, held) == ANALYST_CONNECTIONS
        with connect.acting("door") as door:
            assert door.execute("SELECT 1").fetchone() == (1,)


def test_all_analysts_together_do_not_either(ann: dict[str, Any], owner: Connection[Any]) -> None:
    owner.execute(
        "INSERT INTO troth.analyst (name, purpose) SELECT 'ann_' || n, 'understand' FROM generate_series(1, 28) AS n"
    )
    apply.apply(owner, POLICY.read_text(encoding="utf-8"), TERMS, name=POLICY.name)
    limits = "SELECT count(*), sum(rolconnlimit) FROM pg_roles WHERE rolname LIKE 'troth\\_analyst\\_%'"
    assert owner.execute(limits.encode()).fetchone() == (29, 29), "a connection each, and the service has the others"
    with ExitStack() as held:
        assert many(ann, held) == 1
    keeper, told = Keeper(place.current()), {"purpose": "understand"}
    assert keeper.kinds["analyst.add"](owner, told | {"name": "ann_29"})["role"] == "troth_analyst_ann_29"
    with pytest.raises(RequestRefusal, match="there are 30 analysts"):
        keeper.kinds["analyst.add"](owner, told | {"name": "ann_30"})


@pytest.mark.parametrize(("analysts", "each"), [(0, 5), (1, 5), (6, 5), (7, 4), (15, 2), (16, 1), (30, 1)])
def test_the_share_of_each_shrinks_as_they_grow_more(analysts: int, each: int) -> None:
    assert connections(analysts) == each
    assert analysts * each <= ANALYSTS_CONNECTIONS


def test_without_the_limit_she_would(ann: dict[str, Any], owner: Connection[Any]) -> None:
    """The control taken away, which drift sees."""
    owner.execute("ALTER ROLE troth_analyst_ann CONNECTION LIMIT -1")
    assert [str(fact) for fact in drift(owner).facts.missing] == ["role troth_analyst_ann: login connections 5"]
    with ExitStack() as held:
        assert many(ann, held) == 40


def test_a_limit_that_somebody_put_on_a_role_of_the_house_shows(owner: Connection[Any]) -> None:
    owner.execute("ALTER ROLE troth_door CONNECTION LIMIT 0")
    try:
        assert [str(fact) for fact in drift(owner).facts.surplus] == ["role troth_door: login connections 0"]
    finally:
        owner.execute("ALTER ROLE troth_door CONNECTION LIMIT -1")


def test_what_she_writes_while_sorting_and_how_long_she_asks_are_bounded(ann: dict[str, Any]) -> None:
    with psycopg.connect(**ann, autocommit=True) as mine:
        assert mine.execute("SHOW statement_timeout").fetchone() == ("1min",)
        assert mine.execute("SHOW temp_file_limit").fetchone() == ("1GB",)
        with pytest.raises(errors.InsufficientPrivilege):
            mine.execute("SET temp_file_limit = -1")
