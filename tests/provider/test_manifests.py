"""What an application may ask for is held against the policy: the line that is not covered, and the clause it would need."""

from typing import Any

import pytest
from psycopg import Connection

from tests.provider.asking import MANIFEST
from troth.database import published
from troth.database.catalog import load
from troth.database.errors import RequestRefusal
from troth.people import registering
from troth.people.errors import ManifestRefusal
from troth.people.manifests import Claim, Manifest, read

HOME = "https://troth.example:8443"


def sound(text: str) -> Manifest:
    now = published.current()
    return read(text, policy=now.policy, plan=now.plan, catalog=load(), home=HOME)


def refused(text: str) -> list[str]:
    with pytest.raises(ManifestRefusal) as refusal:
        sound(text)
    return refusal.value.sentence.splitlines()[1:] or [refusal.value.sentence]


def test_a_manifest_becomes_what_it_says(owner: Connection[Any]) -> None:
    found = sound(MANIFEST)
    assert found.claims == (Claim("email", "person.email", "provide"), Claim("name", "person.name", "provide"))
    assert found.scopes == ("openid", "profile", "email")
    assert (found.public, found.device) == (False, False)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('"person.email", purpose = "provide"', '"person.email", purpose = "understand"', 9, "is not among the manifest's purposes"),
        ('purposes = ["provide"]', 'purposes = ["provide", "advertise"]', 5, 'it would need: purpose advertise "what it is for"'),
        ('"person.email", purpose', '"person.shoe_size", purpose', 9, "it would need: category person.shoe_size"),
        ('email = { category = "person.email"', 'phone_number = { category = "person.phone"', 9, "nothing here holds `person.phone` yet"),
        ("email = {", "shoe_size = {", 9, "there is no claim `shoe_size`"),
        ("email = {", "email = { scope = 1,", 9, "needs a category and a purpose"),
        ('name = "Harbor Notes"', 'name = ""', 1, "`name` must be a text"),
        ('name = "Harbor Notes"', 'name = "Harbor\\u202eNotes"', 1, "`name` must be a text"),
        ("origins", "orgins", 2, "`orgins` means nothing"),
        ('["https://notes.example"]', '["https://notes.example/"]', 2, "is no origin"),
        ('["https://notes.example"]', '["http://notes.example"]', 2, "is not https"),
        ('["https://notes.example"]', '["https://*.example"]', 2, "is no origin"),
        ("https://notes.example/signed-in", "http://notes.example/signed-in", 3, "is not https"),
        ("https://notes.example/signed-in", "https://troth.example/signed-in", 3, "on this service's own host"),
        ("https://notes.example/signed-in", "https://notes.example/#x", 3, "is no address"),
        ("https://notes.example/signed-in", "https://user@notes.example/", 3, "is no address"),
        ("https://notes.example/signed-in", "https://notes.example/a b", 3, "is no address"),
        ("https://notes.example/signed-in", "https://notes.example/../a", 3, "is no address"),
        ("https://notes.example/signed-in", "javascript:alert(1)", 3, "names no host"),
        ("https://notes.example/signed-in", "com.example.notes:/in", 3, "has a scheme of its own"),
        ("origins", 'kind = "secret"\norigins', 2, "`kind` is"),
        ("origins", "device = true\norigins", 2, "is for kind"),
    ],
)  # fmt: skip
def test_what_is_not_covered_is_refused_with_its_line(
    owner: Connection[Any], old: str, new: str, line: int, words: str
) -> None:
    assert old in MANIFEST
    found = refused(MANIFEST.replace(old, new))
    assert any(each.startswith(f"  line {line}: ") and words in each for each in found), found


def test_a_use_that_no_clause_has_is_refused_with_the_clause(owner: Connection[Any]) -> None:
    text = MANIFEST.replace('["provide"]', '["provide", "understand"]')
    text = text.replace('"person.email", purpose = "provide"', '"person.email", purpose = "understand"')
    (found,) = refused(text)
    assert found.startswith("  line 9: no clause lets `understand` use `person.email`; `collect")
    assert "would need: for understand while the account exists" in found


def test_every_error_is_told_at_once(owner: Connection[Any]) -> None:
    assert len(refused('kind = "x"\n')) == 4
    assert "no TOML" in refused("name = ")[0]


def test_only_what_is_sound_is_registered_and_the_keeper_judges_it_itself(owner: Connection[Any]) -> None:
    with pytest.raises(RequestRefusal, match="line 5: the policy has no purpose `advertise`"):
        registering.register(owner, {"manifest": MANIFEST.replace('["provide"]', '["advertise"]')})
    assert owner.execute("SELECT count(*) FROM troth.application").fetchone() == (0,)
    answer = registering.register(owner, {"manifest": MANIFEST})
    assert answer["application"].startswith("harbor-notes-")
    row = owner.execute(
        "SELECT skip_consent, allow_uri_wildcards, owner_id FROM troth.allauth_idp_oidc_client"
    ).fetchone()
    assert row == (False, False, None)


def test_nobody_but_the_keeper_writes_applications_or_keys(owner: Connection[Any]) -> None:
    from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

    from troth.database import connect

    registering.register(owner, {"manifest": MANIFEST})
    attempts = [
        "UPDATE troth.allauth_idp_oidc_client SET redirect_uris = 'https://evil.example/'",
        "UPDATE troth.allauth_idp_oidc_client SET skip_consent = true",
        "INSERT INTO troth.signing_key (kid, sealed, signs_from) VALUES ('x', 'x', statement_timestamp())",
        "UPDATE troth.application SET claims = '{}'",
        "INSERT INTO troth.application_grant (subject, application, offered, claims, purposes, version) SELECT subject, 'x', '{}', '{}', '{}', 1 FROM troth.subject",
    ]
    for role in ("door", "self", "steward", "intake", "provide"):
        for attempt in attempts:
            with pytest.raises((InsufficientPrivilege, ReadOnlySqlTransaction)), connect.acting(role) as connection:
                connection.execute(attempt.encode())
