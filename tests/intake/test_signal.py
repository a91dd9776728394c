"""A browser that sends `Sec-GPC: 1` objects: what it asks for is not used for what the policy says it objects to."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection, errors

from tests.conftest import POLICY, Person
from tests.intake.sending import event, registered, together
from troth.consent import actions
from troth.database import connect
from troth.intake.event import MARK, NOBODY, Event, Refused, now
from troth.intake.lines import event_of
from troth.intake.recorder import Recorder
from troth.intake.steps import through
from troth.policy import parse
from troth.policy.compare import Direction, Verdict, compare
from troth.policy.orders import Kind

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EVERYTHING = MARK - 1
HONOUR = "honour global privacy control as an objection to understand [P3]\n"


def come(url: str, **told: Any) -> None:
    """Let a browser come by."""

    async def whole() -> None:
        each = Recorder()
        await each.start()
        each.record(Event(at=now(), method="GET", url=url, status=200, ip="192.0.2.77", agent=FIREFOX, **told))
        await each.stop()

    asyncio.run(whole())


def seen(purpose: str) -> set[str]:
    """Return the addresses that a purpose reads."""
    with connect.acting(purpose) as reading:
        return {url for (url,) in reading.execute(f"SELECT url FROM {purpose}.access".encode())}


def kept_from(cast: dict[str, Person]) -> None:
    """What comes with the signal is there for the safety of the service, and not to be understood."""
    come("/alice/objects", subject=cast["alice"].subject, uses=EVERYTHING, objects=True)
    come("/alice", subject=cast["alice"].subject, uses=EVERYTHING)
    come("/visit/objects", objects=True)
    come("/visit")
    assert {"/alice/objects", "/alice", "/visit/objects", "/visit"} <= seen("protect")
    assert seen("understand") & {"/alice/objects", "/alice", "/visit/objects", "/visit"} == {"/alice", "/visit"}


def test_what_a_browser_that_objects_asks_for_is_not_used_for_it(cast: dict[str, Person]) -> None:
    kept_from(cast)


def without_the_rule(owner: Connection[Any]) -> None:
    """Take the condition out of the row rule."""
    (rule,) = owner.execute(
        "SELECT qual FROM pg_policies WHERE (tablename, policyname) = ('access', 'understand_select')"
    ).fetchone() or ("",)
    other, times = re.subn(r"\(uses >= 0\)", "true", rule)
    assert times == 1, rule
    owner.execute(f"ALTER POLICY understand_select ON troth.access USING ({other})".encode())


def without_the_mark(owner: Connection[Any]) -> None:
    """Let the stamping forget what a row came with."""
    (text,) = owner.execute("SELECT pg_get_functiondef('troth.stamp_access'::regproc)").fetchone() or ("",)
    forgetful = text.replace(" | (fresh.uses & (1::bigint << 63))", "").replace(
        "fresh.uses & ~(1::bigint << 63) <>", "fresh.uses <>"
    )
    assert forgetful != text
    owner.execute(forgetful.encode())


@pytest.mark.parametrize("taken_away", [without_the_rule, without_the_mark])
def test_mutation_without_the_database_it_would_be(
    cast: dict[str, Person], owner: Connection[Any], taken_away: Callable[[Connection[Any]], None]
) -> None:
    taken_away(owner)
    with pytest.raises(AssertionError):
        kept_from(cast)


def test_the_mark_outlives_every_choice(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice = cast["alice"]
    come("/alice/objects", subject=alice.subject, uses=EVERYTHING, objects=True)
    for kind in ("objection", "permission"):
        actions.choose(token=alice.token, purpose="understand", kind=kind)
    assert "/alice/objects" not in seen("understand")
    assert "/alice/objects" in seen("protect")
    assert owner.execute("SELECT count(*) FROM troth.misstamped() WHERE rows > 0").fetchone() == (0,)


def test_a_signal_is_no_choice_of_the_account(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice = cast["alice"]
    come("/with", subject=alice.subject, uses=EVERYTHING, objects=True)
    chosen = owner.execute("SELECT count(*) FROM troth.choice WHERE subject = %s", (alice.subject,)).fetchone()
    assert chosen == (0,)


def test_nobody_but_the_stamper_takes_a_mark_away(cast: dict[str, Person]) -> None:
    come("/with", subject=cast["alice"].subject, uses=EVERYTHING, objects=True)
    for role in ("intake", "door", "self", "steward"):
        with pytest.raises(errors.InsufficientPrivilege), connect.acting(role, token=cast["alice"].token) as acting:
            acting.execute("UPDATE troth.access SET uses = 1")


def test_what_only_the_purposes_objected_to_would_use_is_not_even_stored(cast: dict[str, Person]) -> None:
    """The page before is for the safety of the service; were it for understanding alone, it would not be kept."""
    from troth.database import published
    from troth.intake.decisions import Decisions

    now_in_force = published.current("intake")
    decisions = Decisions.of(now_in_force.plan, now_in_force.bits)
    understanding = 1 << now_in_force.bits["understand"]
    event = Event(at=now(), url="/", ip="192.0.2.77", subject=cast["alice"].subject, uses=understanding, objects=True)
    assert through(event, decisions) == Refused("browser-objects", "collect-access-ip-on-access-2", "access")
    event = Event(at=now(), url="/", ip="192.0.2.77", subject=cast["alice"].subject, uses=understanding)
    assert isinstance(through(event, decisions), Event)


def recorded(*values: str) -> Event:
    """Return what is recorded of a request with so many headers of the signal."""
    from troth.config.asgi import access

    headers = [(b"sec-gpc", value.encode()) for value in values]
    scope = {"headers": headers, "query_string": b"", "method": "GET", "path": "/", "client": ("192.0.2.1", 1)}
    return access(scope, 200, {}, 0.0)


@pytest.mark.parametrize("sent", ["1", "0", "true", "11", "1;q=0", ""])
def test_only_a_one_is_the_signal(sent: str) -> None:
    event = recorded(*filter(None, [sent]))
    assert event.objects is (sent == "1")
    assert (event.stamp < 0) is event.objects
    assert event.subject == NOBODY


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        (("0", "1"), True), (("1", "0"), True), (("1", "1"), True), (("0,1",), True), (("1 ,\t0",), True),
        (("0", "0"), False), (("0, 0",), False), (("", "10,01"), False),
    ],
)  # fmt: skip
def test_of_several_one_that_objects_is_heard_by_whoever_reads_them(
    cast: dict[str, Person],
    owner: Connection[Any],
    sent: tuple[str, ...],
    heard: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """The record of accesses, what applications pass on, and logs; of the pages `tests/web/test_wellknown.py` shows it."""
    assert recorded(*sent).objects is heard
    notes = registered(owner)
    use = event("feature_use", notes.knows(cast["alice"]), "use-of-alice")
    (answer,) = together([(use, notes.key, {"sec_gpc": list(sent)})])
    assert answer.body.get("reason") == ("browser-objects" if heard else None)
    line = event_of(json.dumps({"ts": 1, "status": 200, "request": {"headers": {"Sec-Gpc": sent}}}).encode())
    assert line is not None
    assert line.objects is heard


def test_taking_the_clause_away_counts_against_people_and_adding_it_for_them() -> None:
    text = POLICY.read_text(encoding="utf-8")
    honoured, silent = parse.read(text, "new"), parse.read(text.replace(HONOUR, ""), "old")
    better, worse = compare(silent, honoured), compare(honoured, silent)
    assert [(d.kind, d.about, d.direction) for d in better.deltas] == [
        (Kind.SIGNAL, ("understand",), Direction.NARROWER)
    ]
    assert [(d.kind, d.about, d.direction) for d in worse.deltas] == [(Kind.SIGNAL, ("understand",), Direction.WIDER)]
    assert (better.verdict, worse.verdict) == (Verdict.FAVOURABLE, Verdict.AGREE_AGAIN)
