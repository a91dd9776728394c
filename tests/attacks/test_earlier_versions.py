"""What an earlier version stored more of, or a late sweep left, no audience is shown under this one."""

from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person, make
from troth.database import apply, connect
from troth.policy import occasions

HEAD = """policy "Harbor" version {version} effective 2026-11-01
operator "Harbor, Inc." contact privacy@harbor.example
category access.ip identifying
category access.time, access.url, access.referrer
category person.email, person.name identifying
purpose provide "provide it" by agreement
purpose protect "keep it safe" by legitimate interest
purpose understand "understand it" by legitimate interest
purpose personalise "fit it to you" by consent
purpose announce "tell you" by consent
collect person.email, person.name on sign-up
    for provide while the account exists
    for protect while the account exists
    for understand while the account exists
    for personalise while consented
    for announce while consented
show access.ip, access.url, access.referrer, access.time to everyone signed in
"""
EXACTLY = "collect access.ip, access.url, access.referrer, access.time on access\n    for protect 90 days\n"
NETWORK = (
    "collect access.ip on access\n    for protect 90 days as network\n"
    "collect access.url, access.referrer, access.time on access\n    for protect 90 days\n"
)
LESS = (
    "collect access.ip, access.url, access.time on access\n    for protect 90 days\n"
    "collect access.ip, access.url, access.time, access.referrer on visit\n    for protect 90 days\n"
)
COARSENED = EXACTLY + "coarsen access.ip to network after 14 days\n"
LOOK = "SELECT url FROM troth.access ORDER BY url"


def publish(owner: Connection[Any], version: int, rest: str) -> Person:
    """Put a version into force, to which Eve agrees who looks and whose accesses are shown."""
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
    apply.apply(owner, HEAD.format(version=version) + rest, "The terms.")
    return make(owner, f"Eve{version}")


def leave(
    owner: Connection[Any], eve: Person, url: str, *, ip: str, days: int = 1, referrer: str | None = None
) -> None:
    owner.execute(
        "INSERT INTO troth.access (subject, at, id, url, ip, referrer) VALUES (%s, now() - make_interval(days => %s), uuidv7(), %s, %s, %s)",
        (eve.subject, days, url, ip, referrer),
    )


def seen(eve: Person) -> list[str]:
    with connect.acting("reader", token=eve.token) as reader:
        return [url for (url,) in reader.execute(LOOK).fetchall()]


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "an address of which this version stores the network alone": (
        NETWORK,
        {"ip": "192.0.2.77"},
        {"ip": "192.0.2.0/24"},
    ),
    "what this version stores of visitors alone": (
        LESS,
        {"ip": "192.0.2.77", "referrer": "https://harbor.example/"},
        {"ip": "192.0.2.77"},
    ),
    "what should be coarser by now": (
        COARSENED,
        {"ip": "192.0.2.77", "days": 20},
        {"ip": "192.0.2.77", "days": 3},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_no_audience_is_shown(case: str, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    rest, more, allowed = CASES[case]
    before = publish(owner, 2, EXACTLY)
    leave(owner, before, "/allowed", **allowed)
    leave(owner, before, "/more", **more)
    assert seen(before) == ["/allowed", "/more"], "as it was agreed to"
    now = publish(owner, 3, rest)
    agree_again(owner, before)
    assert seen(now) == ["/allowed"]
    with monkeypatch.context() as taken_away:
        taken_away.setattr(occasions, "shown", lambda *_: ())
        apply.apply(owner, HEAD.format(version=3) + rest, "The terms.")
        assert seen(now) == ["/allowed", "/more"], "the control taken away"
    apply.apply(owner, HEAD.format(version=3) + rest, "The terms.")
    assert seen(now) == ["/allowed"]


def agree_again(owner: Connection[Any], person: Person) -> None:
    newest = "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1"
    told = owner.execute(newest.encode()).fetchone()
    assert told is not None
    with connect.acting("door") as door:
        door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", (person.subject, *told))
