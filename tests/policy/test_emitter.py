"""The emitter: what a tiny policy becomes, what hostile names cannot do, and each control taken away is noticed."""

import re
from dataclasses import replace
from types import ModuleType

import pytest
from inline_snapshot import snapshot

from troth.database.catalog import load
from troth.policy import covering, parse, sql
from troth.policy.facts import Fact, Kind
from troth.policy.plan import plan
from troth.policy.planned import Plan
from troth.policy.roles import Target

TINY = """policy "Harbor" version 1 effective 2026-11-01
operator "Harbor, Inc." contact privacy@harbor.example
category access.ip, access.url identifying
purpose protect "keep the service safe" by legitimate interest
collect access.ip, access.url on visit
    for protect 14 days as network
"""
TARGET = Target("troth", {"protect": 0}, {})


def facts(made: Plan | None = None, target: Target = TARGET) -> tuple[Fact, ...]:
    return sql.desired(made or plan(parse.read(TINY, "tiny"), load()), load(), target)


def of_protect(found: tuple[Fact, ...]) -> list[str]:
    """Return the statements that concern the purpose, its schema and the rows of access that come in."""
    kinds = (Kind.SCHEMA, Kind.RULE, Kind.VIEW, Kind.GRANT, Kind.SECURITY)
    return [
        fact.make
        for fact in found
        if fact.kind in kinds
        and "withheld" not in fact.make
        and ("protect" in fact.name or fact.name in {"access", "access.intake_insert"} or "protect" in fact.make)
    ]


def test_a_tiny_policy_becomes_these_statements() -> None:
    assert of_protect(facts()) == snapshot(
        [
            'GRANT CONNECT ON DATABASE "troth" TO "troth_protect"',
            'CREATE SCHEMA "protect"',
            'GRANT USAGE ON SCHEMA "troth" TO "troth_protect"',
            'GRANT USAGE ON SCHEMA "protect" TO "troth_protect"',
            'ALTER TABLE "troth"."access" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
            'CREATE POLICY "protect_select" ON "troth"."access" FOR SELECT TO "troth_protect" USING ((uses & 1::bigint) <> 0 AND at > statement_timestamp() - interval \'336 hours\' AND subject = \'00000000-0000-0000-0000-000000000000\'::uuid)',
            'CREATE POLICY "intake_insert" ON "troth"."access" FOR INSERT TO "troth_intake" WITH CHECK ((subject = \'00000000-0000-0000-0000-000000000000\'::uuid AND "method" IS NULL AND "status" IS NULL AND "referrer" IS NULL AND ("ip" IS NULL OR "ip" = network(set_masklen("ip", CASE family("ip") WHEN 4 THEN 24 ELSE 48 END))::inet) AND "browser" IS NULL AND "system" IS NULL AND "kind" IS NULL AND "place" IS NULL AND "provider" IS NULL AND at < statement_timestamp() + interval \'1 day\' AND at > statement_timestamp() - interval \'336 hours\'))',
            'CREATE VIEW "protect"."access" WITH (security_invoker = true) AS SELECT t."subject", t."url", t."network" FROM troth."access" AS t',
            'GRANT SELECT ON "protect"."access" TO "troth_protect"',
            'GRANT SELECT ("network") ON "troth"."access" TO "troth_protect"',
            'GRANT SELECT ("subject") ON "troth"."access" TO "troth_protect"',
            'GRANT SELECT ("url") ON "troth"."access" TO "troth_protect"',
        ]
    )


def of_the_door(found: tuple[Fact, ...]) -> list[str]:
    return sorted(f.make for f in found if 'ON "troth"."person"' in f.make and '"troth_door"' in f.make)


def test_the_door_writes_of_a_person_what_is_collected_on_sign_up() -> None:
    assert of_the_door(facts()) == [
        'CREATE POLICY "door_insert" ON "troth"."person" FOR INSERT TO "troth_door" WITH CHECK (false)',
        'CREATE POLICY "door_select" ON "troth"."person" FOR SELECT TO "troth_door" USING (true)',
        'GRANT INSERT ("subject") ON "troth"."person" TO "troth_door"',
        'GRANT SELECT ("subject") ON "troth"."person" TO "troth_door"',
    ]
    addressed = TINY + "category person.email\ncollect person.email on sign-up\n    for protect 14 days\n"
    written = of_the_door(facts(plan(parse.read(addressed, "addressed"), load())))
    assert [each for each in written if "email" in each or "name" in each] == [
        'CREATE POLICY "door_insert" ON "troth"."person" FOR INSERT TO "troth_door" WITH CHECK'
        " ((subject <> '00000000-0000-0000-0000-000000000000'::uuid AND"
        " subject < 'ffffffff-ffff-8000-8000-000000000000'::uuid AND \"name\" IS NULL))",
        'GRANT INSERT ("email") ON "troth"."person" TO "troth_door"',
        'GRANT UPDATE ("email") ON "troth"."person" TO "troth_door"',
    ]


def broken(found: tuple[Fact, ...]) -> set[str]:
    """Name the controls that are missing: what the database must show for every stamped table and every purpose."""
    missing = set()
    if not all("FORCE ROW LEVEL SECURITY" in fact.make for fact in found if fact.kind is Kind.SECURITY):
        missing.add("forced")
    rules = {fact.name: fact.make for fact in found if fact.kind is Kind.RULE}
    select = rules["access.protect_select"]
    if not re.search(r"\(uses & 1::bigint\) <> 0 AND", select):
        missing.add("stamp")
    if "at > statement_timestamp() - interval '336 hours'" not in select:
        missing.add("window")
    if not select.split(" USING ")[0].endswith('TO "troth_protect"'):
        missing.add("role")
    insert = rules["access.intake_insert"]
    if "set_masklen" not in insert or '"referrer" IS NULL' not in insert or "WITH CHECK (true)" in insert:
        missing.add("reduced")
    if not all("security_invoker = true" in fact.make for fact in found if fact.kind is Kind.VIEW):
        missing.add("invoker")
    if any(fact.name.startswith('"troth"."access" ("ip")') and "protect" in fact.name for fact in found):
        missing.add("precision")
    if any(fact.name == '"troth"."access" to troth_protect' for fact in found):
        missing.add("columns")
    return missing


def test_every_control_is_there() -> None:
    assert broken(facts()) == set()


def test_row_security_that_is_not_forced_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sql.security

    def lax(table: str) -> Fact:
        fact = real(table)
        return replace(fact, make=fact.make.replace(", FORCE ROW LEVEL SECURITY", ""))

    monkeypatch.setattr(sql, "security", lax)
    assert broken(facts()) == {"forced"}


@pytest.mark.parametrize(
    ("where", "name", "change", "control"),
    [
        (sql, "_within", lambda _window: "true", "window"),
        (sql, "row_rule", lambda rows, _bit: sql._within(rows.window), "stamp"),
        (covering, "covered", lambda _plan, _table, **_more: "true", "reduced"),
        (covering, "_reduced", lambda _table, _kept, _only: iter(()), "reduced"),
    ],
)
def test_a_predicate_taken_away_is_noticed(
    monkeypatch: pytest.MonkeyPatch, where: ModuleType, name: str, change: object, control: str
) -> None:
    monkeypatch.setattr(where, name, change)
    assert control in broken(facts())


def test_a_finer_column_and_a_whole_table_are_noticed() -> None:
    made = plan(parse.read(TINY, "tiny"), load())
    finer = replace(made, readings=(*made.readings, replace(made.readings[0], column="ip")))
    assert broken(facts(finer)) == {"precision"}
    whole = (*facts(), sql.grant('"troth"."access"', "troth_protect", "SELECT"))
    assert broken(whole) == {"columns"}


@pytest.mark.parametrize("name", ['x"; DROP TABLE troth.person; --', "x'; SELECT 1; --", "x y", "Ω", '""', "select"])
def test_hostile_names_stay_names(name: str) -> None:
    """No name can end its quotation, wherever it comes from; names that the language would refuse are tried on purpose."""
    made = plan(parse.read(TINY, "tiny"), load())
    hostile = replace(
        made,
        units=tuple(replace(unit, purpose=name) for unit in made.units),
        readings=tuple(replace(reading, purpose=name) for reading in made.readings),
        rows=tuple(replace(rows, purpose=name) for rows in made.rows),
        withheld=tuple(replace(w, purpose=name, reason=name) for w in made.withheld),
    )
    for fact in facts(hostile, Target(name, {name: 0}, {name: name})):
        if fact.kind is not Kind.FUNCTION:
            for statement in (fact.make, fact.remake, fact.unmake):
                assert "DROP TABLE" not in outside(statement)
                assert ";" not in outside(statement)
                assert "--" not in outside(statement)


def outside(statement: str) -> str:
    """Return what of a statement stands outside quotation marks of either kind, read as PostgreSQL reads it."""
    bare = re.sub(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""", "", statement)
    assert "'" not in bare
    assert '"' not in bare
    return bare
