"""What the standards share: a fixed sentence for each duty, one activity for each use, tables that fall back."""

from dataclasses import replace

import pytest

from tests.policy.exported import EVERYTHING, POLICIES, WHOLE
from troth.policy.meaning import Window, WindowKind
from troth.policy.standards import mapping
from troth.policy.standards.activities import SENTENCES, activities, audiences, duties, window_words
from troth.policy.understood import DUTIES


def test_every_duty_of_the_language_has_its_own_sentence() -> None:
    assert set(SENTENCES) == {name.replace("_", "-") for name in DUTIES} | {"tell", "notify", "ask-again"}
    lines = EVERYTHING.splitlines()
    assert [sentence for _, _, sentence in duties(WHOLE) if sentence not in lines] == []
    assert len(list(duties(WHOLE))) == len(SENTENCES) - 2  # two of them do not go with others


@pytest.mark.parametrize("name", POLICIES)
def test_activities_are_named_once(name: str) -> None:
    keys = [activity.key for activity in activities(POLICIES[name])]
    assert len(keys) == len(set(keys)) == sum(len(c.uses) for c in POLICIES[name].collections)


def test_a_purpose_that_uses_the_same_twice_has_two_activities() -> None:
    first, *rest = WHOLE.collections
    twice = replace(WHOLE, collections=(replace(first, uses=(*first.uses, first.uses[0])), *rest))
    keys = [activity.key for activity in activities(twice)]
    assert len(keys) == len(set(keys)) == len(activities(WHOLE)) + 1


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (Window(WindowKind.DAYS, 1), "1 day"),
        (Window(WindowKind.DAYS, 90), "90 days"),
        (Window(WindowKind.ACCOUNT, 0), "while the account exists"),
        (Window(WindowKind.ACCOUNT, 30), "while the account exists, then 30 days"),
        (Window(WindowKind.CONSENTED, 0), "while the person consents"),
    ],
)
def test_a_window_is_said(window: Window, words: str) -> None:
    assert window_words(window) == words


def test_the_person_is_no_audience_of_their_own_data() -> None:
    assert audiences(WHOLE, ["access.ip"]) == ()
    assert audiences(WHOLE, ["person.name"]) == ("administrators of the person's organization",)


def test_the_first_pattern_that_matches_holds_and_the_rest_falls_back() -> None:
    table = mapping.Table({"access.ip": "address", "*.ip": "other", "access.*": "use"}, "something")
    named = {name: table.word(name) for name in ("access.ip", "device.ip", "access.url", "person.name")}
    assert named == {"access.ip": "address", "device.ip": "other", "access.url": "use", "person.name": "something"}


def test_a_legal_duty_is_said_as_one_whatever_its_name() -> None:
    words, named = mapping.load("fideslang"), replace(WHOLE.purpose("retain"), name="advertise")
    assert words.word("uses", named.name) == "marketing.advertising"
    assert words.purpose("uses", named) == "essential.legal_obligation"


@pytest.mark.parametrize("name", ["account", "payroll", "protect_children", "provider"])
def test_a_name_that_only_resembles_one_of_the_tables_is_not_taken_for_it(name: str) -> None:
    for standard, table in (
        ("dpv", "purposes"),
        ("fideslang", "uses"),
        ("labels", "apple_purposes"),
        ("labels", "google_purposes"),
    ):
        assert mapping.load(standard).word(table, name) == ""
