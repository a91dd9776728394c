"""An organization holds a domain while a value that only the domain's holder can put there stands in its DNS."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.directory.asking import Asking
from tests.directory.naming import Names, serving
from troth.people import directories, domains
from troth.people.domains import Domain
from troth.people.errors import DirectoryClosed, DomainRefusal

DOMAIN = "harbor.example"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    with serving() as held:
        monkeypatch.setenv("TROTH_RESOLVERS", f"127.0.0.1#{held.port}")
        monkeypatch.setattr(domains, "PATIENCE", 1.0)
        yield held


def claimed(directory: Asking, who: Person, domain: str = DOMAIN) -> Domain:
    domains.claim(token=who.token, organization=directory.organization, domain=domain)
    return next(each for each in domains.held_by(who.token, directory.organization) if each.domain == domain)


def look(owner: Connection[Any]) -> None:
    """Look at every domain, as when its time has come."""
    owner.execute("UPDATE troth.domain SET next_check_at = statement_timestamp()")
    domains.check_due()


def held(directory: Asking, who: Person) -> list[bool]:
    return [each.held_since is not None for each in domains.held_by(who.token, directory.organization)]


def put(names: Names, domain: Domain) -> None:
    name, text = domain.record
    names.texts.setdefault(name, []).append(text)


def test_a_domain_is_held_once_its_value_stands_there(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any], names: Names
) -> None:
    domain = claimed(harbor, cast["alice"])
    look(owner)
    assert held(harbor, cast["alice"]) == [False]
    put(names, domain)
    look(owner)
    assert held(harbor, cast["alice"]) == [True]
    assert names.asked[-1] == "_troth-challenge.harbor.example"


def test_another_value_beside_it_and_one_in_parts_do_not_matter_and_a_wrong_one_counts_for_nothing(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any], names: Names
) -> None:
    domain = claimed(harbor, cast["alice"])
    name, text = domain.record
    names.texts[name] = ["v=spf1 -all", text[:-1], f"{text}x", text.upper()]
    look(owner)
    assert held(harbor, cast["alice"]) == [False]
    names.texts[name] = ["v=spf1 -all", f"{text[:20]}|{text[20:]}"]
    look(owner)
    assert held(harbor, cast["alice"]) == [True]


def test_it_is_lost_when_the_value_disappears_and_not_because_nobody_answered(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any], names: Names
) -> None:
    domain = claimed(harbor, cast["alice"])
    put(names, domain)
    look(owner)
    for way in (names.broken, names.silent):
        way.add(domain.record[0])
        for _ in range(3):
            look(owner)
        way.clear()
        assert held(harbor, cast["alice"]) == [True]
    names.texts.clear()
    look(owner)
    look(owner)
    assert held(harbor, cast["alice"]) == [True], "it may be a mistake: it is looked at again"
    look(owner)
    assert held(harbor, cast["alice"]) == [False]


def test_who_does_not_answer_for_a_week_has_lost_it(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any], names: Names
) -> None:
    domain = claimed(harbor, cast["alice"])
    put(names, domain)
    look(owner)
    names.broken.add(domain.record[0])
    owner.execute("UPDATE troth.domain SET seen_at = statement_timestamp() - interval '8 days'")
    look(owner)
    assert held(harbor, cast["alice"]) == [False]


def test_a_domain_is_one_organizations_at_a_time(
    harbor: Asking, quay: Asking, cast: dict[str, Person], owner: Connection[Any], names: Names
) -> None:
    for directory, who in ((harbor, "alice"), (quay, "charlie")):
        put(names, claimed(directory, cast[who]))
        look(owner)
    assert (held(harbor, cast["alice"]), held(quay, cast["charlie"])) == ([True], [False])
    domains.drop(token=cast["alice"].token, organization=harbor.organization, domain=DOMAIN)
    look(owner)
    assert held(quay, cast["charlie"]) == [True]
    values = {value for (value,) in owner.execute("SELECT value FROM troth.domain")}
    assert len(values) == 1, "each organization looks for a value of its own"


@pytest.mark.parametrize("who", ["dana", "bob", "charlie"])
def test_only_who_keeps_members_claims_and_drops(
    harbor: Asking, cast: dict[str, Person], who: str, names: Names
) -> None:
    claimed(harbor, cast["alice"])
    told: dict[str, Any] = {"token": cast[who].token, "organization": harbor.organization}
    for act in (domains.claim, domains.drop, domains.look_again):
        with pytest.raises(DirectoryClosed):
            act(**told, domain=DOMAIN)
    assert domains.held_by(cast[who].token, harbor.organization) == []


def test_whoever_is_supplied_at_a_held_domain_is_written_to_and_nobody_else(
    harbor: Asking, cast: dict[str, Person], owner: Connection[Any], names: Names
) -> None:
    put(names, claimed(harbor, cast["alice"]))
    look(owner)
    for number, address in enumerate(
        ("bob@harbor.example", "x@HARBOR.example", "x@sub.harbor.example", "x@h\u0430rbor.example", "x@other.example")
    ):
        assert harbor.provision(f"user{number}", emails=[{"value": address}]).status == 201
    assert sorted(email for _, email, _ in directories.due_offers()) == ["bob@harbor.example", "x@HARBOR.example"]
    assert directories.due_offers() == [], "each is written to once"
    (offer,) = directories.offers(cast["bob"].token)
    assert offer.domain_held
    directories.decline(token=cast["bob"].token, entry=offer.entry)
    harbor.patch(
        f"/Users/{offer.entry}", {"op": "replace", "path": "emails", "value": [{"value": "Bob@harbor.example"}]}
    )
    assert directories.due_offers() == [], "whoever wants no mail gets none"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("Harbor.Example.", "harbor.example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("\uff28arbor.example", "harbor.example"),
        ("h\u0430rbor.example", "xn--hrbor-4ve.example"),
        ("fa\u00df.example", "xn--fa-hia.example"),
        ("\u05e0\u05de\u05dc.example", "xn--hebdf.example"),
    ],
)
def test_a_domain_is_what_the_dns_calls_it(told: str, kept: str) -> None:
    """What looks like another domain is another: its name in the DNS tells them apart (RFC 5891, UTS 46)."""
    assert domains.canonical(told) == kept


@pytest.mark.parametrize(
    "told",
    [
        "",
        "localhost",
        "192.0.2.1",
        "::1",
        "a..b",
        "-a.example",
        "a_b.example",
        "x" * 64 + ".example",
        "a b.example",
        "x\u200d.example",
        "a.example/x",
        "." * 10,
        "a" * 300 + ".example",
    ],
)
def test_what_is_no_domain_is_refused(told: str) -> None:
    with pytest.raises(DomainRefusal):
        domains.canonical(told)
