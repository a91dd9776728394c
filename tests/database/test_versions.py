"""A new version: what widened waits for agreement, what did not goes on; switching stalls nobody for long."""

import json
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import Connection, errors

from tests.conftest import POLICY, TERMS, Person, count, make, visit
from troth.cli.policy import policy
from troth.database import apply, connect, place, published
from troth.database.drift import differing, drift
from troth.database.keeper import Keeper
from troth.policy import deadlines, parse
from troth.policy.compare import Comparison, Verdict, compare
from troth.policy.errors import PolicyErrors

FIRST = POLICY.read_text(encoding="utf-8")


def version(number: int, *changes: tuple[str, str]) -> str:
    text = FIRST.replace("version 1 effective", f"version {number} effective")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


WIDER = version(2, ("for understand 30 days as network", "for understand 60 days as network"))
SEEN = "SELECT count(DISTINCT subject) FROM access WHERE subject <> '00000000-0000-0000-0000-000000000000'"


def test_the_same_version_again_changes_nothing(owner: Connection[Any]) -> None:
    assert apply.apply(owner, FIRST, TERMS).changed == 0


def test_an_older_or_an_altered_version_is_refused(owner: Connection[Any]) -> None:
    apply.apply(owner, WIDER, TERMS)
    with pytest.raises(apply.ApplyRefusal, match="older"):
        apply.apply(owner, FIRST, TERMS)
    with pytest.raises(apply.ApplyRefusal, match="another text"):
        apply.apply(owner, WIDER + "\n# a word more\n", TERMS)
    with pytest.raises(apply.ApplyRefusal, match="another text"):
        apply.apply(owner, WIDER, TERMS + " and more")


@pytest.mark.parametrize("days", [1, 400])
def test_a_version_whose_day_has_not_come_is_refused(owner: Connection[Any], days: int) -> None:
    """What is applied is in force at once, and its text would say otherwise."""
    day = datetime.now(UTC).date() + timedelta(days=days)
    later = re.sub(r"effective \S+", f"effective {day}", WIDER, count=1)
    with pytest.raises(apply.ApplyRefusal, match=f"effective on {day}.*apply it on that day"):
        apply.apply(owner, later, TERMS)
    assert apply.newest(owner).version == 1  # type: ignore[union-attr]
    assert apply.apply(owner, later.replace(str(day), str(datetime.now(UTC).date())), TERMS).version == 2


def test_a_version_from_before_a_check_stays_in_force_and_the_next_one_is_asked(
    owner: Connection[Any], database: place.Place
) -> None:
    """What a compiler asks since is asked of what is to be published: a start is refused nobody for what is in force."""
    untrue = version(2, ("access.*, device.*, crash.* within 90 days", "access.*, device.*, crash.* within 30 days"))
    with pytest.raises(PolicyErrors, match="P-M23"):
        apply.apply(owner, untrue, TERMS)
    with pytest.MonkeyPatch.context() as before:
        before.setattr(deadlines, "check", lambda _desk: None)
        before.setattr(deadlines, "unfit", lambda *_: ())
        apply.apply(owner, untrue, TERMS)
    assert apply.apply(owner, untrue, TERMS).changed == 0
    Keeper(database, list[str]().append).prepare(FIRST, TERMS)
    assert drift(owner).lines() == []
    assert [edition.published.version for edition in published.history()] == [2, 1]
    with pytest.raises(PolicyErrors, match="P-M23"):
        apply.apply(owner, untrue.replace("version 2 ", "version 3 "), TERMS)
    assert apply.apply(owner, version(3), TERMS).version == 3


def test_checking_says_that_the_day_has_not_come(tmp_path: Path) -> None:
    file = tmp_path / "later.troth"
    for day, remarks in ((datetime.now(UTC).date() + timedelta(days=2), 1), (datetime.now(UTC).date(), 0)):
        file.write_text(re.sub(r"effective \S+", f"effective {day}", FIRST, count=1), encoding="utf-8")
        said = CliRunner().invoke(policy, ["check", str(file)])
        assert (said.exit_code, said.output.count("apply it on that day")) == (0, remarks)
        told = json.loads(CliRunner().invoke(policy, ["check", str(file), "--format", "json"]).output)
        assert len(told["remarks"]) == remarks


def test_a_widened_purpose_loses_everybody_until_they_agree_again(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    assert count("understand", SEEN) == 4
    assert apply.apply(owner, WIDER, TERMS).widened == ("understand",)
    assert count("understand", SEEN) == 0
    assert count("protect", SEEN) == 4
    assert drift(owner).lines() == []
    alice = cast["alice"]
    with connect.acting("door") as door:
        assert door.execute("SELECT agreed FROM troth.standing(%s)", (alice.subject,)).fetchone() == (False,)
    with connect.acting("self", token=alice.token) as mine:
        assert mine.execute("SELECT troth.viewer()").fetchone() == (None,)
    newest = apply.newest(owner)
    assert newest is not None
    with connect.acting("door") as door:
        door.execute(
            "SELECT troth.agree(%s, 2, %s, %s, 'test', 'I agree.', 'en')",
            (alice.subject, newest.digest, newest.terms_digest),
        )
    assert count("understand", SEEN) == 1
    with connect.acting("self", token=alice.token) as mine:
        assert mine.execute("SELECT troth.viewer()").fetchone() == (alice.subject,)
    assert drift(owner).lines() == []


def test_a_version_that_comes_while_drift_is_looked_for_is_none(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a start, when the keeper carries out what it was asked before it fell, and somebody compares."""
    waiting = (
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        " WHERE datname = current_database() AND locktype = 'advisory' AND objid = 7275 AND NOT granted"
    )

    def switch() -> None:
        with connect.owning() as other:
            apply.apply(other, WIDER, TERMS)

    applying = threading.Thread(target=switch)

    def newest(connection: Connection[Any]) -> apply.Version | None:
        found = apply.newest(connection)
        applying.start()
        with connect.owning() as other:
            while applying.is_alive() and other.execute(waiting).fetchone() == (0,):
                time.sleep(0.01)
        return found

    monkeypatch.setattr("troth.database.drift.newest", newest)
    assert differing(owner).missing == ()
    applying.join()
    monkeypatch.undo()
    assert apply.newest(owner).version == 2  # type: ignore[union-attr]
    assert drift(owner).lines() == []


def test_whatever_reaches_further_asks_for_agreement_and_says_so(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """A longer window of what is nobody's name: the policy asks for a notice alone, and nobody goes on without agreeing."""
    longer = version(
        2,
        (
            "on use of features [P16, P18]\n    for understand 30",
            "on use of features [P16, P18]\n    for understand 60",
        ),
        ("post.* within 30 days", "post.* within 60 days"),
    )
    change = apply.compared(owner, longer)
    assert "windows" not in str(parse.read(FIRST, "first").duty("ask-again"))
    assert change == compare(parse.read(FIRST, "first"), parse.read(longer, "longer"), frozenset({"understand"}))
    outcome = apply.apply(owner, longer, TERMS)
    assert (outcome.verdict, outcome.widened) == (Verdict.AGREE_AGAIN, ("understand",))
    with connect.acting("door") as door:
        assert door.execute("SELECT agreed FROM troth.standing(%s)", (cast["bob"].subject,)).fetchone() == (False,)


def test_an_audience_that_begins_anew_asks_though_less_is_shown(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """While a profile is shown, names beside posts need no clause of their own; then they are the audience's by it."""
    shown = version(2) + "show person.email to everyone signed in\n"
    apply.apply(owner, shown, TERMS)
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
    less = version(3)
    assert apply.compared(owner, less).agree_again
    outcome = apply.apply(owner, less, TERMS)
    assert (outcome.widened, outcome.verdict) == (("reader",), Verdict.AGREE_AGAIN)
    with connect.acting("door") as door:
        assert door.execute("SELECT agreed FROM troth.standing(%s)", (cast["bob"].subject,)).fetchone() == (False,)


def test_a_narrower_version_keeps_everybody(cast: dict[str, Person], owner: Connection[Any]) -> None:
    narrower = version(2, ("for understand 30 days as network", "for understand 10 days as network"))
    assert apply.apply(owner, narrower, TERMS).widened == ()
    assert count("understand", SEEN) == 4
    with connect.acting("door") as door:
        assert door.execute("SELECT agreed FROM troth.standing(%s)", (cast["bob"].subject,)).fetchone() == (True,)


def test_an_objection_outlives_a_new_version(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice = cast["alice"]
    with connect.acting("self", token=alice.token) as mine:
        mine.execute("SELECT troth.choose('understand', 'objection')")
    apply.apply(owner, WIDER, TERMS)
    newest = apply.newest(owner)
    assert newest is not None
    with connect.acting("door") as door:
        door.execute(
            "SELECT troth.agree(%s, 2, %s, %s, 'test', 'I agree.', 'en')",
            (alice.subject, newest.digest, newest.terms_digest),
        )
    assert count("understand", SEEN) == 0


def test_a_retired_bit_is_freed_only_when_no_row_has_it(cast: dict[str, Person], owner: Connection[Any]) -> None:
    apply.apply(owner, WIDER, TERMS)
    unswept = "SELECT count(*) FROM troth.unit WHERE retired_at IS NOT NULL AND swept_at IS NULL"
    assert owner.execute(unswept).fetchone() == (1,)
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
        steward.execute("SELECT troth.sweep()")
    assert owner.execute(unswept).fetchone() == (0,)
    bits = owner.execute("SELECT bit FROM troth.unit WHERE retired_at IS NOT NULL").fetchone()
    assert bits is not None
    assert owner.execute("SELECT count(*) FROM troth.access WHERE (uses >> %s) & 1 = 1", bits).fetchone() == (0,)


def test_a_purpose_that_goes_takes_its_role_and_schema_along(cast: dict[str, Person], owner: Connection[Any]) -> None:
    extra = version(
        2,
        ("# What is collected", 'purpose extra "try something" by consent [P3]\n\n# What is collected'),
        (
            "    for personalise while consented\ncollect device.model",
            "    for personalise while consented\n    for extra while consented\ncollect device.model",
        ),
    )
    apply.apply(owner, extra, TERMS)
    assert count("extra", "SELECT count(*) FROM device") == 0
    apply.apply(owner, version(3), TERMS)
    assert owner.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'troth_extra'").fetchone() == (0,)
    assert drift(owner).lines() == []


def test_switching_under_readers_and_inserters_stalls_them_for_a_moment_and_never_deadlocks(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    stop, stalls, failed = threading.Event(), [0.0], []

    def work(role: str, statement: str, values: Any) -> None:
        try:
            with psycopg.connect(**connect.parameters(role, database), autocommit=True) as connection:
                while not stop.is_set():
                    began = time.monotonic()
                    connection.execute(statement.encode(), values)
                    stalls.append(time.monotonic() - began)
        except psycopg.Error as error:
            failed.append(error)

    insert = "INSERT INTO troth.access (subject, at, id, url) VALUES (%s, statement_timestamp(), uuidv7(), '/')"
    told = [("understand", "SELECT count(*) FROM access", None), ("protect", "SELECT count(*) FROM access", None),
            ("intake", insert, (cast["alice"].subject,)), ("provide", "SELECT count(*) FROM person", None)]  # fmt: skip
    threads = [threading.Thread(target=work, args=each) for each in told]
    for thread in threads:
        thread.start()
    held = []
    for number in range(2, 8):
        days = 30 if number % 2 else 60
        wanted = version(number, ("for understand 30 days as network", f"for understand {days} days as network"))
        held.append(apply.apply(owner, wanted, TERMS).held)
        with connect.acting("steward") as steward:
            steward.execute("SELECT troth.sweep()")
    stop.set()
    for thread in threads:
        thread.join(30)
    print(f"longest stall {max(stalls) * 1000:.0f} ms, locks held {max(held) * 1000:.0f} ms, {len(stalls)} statements")
    assert failed == []
    assert drift(owner).lines() == []


def test_closing_an_account_takes_what_goes_and_marks_what_stays(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (alice.subject,))
    person = "SELECT count(*) FROM person WHERE subject = '" + str(alice.subject) + "'"
    assert count("provide", person) == 1
    with connect.acting("self", token=alice.token) as mine:
        assert mine.execute("SELECT troth.viewer()").fetchone() == (None,)
    assert drift(owner).lines() == []
    owner.execute(
        "UPDATE troth.person SET ended_at = ended_at - interval '31 days' WHERE subject = %s", (alice.subject,)
    )
    assert count("provide", person) == 0
    for table in ("device", "agreement", "choice", "access"):
        older = f"UPDATE troth.{table} SET ended_at = ended_at - interval '400 days', at = at - interval '400 days'"
        owner.execute(f"{older} WHERE subject = %s".encode(), (alice.subject,))
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
        steward.execute("SELECT troth.sweep()")
    left = owner.execute("SELECT (SELECT count(*) FROM troth.subject WHERE subject = %(s)s),"
                         " (SELECT count(*) FROM troth.ledger_salt WHERE subject = %(s)s),"
                         " (SELECT count(*) FROM troth.access WHERE subject = %(s)s)", {"s": alice.subject}).fetchone()  # fmt: skip
    assert left == (0, 0, 0)


def test_sweeping_removes_what_is_older_than_every_window_and_nothing_else(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    owner.execute("UPDATE troth.access SET at = at - interval '89 days' WHERE subject = %s", (cast["alice"].subject,))
    owner.execute("UPDATE troth.access SET at = at - interval '91 days' WHERE subject = %s", (cast["bob"].subject,))
    with connect.acting("self", token=cast["charlie"].token) as mine:
        mine.execute("SELECT troth.choose('personalise', 'consent')")
    owner.execute("UPDATE troth.access SET at = at - interval '91 days' WHERE subject = %s", (cast["charlie"].subject,))
    visit(cast["dana"])
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
    left = dict(owner.execute("SELECT subject, count(*) FROM troth.access GROUP BY subject").fetchall())
    assert left == {cast["alice"].subject: 2, cast["charlie"].subject: 2, cast["dana"].subject: 3}


REDUCED = ("let people correct person.name, device.name", "let people correct device.name")


def test_a_significant_change_needs_agreement_again_though_no_purpose_widened(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """P38: what people can do is in the rule of the version that they agreed to."""
    outcome = apply.apply(owner, version(2, REDUCED), TERMS)
    assert (outcome.widened, outcome.verdict) == ((), Verdict.AGREE_AGAIN)
    with connect.acting("door") as door:
        assert door.execute("SELECT agreed FROM troth.standing(%s)", (cast["bob"].subject,)).fetchone() == (False,)
    with connect.acting("self", token=cast["alice"].token) as mine:
        assert mine.execute("SELECT troth.viewer()").fetchone() == (None,)


def test_without_the_comparison_a_significant_change_would_bind_silently(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "compare", lambda _old, _new, _opened: Comparison((), Verdict.EDITORIAL, (), ()))
    with pytest.raises(AssertionError):
        test_a_significant_change_needs_agreement_again_though_no_purpose_widened(cast, owner)


@pytest.mark.parametrize("overtaken", ["policy", "terms"])
def test_whoever_read_other_words_agrees_to_nothing(owner: Connection[Any], overtaken: str) -> None:
    """P2: what binds is what was read, word for word; nobody is bound by a page that was overtaken, or altered."""
    eve = make(owner, "Eve", agreed=False)
    row = owner.execute("SELECT digest, terms_digest FROM troth.policy_version").fetchone()
    assert row is not None
    read = {"policy": row[0], "terms": row[1]} | {overtaken: "0" * 64}
    query = "SELECT troth.agree(%s, 1, %s, %s, 'page', 'I agree.', 'en')"
    with connect.acting("door") as door, pytest.raises(psycopg.Error, match="is not the policy in force"):
        door.execute(query, (eve.subject, read["policy"], read["terms"]))
    assert owner.execute("SELECT count(*) FROM troth.agreement").fetchone() == (0,)


def test_another_owner_changes_nobodys_standing(cast: dict[str, Person], owner: Connection[Any]) -> None:
    """P40: the agreement goes on, no notice is owed, and every purpose sees whom it saw."""
    outcome = apply.apply(owner, version(2, ("Harbor Software, Inc.", "Bay Software, Inc.")), TERMS)
    assert (outcome.widened, outcome.verdict) == ((), Verdict.EDITORIAL)
    assert count("understand", SEEN) == 4
    with connect.acting("self", token=cast["alice"].token) as mine:
        assert mine.execute("SELECT troth.viewer()").fetchone() == (cast["alice"].subject,)


def test_an_owner_that_counted_as_a_change_would_be_noticed(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "widened", lambda _old, _new: frozenset({"understand"}))
    with pytest.raises(AssertionError):
        test_another_owner_changes_nobodys_standing(cast, owner)


def test_a_purpose_that_opened_no_edition_would_be_noticed(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "widened", lambda _old, _new: frozenset())
    with pytest.raises(AssertionError):
        test_a_widened_purpose_loses_everybody_until_they_agree_again(cast, owner)


def test_an_order_of_versions_taken_away_is_noticed(owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "_is_fresh", lambda _before, _policy, _digest: True)
    with pytest.raises((pytest.fail.Exception, AssertionError, psycopg.Error)):
        test_an_older_or_an_altered_version_is_refused(owner)


@pytest.mark.parametrize("schema", ["public", "troth"])
def test_a_table_of_somebody_elses_stops_no_start_and_no_role_reads_it(
    owner: Connection[Any], database: place.Place, schema: str
) -> None:
    """Where nothing starts, nobody could move it away; what changes still waits until it is gone."""
    owner.execute(f"CREATE TABLE {schema}.notes (word text)".encode())
    for role in ("troth_understand", "troth_self", "PUBLIC"):
        owner.execute(f"GRANT SELECT ON {schema}.notes TO {role}".encode())
    said: list[str] = []
    Keeper(database, said.append).prepare(FIRST, TERMS)
    assert f"`{schema}.notes` is in the database and no room's" in " ".join(said)
    assert drift(owner).lines() == [f"not of the policy: undeclared {schema}.notes: a relation that no room declares"]
    for role in ("understand", "self", "door"):
        with pytest.raises(errors.InsufficientPrivilege), connect.acting(role) as connection:
            connection.execute(f"SELECT * FROM {schema}.notes".encode())
    with pytest.raises(apply.ApplyRefusal, match=f"{schema}.notes"):
        apply.apply(owner, version(2), TERMS)
    owner.execute(f"DROP TABLE {schema}.notes".encode())
    assert not drift(owner)
