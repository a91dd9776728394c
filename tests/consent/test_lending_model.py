"""Whatever people offer, answer, narrow, renew and end, PostgreSQL shows what a plain reading of it in memory would."""

import random
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import Connection

from tests.conftest import Person
from tests.consent.lending import NAME, SHOWN, lend, looks, offer
from troth.consent import permissions
from troth.consent.errors import ConsentRefusal
from troth.database import connect

Cast = dict[str, Person]
SEED, STEPS = 20_260_101, 40


@dataclass
class Model:
    """Who may see what of whom, as one would write it down: grant -> (giver, receiver, categories)."""

    standing: dict[uuid.UUID, tuple[str, str, frozenset[str]]] = field(default_factory=dict)

    def visible(self, viewer: str) -> set[tuple[str, str]]:
        """Return (giver, category) of all that a viewer may see."""
        return {(g, c) for g, receiver, categories in self.standing.values() if receiver == viewer for c in categories}


def shown(cast: Cast, viewer: Person) -> set[tuple[str, str]]:
    """Return the same as PostgreSQL shows it to the role `chosen`."""
    names = {person.subject: name for name, person in cast.items()}
    found = set()
    with connect.acting("chosen", token=viewer.token) as looking:
        for category, function in SHOWN.items():
            rows = looking.execute(f"SELECT DISTINCT subject FROM troth.{function}()".encode()).fetchall()
            found |= {(names[subject], category) for (subject,) in rows}
    return found


def step(cast: Cast, model: Model, chance: random.Random) -> str:
    """Do one thing at random, in both."""
    giver, receiver = chance.sample(sorted(cast), 2)
    some = chance.sample(sorted(SHOWN), chance.randint(1, len(SHOWN)))
    which = chance.choice(sorted(model.standing)) if model.standing else None
    what = chance.choice(["lend", "lend", "decline", "narrow", "end", "steal", "widen"])
    later = datetime.now(UTC) + timedelta(days=chance.randint(1, 300))
    if what == "decline":
        permissions.answer(token=cast[receiver].token, link=offer(cast[giver], *some), accepts=False)
    elif what == "lend" or which is None:
        model.standing[lend(cast[giver], cast[receiver], *some)] = (giver, receiver, frozenset(some))
    else:
        _steer(cast, model, (what, which, some, later), chance)
    return what


def _steer(cast: Cast, model: Model, told: tuple[str, uuid.UUID, list[str], datetime], chance: random.Random) -> None:
    what, which, some, later = told
    giver, receiver, categories = model.standing[which]
    if what == "narrow":
        kept = chance.sample(sorted(categories), chance.randint(1, len(categories)))
        made = permissions.change(token=cast[giver].token, given=which, kept=kept, until=later)
        del model.standing[which]
        model.standing[made] = (giver, receiver, frozenset(kept))
    elif what == "end":
        permissions.end(token=cast[chance.choice([giver, receiver])].token, given=which)
        del model.standing[which]
    else:
        thief = chance.choice([name for name in cast if name != giver])
        more = sorted({*categories, *some})
        try:
            permissions.change(token=cast[thief].token, given=which, kept=more, until=later)
        except ConsentRefusal as refusal:
            assert refusal.code == "permission-unknown"
        else:
            raise AssertionError(f"{thief} changed what {giver} granted {receiver}")


def test_what_is_seen_is_what_was_granted(cast: Cast, owner: Connection[Any]) -> None:
    chance, model, done = random.Random(SEED), Model(), []
    for _ in range(STEPS):
        done.append(step(cast, model, chance))
        # Twenty offers a day are enough for people; this test is in more of a hurry.
        owner.execute("UPDATE troth.person_grant SET at = at - interval '25 hours'")
        for name, viewer in cast.items():
            assert shown(cast, viewer) == model.visible(name), (SEED, done, name)
    assert set(done) == {"lend", "decline", "narrow", "end", "steal", "widen"}


def test_without_the_category_the_model_would_disagree(cast: Cast, owner: Connection[Any]) -> None:
    """The control taken away."""
    model = Model({lend(cast["alice"], cast["bob"], NAME): ("alice", "bob", frozenset({NAME}))})
    body = owner.execute("SELECT pg_get_functiondef('troth.live_grants'::regproc)").fetchone()
    assert body is not None
    owner.execute(body[0].replace("AND what = ANY (given.categories)", "").encode())
    assert shown(cast, cast["bob"]) > model.visible("bob")


# Two at once


def at_once(first: Any, second: Any) -> list[str]:
    """Let `second` begin while `first` is done and not committed; return the codes with which either is refused."""
    codes: list[str] = ["", ""]

    def later() -> None:
        try:
            with connect.acting("self", token=second[0]) as connection:
                connection.execute(second[1], second[2])
        except psycopg.Error as error:
            codes[1] = error.sqlstate or "?"

    waiting = threading.Thread(target=later)
    with connect.acting("self", token=first[0]) as connection:
        connection.execute(first[1], first[2])
        waiting.start()
        waiting.join(1)
        assert waiting.is_alive(), "the second waits for the first"
    waiting.join(20)
    return codes


def test_an_offer_that_is_taken_back_while_it_is_accepted_shows_nothing(cast: Cast) -> None:
    alice, bob = cast["alice"], cast["bob"]
    link = offer(alice, NAME)
    digest = permissions._digest(link)
    given = permissions.grants(alice.token)[0].given
    taken_back = (alice.token, "SELECT troth.end_grant(%s)", (given,))
    accepted = (bob.token, "SELECT troth.answer_grant(%s, true)", (digest,))
    assert at_once(taken_back, accepted) == ["", "TR072"]
    assert looks(bob, alice) == set()


def test_an_offer_that_is_accepted_while_it_is_taken_back_ends(cast: Cast) -> None:
    alice, bob = cast["alice"], cast["bob"]
    link = offer(alice, NAME)
    given = permissions.grants(alice.token)[0].given
    accepted = (bob.token, "SELECT troth.answer_grant(%s, true)", (permissions._digest(link),))
    assert at_once(accepted, (alice.token, "SELECT troth.end_grant(%s)", (given,))) == ["", ""]
    assert looks(bob, alice) == set()


def test_two_answers_to_one_link_let_one_person_in(cast: Cast) -> None:
    alice, bob, charlie = cast["alice"], cast["bob"], cast["charlie"]
    digest = permissions._digest(offer(alice, NAME))
    ask = "SELECT troth.answer_grant(%s, true)"
    assert at_once((bob.token, ask, (digest,)), (charlie.token, ask, (digest,))) == ["", "TR072"]
    assert (looks(bob, alice), looks(charlie, alice)) == ({NAME}, set())


def test_who_reads_in_a_long_transaction_holds_up_nobody(cast: Cast) -> None:
    alice, bob = cast["alice"], cast["bob"]
    given = lend(alice, bob, NAME)
    with connect.acting("chosen", token=bob.token) as looking:
        ask = "SELECT count(*) FROM troth.chosen_person_name()"
        assert looking.execute(ask).fetchone() == (1,)
        with connect.acting("self", token=alice.token) as own:
            own.execute("SET LOCAL statement_timeout = '5s'")
            own.execute("SELECT troth.end_grant(%s)", (given,))
        assert looking.execute(ask).fetchone() == (0,)
