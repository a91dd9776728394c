"""Store labels say nothing less than the policy: types, purposes, linked, tracked, optional, encrypted, deletable."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from tests.policy.exported import DEFAULT, FORGETTING, POLICIES, WHOLE, collected, policies
from troth.policy.meaning import Policy
from troth.policy.standards import labels, mapping

#: Apple's data types, developer.apple.com/app-store/app-privacy-details.
APPLE = {
    "Contact Info": {"Name", "Email Address", "Phone Number", "Physical Address", "Other User Contact Info"},
    "Health & Fitness": {"Health", "Fitness"},
    "Financial Info": {"Payment Info", "Credit Info", "Other Financial Info"},
    "Location": {"Precise Location", "Coarse Location"},
    "Sensitive Info": {"Sensitive Info"},
    "Contacts": {"Contacts"},
    "User Content": {
        "Emails or Text Messages",
        "Photos or Videos",
        "Audio Data",
        "Gameplay Content",
        "Customer Support",
        "Other User Content",
    },
    "Browsing History": {"Browsing History"},
    "Search History": {"Search History"},
    "Identifiers": {"User ID", "Device ID"},
    "Purchases": {"Purchase History"},
    "Usage Data": {"Product Interaction", "Advertising Data", "Other Usage Data"},
    "Diagnostics": {"Crash Data", "Performance Data", "Other Diagnostic Data"},
    "Surroundings": {"Environment Scanning"},
    "Body": {"Hands", "Head"},
    "Other Data": {"Other Data Types"},
}
APPLE_PURPOSES = {
    "Third-Party Advertising",
    "Developer's Advertising or Marketing",
    "Analytics",
    "Product Personalization",
    "App Functionality",
    "Other Purposes",
}
#: Google's, support.google.com/googleplay/android-developer/answer/10787469.
GOOGLE = {
    "Location": {"Approximate location", "Precise location"},
    "Personal info": {
        "Name",
        "Email address",
        "User IDs",
        "Address",
        "Phone number",
        "Race and ethnicity",
        "Political or religious beliefs",
        "Sexual orientation",
        "Other info",
    },
    "Financial info": {"User payment info", "Purchase history", "Credit score", "Other financial info"},
    "Health and fitness": {"Health info", "Fitness info"},
    "Messages": {"Emails", "SMS or MMS", "Other in-app messages"},
    "Photos and videos": {"Photos", "Videos"},
    "Audio files": {"Voice or sound recordings", "Music files", "Other audio files"},
    "Files and docs": {"Files and docs"},
    "Calendar": {"Calendar events"},
    "Contacts": {"Contacts"},
    "App activity": {
        "App interactions",
        "In-app search history",
        "Installed apps",
        "Other user-generated content",
        "Other actions",
    },
    "Web browsing": {"Web browsing history"},
    "App info and performance": {"Crash logs", "Diagnostics", "Other app performance data"},
    "Device or other IDs": {"Device or other IDs"},
}
GOOGLE_PURPOSES = {
    "App functionality",
    "Analytics",
    "Developer communications",
    "Advertising or marketing",
    "Fraud prevention, security, and compliance",
    "Personalization",
    "Account management",
}
STORES = {"apple": (APPLE, APPLE_PURPOSES), "google": (GOOGLE, GOOGLE_PURPOSES)}


def read(policy: Policy) -> dict[str, Any]:
    loaded = json.loads(labels.as_json(policy))
    assert isinstance(loaded, dict)
    return loaded


def of(policy: Policy, store: str, category: str) -> list[dict[str, Any]]:
    """The types under which a label says a category."""
    return [each for each in read(policy)[store]["data_types"] if category in each["of"]]


def missing(policy: Policy, told: dict[str, Any]) -> set[str]:
    """Name what a policy says and its labels do not."""
    return set(_missing(policy, told))


def _missing(policy: Policy, told: dict[str, Any]) -> Iterator[str]:
    words = mapping.load("labels")
    for store in STORES:
        types = told[store]["data_types"]
        said = {category for each in types for category in each["of"]}
        yield from collected(policy) - said
        purposes = {(category, purpose) for each in types for category in each["of"] for purpose in each["purposes"]}
        for collection in policy.collections:
            for use in collection.uses:
                word = words.purpose(labels.STORES[store], policy.purpose(use.purpose))
                yield from (f"{c} for {word}" for c in collection.categories if (c, word) not in purposes)
    recipients = {name for each in told["google"]["data_types"] for name in each["recipients"]}
    yield from {share.recipient for share in policy.shares} - recipients


@pytest.mark.parametrize("name", POLICIES)
def test_every_category_and_purpose_is_on_the_labels_in_the_stores_words(name: str) -> None:
    told = read(POLICIES[name])
    assert missing(POLICIES[name], told) == set()
    for store, (types, purposes) in STORES.items():
        for each in told[store]["data_types"]:
            assert each["type"] in types[each["category"]]
            assert set(each["purposes"]) <= purposes
            assert each["purposes"]


@pytest.mark.parametrize("forgotten", ["purpose", "category", "recipient"])
def test_what_is_forgotten_is_missed(forgotten: str) -> None:
    assert missing(WHOLE, read(FORGETTING[forgotten](WHOLE))) != set()


@pytest.mark.parametrize("store", STORES)
def test_every_word_of_the_tables_is_the_stores_own(store: str) -> None:
    types, purposes = STORES[store]
    words = mapping.load("labels")
    assert words.all_words(store) <= {f"{group}/{each}" for group, inside in types.items() for each in inside}
    assert words.all_words(labels.STORES[store]) <= purposes


@settings(max_examples=60, deadline=None)
@given(policies())
def test_whatever_the_operator_writes_the_labels_say_it(policy: Policy) -> None:
    told = read(policy)
    assert told["policy"]["name"] == policy.name
    assert missing(policy, told) == set()


@pytest.mark.parametrize("name", POLICIES)
def test_where_nothing_is_shared_nothing_is_used_for_tracking(name: str) -> None:
    kept = replace(POLICIES[name], shares=())
    assert [each for each in read(kept)["apple"]["data_types"] if each["used_for_tracking"]] == []
    assert [each for each in read(kept)["google"]["data_types"] if each["shared"]] == []


def test_what_is_shared_to_announce_is_said_to_be_used_for_tracking() -> None:
    tracked = {c for each in read(WHOLE)["apple"]["data_types"] if each["used_for_tracking"] for c in each["of"]}
    assert tracked == {"person.email"}


def test_what_is_only_collected_of_visitors_is_not_linked_unless_it_identifies() -> None:
    visits = replace(WHOLE, collections=tuple(c for c in WHOLE.collections if c.occasion == "visit"), shares=())
    assert {each["linked_to_user"] for each in read(visits)["apple"]["data_types"]} == {False}
    identifying = tuple(replace(c, identifying=c.name == "access.url") for c in WHOLE.categories)
    exact = tuple(
        replace(c, uses=tuple(replace(u, precision=type(u.precision).AS_IS) for u in c.uses))
        for c in visits.collections
    )
    told = replace(visits, categories=identifying, collections=exact)
    assert [each["linked_to_user"] for each in of(told, "apple", "access.url")] == [True]
    assert {each["linked_to_user"] for each in of(WHOLE, "apple", "access.url")} == {True}


def test_optional_is_only_what_is_all_by_consent() -> None:
    assert [each["optional"] for each in of(WHOLE, "google", "location.gps")] == [True]
    assert [each["optional"] for each in of(WHOLE, "google", "person.email")] == [False]


def test_a_place_known_as_a_city_is_coarse() -> None:
    assert [each["type"] for each in of(WHOLE, "apple", "location.gps")] == ["Coarse Location"]
    assert [each["type"] for each in of(WHOLE, "google", "location.gps")] == ["Approximate location"]


def test_encryption_and_deletion_follow_the_policy() -> None:
    told = read(WHOLE)["google"]
    assert (told["encrypted_in_transit"], told["deletion_possible"]) == (True, "some")
    bare = replace(WHOLE, duties=tuple(d for d in WHOLE.duties if d.name != "transmission"), rights=())
    assert read(bare)["google"]["encrypted_in_transit"] is False
    assert read(bare)["google"]["deletion_possible"] == "none"
    assert [each["deletion_possible"] for each in of(WHOLE, "google", "person.email")] == ["all"]
    everything = replace(WHOLE, rights=(replace(WHOLE.rights[1], categories=tuple(collected(WHOLE))),))
    assert read(everything)["google"]["deletion_possible"] == "all"


def test_who_else_is_shown_something_is_named() -> None:
    assert [each["shown_to"] for each in of(WHOLE, "google", "post.text")] == [["chosen people", "the public"]]


def test_the_default_policy_says_what_is_known_of_it() -> None:
    assert [each["type"] for each in of(DEFAULT, "apple", "person.email")] == ["Email Address"]
    assert of(DEFAULT, "google", "person.email")[0]["purposes"] == ["App functionality", "Developer communications"]


def test_what_is_handed_on_exactly_is_a_type_of_its_own_where_the_service_itself_knows_it_less_exactly() -> None:
    share = replace(WHOLE.shares[0], categories=("location.gps",))
    told = replace(WHOLE, shares=(share,))
    precise, coarse = (
        next(each for each in of(told, "google", "location.gps") if each["type"] == kind)
        for kind in ("Precise location", "Approximate location")
    )
    assert (precise["shared"], precise["collected"], precise["optional"]) == (True, False, False)
    assert (coarse["shared"], coarse["collected"], coarse["optional"]) == (False, True, True)
    assert [each["linked_to_user"] for each in of(told, "apple", "location.gps")] == [True, True]
