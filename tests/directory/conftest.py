"""Harbor, which Alice owns, Bob is in, and a directory speaks for; and Quay, which is Charlie's."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, browser
from tests.conftest import TERMS, Person
from tests.directory.asking import Asking, directory_of, organize
from tests.directory.declared import DECLARED, source
from tests.planting import account
from troth.database import apply, published
from troth.people import fielding

__all__ = ["browser"]


@pytest.fixture
def harbor(cast: dict[str, Person], owner: Connection[Any]) -> Asking:
    """The directory of Alice's organization. Everybody's account is there, with a proven address."""
    for person in cast.values():
        account(owner, person.subject, person.email)
    return directory_of(organize(owner, "Harbor", cast["alice"], cast["dana"]), cast["alice"])


@pytest.fixture
def quay(cast: dict[str, Person], owner: Connection[Any], harbor: Asking) -> Asking:
    """The directory of another organization."""
    return directory_of(organize(owner, "Quay", cast["charlie"]), cast["charlie"], "Quay's directory")


@pytest.fixture
def asking(owner: Connection[Any], browser: Browser, request: pytest.FixtureRequest) -> Iterator[Asking]:
    """Alice's organization with a directory, under a policy that lets it hold fields; a browser may be in front of it."""
    assert isinstance(browser, Browser)
    apply.apply(owner, source(), TERMS)
    fielding.declare(owner, {"text": DECLARED})
    published.forget()
    cast: dict[str, Person] = request.getfixturevalue("cast")
    for name in ("alice", "bob", "charlie"):
        account(owner, cast[name].subject, cast[name].email)
    organization = organize(owner, "Harbor", cast["alice"])
    yield directory_of(organization, cast["alice"])
    published.forget()
