"""Whoever is told by when what they have erased is gone is told the truth: else the policy does not compile."""

from pathlib import Path

import pytest

from troth.database.catalog import load
from troth.policy import deadlines, parse
from troth.policy.catalog import Table
from troth.policy.errors import PolicyError, PolicyErrors
from troth.policy.meaning import Basis, Policy, Right, Verb
from troth.policy.plan import plan
from troth.policy.planned import Plan

POLICIES = sorted((Path(__file__).parents[2] / "policies").glob("*.troth"))
HEAD = """policy "Test" version 1 effective 2026-11-01
operator "Somebody" contact a@b.example
category location.gps, access.url, person.name, person.email
purpose provide "provide it" by agreement
purpose treat "treat you" by consent
purpose archive "keep records" by legal duty
store "a" as session cookie for provide
store "b" as session cookie for treat
store "c" as session cookie for archive
"""


def errors(added: str) -> tuple[PolicyError, ...]:
    try:
        plan(parse.read(HEAD + added, "test.troth"), load())
    except PolicyErrors as found:
        return found.errors
    return ()


def erasing(window: str, deadline: str, purpose: str = "provide") -> list[tuple[str, str]]:
    """Return what is wrong with a deadline beside a window."""
    kept = f"collect location.gps on use of location\n    for {purpose} {window}\n"
    return [(each.code, each.sentence) for each in errors(f"{kept}let people erase location.*{deadline}\n")]


@pytest.mark.parametrize("window", ["9 days", "while the account exists then 9 days"])
def test_a_deadline_is_no_sooner_than_the_longest_window_after_the_account(window: str) -> None:
    """Days from a row's own time count in full: the newest row may be of the moment of the erasure."""
    late = "and `provide` keeps it for up to 9 days afterwards"
    assert erasing(window, " within 8 days") == [("P-M23", f"people may erase `location.gps` within 8 days, {late}")]
    assert erasing(window, "") == [("P-M23", f"people may erase `location.gps` at once, {late}")]
    assert erasing(window, " within 9 days") == []


@pytest.mark.parametrize(("window", "purpose"), [("while the account exists", "provide"), ("while consented", "treat")])
def test_what_ends_with_the_account_or_the_consent_is_gone_at_once(window: str, purpose: str) -> None:
    assert erasing(window, "", purpose) == []


def test_a_consent_that_ends_after_days_keeps_for_days() -> None:
    assert [code for code, _ in erasing("9 days", " within 8 days", "treat")] == ["P-M23"]


def test_what_the_law_keeps_is_excused_where_that_is_said_and_nothing_else_is() -> None:
    lawful = "collect location.gps on use of location\n    for archive 3650 days\n"
    held = "unless a legal duty keeps it\n"
    assert errors(f"{lawful}let people erase location.* within 30 days {held}") == ()
    assert [e.code for e in errors(f"{lawful}let people erase location.* within 30 days\n")] == ["P-M20"]
    both = lawful.replace("for archive", "for provide 40 days\n    for archive")
    (late,) = errors(f"{both}let people erase location.* within 30 days {held}")
    assert (late.code, late.sentence.split("`")[3]) == ("P-M23", "provide")


def test_each_name_is_told_by_itself_with_the_way_out() -> None:
    kept = "collect access.url on access\n    for provide 9 days\ncollect location.gps on use of location\n    for provide 7 days\n"
    found = errors(f"{kept}let people erase access.*, location.*\n    within 6 days\n")
    assert [(each.span.line, each.span.column, each.advice) for each in found] == [
        (14, 18, "write `within 9 days`, or give `provide` a shorter window in line 11"),
        (14, 28, "write `within 7 days`, or give `provide` a shorter window in line 13"),
    ]


def test_what_visitors_leave_is_nobodys_to_erase() -> None:
    visits = "collect access.url on visit\n    for provide 90 days\n"
    assert errors(f"{visits}let people erase access.url within 9 days\n") == ()


def test_the_row_counts_and_a_law_excuses_only_what_it_keeps_itself() -> None:
    kept = "collect person.name on sign-up\n    for provide while the account exists\ncollect person.email on sign-up\n"
    erase = "let people erase person.name within 30 days\n"
    beside = errors(f"{kept}    for provide while the account exists then 60 days\n{erase}")
    assert {each.code for each in beside} == {"P-T02", "P-T07"}
    (lawful,) = errors(f"{kept}    for archive while the account exists then 60 days\n{erase}")
    assert (lawful.code, lawful.advice) == ("P-T07", "write `within 60 days`")
    assert errors(f"{kept}    for archive while the account exists then 60 days\n{erase.replace('30', '60')}") == ()


def test_a_deadline_that_nothing_checks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "lingers", lambda _window: 0)
    with pytest.raises(AssertionError):
        test_a_deadline_is_no_sooner_than_the_longest_window_after_the_account("9 days")
    with pytest.raises(AssertionError):
        test_the_row_counts_and_a_law_excuses_only_what_it_keeps_itself()


# What the policies that come along promise


def kept_for(policy: Policy, made: Plan, right: Right, table: Table) -> int:
    """Return for how many days rows of a table stay after an account, but for what a law keeps."""
    lawful = {purpose.name for purpose in policy.purposes if purpose.basis is Basis.LEGAL_DUTY}
    if any(each.purpose in lawful and each.table == table.name for each in made.rows):
        return 0
    kept = made.longest(table.name)
    return max(kept.days or 0, kept.after_end or 0)


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_by_the_plan_everything_is_gone_by_its_deadline(file: Path) -> None:
    policy = parse.read(file.read_text(encoding="utf-8"), file.name)
    made = plan(policy, load())
    erased = [right for right in policy.rights if Verb.ERASE in right.verbs]
    assert erased
    for right in erased:
        stored = {each.table for each in made.collected}
        for table in load().stamped:
            if table.name in stored and {column.category for column in table.columns}.intersection(right.categories):
                assert kept_for(policy, made, right, table) <= (right.days or 0), (right.clause.name, table.name)
