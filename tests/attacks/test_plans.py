"""Hardening 5 and 11 with statements that PostgreSQL could be tempted to run early, and policies written to escape."""

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person
from troth.database import apply, connect
from troth.database.drift import drift
from troth.policy.errors import PolicyErrors

FIRST = POLICY.read_text(encoding="utf-8")
CANARY = "canary-51be"
#: Each raises, or shows, the canary's row if it is looked at before the rule.
TEMPTING = (
    "SELECT count(*) FROM access a WHERE CASE WHEN url = '{canary}' THEN 1 / (length(url) - length(url)) > 0 ELSE true END",
    "SELECT max(url) FROM access",
    "SELECT url FROM access ORDER BY url DESC LIMIT 1",
    "SELECT a.url FROM access a JOIN access b ON a.url = b.url AND b.url LIKE 'canary%'",
    "SELECT a.url FROM access a, LATERAL (SELECT url::int FROM access b WHERE b.id = a.id AND b.url LIKE 'canary%') c",
    "WITH RECURSIVE r AS (SELECT url FROM access UNION SELECT url FROM access) SELECT * FROM r WHERE url LIKE 'canary%'",
    "SELECT url FROM troth.access WHERE url LIKE 'canary%'",
    "SELECT url FROM access TABLESAMPLE BERNOULLI (100) WHERE url LIKE 'canary%'",
    "TABLE access",
    "SELECT query_to_xml('SELECT url FROM understand.access', true, false, '')",
    "SELECT table_to_xml('troth.access', true, false, '')",
    "SELECT schema_to_xml('understand', true, false, '')",
    "SELECT cursor_to_xml('none', 1, true, false, '')",
    "SELECT * FROM ts_stat('SELECT to_tsvector(url) FROM understand.access')",
    "SELECT most_common_vals FROM pg_stats WHERE attname = 'url'",
    "SELECT stavalues1 FROM pg_statistic",
    "SELECT * FROM pg_stats_ext",
    "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef",
    "COPY (SELECT url FROM understand.access) TO STDOUT",
    "SET row_security = off; SELECT url FROM access",
    "SELECT set_config('row_security', 'off', true), url FROM access",
)


@pytest.mark.parametrize("query", TEMPTING)
def test_no_plan_shows_a_row_before_the_rule(cast: dict[str, Person], owner: Connection[Any], query: str) -> None:
    owner.execute("UPDATE troth.access SET url = %s WHERE subject = %s", (CANARY, cast["alice"].subject))
    owner.execute("ANALYZE troth.access")
    with connect.acting("self", token=cast["alice"].token) as mine:
        mine.execute("SELECT troth.choose('understand', 'objection')")
    shown = answer_of(query.format(canary=CANARY))
    assert CANARY not in shown


def answer_of(query: str) -> str:
    """Return all that a purpose gets back: rows, or everything an error says."""
    try:
        with connect.acting("understand") as connection:
            if query.startswith("COPY"):
                with connection.cursor().copy(query.encode()) as copied:
                    return b"".join(bytes(part) for part in copied).decode()
            cursor = connection.execute(query.encode())
            found = []
            while True:
                found += cursor.fetchall() if cursor.description else []
                if not cursor.nextset():
                    return str(found)
    except psycopg.Error as error:
        told = error.diag
        return " ".join(filter(None, (told.message_primary, told.message_detail, told.message_hint, told.context)))


def test_the_same_statements_find_the_canary_where_it_may_be_seen(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """The control taken away: without the objection these statements do show it."""
    owner.execute("UPDATE troth.access SET url = %s WHERE subject = %s", (CANARY, cast["alice"].subject))
    found = [query for query in TEMPTING if CANARY in answer_of(query.format(canary=CANARY))]
    assert len(found) >= 8


def test_row_security_cannot_be_switched_off_but_only_refused(cast: dict[str, Person]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("understand") as connection:
        connection.execute("SET LOCAL row_security = off")
        connection.execute("SELECT url FROM access")


@pytest.mark.parametrize(
    "name",
    ["door", "self", "steward", "intake", "stamper", "recorder", "usher", "warden", "staff", "owner", "troth", "public", "pg_catalog",
     "analyst_ann", "withheld", "information_schema", "a" * 40, "x-y", 'x"; DROP ROLE troth_door; --', "Ünderstand"],
)  # fmt: skip
def test_a_purpose_cannot_be_named_like_a_part_of_the_house(owner: Connection[Any], name: str) -> None:
    text = FIRST.replace("version 1 effective", "version 2 effective")
    text = text.replace("# What is collected", f'purpose {name} "try something" by consent [P3]\n\n# What is collected')
    with pytest.raises(PolicyErrors):
        apply.apply(owner, text, TERMS)
    assert drift(owner).lines() == []


@pytest.mark.asvs("1.2.4")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.text(
        alphabet=st.characters(codec="utf-8", exclude_characters='"\\\n\r', exclude_categories=("Cs", "Cc")),
        min_size=1,
        max_size=60,
    )
)
@pytest.mark.parametrize("place", ["purpose", "operator"])
def test_no_words_of_a_policy_become_sql(owner: Connection[Any], place: str, words: str) -> None:
    """Sentences of a policy end up in views and tables: whatever they are, they stay words."""
    old = "understand what people need and how the service is used" if place == "purpose" else "Harbor Software, Inc."
    version = (apply.newest(owner) or pytest.fail("no version")).version + 1
    nasty = f"{words}'; DROP TABLE troth.person; --"
    text = FIRST.replace("version 1 effective", f"version {version} effective").replace(f'"{old}"', f'"{nasty}"')
    try:
        apply.apply(owner, text, TERMS)
    except PolicyErrors:
        return
    assert owner.execute("SELECT count(*) FROM troth.person").fetchone() == (0,)
