"""What a version would do is counted before it is applied, and is what it does then."""

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person, make, visit
from troth.cli.policy import policy
from troth.database import apply, connect, place, retention, simulate
from troth.database.catalog import load
from troth.policy import foreseeing, parse
from troth.policy.audiences import ROLES as AUDIENCES
from troth.policy.compare import Verdict, compare
from troth.policy.meaning import Whose
from troth.policy.orders import Kind
from troth.policy.plan import plan

FIRST = POLICY.read_text(encoding="utf-8")
NOBODY = uuid.UUID(int=0)
#: What is changed in the default policy: wider, narrower, incomparable, another basis, another column, another age.
CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "nothing of data": (("Harbor Software, Inc.", "Bay Software, Inc."),),
    "a longer window": (("for understand 30 days as network", "for understand 60 days as network"),),
    "a shorter window": (("for understand 30 days as network", "for understand 10 days as network"),),
    "rows kept no longer": (
        ("for protect 90 days\n", "for protect 45 days\n"),
        ("for protect 90 days as network", "for protect 45 days as network"),
    ),
    "a finer precision": (("access.kind on access [P8, P9, P14]\n    for understand 30 days as network",
                           "access.kind on access [P8, P9, P14]\n    for understand 30 days"),),
    "a column less": (("collect access.url, access.time on access", "collect access.url on access"),
                      ("access.url, access.time on cookie", "access.url on cookie")),
    "an objection instead of a consent": (
        ('mejorar tu experiencia"\n    by consent', 'mejorar tu experiencia"\n    by legitimate interest'),
        ("for personalise while consented", "for personalise 60 days"),
        ("post.* within 30 days", "post.* within 60 days"),
    ),
    "choices longer": (
        ("choice.time on agreement [P2]\n    for provide while the account exists then 365 days",
         "choice.time on agreement [P2]\n    for provide while the account exists then 400 days"),
    ),
    "cookies longer": (("as persistent cookie for provide 365 days", "as persistent cookie for provide 400 days"),),
    "a consent asked for": (('cómo se usa el servicio"\n    by legitimate interest', 'cómo se usa el servicio"\n    by consent'),
                            ("protect 90 days as network\n    for understand 30 days as network", "protect 90 days as network"),
                            ("honour global privacy control as an objection to understand [P3]\n", "")),
    "a consent that reaches further": (("collect access.url, access.time on access", "collect access.url, access.time, access.status on access"),
                                       ("access.url, access.time on cookie", "access.url, access.time, access.status on cookie")),
    "a right less": (("let people correct person.name, device.name, person.phone,", "let people correct person.name, person.phone,"),),
    "an address made coarse": (("tell people that logs may hold any of it",
                                "coarsen access.ip to network after 20 days [P14]\ntell people that logs may hold any of it"),),
}  # fmt: skip


def version(number: int, change: str) -> str:
    text = FIRST.replace("version 1 effective", f"version {number} effective")
    for old, new in CHANGES[change]:
        assert old in text
        text = text.replace(old, new)
    return text


@dataclass(frozen=True, slots=True)
class Town:
    """People of every kind, with rows of every age."""

    agreed: Person
    objecting: Person
    consenting: Person
    gone: Person
    new: Person


def chosen(person: Person, purpose: str, what: str) -> None:
    with connect.acting("self", token=person.token) as mine:
        mine.execute("SELECT troth.choose(%s, %s)", (purpose, what))


def agrees(person: Person, owner: Connection[Any]) -> None:
    now = apply.newest(owner)
    assert now is not None
    told = (person.subject, now.version, now.digest, now.terms_digest)
    with connect.acting("door") as door:
        door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", told)


@pytest.fixture
def town(owner: Connection[Any]) -> Town:
    alice, bob, charlie, dana = (make(owner, name) for name in ("Alice", "Bob", "Charlie", "Dana"))
    found = Town(alice, bob, charlie, dana, make(owner, "Erin", agreed=False))
    chosen(found.objecting, "understand", "objection")
    chosen(found.consenting, "personalise", "consent")
    chosen(found.consenting, "announce", "consent")
    for person in (found.agreed, found.objecting, found.consenting, found.gone):
        for days in (0, 15, 25, 50, 80):
            visit(person, days=days)
    for days in (0, 50):
        with connect.acting("intake") as intake:
            intake.execute(
                "INSERT INTO troth.access (subject, at, id, method, url, status, ip) VALUES (%s,"
                " statement_timestamp() - make_interval(days => %s), uuidv7(), 'GET', '/', 200, '192.0.2.0/24')",
                (NOBODY, days),
            )
    # Kept by a consent alone: the windows of the others have passed.
    owner.execute(
        "UPDATE troth.access SET at = at - interval '15 days' WHERE at < now() - interval '79 days' AND subject = %s",
        (found.consenting.subject,),
    )
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (found.gone.subject,))
    retention.run()
    return found


type Visible = dict[tuple[str, str, bool], tuple[int, int]]


def visible(owner: Connection[Any]) -> Visible:
    """What each purpose sees: rows and people by purpose, table, and whether of visits."""
    tables = {table.name for table in load().stamped}
    found: Visible = {}
    views = owner.execute("SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                          " WHERE c.relkind = 'v' AND n.nspname !~ '^(pg_|information_schema)'").fetchall()  # fmt: skip
    for purpose, table in views:
        if table in tables:
            with psycopg.connect(**connect.parameters(purpose, place.current())) as reader:
                counts = f"SELECT subject = '{NOBODY}', count(*), count(DISTINCT subject) FROM {table} GROUP BY 1"
                for visits, rows, people in reader.execute(counts.encode()):
                    found[purpose, table, visits] = (rows, 0 if visits else people)
    return found


def foreseen(sights: tuple[simulate.Sight, ...], when: str) -> Visible:
    seen = {(s.purpose, s.table, s.whose is Whose.NOBODY): getattr(s, when) for s in sights}
    return {key: (each.rows, each.people) for key, each in seen.items() if each.rows}


def members(owner: Connection[Any]) -> dict[str, int]:
    """How many people with an open account are in each purpose; audiences are units of their own."""
    found = dict(
        owner.execute(
            "SELECT u.purpose, count(*) FILTER (WHERE (p.uses >> u.bit) & 1 = 1) FROM troth.unit AS u,"
            " troth.permitted AS p JOIN troth.subject AS s USING (subject)"
            " WHERE u.retired_at IS NULL AND s.ended_at IS NULL AND s.kind = 'person' GROUP BY 1"
        ).fetchall()
    )
    return {unit: many for unit, many in found.items() if unit not in AUDIENCES}


def held(owner: Connection[Any]) -> dict[str, int]:
    row = {t.name: owner.execute(f"SELECT count(*) FROM troth.{t.name}".encode()).fetchone() for t in load().stamped}
    return {name: many[0] for name, many in row.items() if many}


def settle(owner: Connection[Any]) -> None:
    """What the keeper's next rounds do."""
    retention.run()
    for _ in range(2):
        with connect.acting("steward") as steward:
            steward.execute("SELECT troth.sweep()")


def check(owner: Connection[Any], town: Town, change: str) -> simulate.Simulation:
    """Simulate, then apply and let everybody agree, and compare what is seen at each step."""
    text = version(2, change)
    rows, said = held(owner), simulate.simulate(owner, text)
    assert foreseen(said.sights, "before") == visible(owner)
    assert {m.purpose: m.before for m in said.memberships} == members(owner)
    apply.apply(owner, text, TERMS)
    settle(owner)
    assert foreseen(said.sights, "at_once") == visible(owner)
    assert {m.purpose: m.at_once for m in said.memberships} == members(owner)
    gone = {name: many - held(owner)[name] for name, many in rows.items()}
    assert gone == {name: sum(h.due.rows for h in said.holdings if h.table == name) for name in rows}
    standing = [standing_of(each) for each in (town.agreed, town.objecting, town.consenting)]
    assert said.again == standing.count(False)
    for person in (town.agreed, town.objecting, town.consenting):
        agrees(person, owner)
    after = visible(owner)
    # Agreeing leaves a row itself: three of them, for the purpose that keeps agreements.
    many, people = after["provide", "agreement", False]
    after["provide", "agreement", False] = (many - 3, people)
    assert foreseen(said.sights, "agreed") == after
    assert {m.purpose: m.agreed for m in said.memberships} == members(owner)
    return said


def standing_of(person: Person) -> bool:
    with connect.acting("door") as door:
        row = door.execute("SELECT agreed FROM troth.standing(%s)", (person.subject,)).fetchone()
    return bool(row and row[0])


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_foreseen_is_what_happens(town: Town, owner: Connection[Any], change: str) -> None:
    check(owner, town, change)


def test_a_simulation_that_overlooks_who_must_agree_would_be_noticed(
    town: Town, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "widened", lambda _old, _new: frozenset())
    with pytest.raises(AssertionError):
        check(owner, town, "a longer window")


def test_a_simulation_that_overlooks_windows_would_be_noticed(
    town: Town, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreseeing, "within", lambda _window: "true")
    with pytest.raises(AssertionError):
        check(owner, town, "a shorter window")


def test_a_simulation_that_overlooks_choices_would_be_noticed(
    town: Town, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreseeing, "STANDING", foreseeing.STANDING.replace("'objection'", "'no such choice'"))
    with pytest.raises(AssertionError):
        check(owner, town, "a longer window")


def test_each_difference_says_what_it_touches(town: Town, owner: Connection[Any]) -> None:
    said = simulate.simulate(owner, version(2, "a longer window"))
    touched = {each.delta.about: each for each in said.touched if each.delta.kind is Kind.USE}
    url = touched["access.url", "access", "understand"]
    # Alice and Charlie: three accesses each of the last 30 days, one each of the next 30; Bob objects, Dana has left.
    assert url.columns == (("access", ("url",)), ("page_view", ("application", "url")))
    assert (url.records, url.people) == (8 + 3, 2 + 1)
    (sight,) = [s for s in said.sights if (s.purpose, s.table, s.whose) == ("understand", "access", Whose.PERSON)]
    assert (sight.lost.rows, sight.gained.rows, sight.objected, sight.consented) == (9, 2, 1, 0)
    (member,) = [m for m in said.memberships if m.purpose == "understand"]
    assert (member.before, member.dropping, member.agreed, member.objected) == (2, 2, 2, 1)
    assert (said.agreed, said.in_force, said.again, said.mails) == (3, 3, 3, 3)
    assert said.opened == ("understand",)
    # A difference that no record knows is one, too: `compare` counts the same.
    said = simulate.simulate(owner, version(2, "a longer window").replace("encrypt transmission [P34]\n", ""))
    assert [each.delta for each in said.touched] == list(said.comparison.deltas)
    (duty,) = [each for each in said.touched if each.delta.kind is Kind.DUTY]
    assert (duty.columns, duty.records, duty.people) == ((), 0, 0)


def test_a_notice_goes_to_everybody_who_has_agreed(town: Town, owner: Connection[Any]) -> None:
    said = simulate.simulate(owner, version(2, "cookies longer"))
    assert (said.comparison.verdict, said.mails, said.again) == (Verdict.NOTIFY, 3, 0)
    said = simulate.simulate(owner, version(2, "choices longer"))
    assert (said.comparison.verdict, said.mails, said.again) == (Verdict.AGREE_AGAIN, 3, 3)
    said = simulate.simulate(owner, version(2, "a shorter window"))
    assert (said.comparison.verdict, said.mails, said.again) == (Verdict.FAVOURABLE, 0, 0)


def test_of_one_person_it_says_what_changes_for_them_and_the_ledger_keeps_that(
    town: Town, owner: Connection[Any]
) -> None:
    text = version(2, "a longer window")
    entries = "SELECT count(*), max(facts::text) FILTER (WHERE action = 'simulated') FROM troth.ledger_entry"
    before = owner.execute(entries).fetchone()
    simulate.simulate(owner, text)
    assert owner.execute(entries).fetchone() == before
    alice, bob = (
        simulate.simulate(owner, text, person=name) for name in ("ALICE@harbor.example", str(town.objecting.subject))
    )
    after = owner.execute(entries).fetchone()
    assert before
    assert after
    assert after[0] == before[0] + 2
    assert set(json.loads(after[1])) == {"version", "policy"}
    seen = {(s.purpose, s.table): (s.before.rows, s.at_once.rows, s.agreed.rows) for s in alice.sights}
    assert seen["understand", "access"] == (3, 0, 4)
    assert seen["protect", "access"] == (5, 5, 5)
    assert "understand" not in {s.purpose for s in bob.sights}
    with pytest.raises(simulate.SimulationRefusal, match="names nobody"):
        simulate.simulate(owner, text, person="nobody@harbor.example")


def test_a_viewer_is_told_the_same_about_themselves_and_nothing_of_others(town: Town, owner: Connection[Any]) -> None:
    text = version(2, "a longer window")
    old, new = parse.read(FIRST, "old"), parse.read(text, "new")
    plans = simulate.Plans(old, new, plan(old, load()), plan(new, load()), frozenset(), load())
    told = simulate.simulate(owner, text, person=town.agreed.email)
    with connect.acting("self", token=town.agreed.token) as mine:
        assert simulate.personal(mine, compare(old, new, plans.opened), plans, town.agreed.subject) == told
    with connect.acting("self", token=town.consenting.token) as theirs:
        found = simulate.personal(theirs, compare(old, new, plans.opened), plans, town.agreed.subject)
    assert (found.sights, found.holdings) == ((), ())
    assert {m.before for m in found.memberships} == {0}


def test_it_changes_nothing_and_can_look_at_no_value(town: Town, owner: Connection[Any]) -> None:
    with simulate.counting(owner) as counted:
        assert counted.execute("SELECT count(subject) FROM troth.access").fetchone() == (22,)
        for statement in ("SELECT url FROM troth.access", "SELECT email FROM troth.person"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), counted.transaction():
                counted.execute(statement.encode())
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), counted.transaction():
            counted.execute("DELETE FROM troth.access")
    # Without that role the owner, who may everything, would look.
    assert owner.execute("SELECT count(url) FROM troth.access").fetchone() == (22,)


def test_a_long_count_is_ended(town: Town, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "LONGEST", 0.2)
    with pytest.raises(simulate.SimulationRefusal, match="longer than"), simulate.counting(owner) as counted:
        counted.execute("SELECT pg_sleep(5)")
    assert owner.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_an_old_version_can_stand_for_the_one_in_force(town: Town, owner: Connection[Any]) -> None:
    wider = version(2, "a longer window")
    said = simulate.simulate(owner, wider.replace("version 2", "version 3"), old=wider)
    assert said.comparison.deltas == ()
    # Nobody has agreed to the old one, nor so to the new one.
    assert {m.purpose: (m.before, m.at_once, m.agreed) for m in said.memberships}["understand"] == (0, 0, 2)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    old, new = tmp_path / "old.troth", tmp_path / "new.troth"
    old.write_text(FIRST, encoding="utf-8")
    new.write_text(version(2, "rows kept no longer"), encoding="utf-8")
    return str(old), str(new)


def test_the_command_says_it_in_words_and_as_data(town: Town, files: tuple[str, str]) -> None:
    old, new = files
    data = str(place.current().data)
    said = CliRunner().invoke(policy, ["simulate", new, "--on", data])
    assert said.exit_code == 0, said.output
    assert (
        "access: removed at once, being past their time: 6 rows of 3 people\n"
        "access, visits: removed at once, being past their time: 1 row\n" in said.output
    )
    assert "nobody must agree again" in said.output
    assert not re.search(r"\b1 (rows|records|people|objections|consents|mails)\b", said.output)
    together = (
        "access (browser, kind, method, referrer, status, system, at, day, hour, url),"
        " page_view (browser, kind, method, referrer, status, system, at, day, hour, application, url): 7 records of 4 people"
    )
    assert said.output.count(together) == 1
    told = [
        json.loads(CliRunner().invoke(policy, ["simulate", *named, "--data", data, "--format", "json"]).output)
        for named in ((new,), ("-", new), (old, new))
    ]
    assert told[0] == told[1] == told[2]
    assert sorted(h["due"]["rows"] for h in told[0]["holdings"]) == [0, 0, 0, 0, 1, 6]
    assert town.agreed.email not in json.dumps(told) + said.output
    assert CliRunner().invoke(policy, ["simulate", new, "-"]).exit_code == 2


def test_what_no_clause_collects_any_more_goes_and_the_record_of_choices_stays(
    town: Town, owner: Connection[Any]
) -> None:
    text = re.sub("version 1 effective", "version 2 effective", FIRST)
    text = re.sub(r"(?m)^collect (device|choice)\.[^\n]*\n( {4}for [^\n]*\n)+", "", text)
    text = re.sub(r"(?m)^(show|let|coarsen|correlate|never|post|share|store|open)\b[^\n]*\n( {4}[^\n]*\n)*", "", text)
    said = {h.table: h for h in simulate.simulate(owner, text).holdings if h.whose is Whose.PERSON}
    before = held(owner)
    assert said["device"].due.rows == said["device"].held.rows == before["device"] > 0
    assert (said["choice"].due.rows, said["choice"].held.rows) == (0, 3)
    apply.apply(owner, text, TERMS)
    settle(owner)
    after = held(owner)
    assert (after["device"], after["choice"]) == (0, 3)
