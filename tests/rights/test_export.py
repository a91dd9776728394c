"""The export of a person: every governed column of every row of theirs, nothing of anybody else, no credential."""

import json
import os
import stat
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person, make
from tests.rights.asking import account, asked, exported, held, part, plant, planted_in, session, text
from troth.database import connect, place, statements
from troth.database.catalog import load
from troth.database.errors import RequestRefusal
from troth.database.keeper import Keeper
from troth.ledger import queries
from troth.rights import exporting, keeping, persons

#: Nothing is ever in the first, the second has no columns before an operator declares fields, and nobody here tied a browser.
EMPTY = {"account_emailconfirmation", "application_browser", "profile", "identifier", "tied"}
DOCUMENTED = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.fixture
def everybody(cast: dict[str, Person], owner: Connection[Any]) -> dict[str, dict[tuple[str, str], str]]:
    """Each of the cast with rows in every table and values of their own in every column."""
    return {name: plant(owner, person, number) for number, (name, person) in enumerate(cast.items(), start=10)}


def credentials() -> set[tuple[str, str]]:
    held = persons.held_tables(load())
    return {(table.name, column.name) for table in held for column in table.columns if column.credential}


def test_every_governed_column_of_every_row_of_the_person_is_in_it(
    cast: dict[str, Person], owner: Connection[Any], everybody: dict[str, dict[tuple[str, str], str]]
) -> None:
    alice, before = cast["alice"], held(owner)
    tables = {table.table: table for table in exported(owner, alice).tables}
    for table in persons.held_tables(load()):
        told = {c.name for c in table.columns if (table.name, c.name) not in credentials()}
        shown = tables[table.name]
        assert [(c.name, c.category) for c in shown.columns] == [(c.name, c.category) for c in table.columns]
        assert shown.rows or table.name in EMPTY, table.name
        assert all(set(row.values) == told for row in shown.rows), table.name
        if table.by_subject:
            mine = [row for row in before[table.name] if row["subject"] == str(alice.subject)]
            expected = [{name: value for name, value in row.items() if name in told} for row in mine]
            assert sorted(map(written, expected)) == sorted(written(row.values) for row in shown.rows), table.name
    for (name, column), value in everybody["alice"].items():
        if name in EMPTY:
            continue
        found = any(value in (row.values.get(column), json.dumps(row.values.get(column))) for row in tables[name].rows)
        assert found == ((name, column) not in credentials()), (name, column)


def written(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def test_nothing_of_anybody_else_is_in_it(
    cast: dict[str, Person],
    owner: Connection[Any],
    everybody: dict[str, dict[tuple[str, str], str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def strangers() -> set[str]:
        told = text(exported(owner, cast["alice"]))
        others = {name: person for name, person in cast.items() if name != "alice"}
        found = {word for word in planted_in(told) if not word.startswith("canary-alice-")}
        return found | {n for n, other in others.items() if other.email in told or str(other.subject) in told}

    assert strangers() == set()
    # The control taken away: when whose a row is counts for nothing, everybody is in it.
    real = statements.load("troth.rights")
    monkeypatch.setattr(persons, "load", lambda _: {**real, "of_subject": "true"})
    assert {"bob", "charlie", "dana"} <= strangers()


def test_credentials_are_named_and_not_handed_out(
    cast: dict[str, Person], owner: Connection[Any], everybody: dict[str, dict[tuple[str, str], str]]
) -> None:
    export = exported(owner, cast["alice"])
    named = {(table.table, column.name) for table in export.tables for column in table.columns if column.withheld}
    assert named == credentials()
    assert {("people_account", "password"), ("django_session", "session_key")} <= named
    assert "key of Alice" not in text(export)
    assert everybody["alice"]["people_account", "password"] not in text(export)


def test_a_row_says_what_it_may_be_used_for_and_until_when(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice = cast["alice"]
    (person,), access = part(exported(owner, alice), "person").rows, part(exported(owner, alice), "access").rows[0]
    assert (person.purposes, person.ends, person.goes) == (("provide",), {"provide": None}, None)
    assert access.purposes == ("protect", "understand")
    assert person.stamped_for == access.stamped_for == ("protect", "provide", "understand"), "and no audience"
    came = datetime.fromisoformat(access.values["at"])
    ends = {purpose: datetime.fromisoformat(str(end)) - came for purpose, end in access.ends.items()}
    assert ends == {"protect": timedelta(days=90), "understand": timedelta(days=30)}
    assert datetime.fromisoformat(str(access.goes)) == came + timedelta(days=90)
    with connect.acting("self", token=alice.token) as mine:
        mine.execute("SELECT troth.choose('understand', 'objection')")
        mine.execute("SELECT troth.choose('announce', 'consent')")
    after = exported(owner, alice)
    assert part(after, "access").rows[0].purposes == ("protect",)
    assert part(after, "person").rows[0].purposes == ("announce", "provide")
    assert part(after, "person").rows[0].ends == {"provide": None, "announce": None}
    owner.execute("SELECT troth.end_subject(%s, 'asked')", (alice.subject,))
    ended = part(exported(owner, alice), "person").rows[0]
    assert (ended.purposes, set(ended.ends)) == (("provide",), {"provide"})
    assert datetime.fromisoformat(str(ended.goes)) - datetime.fromisoformat(ended.values["ended_at"]) == timedelta(30)


def test_a_withdrawal_while_it_is_written_waits_for_nothing_and_the_export_is_of_one_moment(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, real, acknowledged = cast["alice"], exporting._row, list[int]()

    def slowly(*told: Any) -> Any:
        if not acknowledged:  # the first row is on its way to the file
            with connect.acting("self", token=alice.token) as mine:
                mine.execute("SET LOCAL statement_timeout = '5s'")
                mine.execute("SELECT troth.choose('understand', 'objection')")
            with connect.acting("understand") as reader:
                seen = reader.execute("SELECT count(*) FROM access WHERE subject = %s", (alice.subject,)).fetchone()
            acknowledged.append(seen[0] if seen else -1)
        return real(*told)

    monkeypatch.setattr(exporting, "BATCH", 1)
    monkeypatch.setattr(exporting, "_row", slowly)
    during = exported(owner, alice)
    assert acknowledged == [0], "it holds at once, whoever is still reading"
    assert not part(during, "choice").rows
    assert {row.purposes for row in part(during, "access").rows} == {("protect", "understand")}
    after = exported(owner, alice)
    assert [row.values["kind"] for row in part(after, "choice").rows] == ["objection"]
    assert {row.purposes for row in part(after, "access").rows} == {("protect",)}


def test_it_leaves_an_entry_that_names_the_key_and_that_the_person_sees(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice, bob = cast["alice"], cast["bob"]
    exported(owner, alice)
    with connect.acting("self", token=alice.token) as mine:
        entry = queries.about(mine, alice.subject)[0]
    assert (entry.action, entry.actor, entry.facts["by"], entry.facts["reason"]) == (
        "exported", None, "operator", "asked",
    )  # fmt: skip
    assert len(str(entry.facts["key"])) == 64
    with connect.acting("self", token=bob.token) as others:
        assert queries.about(others, alice.subject) == []


def test_without_its_entry_there_is_no_export(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any, **__: Any) -> int:
        raise RequestRefusal("the ledger does not take it")

    monkeypatch.setattr(keeping, "record", refuses)
    with pytest.raises(RequestRefusal, match="the ledger does not take it"):
        keeping.export(owner, asked(cast["alice"]))
    assert list((place.current().data / keeping.FOLDER).iterdir()) == []


def test_the_file_is_for_one_pair_of_eyes_and_does_not_stay(cast: dict[str, Person], owner: Connection[Any]) -> None:
    folder = place.current().data / keeping.FOLDER
    file = folder / keeping.export(owner, asked(cast["alice"]))["file"]
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)) == (0o600, 0o700)
    os.utime(file, (0, 0))
    exported(owner, cast["bob"])
    assert not file.exists()
    file = folder / keeping.export(owner, asked(cast["alice"]))["file"]
    keeper = keeping.taught(Keeper(place.current()))
    assert not file.exists()
    kept, file = (folder / keeping.export(owner, asked(cast["alice"]))["file"] for _ in range(2))
    os.utime(file, (0, 0))
    for chore in keeper.chores:
        chore(owner)
    assert (kept.exists(), file.exists()) == (True, False), "also when nobody asks for another"
    kept.unlink()


def test_a_person_is_named_by_address_or_subject_and_never_guessed(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    assert {exported(owner, who).subject for who in (alice, "Alice@Harbor.example")} == {str(alice.subject)}
    for nobody in ("nobody@harbor.example", "alice", "%", "", str(uuid.UUID(int=0)), str(uuid.uuid4())):
        with pytest.raises(RequestRefusal, match="nobody here is"):
            exported(owner, nobody)
    owner.execute("SELECT troth.end_subject(%s, 'asked')", (alice.subject,))
    again = make(owner, "Alice", agreed=False)
    with pytest.raises(RequestRefusal, match=r"more than one: .*\((ended|open)\)"):
        exported(owner, alice.email)
    assert exported(owner, again).subject == str(again.subject)


def test_a_session_on_the_way_in_is_somebody_s_too(cast: dict[str, Person], owner: Connection[Any]) -> None:
    numbers = [account(owner, person) for person in cast.values()]
    assert numbers[0] < 36
    digit = "0123456789abcdefghijklmnopqrstuvwxyz"[numbers[0]]
    session(owner, "waiting", {"account_login": {"user_pk": digit, "email": None}})
    session(owner, "forgot", {"account_reset": {"to": [cast["alice"].email.upper()]}})
    session(owner, "of bob", {"account_login": {"user_pk": "zz"}, "count": numbers[0]})
    owner.execute("INSERT INTO troth.django_session VALUES ('forged', %s, now())", (f"{numbers[0]}:x:y",))
    assert len(part(exported(owner, cast["alice"]), "django_session").rows) == 3
    assert len(part(exported(owner, cast["bob"]), "django_session").rows) == 1


def test_a_thousand_rows_are_of_one_moment_and_valid(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.execute(
        "INSERT INTO troth.access (subject, at, id, url) SELECT %s, statement_timestamp() - make_interval(mins => n),"
        " uuidv7(), '/' || n FROM generate_series(1, 1234) AS n",
        (cast["alice"].subject,),
    )
    monkeypatch.setattr(exporting, "BATCH", 100)
    rows = part(exported(owner, cast["alice"]), "access").rows
    assert len(rows) == 1236
    times = [datetime.fromisoformat(row.values["at"]) for row in rows]
    assert times == sorted(times)


def test_each_part_is_described(cast: dict[str, Person], owner: Connection[Any]) -> None:
    described = DOCUMENTED.read_text(encoding="utf-8")
    told = json.loads(text(exported(owner, cast["alice"])))
    names = {*told, *told["policy"], *told["purposes"]["provide"]}
    names |= {name for table in told["tables"] for name in table}
    names |= {n for t in told["tables"] for key in ("columns", "windows", "rows") for each in t[key] for n in each}
    assert [name for name in sorted(names) if f"`{name}`" not in described] == []
    assert f"`{told['format']}`" in described
