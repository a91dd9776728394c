"""Harbor, which Alice owns, Bob is in, and a directory speaks for; and Quay, which is Charlie's."""

from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.directory.asking import Asking, directory_of, organize
from tests.planting import account


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
