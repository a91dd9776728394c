"""Who reads what, whatever people do in whatever order: the database against a few lines that say who should."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from tests.organizations.conftest import Harbor, call
from tests.records.conftest import CHOSEN, PUBLIC, SIGNED_IN, read, write
from troth.database import connect, published
from troth.policy.meaning import Audience
from troth.records import actions, queries
from troth.records.queries import Readers

WHO = ("alice", "bob", "charlie")
STEPS = st.one_of(
    st.tuples(st.just("post"), st.sampled_from(WHO), st.sampled_from(list(Audience))),
    st.tuples(st.just("address"), st.integers(0, 9), st.sampled_from(list(Audience))),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("turn"), st.sampled_from(("bob", "charlie"))),
    st.tuples(st.just("sign"), st.sampled_from(WHO)),
    st.tuples(st.just("agree"), st.sampled_from(WHO)),
)


@dataclass
class World:
    """What there should be: posts by their texts, who is in the organization, signed in, and in what they agreed to."""

    harbor: Harbor
    owner: Connection[Any]
    posts: dict[str, tuple[uuid.UUID, str, Audience, bool]] = field(default_factory=dict)
    members: set[str] = field(default_factory=lambda: {"alice", "bob"})
    signed: set[str] = field(default_factory=lambda: set(WHO))
    agreed: set[str] = field(default_factory=lambda: set(WHO))
    count: int = 0

    def reads(self, reader: str | None) -> list[str]:
        """Say what somebody should read of others' and their own; nobody is a visitor."""
        return sorted(text for text in self.posts if self.may(reader, text))

    def may(self, reader: str | None, text: str) -> bool:
        _, author, audience, addressed = self.posts[text]
        known = reader in self.signed
        match audience if author in self.agreed else None:
            case Audience.PUBLIC:
                return True
            case Audience.SIGNED_IN:
                return known
            case Audience.MEMBERS:
                return known and reader in self.members and addressed
        return False

    def readers(self, author: str, audience: Audience) -> Readers | None:
        if audience is not Audience.MEMBERS:
            return {each.audience: each for each in (CHOSEN, SIGNED_IN, PUBLIC)}.get(audience)
        mine = queries.offered(self.harbor.people[author].token)
        return next((each for each in mine if each.organization == self.harbor.organization), None)

    def post(self, author: str, audience: Audience) -> None:
        readers = self.readers(author, audience) if author in self.signed else None
        if readers:
            self.count += 1
            text = f"{self.count}"
            made = write(self.harbor.people[author], text, readers)
            self.posts[text] = (made, author, audience, True)

    def address(self, nth: int, audience: Audience) -> None:
        text = next(iter([*self.posts][nth:]), None)
        if text is None:
            return
        made, author, _, _ = self.posts[text]
        readers = self.readers(author, audience) if author in self.signed else None
        if readers:
            token, version = self.harbor.people[author].token, published.current().version
            actions.address(token=token, post=made, readers=readers, version=version)
            self.posts[text] = (made, author, audience, True)

    def delete(self, nth: int) -> None:
        text = next(iter([*self.posts][nth:]), None)
        if text is not None and self.posts[text][1] in self.signed:
            token = self.harbor.people[self.posts[text][1]].token
            found = queries.post(token, self.posts.pop(text)[0])
            assert found is not None
            actions.delete(token=token, at=found.at, post=found.id)

    def turn(self, who: str) -> None:
        """Leave the organization, or come back."""
        token = self.harbor.people[who].token
        if who not in self.signed:
            return
        if who in self.members:
            call("self", token, "SELECT troth.leave_organization(%s)", self.harbor.organization)
            self.members.remove(who)
            for text, (made, author, audience, _) in self.posts.items():
                if author == who:
                    self.posts[text] = (made, author, audience, False)
        else:
            self.owner.execute(
                "INSERT INTO troth.membership (subject, organization, role) VALUES (%s, %s, 'member')",
                (self.harbor.people[who].subject, self.harbor.organization),
            )
            self.members.add(who)

    def sign(self, who: str) -> None:
        """Sign out, or in again."""
        subject, token = self.harbor.people[who].subject, self.harbor.people[who].token
        if who in self.signed:
            self.owner.execute("DELETE FROM troth.request_token WHERE subject = %s", (subject,))
        elif who not in self.agreed:
            return  # whoever has agreed to nothing is let in nowhere
        else:
            open_token = "SELECT troth.open_token(%s, sha256(%s), statement_timestamp() + interval '1 hour')"
            self.owner.execute(open_token, (subject, token.encode()))
        self.signed ^= {who}

    def agree(self, who: str) -> None:
        """Be in no purpose and no audience, as before agreeing to what widened all; or in them again."""
        subject = self.harbor.people[who].subject
        if who in self.agreed:
            self.owner.execute("DELETE FROM troth.agreement WHERE subject = %s", (subject,))
            self.owner.execute("SELECT troth.fold(%s)", (subject,))
        else:
            newest = self.owner.execute("SELECT version, digest, terms_digest FROM troth.policy_version").fetchone()
            assert newest is not None
            with connect.acting("door") as door:
                door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", (subject, *newest))
        self.agreed ^= {who}

    def as_it_should_be(self) -> None:
        for reader in WHO:
            assert read(self.harbor.people[reader]) == self.reads(reader), reader
        assert read(None) == self.reads(None)

    def tidy(self) -> None:
        """Leave the cast as they were."""
        self.owner.execute("DELETE FROM troth.post")
        for who in WHO:
            if who not in self.agreed:
                self.agree(who)
            if who not in self.signed:
                self.sign(who)
        for who in ("bob", "charlie"):
            if (who in self.members) is not (who == "bob"):
                self.turn(who)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(STEPS, min_size=4, max_size=14))
def test_posts_reach_whom_they_should(owner: Connection[Any], harbor: Harbor, steps: list[tuple[Any, ...]]) -> None:
    world = World(harbor, owner)
    try:
        for name, *rest in steps:
            getattr(world, name)(*rest)
            world.as_it_should_be()
    finally:
        world.tidy()
