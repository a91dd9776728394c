"""Which change is told by which channel: what the policy says that people agreed to, never less than the comparison asks (P37)."""

from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, Person
from troth.consent import coming
from troth.database.catalog import load
from troth.policy.compare import Verdict

FIRST = POLICY.read_text(encoding="utf-8")
NEXT = FIRST.replace(" version 1 ", " version 2 ")
REDUCED = NEXT.replace("for understand 30 days as network", "for understand 60 days as network")
NEUTRAL = NEXT.replace("privacy@harbor.example", "people@harbor.example")
BETTER = NEXT.replace("for understand 30 days as network", "for understand 20 days as network")


@pytest.mark.parametrize(
    ("channel", "after", "raised", "owed"),
    [
        ("e-mail", REDUCED, Verdict.EDITORIAL, "e-mail"),
        ("e-mail", NEUTRAL, Verdict.EDITORIAL, None),
        ("e-mail", BETTER, Verdict.EDITORIAL, None),
        ("e-mail", NEUTRAL, Verdict.NOTIFY, "e-mail"),
        ("e-mail", NEUTRAL, Verdict.AGREE_AGAIN, "e-mail"),
        ("letter", REDUCED, Verdict.EDITORIAL, "letter"),
        ("message", REDUCED, Verdict.EDITORIAL, "message"),
        ("message", REDUCED, Verdict.AGREE_AGAIN, "message"),
        ("", REDUCED, Verdict.EDITORIAL, "e-mail"),
    ],
)
def test_a_notice_is_owed_as_the_policy_says_that_people_agreed_to(
    channel: str, after: str, raised: Verdict, owed: str | None
) -> None:
    clause = "notify by e-mail when rights are reduced [P37]\n"
    assert clause in FIRST
    before = FIRST.replace(clause, clause.replace("e-mail", channel) if channel else "")
    assert coming.owed_by(before, after, raised, load()) == owed
    # The next version's own clause decides nothing yet: nobody has agreed to it.
    other = "e-mail" if channel == "letter" else "letter"
    assert coming.owed_by(before, after.replace("by e-mail", f"by {other}"), raised, load()) in {
        owed,
        channel or "e-mail",
    }


def test_without_the_telling_nobody_would_be_written_to(cast: dict[str, Person], owner: Connection[Any]) -> None:
    """The control taken away: a function that looks at people and writes to none leaves an empty outbox."""
    from tests.planting import account

    account(owner, cast["alice"].subject, cast["alice"].email)
    told = "INSERT INTO troth.policy_telling (version, since) VALUES (%s, '-infinity')"
    owner.execute(told, (2,))
    assert owner.execute("SELECT troth.tell_some(100)").fetchone() == (4,)
    assert owner.execute("SELECT template, address FROM troth.notice").fetchall() == [("version", cast["alice"].email)]
    owner.execute("DELETE FROM troth.notice")
    row = owner.execute("SELECT pg_get_functiondef('troth.tell_some'::regproc)").fetchone()
    assert row is not None
    owner.execute(row[0].replace("PERFORM troth.write_to(", "PERFORM jsonb_build_array("))
    owner.execute(told, (3,))
    owner.execute("SELECT troth.tell_some(100)")
    assert owner.execute("SELECT count(*) FROM troth.notice").fetchone() == (0,)
