"""Fideslang's own models take the manifest, its words are of the default taxonomy, and it says what the policy says."""

import re
from typing import Any

import pytest
import yaml
from fideslang.default_taxonomy import DEFAULT_TAXONOMY
from fideslang.models import Taxonomy
from fideslang.parse import load_manifests_into_taxonomy
from hypothesis import given, settings

from tests.policy.exported import DEFAULT, FORGETTING, POLICIES, WHOLE, collected, policies
from troth.policy.meaning import Basis, Policy
from troth.policy.standards import fideslang, mapping
from troth.policy.standards.activities import activities, window_words


def read(policy: Policy) -> dict[str, Any]:
    loaded = yaml.safe_load(fideslang.as_yaml(policy))
    assert isinstance(loaded, dict)
    return loaded


def judged(manifest: dict[str, Any]) -> Taxonomy:
    """What Fideslang itself makes of a manifest; it leaves with an error where it cannot."""
    return load_manifests_into_taxonomy(manifest)


def missing(policy: Policy, manifest: dict[str, Any]) -> set[str]:
    """Name what a policy says and a manifest does not."""
    (system,) = manifest["system"]
    declared = {each["name"]: each for each in system["privacy_declarations"]}
    behind = {name for names in system["meta"]["categories"].values() for name in names}
    found = {category.name for category in policy.categories} - behind
    for activity in activities(policy):
        said = declared.get(activity.key, {"data_categories": (), "retention_period": "", "features": ()})
        keys = {mapping.load("fideslang").word("categories", category) for category in activity.categories}
        found |= {f"{activity.key}: {key}" for key in keys - set(said["data_categories"])}
        found |= {f"{activity.key}: {window_words(activity.window)}"} - {f"{activity.key}: {said['retention_period']}"}
        found |= {activity.purpose.sentence} - set(said["features"])
    others = {each.get("third_parties") for each in declared.values()}
    return found | ({share.recipient for share in policy.shares} - others)


@pytest.mark.parametrize("name", POLICIES)
def test_fideslang_takes_the_manifest_and_it_says_everything(name: str) -> None:
    policy, manifest = POLICIES[name], read(POLICIES[name])
    taxonomy = judged(manifest)
    assert taxonomy.organization[0].name == policy.operator
    (system,) = taxonomy.system
    uses = sum(len(collection.uses) for collection in policy.collections)
    assert len(system.privacy_declarations) == uses + len(policy.shares)
    assert missing(policy, manifest) == set()
    assert manifest == fideslang.manifest(policy)


@pytest.mark.parametrize("forgotten", FORGETTING)
def test_what_is_forgotten_is_missed(forgotten: str) -> None:
    assert missing(WHOLE, read(FORGETTING[forgotten](WHOLE))) != set()


@settings(max_examples=100, deadline=None)
@given(policies())
def test_whatever_the_operator_writes_the_yaml_reads_back_as_the_manifest(policy: Policy) -> None:
    manifest = read(policy)
    assert manifest == fideslang.manifest(policy)
    judged(manifest)
    assert re.fullmatch(r"[a-zA-Z0-9_.<>-]+", manifest["system"][0]["fides_key"])


def test_without_escaping_the_yaml_would_say_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fideslang, "quoted", lambda text: f'"{text}"')
    assert read(WHOLE) != fideslang.manifest(WHOLE)


# The words


def test_every_word_of_the_tables_is_in_the_default_taxonomy() -> None:
    words = mapping.load("fideslang")
    for table, known in (
        ("categories", DEFAULT_TAXONOMY.data_category),
        ("uses", DEFAULT_TAXONOMY.data_use),
        ("subjects", DEFAULT_TAXONOMY.data_subject),
    ):
        keys = {each.fides_key for each in known if not each.version_deprecated}
        assert words.all_words(table) <= keys, table


def test_a_word_of_no_taxonomy_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {each.fides_key for each in DEFAULT_TAXONOMY.data_category}
    tables = dict(mapping.load("fideslang").tables, categories=mapping.Table({"*": "user.invented"}, "user"))
    invented = mapping.Mapped(tables, {})
    assert invented.all_words("categories") - keys == {"user.invented"}


def test_a_basis_that_fideslang_does_not_know_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = fideslang.manifest(DEFAULT)
    manifest["system"][0]["privacy_declarations"][0]["legal_basis_for_processing"] = "Habit"
    with pytest.raises(SystemExit):
        judged(manifest)
    assert "Failed to parse system" in capsys.readouterr().out


def test_what_no_table_knows_falls_back_as_documented() -> None:
    words = mapping.load("fideslang")
    assert words.word("categories", "person.shoe") == "user"
    odd = {basis: words.by_basis["uses"][basis] for basis in Basis}
    assert odd == {
        Basis.AGREEMENT: "essential.service",
        Basis.CONSENT: "functional",
        Basis.LEGITIMATE_INTEREST: "operations",
        Basis.LEGAL_DUTY: "essential.legal_obligation",
    }
    assert words.purpose("uses", WHOLE.purpose("odd")) == "functional"
    assert words.purpose("uses", WHOLE.purpose("retain")) == "essential.legal_obligation"


def test_the_default_policy_says_what_is_known_of_it() -> None:
    (system,) = read(DEFAULT)["system"]
    declared = {each["name"]: each for each in system["privacy_declarations"]}
    announce = declared["collect-person-name-on-sign-up.sign-up.announce"]
    assert announce["data_categories"] == ["user.name", "user.contact.email"]
    assert announce["data_use"] == "marketing.communications"
    assert announce["legal_basis_for_processing"] == "Consent"
    assert announce["retention_period"] == "while the person consents"
    assert declared["collect-access-url-on-visit.visit.protect"]["data_subjects"] == ["anonymous_user"]
    assert {name for names in system["meta"]["categories"].values() for name in names} >= collected(DEFAULT)


def test_sensitive_data_and_sharing_are_declared() -> None:
    (system,) = read(WHOLE)["system"]
    declared = {each["name"]: each for each in system["privacy_declarations"]}
    health = declared["collect-person-shoe-on-transaction.upload.odd"]
    assert (health["processes_special_category_data"], health["special_category_legal_basis"]) == (
        True,
        "Explicit consent",
    )
    assert {each["flexible_legal_basis_for_processing"] for each in declared.values()} == {False}
    announce = declared["collect-person-name-on-sign-up.sign-up.announce"]
    assert announce["shared_categories"] == ["user.contact.email"]
    provide = declared["collect-person-name-on-sign-up.sign-up.provide"]
    assert provide["data_shared_with_third_parties"] is False
    assert (system["uses_cookies"], system["cookie_max_age_seconds"]) == (True, 365 * 86_400)
