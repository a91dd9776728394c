"""Hardening 6: whatever the compiler did not write shows as drift, and applying again removes what it may."""

from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person
from troth.database import apply, connect
from troth.database.drift import drift

MUTATIONS = {
    "row security off": "ALTER TABLE troth.access DISABLE ROW LEVEL SECURITY",
    "row security not forced": "ALTER TABLE troth.person NO FORCE ROW LEVEL SECURITY",
    "partition without row security": "ALTER TABLE troth.access_other DISABLE ROW LEVEL SECURITY",
    "always-true rule": "CREATE POLICY open ON troth.access FOR SELECT TO troth_understand USING (true)",
    "rule for everybody": "CREATE POLICY open ON troth.person USING (true)",
    "rule widened": "ALTER POLICY understand_select ON troth.access USING (uses <> 0)",
    "rule given to another role": "ALTER POLICY understand_select ON troth.access TO troth_understand, troth_announce",
    "rule dropped": "DROP POLICY self_select ON troth.person",
    "column granted": "GRANT SELECT (ip) ON troth.access TO troth_understand",
    "table granted": "GRANT SELECT ON troth.people_account TO troth_protect",
    "granted to all": "GRANT SELECT ON troth.person TO PUBLIC",
    "grant option": "GRANT SELECT (url) ON troth.access TO troth_understand WITH GRANT OPTION",
    "grant taken": "REVOKE SELECT (url) ON troth.access FROM troth_understand",
    "schema opened": "GRANT CREATE ON SCHEMA troth TO troth_self",
    "temp granted": "GRANT TEMP ON DATABASE troth TO PUBLIC",
    "plpgsql granted": "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC",
    "advisory locks granted": "GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO PUBLIC",
    "large objects granted": "GRANT EXECUTE ON FUNCTION lo_creat(integer) TO PUBLIC",
    "superuser": "ALTER ROLE troth_understand SUPERUSER",
    "bypass": "ALTER ROLE troth_self BYPASSRLS",
    "twin logs in": "ALTER ROLE troth_stamper LOGIN",
    "membership": "GRANT troth_protect TO troth_understand",
    "role setting": "ALTER ROLE troth_understand SET search_path = public",
    "role setting added": "ALTER ROLE troth_self SET row_security = off",
    "database setting": "ALTER DATABASE troth SET search_path = public",
    "function body": "CREATE OR REPLACE FUNCTION troth.viewer() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER"
    " SET search_path = '' AS 'SELECT gen_random_uuid()'",
    "function search path": "ALTER FUNCTION troth.viewer() RESET search_path",
    "function leakproof": "ALTER FUNCTION troth.viewer() LEAKPROOF",
    "function owner": "ALTER FUNCTION troth.viewer() OWNER TO troth_owner",
    "function granted": "GRANT EXECUTE ON FUNCTION troth.fold(uuid) TO troth_self",
    "function added": "CREATE FUNCTION troth.extra() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "trigger disabled": "ALTER TABLE troth.access DISABLE TRIGGER stamp",
    "trigger dropped": "DROP TRIGGER stamp ON troth.person",
    "trigger added": "CREATE TRIGGER spy AFTER INSERT ON troth.person FOR EACH STATEMENT EXECUTE FUNCTION troth.stamp_person()",
    "view as its owner": "ALTER VIEW understand.access SET (security_invoker = false)",
    "view widened": "CREATE OR REPLACE VIEW understand.withheld AS SELECT ''::text AS \"table\", ''::text AS \"column\","
    " ''::text AS category, ''::text AS reason, ''::text AS clause",
    "view added": "CREATE VIEW understand.everybody AS SELECT * FROM troth.person",
}
UNDECLARED = {
    "table": "CREATE TABLE troth.extra (a int)",
    "column": "ALTER TABLE troth.person ADD COLUMN shoe_size int",
    "materialised view": "CREATE MATERIALIZED VIEW understand.everybody AS SELECT * FROM troth.person",
    "foreign schema's table": "CREATE TABLE public.copy AS SELECT * FROM troth.person",
    "sequence": "CREATE SEQUENCE troth.counter",
}


@pytest.fixture(autouse=True)
def roles_as_they_were(owner: Connection[Any]) -> Any:
    """Roles outlive the database of a test."""
    yield
    repair(owner)


def repair(owner: Connection[Any]) -> None:
    apply.apply(owner, POLICY.read_text(encoding="utf-8"), TERMS)


def test_a_fresh_database_has_no_drift(owner: Connection[Any], cast: dict[str, Person]) -> None:
    assert drift(owner).lines() == []


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_every_mutation_shows_and_applying_again_mends_it(owner: Connection[Any], mutation: str) -> None:
    owner.execute(MUTATIONS[mutation].encode())
    assert drift(owner), mutation
    repair(owner)
    assert drift(owner).lines() == []


@pytest.mark.parametrize("thing", UNDECLARED)
def test_what_no_room_declares_shows_and_stops_the_next_version(owner: Connection[Any], thing: str) -> None:
    owner.execute(UNDECLARED[thing].encode())
    assert [line for line in drift(owner).lines() if "no room declares" in line], thing
    with pytest.raises(apply.ApplyRefusal, match="no room declares"):
        apply.apply(owner, POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ", 1), TERMS)
    for kind, name in (("TABLE", "troth.extra"), ("MATERIALIZED VIEW", "understand.everybody"), ("TABLE", "public.copy"),
                       ("SEQUENCE", "troth.counter")):  # fmt: skip
        owner.execute(f"DROP {kind} IF EXISTS {name}".encode())
    owner.execute("ALTER TABLE troth.person DROP COLUMN IF EXISTS shoe_size")
    assert drift(owner).lines() == []


def test_a_wrong_stamp_shows(owner: Connection[Any], cast: dict[str, Person]) -> None:
    owner.execute("UPDATE troth.access SET uses = 31 WHERE subject = %s", (cast["alice"].subject,))
    assert drift(owner).misstamped == (("access", 2),)


def test_a_role_cannot_hide_by_setting_its_own_password_or_path(owner: Connection[Any]) -> None:
    with connect.acting("understand") as connection:
        connection.execute("SET TRANSACTION READ WRITE")
        connection.execute("ALTER ROLE troth_understand SET search_path = public")
    assert any("search_path" in line for line in drift(owner).lines())
