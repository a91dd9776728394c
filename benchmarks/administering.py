"""Adding a member and removing them, as somebody who administers does it: by the pages of their organization.

Each form is answered whole, with what everybody's request passes through; who comes and goes uses the pages, too.
"""

import uuid
from collections.abc import Callable
from typing import Any

from psycopg import Connection

from benchmarks.signing import pages

DANA, BOB = "dana@harbor.example", "bob@harbor.example"
#: A word of an invitation is in the mail alone, and there in what is to be written.
INVITED = "SELECT facts ->> 'token' FROM troth.notice WHERE template = 'invitation' ORDER BY notice DESC LIMIT 1"


class Pages:
    """Dana, who administers, and Bob, who comes and goes: a browser for each."""

    def __init__(self, owner: Connection[Any]) -> None:
        browser = pages()
        self.owner, self.dana, self.bob = owner, browser(), browser()
        self.administrator, self.member = self.dana.sign_up(owner, DANA), self.bob.sign_up(owner, BOB)

    def invited(self, organization: uuid.UUID) -> Callable[[], None]:
        """Return what invites by mail, lets the link be taken, and removes."""

        def come_and_go() -> None:
            told = {"action": "invite", "address": BOB, "role": "member"}
            _sent(self.dana, f"/organizations/{organization}/joining", told)
            (word,) = self.owner.execute(INVITED).fetchone() or ("",)
            _sent(self.bob, f"/join/{word}", {})
            self._remove(organization)

        return come_and_go

    def admitted(self, organization: uuid.UUID) -> Callable[[], None]:
        """Return what asks, admits who asked, and removes."""

        def come_and_go() -> None:
            _sent(self.bob, f"/organizations/{organization}/ask", {"action": "ask"})
            told = {"action": "admit", "subject": str(self.member), "role": "member"}
            _sent(self.dana, f"/organizations/{organization}/joining", told)
            self._remove(organization)

        return come_and_go

    def _remove(self, organization: uuid.UUID) -> None:
        told = {"action": "remove", "subject": str(self.member)}
        count = "SELECT count(*) FROM troth.membership WHERE subject = %s AND organization = %s AND ended_at IS NULL"
        assert self.owner.execute(count, (self.member, organization)).fetchone() == (1,)
        _sent(self.dana, f"/organizations/{organization}/members", told)
        assert self.owner.execute(count, (self.member, organization)).fetchone() == (0,)


def _sent(browser: Any, path: str, told: dict[str, str]) -> None:  # noqa: ANN401 - the framework's test client
    answer = browser.post(path, told)
    assert answer.status_code == 302, (path, answer.status_code, answer.content)
