"""The record of processing activities (Article 30) has a line for each use, and no cell that a spreadsheet runs."""

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given, settings

from tests.policy.exported import DEFAULT, FORGETTING, POLICIES, WHOLE, collected, named_recipients, policies, texts
from troth.policy.meaning import Policy
from troth.policy.standards import record
from troth.policy.standards.activities import window_words


def read(policy: Policy) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(record.record(policy), newline=""), strict=True))


def missing(policy: Policy, lines: list[dict[str, str]]) -> set[str]:
    """Name what a policy says and a record does not."""
    data = {each.partition(" as ")[0] for line in lines for each in line["personal data (c)"].split(", ")}
    windows = {window_words(use.window) for collection in policy.collections for use in collection.uses}
    kept = {(line["clause"], line["purpose (b)"], line["kept for (f)"]) for line in lines}
    uses = {
        (collection.clause.name, use.purpose, window_words(use.window))
        for collection in policy.collections
        for use in collection.uses
    }
    purposes = {line["purpose in words (b)"] for line in lines}
    others = {line["recipients (d)"] for line in lines}
    return (
        {str(use) for use in uses - kept}
        | (collected(policy) - data)
        | (windows - {line["kept for (f)"] for line in lines})
        | {
            p.sentence
            for p in policy.purposes
            if not {p.sentence, f"'{p.sentence}"} & purposes and _collects(policy, p.name)
        }
        | {name for name in named_recipients(policy) if not any(name in each for each in others)}
    )


def _collects(policy: Policy, purpose: str) -> bool:
    return any(use.purpose == purpose for collection in policy.collections for use in collection.uses)


@pytest.mark.parametrize("name", POLICIES)
def test_every_use_has_a_line(name: str) -> None:
    policy = POLICIES[name]
    lines = read(policy)
    assert missing(policy, lines) == set()
    assert len(lines) == sum(len(each.uses) for each in policy.collections) + len(policy.shares)
    assert all(list(line) == list(record.COLUMNS) and all(line.values()) for line in lines)


@pytest.mark.parametrize("forgotten", FORGETTING)
def test_what_is_forgotten_is_missed(forgotten: str) -> None:
    assert missing(WHOLE, read(FORGETTING[forgotten](WHOLE))) != set()


def dangerous(policy: Policy) -> list[str]:
    cells = [cell for line in csv.reader(io.StringIO(record.record(policy), newline="")) for cell in line]
    return [cell for cell in cells if cell[:1] in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")]


@settings(max_examples=100, deadline=None)
@given(policies())
def test_whatever_the_operator_writes_the_record_says_it_and_no_cell_is_a_formula(policy: Policy) -> None:
    lines = read(policy)
    assert missing(policy, lines) == set()
    assert dangerous(policy) == []
    assert {len(line) for line in lines} == {len(record.COLUMNS)}


@settings(max_examples=200, deadline=None)
@given(texts)
def test_only_what_would_be_a_formula_is_marked(cell: str) -> None:
    assert record.harmless(cell) in (cell, f"'{cell}")
    assert record.harmless(f"a{cell}") == f"a{cell}"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "\r", "\uff1d1", "=cmd|' /C calc'!A0"])
def test_a_formula_is_marked(cell: str) -> None:
    assert record.harmless(cell) == f"'{cell}"


def test_without_the_mark_a_sentence_would_be_a_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "harmless", lambda cell: cell)
    assert "=1+1, and tell you" in dangerous(WHOLE)


def test_lines_end_and_quotes_double_as_the_standard_says() -> None:
    written = record.record(replace(DEFAULT, operator='Say "yes",\nor no'))
    assert '"Say ""yes"",\nor no"' in written
    assert written.endswith("\r\n")
    assert written.count("\r\n") == len(read(DEFAULT)) + 1


def test_the_default_policy_says_what_is_known_of_it() -> None:
    lines = {line["activity"]: line for line in read(DEFAULT)}
    assert len(lines) == len(read(DEFAULT))
    visits = lines["collect-access-url-on-visit.visit.protect"]
    assert visits["data subjects (c)"] == "visitors without an agreement"
    assert visits["legal basis"] == "legitimate interest (Article 6.1.f)"
    assert visits["kept for (f)"] == "90 days"
    assert "access.ip as network" in visits["personal data (c)"]
    assert lines["collect-person-name-on-sign-up.sign-up.provide"]["kept for (f)"] == (
        "while the account exists, then 30 days"
    )
    assert visits["in effect from"] == DEFAULT.effective.isoformat()


def test_what_is_handed_on_names_its_recipient_beside_the_use_too() -> None:
    lines = {line["activity"]: line for line in read(WHOLE)}
    carrier = "Carrier; GmbH & <Co>"
    assert lines["collect-person-name-on-sign-up.sign-up.announce"]["recipients (d)"].startswith(carrier)
    assert carrier not in lines["collect-person-name-on-sign-up.sign-up.provide"]["recipients (d)"]
    assert lines["share-person-phone-with-phone"]["recipients (d)"] == "'+Phone"
    assert lines["share-person-phone-with-phone"]["kept for (f)"] == record.UNSAID


def test_sensitive_data_is_named_and_nothing_else_is() -> None:
    sensitive = {line["activity"]: line["sensitive data (c)"] for line in read(WHOLE)}
    assert sensitive["collect-person-shoe-on-transaction.upload.odd"] == "health.condition"
    assert sensitive["collect-person-name-on-sign-up.sign-up.provide"] == "none"


def test_who_is_shown_data_is_a_recipient_and_the_person_is_none() -> None:
    lines = {line["activity"]: line["recipients (d)"] for line in read(WHOLE)}
    assert lines["collect-post-text-on-post.post.provide"] == "chosen people, the public"
    assert lines["collect-access-ip-on-access.access.understand"] == "none"
