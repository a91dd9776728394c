"""Nothing is stored of an event that says who somebody is in free text; what was taken out is counted by detector."""

# ruff: noqa: RUF001 - signs that look like others are what is tried

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from tests.conftest import POLICY, Person
from tests.intake.sending import CRASH, Application, event, registered, sent
from tests.intake.test_apart import DUTY, PURPOSES, decisions
from tests.intake.test_recorder import an_access, rows, run, stored
from troth.cli.guard import guard as command
from troth.intake import queries, reading
from troth.intake import sent as sending
from troth.intake.event import NOBODY, Event, Refused, now
from troth.intake.guard import structured
from troth.intake.kinds import KINDS, Activity, Crash, FeatureUse, Frame, Says
from troth.intake.plain import fold
from troth.intake.recorder import Recorder
from troth.intake.sent import Known, Sent
from troth.intake.steps import through

FIRST = POLICY.read_text(encoding="utf-8")
DECIDED = decisions(FIRST)
EVERY = sum(1 << nth for nth in range(len(PURPOSES)))
CARD, IBAN, DNI, PHONE, MAIL = (
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "54362315K",
    "+34 600 123 456",
    "ana@harbor.example",
)


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    made = registered(owner)
    made.knows(cast["alice"])
    return made


def found() -> dict[tuple[str, str], int]:
    return {(each.kind, each.reason): each.count for each in queries.counts() if each.outcome == "reduced"}


def test_what_a_crash_says_of_somebody_is_marked_in_every_field_and_counted_by_detector(
    notes: Application, owner: Connection[Any]
) -> None:
    data: dict[str, Any] = CRASH | {
        "kind": f"Error {IBAN}",
        "message": f"{MAIL} with diabetes paid by {CARD}",
        "stack": [{"function": f"of_{DNI}", "file": f"{DNI}.py", "line": 3}],
        "release": f"for {MAIL}",
        "environment": PHONE,
    }
    assert sent(event("crash", notes.names["Alice"], "guard-0001", data=data), key=notes.key).status == 201
    row = owner.execute("SELECT kind, message, stack, release, environment FROM troth.crash").fetchone()
    assert row == (
        "Error [iban]", "[e-mail] with [health] paid by [card]", "of_[national-id] ([national-id].py):3",
        "for [e-mail]", "[phone]",
    )  # fmt: skip
    assert found() == {
        ("crash", "card"): 1, ("crash", "e-mail"): 2, ("crash", "health"): 1, ("crash", "iban"): 1,
        ("crash", "national-id"): 2, ("crash", "phone"): 1,
    }  # fmt: skip


def test_a_visit_with_a_special_word_is_refused_and_with_an_identifier_kept_without_it(owner: Connection[Any]) -> None:
    async def scenario(each: Recorder) -> None:
        each.record(an_access(url="/guard/diabetes"))
        each.record(an_access(url=f"/guard/{DNI}"))
        each.record(an_access(url="/guard/plain"))
        await stored(each)

    run(scenario)
    assert sorted(row[1] for row in rows(owner, "/guard")) == ["/guard/plain", "/guard/~national-id~"]
    assert found() == {("visit", "national-id"): 1}
    (refused,) = [each for each in queries.counts() if each.outcome == "refused"]
    assert (refused.kind, refused.reason, refused.clause) == ("visit", "sensitive-of-nobody", "apart")


def test_of_somebody_who_is_known_the_word_is_taken_out_and_the_access_stands() -> None:
    kept = through(an_access(uuid.uuid4(), url="/a/hiv?b=gay", uses=EVERY), DECIDED)
    assert isinstance(kept, Event)
    assert kept.url == "/a/~health~?b=~sex-life~"
    assert kept.found == {"health": 1, "sex-life": 1}


def test_without_the_clause_a_visit_stands_without_the_word() -> None:
    lax = through(an_access(url="/a/hiv"), decisions(FIRST.replace(DUTY, "")))
    assert isinstance(lax, Event)
    assert lax.url == "/a/~health~"
    assert through(an_access(url="/a/hiv"), DECIDED) == Refused("sensitive-of-nobody", "apart", "visit")


def test_what_is_tried_again_is_counted_once() -> None:
    one = a_sent(Activity(f"mail to {MAIL}"))
    sending.reduce(one, DECIDED)
    sending.reduce(one, DECIDED)
    assert one.found == {"e-mail": 1}


def a_sent(says: Says) -> Sent:
    kind = KINDS[{Crash: "crash", Activity: "activity", FeatureUse: "feature_use"}[type(says)]]
    made = Sent(b"k", b"b", kind, now(), "somebody", says, "notes")
    judged = sending.judge(made, Known("notes", list(KINDS), uuid.uuid4(), EVERY), DECIDED)
    assert isinstance(judged, Sent)
    return judged


PIECE = st.one_of(
    st.sampled_from(
        [
            CARD,
            IBAN,
            DNI,
            PHONE,
            MAIL,
            CARD.replace(" ", ""),
            "４１１１1111１１１１1111",
            "ana＠harbor.example",
            "4111\u200b1111\u200b1111\u200b1111",
        ]
    ),
    st.text(max_size=8),
    st.sampled_from(['"', "'", "@", "4111", "1111", "\u200b", "\0", " ", "/", "%40"]),
)
WORDS = st.lists(PIECE, max_size=8).map("".join)
FRAMES = st.lists(st.builds(Frame, WORDS.map(lambda t: t[:200]), WORDS.map(lambda t: t[:200]), st.just(3)), max_size=4)
SAID = st.one_of(
    st.builds(Crash, WORDS, WORDS, FRAMES, WORDS, WORDS),
    st.builds(Activity, WORDS, st.just("info"), WORDS, WORDS, WORDS),
)


@given(SAID)
def test_no_event_that_passed_holds_an_identifier_in_any_field(says: Crash | Activity) -> None:
    values: Mapping[str, Any] = sending.reduce(a_sent(says), DECIDED).values
    for column, value in values.items():
        if column != "fingerprint" and value is not None:
            assert list(structured(fold(value))) == [], (column, value)


@settings(deadline=None)  # the first loads what knows phones
@given(st.lists(WORDS, max_size=4), st.booleans())
@example(parts=["%4111 1111 1111 1111"], known=False)
@example(parts=["%34111 1111 1111 1111"], known=False)
@example(parts=["4111%25201111%25201111%25201111"], known=False)
def test_no_address_that_passed_holds_one(parts: list[str], known: bool) -> None:  # noqa: FBT001 - drawn
    subject = uuid.uuid4() if known else NOBODY
    kept = through(an_access(subject, url="/" + "/".join(parts), uses=EVERY), DECIDED)
    if isinstance(kept, Event):
        for part in (kept.url or "").replace("?", "/").replace("&", "/").replace("=", "/").split("/"):
            assert list(structured(fold(part))) == [], kept.url


def test_the_command_lists_every_detector_and_what_it_found(notes: Application, owner: Connection[Any]) -> None:
    at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    data = CRASH | {"message": f"{MAIL} {MAIL}"}
    assert sent(event("crash", notes.names["Alice"], "guard-0002", data=data, at=at), key=notes.key).status == 201
    told = CliRunner().invoke(command, ["--format", "json"])
    assert told.exit_code == 0, told.output
    listed = json.loads(told.output)
    assert listed["e-mail"] == {"crash": 2}
    assert listed["iban"] == listed["health"] == {}
    assert "e-mail" in CliRunner().invoke(command, []).output


@given(st.lists(st.lists(PIECE, max_size=4).map("".join), max_size=8))
def test_what_was_sent_together_is_reduced_as_each_by_itself(texts: list[str]) -> None:
    said = [Activity(text[:200] or "-", None, text) for text in texts]
    sending.PLAIN.young, sending.PLAIN.old = set(), set()
    alone = [sending.reduce(a_sent(each), DECIDED) for each in said]
    together = sending.reduced([a_sent(each) for each in said], DECIDED)
    assert [(each.values, each.found) for each in together] == [(each.values, each.found) for each in alone]


DATA: dict[str, Any] = {
    "crash": {"kind": "E", "stack": [{"function": "f", "line": 3}]},
    "activity": {"event": "job", "severity": "info"},
    "feature_use": {"feature": "export"},
    "page_view": {"url": "/a", "status": 200},
    "transaction": {"item": "a", "amount": "1.5", "currency": "EUR"},
    "location": {"latitude": 1.5, "longitude": 2},
}
ODD: st.SearchStrategy[Any] = st.sampled_from(
    ["", "a\0b", "ü" * 300, 3, None, True, -1.5, [], {"deep": [1]}, "2026-11-30T10:00:00", "2026-11-30T10:00:00+02:00"]
)
OFTEN = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["key-0001", "short"]) | ODD,
        "kind": st.sampled_from([*DATA, "diary"]),
        "data": st.sampled_from([*DATA.values()])
        | st.builds(
            lambda said, name, odd: said | {name: odd},
            st.sampled_from([*DATA.values()]),
            st.sampled_from(["kind", "event", "line", "amount", "more"]),
            ODD,
        ),
    },
    optional={
        "person": st.just("somebody") | ODD,
        "at": ODD,
        "objects": st.booleans() | ODD,
        "metadata": st.just({"a": 1}) | ODD,
        "more": ODD,
    },
)


@given(OFTEN)
def test_an_event_is_read_at_once_as_it_is_in_parts(said: dict[str, Any]) -> None:
    raw, sender, ahead = json.dumps(said).encode(), sending.Sender("notes", b"digest", b"secret"), timedelta(seconds=3)
    for person in (None, "another"):
        whole, parts = reading.decode(raw, sender, ahead, person), reading._in_parts(raw, sender, ahead, person)
        assert type(whole) is type(parts)
        for each in (whole, parts):
            if isinstance(each, Sent) and "at" not in said:
                each.at = datetime.min.replace(tzinfo=UTC)
        assert whole == parts
        if isinstance(whole, Refused) and isinstance(parts, Refused):
            assert whole.fault == parts.fault
