"""A policy as a Fideslang manifest (https://ethyca.github.io/fideslang): an organization, and a system's declarations.

Fideslang's categories are coarser than a policy's: `meta` says which of the policy's stand behind each.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from troth.policy.meaning import Basis, Policy, Purpose, Storage
from troth.policy.standards import mapping
from troth.policy.standards.activities import (
    MEASURES,
    activities,
    handings,
    measures,
    recipients,
    window_words,
)
from troth.policy.standards.graph import quoted

ORGANIZATION = "operator"
EXPLICIT_CONSENT = "Explicit consent"  # fideslang's SpecialCategoryLegalBasisEnum
DAY = 86_400
COOKIES = (Storage.SESSION_COOKIE, Storage.PERSISTENT_COOKIE)


def manifest(policy: Policy) -> dict[str, Any]:
    """Return the manifest as plain data."""
    contact = {"name": policy.operator, "email": policy.contact}
    organization = {"fides_key": ORGANIZATION, "name": policy.operator, "controller": contact}
    return {"organization": [organization], "system": [_system(policy)]}


def as_yaml(policy: Policy) -> str:
    """Return the manifest as YAML 1.2."""
    return "".join(f"{line}\n" for line in _yaml(manifest(policy), ""))


def _system(policy: Policy) -> dict[str, Any]:
    cookies = [stored for stored in policy.stored if stored.storage in COOKIES]
    longest = max((stored.days or 0 for stored in cookies), default=0)
    return {
        "fides_key": re.sub(r"[^a-z0-9]+", "_", policy.name.lower()).strip("_") or "policy",
        "organization_fides_key": ORGANIZATION,
        "name": policy.name,
        "description": f"Version {policy.version}, in effect from {policy.effective.isoformat()}",
        "system_type": "Service",
        "legal_name": policy.operator,
        "responsibility": ["Controller"],
        "processes_personal_data": bool(policy.collections),
        "data_security_practices": ", ".join(MEASURES[key] for key in measures(policy)),
        "uses_cookies": bool(cookies),
        **({"cookie_max_age_seconds": longest * DAY} if longest else {}),
        "uses_non_cookie_access": len(cookies) < len(policy.stored),
        "meta": _meta(policy),
        "privacy_declarations": list(_declarations(policy)),
    }


def _meta(policy: Policy) -> dict[str, Any]:
    keys: dict[str, list[str]] = {}
    for category in policy.categories:
        keys.setdefault(_key(category.name), []).append(category.name)
    return {"version": policy.version, "digest": policy.digest, "categories": keys}


def _key(category: str) -> str:
    return mapping.load("fideslang").word("categories", category)


def _declarations(policy: Policy) -> Iterator[dict[str, Any]]:
    words = mapping.load("fideslang")
    for activity in activities(policy):
        subject = words.word("subjects", "visitor" if activity.anonymous else "person")
        others = recipients(policy, activity.purpose.name, activity.categories)
        handed = {c for s in policy.shares if s.purpose == activity.purpose.name for c in s.categories}
        yield {
            **_declaration(policy, activity.key, activity.purpose, activity.categories, subject),
            "retention_period": window_words(activity.window),
            **_shared(others, [each for each in activity.categories if each in handed]),
        }
    for handing in handings(policy):
        subject = words.word("subjects", "person")
        yield {
            **_declaration(policy, handing.clause.name, handing.purpose, handing.categories, subject),
            "retention_period": ", ".join(map(window_words, handing.windows)) or "not stated in the policy",
            **_shared((handing.recipient,), handing.categories),
        }


def _declaration(
    policy: Policy, name: str, purpose: Purpose, categories: Iterable[str], subject: str
) -> dict[str, Any]:
    words = mapping.load("fideslang")
    special = bool({each.name for each in policy.categories if each.sensitive} & set(categories))
    explicit = {"special_category_legal_basis": EXPLICIT_CONSENT} if special and purpose.basis is Basis.CONSENT else {}
    return {
        "name": name,
        "data_categories": list(dict.fromkeys(map(_key, categories))),
        "data_use": words.purpose("uses", purpose),
        "data_subjects": [subject],
        "features": [purpose.sentence],
        "flexible_legal_basis_for_processing": False,
        "legal_basis_for_processing": words.word("bases", purpose.basis),
        "processes_special_category_data": special,
        **explicit,
    }


def _shared(others: Iterable[str], categories: Iterable[str]) -> dict[str, Any]:
    named = ", ".join(others)
    if not named:
        return {"data_shared_with_third_parties": False}
    keys = list(dict.fromkeys(map(_key, categories)))
    return {"data_shared_with_third_parties": True, "third_parties": named, "shared_categories": keys}


# YAML, of what a manifest is made of: mappings, lists, texts, numbers, yes and no


def _yaml(value: Any, indent: str) -> Iterator[str]:  # noqa: ANN401 - the tree of a manifest
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list) and inner:
                yield f"{indent}{quoted(key)}:"
                yield from _yaml(inner, f"{indent}  ")
            else:
                yield f"{indent}{quoted(key)}: {_scalar(inner)}"
        return
    for item in value:
        if isinstance(item, dict):
            first, *rest = _yaml(item, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{indent}- {_scalar(item)}"


def _scalar(value: Any) -> str:  # noqa: ANN401 - the leaf of a manifest
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return "{}" if value == {} else "[]" if value == [] else quoted(value)
