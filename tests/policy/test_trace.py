"""What is said to have become of a clause is in the database, and what lets anybody read is traced to a clause."""

import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

from django.urls import Resolver404, resolve
from psycopg import Connection

from tests.browsing import Browser, browser
from tests.conftest import POLICY
from tests.policy.test_policies import House, house, sample
from troth.database.catalog import load
from troth.policy import parse
from troth.policy.audiences import ROLES
from troth.policy.coverage import clauses
from troth.policy.plan import plan
from troth.policy.trace import objects

__all__ = ["browser", "house", "sample"]

GRANT = re.compile(r"grant (\w+) \((\w+)\) on troth\.(\w+) to (\w+)")
#: What stands for itself in a trace: a cookie is held to by `tests/web/test_cookies.py`.
NOT_IN_THE_DATABASE = re.compile(r"(session cookie|persistent cookie|browser storage|cache) \S+: no page sets one that")
PAGE = re.compile(r"page (/\S*)")
KINDS = ("role ", "schema ", "view ", "rule ", "grant ", "column ", "function ", "table ")
type Trace = Mapping[str, tuple[str, ...]]

HELD = """
SELECT 'role ' || substr(rolname, 7) FROM pg_roles WHERE rolname ^@ 'troth_'
UNION SELECT 'schema ' || nspname FROM pg_namespace
UNION SELECT 'view ' || schemaname || '.' || viewname FROM pg_views
UNION SELECT 'rule ' || tablename || '.' || policyname FROM pg_policies WHERE schemaname = 'troth'
UNION SELECT 'function troth.' || proname FROM pg_proc WHERE pronamespace = 'troth'::regnamespace
UNION SELECT 'table troth.' || table_name FROM information_schema.tables WHERE table_schema = 'troth'
UNION SELECT 'column troth.' || table_name || '.' || column_name FROM information_schema.columns
    WHERE table_schema = 'troth'
UNION SELECT 'grant ' || lower(privilege_type) || ' (' || column_name || ') on troth.' || table_name || ' to '
    || substr(grantee, 7) FROM information_schema.column_privileges WHERE table_schema = 'troth' AND grantee ^@ 'troth_'
"""
LETS_READ = """
SELECT 'role ' || reader FROM unnest(%(readers)s::text[]) AS reader
UNION SELECT 'rule ' || p.tablename || '.' || p.policyname FROM pg_policies AS p, unnest(%(readers)s::text[]) AS reader
    WHERE 'troth_' || reader = ANY (p.roles) AND p.tablename = ANY (%(tables)s::text[])
UNION SELECT 'view ' || schemaname || '.' || viewname FROM pg_views WHERE schemaname = ANY (%(readers)s::text[])
UNION SELECT 'grant ' || lower(privilege_type) || ' (' || column_name || ') on troth.' || table_name || ' to '
    || substr(grantee, 7) FROM information_schema.column_privileges
    WHERE table_schema = 'troth' AND substr(grantee, 7) = ANY (%(readers)s::text[]) AND table_name = ANY (%(tables)s::text[])
UNION SELECT 'function troth.' || proname FROM pg_proc, unnest(%(purposes)s::text[]) AS purpose
    WHERE pronamespace = 'troth'::regnamespace AND has_function_privilege('troth_' || purpose, oid, 'EXECUTE')
"""


def default() -> Trace:
    policy = parse.read(POLICY.read_text(encoding="utf-8"), "default")
    return objects(policy, plan(policy, load()), load())


def plainly(said: str) -> str:
    """Return the object that a trace names, without what is said of it."""
    return re.sub(r"(, stored .*| makes .*| removes rows of .*)$", "", said)


def absent(owner: Connection[Any], named: Trace) -> set[str]:
    """Return what a trace names and nobody can find."""
    held = {row[0] for row in owner.execute(HELD)}
    said = {each for names in named.values() for each in names if not NOT_IN_THE_DATABASE.match(each)}
    return {each for each in said if plainly(each) not in held and not answered(each)}


def answered(said: str) -> bool:
    page = PAGE.fullmatch(said)
    try:
        return bool(page and resolve(page.group(1)))
    except Resolver404:
        return False


def untraced(owner: Connection[Any], named: Trace, purposes: list[str]) -> set[str]:
    """Return what lets a purpose, a counter or a person read, and comes from no clause."""
    viewers = ("self", *ROLES)
    readers = [*purposes, *viewers, *(["counter"] if has_counter(named) else [])]
    tables = [table.name for table in load().stamped]
    told = {"readers": readers, "purposes": purposes, "tables": tables}
    found = {row[0] for row in owner.execute(LETS_READ.encode(), told)}
    built_in = {"role counter", *(f"role {role}" for role in viewers), *declared(viewers)}
    return found - built_in - {plainly(each) for names in named.values() for each in names}


def declared(viewers: Collection[str]) -> Iterator[str]:
    """Yield what a room's own declaration lets viewers read of stamped tables, whatever the policy shows."""
    for table in load().stamped:
        for access in table.accesses:
            for privilege, columns in access.privileges if access.role in viewers else ():
                yield f"rule {table.name}.{access.role}_{privilege}"
                yield from (
                    f"grant {privilege} ({column}) on troth.{table.name} to {access.role}" for column in columns
                )


def has_counter(named: Trace) -> bool:
    return any(each.endswith("to counter") for names in named.values() for each in names)


def purposes_of(named: Trace) -> list[str]:
    return [each.removeprefix("role ") for names in named.values() for each in names if each.startswith("role ")]


def test_every_object_of_every_clause_is_there(browser: Browser, owner: Connection[Any]) -> None:
    assert browser.get("/").status_code == 200
    assert absent(owner, default()) == set()


def test_whatever_lets_anybody_read_comes_from_a_clause(owner: Connection[Any]) -> None:
    assert untraced(owner, default(), purposes_of(default())) == set()


def test_it_is_so_under_the_other_policies_too(house: House, browser: Browser) -> None:
    assert browser.get("/policy").status_code == 200
    named = objects(house.ruled.policy, house.ruled.plan, load())
    assert absent(house.owner, named) == set()
    assert untraced(house.owner, named, [unit.purpose for unit in house.ruled.plan.units]) == set()


def test_what_built_clauses_are_said_to_be_held_by_is_there(owner: Connection[Any]) -> None:
    policy = parse.read(POLICY.read_text(encoding="utf-8"), "default")
    held = {row[0] for row in owner.execute(HELD)}
    said = {each for c in clauses(policy, plan(policy, load()), load()).values() for each in c.objects}
    named = {each for each in said if each.startswith(KINDS)}
    assert {each for each in named if not any(fnmatch(there, plainly(each)) for there in held)} == set()
    assert {"function troth.viewer", "rule *.self_select", "table troth.policy_version"} <= named


def alone(named: Trace) -> Iterator[tuple[str, set[str]]]:
    """Yield each clause with what it alone became."""
    for clause, names in named.items():
        others = {plainly(each) for other, more in named.items() if other != clause for each in more}
        only = {plainly(each) for each in names} - others
        if only:
            yield clause, only


def test_mutation_a_clause_whose_trace_is_dropped_is_missed(owner: Connection[Any]) -> None:
    named, missed = default(), 0
    for clause, only in alone(named):
        fewer = {name: names for name, names in named.items() if name != clause}
        found = untraced(owner, fewer, purposes_of(named))
        assert found <= only
        missed += bool(found)
    assert missed >= 9


def test_mutation_what_is_traced_and_not_there_is_missed(browser: Browser, owner: Connection[Any]) -> None:
    assert browser.get("/").status_code == 200
    invented = {"x": ("rule access.nobody_select", "view protect.nothing", "page /nowhere", "function troth.nothing")}
    assert absent(owner, invented) == set(invented["x"])
    with owner.transaction(force_rollback=True):
        owner.execute("REVOKE SELECT (ip) ON troth.access FROM troth_protect")
        owner.execute("DROP VIEW protect.device")
        owner.execute("DROP POLICY understand_select ON troth.access")
        assert absent(owner, default()) == {
            "grant select (ip) on troth.access to protect",
            "view protect.device",
            "rule access.understand_select",
        }


def test_mutation_what_somebody_opened_beside_the_policy_is_missed(owner: Connection[Any]) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute("GRANT SELECT (name) ON troth.person TO troth_protect")
        owner.execute("CREATE POLICY stray ON troth.person TO troth_protect USING (true)")
        owner.execute("CREATE VIEW protect.stray AS SELECT 1 AS one")
        assert untraced(owner, default(), purposes_of(default())) == {
            "grant select (name) on troth.person to protect",
            "rule person.stray",
            "view protect.stray",
        }
