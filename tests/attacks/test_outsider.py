"""What somebody tried who had written none of it: each of these once worked."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import browser, settings
from troth.database import place
from troth.database.catalog import load
from troth.database.keeper import Keeper
from troth.database.requests import signed
from troth.people.errors import ManifestRefusal
from troth.people.manifests import read
from troth.policy import parse
from troth.policy.plan import plan

__all__ = ["browser", "settings"]


def asked(owner: Connection[Any], database: place.Place, kind: str, payload: str = "{}") -> None:
    """Leave a request of the operator's for the keeper."""
    signature = place.secrets_of(database).operator.sign(signed(kind, payload))
    owner.execute(
        "INSERT INTO troth.keeper_request (kind, payload, signature) VALUES (%s, %s, %s)", (kind, payload, signature)
    )


def test_the_keeper_outlives_whatever_it_is_asked(owner: Connection[Any], database: place.Place) -> None:
    """A request that ended the keeper waited for the next one, and ended that too: no start got past it."""

    def stumbling(_connection: Any, _told: Any) -> dict[str, Any]:
        raise RecursionError("a secret that the request named")

    keeper = Keeper(database, next_round=math.inf)
    keeper.kinds = {"stumble": stumbling}
    asked(owner, database, "stumble")
    asked(owner, database, "stumble", "[" * 100_000)
    keeper.turn()
    answers = owner.execute("SELECT granted, answer ->> 'sentence' FROM troth.keeper_request").fetchall()
    assert answers == [(False, "the keeper stumbled over this request (RecursionError)")] * 2


@pytest.mark.parametrize("deep", ["[" * 20_000 + "]" * 20_000, "{a=" * 5_000 + "1" + "}" * 5_000])
def test_a_manifest_nested_without_measure_is_refused(deep: str) -> None:
    text = 'policy "Harbor" version 1 effective 2026-11-01\noperator "Harbor" contact privacy@harbor.example\n'
    policy = parse.read(text, "harbor")
    with pytest.raises(ManifestRefusal, match="nested too deeply"):
        read(f"origins = {deep}", policy=policy, plan=plan(policy, load()), catalog=load(), home="https://localhost")


@pytest.mark.usefixtures("settings")
def test_the_many_addresses_of_one_household_share_their_limits() -> None:
    """Whoever has one IPv6 network had 2**64 times the tries."""
    from troth.web.adapter import Adapter

    def limited(address: str) -> str:
        return Adapter().get_client_ip(SimpleNamespace(META={"REMOTE_ADDR": address}))  # type: ignore[arg-type]

    assert limited("2001:db8:1:2::3") == limited("2001:db8:1:2:ffff::4") != limited("2001:db8:1:3::3")
    assert limited("192.0.2.7") == limited("::ffff:192.0.2.7") != limited("192.0.2.8")
    assert limited("somewhere") == ""
