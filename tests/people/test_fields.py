"""A profile field is declared, and everything about it follows: there is no code for any field."""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql

from tests.conftest import POLICY, TERMS, Person, make
from tests.rights.asking import erased, exported, part
from troth.database import apply, connect, published
from troth.database.catalog import of
from troth.database.drift import drift
from troth.database.errors import RequestRefusal
from troth.database.retention import run
from troth.people import fielding, profiles
from troth.people.errors import FieldRefusal, NobodyThere
from troth.people.fields import Field

FIELDS = POLICY.with_suffix(".fields.toml").read_text(encoding="utf-8")
SOURCE = POLICY.read_text(encoding="utf-8")
BIRTHDAY = """
[birthday]
type = "date"
category = "person.profile"
label = { en = "Birthday", es = "Cumpleaños" }
"""


@pytest.fixture
def declared(owner: Connection[Any]) -> Iterator[Connection[Any]]:
    """The fields that the default policy ships with."""
    assert fielding.declare_first(owner, FIELDS)
    published.forget()
    yield owner
    published.forget()


def declare(owner: Connection[Any], text: str, *removing: str) -> dict[str, Any]:
    """Declare other fields as the keeper does."""
    answer = fielding.declare(owner, {"text": text, "removing": list(removing)})
    published.forget()
    return answer


def version(owner: Connection[Any], number: int, *changes: tuple[str, str]) -> None:
    """Put a changed policy into force."""
    text = SOURCE.replace(" version 1 ", f" version {number} ")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    apply.apply(owner, text, TERMS)
    published.forget()


def agree(owner: Connection[Any], person: Person) -> None:
    """Agree to the newest version, as on its page."""
    query = "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1"
    newest = owner.execute(query).fetchone() or ()
    with connect.acting("door") as door:
        door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", (person.subject, *newest))


def field(name: str) -> Field:
    """Return a declared field."""
    return next(each for each in profiles.fields() if each.name == name)


def values(person: Person) -> dict[str, Any]:
    """Return what a person sees in their profile."""
    return {each.field.name: each.value for each in profiles.held(person.token)}


def refusal(role: str, statement: str, token: str | None = None) -> str:
    """Return the SQLSTATE with which a role is refused a statement; empty when it is not."""
    with suppress(ZeroDivisionError), connect.acting(role, token=token) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            connection.rollback()
            return str(error.sqlstate)
        raise ZeroDivisionError  # nothing of it stays
    return ""


def test_a_declared_field_is_a_governed_column_and_nothing_drifts(declared: Connection[Any]) -> None:
    columns = {column.name: column.category for column in of(declared).table("profile").columns if column.type}
    assert columns == {
        "phone": "person.phone", "about": "person.profile", "website": "person.profile", "language": "person.profile",
    }  # fmt: skip
    assert drift(declared).lines() == []
    assert not fielding.declare_first(declared, FIELDS + BIRTHDAY), "what was declared once is the operator's to change"


def test_the_person_fills_in_corrects_and_deletes_and_each_leaves_an_entry_without_the_value(
    declared: Connection[Any], cast: dict[str, Person]
) -> None:
    alice = cast["alice"]
    assert profiles.tell(token=alice.token, field=field("phone"), value="+34 600 000 001")
    assert profiles.tell(token=alice.token, field=field("phone"), value="+34 600 000 002")
    assert not profiles.tell(token=alice.token, field=field("phone"), value="+34 600 000 002"), "nothing changed"
    assert values(alice)["phone"] == "+34 600 000 002"
    assert values(cast["charlie"])["phone"] is None
    assert profiles.empty(token=alice.token, field=field("phone"))
    assert not profiles.empty(token=alice.token, field=field("phone"))
    rows = declared.execute("SELECT action, facts FROM troth.ledger_entry WHERE action LIKE 'field-%' ORDER BY index")
    assert rows.fetchall() == [
        ("field-corrected", {"field": "phone"}),
        ("field-corrected", {"field": "phone"}),
        ("field-deleted", {"field": "phone"}),
    ]
    with pytest.raises(NobodyThere):
        profiles.tell(token="of nobody", field=field("phone"), value="+34 600 000 003")


@pytest.mark.usefixtures("declared")
def test_everybody_writes_their_own_alone_and_only_what_the_policy_lets_them(cast: dict[str, Person]) -> None:
    alice, charlie = cast["alice"], cast["charlie"]
    for each in (alice, charlie):
        profiles.tell(token=each.token, field=field("about"), value=f"{each.name} here")
    with connect.acting("self", token=charlie.token) as connection:
        assert connection.execute("SELECT about FROM troth.profile").fetchall() == [("Charlie here",)]
        assert connection.execute("UPDATE troth.profile SET about = 'mine now'").rowcount == 1
    assert values(alice)["about"] == "Alice here"
    with connect.acting("self") as nobody:
        assert nobody.execute("UPDATE troth.profile SET about = 'mine now'").rowcount == 0
    theirs = f"INSERT INTO troth.profile (subject) VALUES ('{alice.subject}')"
    assert refusal("self", theirs, charlie.token) == "42501"
    for statement in (
        "UPDATE troth.profile SET uses = -1",
        "DELETE FROM troth.profile",
        "SELECT uses FROM troth.profile",
    ):
        assert refusal("self", statement, alice.token) == "42501"
    for role in ("provide", "understand", "door", "intake"):
        assert refusal(role, "UPDATE troth.profile SET about = 'ours'") in ("42501", "25006")


@pytest.mark.usefixtures("declared")
def test_a_purpose_reads_a_field_or_is_withheld_it_as_its_category_says(cast: dict[str, Person]) -> None:
    profiles.tell(token=cast["alice"].token, field=field("about"), value="canary")
    with connect.acting("provide") as provide:
        assert provide.execute("SELECT subject, about FROM profile").fetchall() == [(cast["alice"].subject, "canary")]
    assert refusal("understand", "SELECT about FROM troth.profile") == "42501"
    with connect.acting("understand") as understand:
        told = understand.execute("SELECT reason FROM withheld WHERE (\"table\", \"column\") = ('profile', 'about')")
        assert told.fetchall() == [("no clause lets `understand` use `person.profile`",)]


def test_a_field_is_exported_and_erased(declared: Connection[Any], cast: dict[str, Person]) -> None:
    profiles.tell(token=cast["alice"].token, field=field("about"), value="canary-alice")
    profiles.tell(token=cast["bob"].token, field=field("about"), value="canary-bob")
    export = part(exported(declared, cast["alice"]), "profile")
    assert [row.values["about"] for row in export.rows] == ["canary-alice"]
    assert {column.category for column in export.columns if column.name == "about"} == {"person.profile"}
    erased(declared, cast["alice"])
    left = declared.execute("SELECT about, ended_at IS NULL FROM troth.profile ORDER BY about").fetchall()
    assert left == [("canary-alice", False), ("canary-bob", True)], "what the window keeps is marked with its end"


def test_a_policy_that_no_longer_collects_the_category_empties_the_field_and_nobody_writes_it(
    declared: Connection[Any], cast: dict[str, Person]
) -> None:
    alice, about, phone = cast["alice"], field("about"), field("phone")
    profiles.tell(token=alice.token, field=about, value="canary")
    profiles.tell(token=alice.token, field=phone, value="+34 600 000 001")
    version(declared, 2,
            ("collect person.phone, person.profile on profile", "collect person.profile on profile"),
            ("person.email, person.phone, person.profile", "person.email, person.profile"),
            ("device.name, person.phone,", "device.name,"),
            ("delete person.phone, person.profile", "delete person.profile"))  # fmt: skip
    assert profiles.fields(), "the field is declared as before"
    agree(declared, alice)
    with pytest.raises(FieldRefusal):
        profiles.tell(token=alice.token, field=phone, value="+34 600 000 002")
    assert refusal("self", "UPDATE troth.profile SET phone = '+34 600 000 003'", alice.token) == "42501"
    assert refusal("provide", "SELECT phone FROM troth.profile") == "42501"
    assert declared.execute("SELECT phone, about FROM troth.profile").fetchall() == [("+34 600 000 001", "canary")]
    assert run().coarsened == 1
    assert declared.execute("SELECT phone, about FROM troth.profile").fetchall() == [(None, "canary")]
    assert drift(declared).lines() == []


def test_what_the_policy_does_not_let_delete_is_not_deleted(declared: Connection[Any], cast: dict[str, Person]) -> None:
    version(declared, 2, ("delete person.phone, person.profile", "delete person.phone"))
    agree(declared, cast["alice"])
    profiles.tell(token=cast["alice"].token, field=field("about"), value="stays")
    with pytest.raises(FieldRefusal):
        profiles.empty(token=cast["alice"].token, field=field("about"))
    assert values(cast["alice"])["about"] == "stays"
    for role in ("door", "provide", "intake", "steward"):
        assert refusal(role, "SELECT troth.empty_own('profile', 'phone')") == "42501"


def test_assigned_permissions_narrow_what_the_policy_lets_people_do(
    declared: Connection[Any], cast: dict[str, Person]
) -> None:
    declare(declared, FIELDS.replace('type = "phone"', 'type = "phone"\nmay = ["review", "correct"]'))
    assert profiles.allowed(field("phone")) == {"select", "update"}
    assert profiles.allowed(field("about")) == {"select", "update", "delete"}
    profiles.tell(token=cast["alice"].token, field=field("phone"), value="+34 600 000 001")
    assert refusal("self", "SELECT troth.empty_own('profile', 'phone')", cast["alice"].token) == "TR060"
    version(
        declared,
        2,
        ("delete person.phone, person.profile within assigned permissions", "delete person.phone, person.profile"),
    )
    assert "delete" in profiles.allowed(field("phone")), "what the policy gives without a condition nobody narrows"


def test_removing_a_field_says_what_goes_and_drops_it_only_by_name(
    declared: Connection[Any], cast: dict[str, Person]
) -> None:
    declare(declared, FIELDS + BIRTHDAY)
    for name in ("alice", "bob"):
        profiles.tell(token=cast[name].token, field=field("birthday"), value=date(1984, 2, 29))
    assert fielding.preview(declared, {"text": FIELDS})["removed"] == {"birthday": 2}
    with pytest.raises(RequestRefusal, match=r"would go: `birthday` \(2 people\)"):
        declare(declared, FIELDS)
    assert declare(declared, FIELDS, "birthday")["removed"] == {"birthday": 2}
    assert drift(declared).lines() == []
    with pytest.raises(psycopg.errors.UndefinedColumn):
        declared.execute("SELECT birthday FROM troth.profile")
    declare(declared, FIELDS + BIRTHDAY)
    assert declared.execute("SELECT count(birthday) FROM troth.profile").fetchone() == (0,)


def test_a_column_that_somebody_else_added_or_took_is_drift_and_nothing_is_dropped_for_it(
    declared: Connection[Any],
) -> None:
    declared.execute("ALTER TABLE troth.profile ADD COLUMN shadow text")
    assert any("troth.profile.shadow" in line for line in drift(declared).lines())
    with pytest.raises(apply.ApplyRefusal):
        apply.apply(declared, SOURCE, TERMS)
    declared.execute("ALTER TABLE troth.profile DROP COLUMN shadow")
    declared.execute("ALTER TABLE troth.profile DROP CONSTRAINT declared_phone")
    assert [line for line in drift(declared).lines() if "check profile.declared_phone" in line]
    apply.apply(declared, SOURCE, TERMS)
    declared.execute("ALTER TABLE troth.profile DROP COLUMN phone CASCADE")
    assert any("missing: column troth.profile.phone" in line for line in drift(declared).lines())
    apply.apply(declared, SOURCE, TERMS)
    assert drift(declared).lines() == []


def test_the_database_itself_refuses_what_a_field_does_not_hold(
    declared: Connection[Any], cast: dict[str, Person]
) -> None:
    declare(declared, FIELDS + BIRTHDAY)
    profiles.tell(token=cast["alice"].token, field=field("about"), value="here")
    wrong = {
        "phone": ["'call me'", "repeat('1', 41)", "'+34 600' || chr(10) || '1'"],
        "about": ["repeat('a', 1001)", "'a' || chr(8238) || 'b'", "chr(7)", "''"],
        "website": ["'javascript:alert(1)'", "'https://a b'", "'https://<b>'"],
        "language": ["'xx'", "''"],
        "birthday": ["'infinity'", "'0044-03-15 BC'"],
    }
    for name, tries in wrong.items():
        for each in tries:
            assert refusal("self", f"UPDATE troth.profile SET {name} = {each}", cast["alice"].token) == "23514", each


def test_a_field_that_changes_keeps_its_type_and_its_values(declared: Connection[Any], cast: dict[str, Person]) -> None:
    profiles.tell(token=cast["alice"].token, field=field("about"), value="a" * 900)
    with pytest.raises(RequestRefusal, match="holds 1 values that would not fit"):
        declare(declared, FIELDS.replace("longest = 1000", "longest = 500"))
    declare(declared, FIELDS.replace("longest = 1000", "longest = 950"))
    assert drift(declared).lines() == []
    with pytest.raises(RequestRefusal, match="`phone` is a phone of"):
        declare(declared, FIELDS.replace('type = "phone"', 'type = "text"'))


def test_what_sign_up_asks_is_stored_with_the_person(declared: Connection[Any]) -> None:
    version(declared, 2, ("collect person.password on sign-up [P5]",
                          "collect person.profile on sign-up [P5]\n    for provide while the account exists then 30 days\n"
                          "collect person.password on sign-up [P5]"))  # fmt: skip
    declare(declared, FIELDS.replace('type = "web address"', 'type = "web address"\nasked = "sign-up"'))
    assert [each.name for each in profiles.asked_on_sign_up()] == ["website"]
    eve = make(declared, "Eve")
    with connect.acting("door") as door:
        statement = sql.SQL("INSERT INTO troth.profile (subject, website) VALUES (%s, %s)")
        door.execute(statement, (eve.subject, "https://eve.example/"))
    assert values(eve)["website"] == "https://eve.example/"
    stamped = declared.execute("SELECT uses = (SELECT uses FROM troth.permitted AS p WHERE p.subject = r.subject)"
                               " FROM troth.profile AS r").fetchall()  # fmt: skip
    assert stamped == [(True,)]


def test_an_older_reader_waits_for_no_rewrite(declared: Connection[Any], cast: dict[str, Person]) -> None:
    """A column is added and dropped without a new file for its table: nothing was rewritten."""
    profiles.tell(token=cast["alice"].token, field=field("about"), value="here")
    file = "SELECT pg_relation_filenode('troth.profile')"
    before = declared.execute(file).fetchone()
    declare(declared, FIELDS + BIRTHDAY)
    declare(declared, FIELDS, "birthday")
    assert declared.execute(file).fetchone() == before


def test_the_first_start_asks_nothing_needless(declared: Connection[Any]) -> None:
    assert "DATABASE_URL" not in os.environ
    assert profiles.asked_on_sign_up() == []
    assert [each.name for each in profiles.fields()] == ["phone", "about", "website", "language"]


def test_what_holds_a_field_is_missed_when_it_is_taken_away(declared: Connection[Any], cast: dict[str, Person]) -> None:
    """Each control is taken away alone, and the attack that it stops then succeeds."""
    alice, charlie = cast["alice"], cast["charlie"]
    for each in (alice, charlie):
        profiles.tell(token=each.token, field=field("about"), value=f"{each.name} here")
    attacks = {
        "GRANT UPDATE (uses) ON troth.profile TO troth_self": "UPDATE troth.profile SET uses = 0",
        "ALTER TABLE troth.profile DROP CONSTRAINT declared_website": "UPDATE troth.profile SET website = 'javascript:1'",
        "GRANT SELECT (about) ON troth.profile TO troth_understand": "",
    }
    for taken, attack in attacks.items():
        if attack:
            assert refusal("self", attack, charlie.token)
        declared.execute(taken.encode())
        assert refusal("self", attack or "SELECT 1", charlie.token) == ""
        assert drift(declared).lines(), taken
        apply.apply(declared, SOURCE, TERMS)
    declared.execute("ALTER POLICY self_update ON troth.profile USING (true)")
    declared.execute("ALTER POLICY self_select ON troth.profile USING (true)")
    with connect.acting("self", token=charlie.token) as connection:
        assert connection.execute("UPDATE troth.profile SET about = 'mine now'").rowcount == 2
    assert values(alice)["about"] == "mine now"
