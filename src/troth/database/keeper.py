"""The keeper: alone holds the owner's credentials, has no network input, and carries out what signed requests ask."""

import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from psycopg import Connection, Error, OperationalError
from psycopg.types.json import Jsonb

from troth.database import (
    answered,
    apply,
    clocks,
    connect,
    migrating,
    months,
    place,
    probes,
    published,
    retention,
    versions,
)
from troth.database.catalog import load as load_catalog
from troth.database.errors import DatabaseRefusal, RequestRefusal
from troth.database.place import Place
from troth.database.requests import signed
from troth.database.statements import load
from troth.policy.carrying import create_database, password
from troth.policy.errors import PolicyErrors
from troth.policy.roles import ANALYSTS_CONNECTIONS, LOGINS, TWINS

SQL = load("troth.database.sql")
ROUND = 60.0
#: Seconds of a round that retention may take; what is left then is due to the next.
RETAINING = 10.0
#: Seconds that a purpose's statement may last, as its connections are told too; and horizons that are remembered.
LONGEST, HORIZONS = 60.0, 500


class Waiting(RequestRefusal):
    """A request that cannot be answered yet: it is looked at again, behind the others."""

    code = "request-waiting"


@dataclass(slots=True)
class Keeper:
    """One database's keeper. `tell` says what takes long."""

    where: Place
    tell: Callable[[str], None] = lambda _: None
    next_round: float = 0.0
    #: Whether whoever has agreed is in what they agreed to, since the plan was carried out last.
    settled: bool = False
    horizons: deque[tuple[datetime, str]] = field(default_factory=lambda: deque(maxlen=HORIZONS))
    kinds: Mapping[str, Callable[[Connection[Any], dict[str, Any]], dict[str, Any]]] = field(init=False)
    #: What was begun and is gone on from before anything that is asked.
    first: tuple[Callable[[Connection[Any]], None], ...] = ()
    #: What rooms above want done each round, and at each turn.
    chores: tuple[Callable[[Connection[Any]], None], ...] = ()
    always: tuple[Callable[[Connection[Any]], None], ...] = ()
    #: Who may refuse that a policy (its source, the terms) is put into force because the operator's key asks for it.
    judges: tuple[Callable[[Connection[Any], str, str], object], ...] = ()
    #: What is written down of it then, in the transaction of the switch.
    noted: tuple[Callable[[Connection[Any], str, str], None], ...] = ()

    def __post_init__(self) -> None:
        """Know what can be asked."""
        self.kinds = {"policy.apply": self._apply, "analyst.add": self._add, "analyst.remove": self._remove}

    def prepare(self, source: str, terms: str, *, name: str = "policy") -> apply.Outcome:
        """Make database, tables and rules what this troth and the policy say. Safe to repeat, and to kill at any point.

        A policy older than the one in force is not applied: the one in force is.
        """
        self._create()
        with connect.owning(self.where) as connection:
            versions.check(versions.of(connection))
            clocks.check(connection)
            connection.execute("CREATE SCHEMA IF NOT EXISTS troth")
            migrated = migrating.up_to_date(connection)
        if not migrated:
            self.tell("bringing the tables up to date")
            migrating.migrate(self.where)
        with connect.owning(self.where) as connection:
            standing = published.on(connection)
            months.prepare(connection, load_catalog(), standing.plan if standing else None)
            now = apply.newest(connection)
            if now is not None:
                # What is in force stays until somebody publishes; a start only repairs.
                source, terms, name = now.source, now.terms, now.name
            else:
                self.tell("putting the policy into force")
            outcome = apply.apply(connection, source, terms, name=name)
            answered.begin(connection, self.where)
        for stray in outcome.strays:
            self.tell(f"`{stray}` is in the database and no room's: no role reads it; move it elsewhere, or drop it")
        return outcome

    def turn(self) -> None:
        """Answer what was asked, and once a minute keep the house. Called again and again; raises psycopg.Error."""
        with connect.owning(self.where) as connection:
            for each in self.first:
                each(connection)
            for request, kind, payload, signature in connection.execute(SQL["open_requests"].encode()).fetchall():
                try:
                    granted, answer = self._answer(connection, kind, payload, bytes(signature))
                except Waiting:
                    connection.execute(SQL["put_off"].encode(), {"request": request})
                    continue
                told = {"request": request, "granted": granted, "answer": Jsonb(answer)}
                connection.execute(SQL["answer_request"].encode(), told)
            connection.execute(SQL["forget_answer"].encode())
            self._end_old_snapshots(connection)
            for each in self.always:
                each(connection)
            if time.monotonic() >= self.next_round:
                self.next_round = time.monotonic() + ROUND
                self._months(connection)
                self._sweep()
                for chore in self.chores:
                    chore(connection)
                probes.keep(self.where, connection)

    def _end_old_snapshots(self, connection: Connection[Any]) -> None:
        row = connection.execute(SQL["horizon"].encode()).fetchone()
        if row:
            self.horizons.append(row)
        machine = [self.where.owner, *(self.where.role(part) for part in (*LOGINS, *TWINS))]
        told: dict[str, Any] = {"machine": machine, "longest": LONGEST}
        told |= {"moments": [moment for moment, _ in self.horizons], "horizons": [xmin for _, xmin in self.horizons]}
        connection.execute(SQL["end_old_snapshots"].encode(), told)

    def _create(self) -> None:
        if self.where.external:
            return
        with connect.owning(self.where, database="postgres") as connection:
            if not connection.execute(SQL["databases"].encode(), {"name": self.where.database}).fetchone():
                connection.execute(create_database(self.where.database).encode())

    def _months(self, connection: Connection[Any]) -> None:
        now = published.on(connection)
        if now:
            months.prepare(connection, now.catalog, now.plan)
            months.drop_past(connection, now.catalog, now.plan)

    def _sweep(self) -> None:
        retention.run(seconds=RETAINING)
        self._settle()
        until, swept = time.monotonic() + RETAINING, False
        while not swept and time.monotonic() < until:  # some hundred people at a time, until no retired bit is left
            with connect.acting("steward") as connection:
                connection.execute(SQL["sweep"].encode())
                (swept,) = connection.execute(SQL["swept"].encode()).fetchone() or (True,)

    def _settle(self) -> None:
        """Bring in who agreed before a unit was there, a hundred at a time: an earlier troth may not have had it."""
        until = time.monotonic() + RETAINING
        while not self.settled and time.monotonic() < until:
            with connect.acting("steward") as connection:
                (late,) = connection.execute(SQL["fold_late"].encode()).fetchone() or (0,)
            self.settled = late == 0

    def _answer(
        self, connection: Connection[Any], kind: str, payload: str, signature: bytes
    ) -> tuple[bool, dict[str, Any]]:
        try:
            place.secrets_of(self.where).operator.public_key().verify(signature, signed(kind, payload))
            answered.ensure_new(connection, self.where, kind, payload)
        except InvalidSignature:
            return False, {"sentence": "the request's signature does not hold", "advice": "ask with the operator's key"}
        except RequestRefusal as refusal:
            return False, {"sentence": refusal.sentence, "advice": refusal.advice}
        done = self._carried_out(connection, kind, payload)
        answered.remember(self.where, payload)  # before the database says so: a stop in between answers nothing twice
        return done

    def _carried_out(self, connection: Connection[Any], kind: str, payload: str) -> tuple[bool, dict[str, Any]]:
        try:
            return True, self.kinds[kind](connection, json.loads(payload))
        except KeyError:
            return False, {"sentence": f"the keeper knows no request `{kind}`", "advice": "use this version's commands"}
        except Waiting:
            raise
        except DatabaseRefusal as refusal:
            return False, {"sentence": refusal.sentence, "advice": refusal.advice}
        except (PolicyErrors, Error) as error:
            return False, {"sentence": str(error).strip(), "advice": ""}
        except Exception as error:  # noqa: BLE001 - unanswered, it would end every keeper that starts after this one
            sentence = f"the keeper stumbled over this request ({type(error).__name__})"
            return False, {"sentence": sentence, "advice": "nothing was changed; please report it"}

    def _apply(self, connection: Connection[Any], told: dict[str, Any]) -> dict[str, Any]:
        for judge in self.judges:
            judge(connection, told["source"], told["terms"])
        before = apply.newest(connection)

        def note(switching: Connection[Any]) -> None:
            for each in self.noted if before is None or before.source != told["source"] else ():
                each(switching, told["source"], told["terms"])

        outcome = apply.apply(connection, told["source"], told["terms"], and_then=note)
        self.settled = False
        return {
            "version": outcome.version,
            "changed": outcome.changed,
            "widened": list(outcome.widened),
            "verdict": outcome.verdict.name,
        }

    def _add(self, connection: Connection[Any], told: dict[str, Any]) -> dict[str, Any]:
        name, purpose = str(told["name"]), str(told["purpose"])
        if not connect.PART.fullmatch(name) or len(name) > 30:  # noqa: PLR2004 - what the table allows
            raise RequestRefusal(
                f"`{name}` cannot name an analyst", advice="use up to 30 small letters, digits, underscores"
            )
        if len(apply.target_of(connection).analysts) >= ANALYSTS_CONNECTIONS:
            sentence = f"there are {ANALYSTS_CONNECTIONS} analysts, a connection each: the rest is the service's"
            raise RequestRefusal(sentence, advice="remove one first (see `troth analyst list`)")
        if not connection.execute(SQL["add_analyst"].encode(), {"name": name, "purpose": purpose}).rowcount:
            raise RequestRefusal(
                f"there is an analyst `{name}` already", advice="remove them first, or choose another name"
            )
        try:
            self._reapply(connection)
        except DatabaseRefusal:
            connection.execute(SQL["remove_analyst"].encode(), {"name": name})
            raise
        role, word = self.where.role(f"analyst_{name}"), secrets.token_urlsafe(24)
        verifier = connection.pgconn.encrypt_password(word.encode(), role.encode(), b"scram-sha-256")
        connection.execute(password(role, verifier.decode()).encode())
        return {"role": role, "password": word}

    def _remove(self, connection: Connection[Any], told: dict[str, Any]) -> dict[str, Any]:
        name = str(told["name"])
        if not connection.execute(SQL["remove_analyst"].encode(), {"name": name}).rowcount:
            raise RequestRefusal(f"there is no analyst `{name}`", advice="see `troth analyst list`")
        self._reapply(connection)
        connection.execute(SQL["end_sessions"].encode(), {"role": self.where.role(f"analyst_{name}")})
        return {}

    def _reapply(self, connection: Connection[Any]) -> None:
        now = apply.newest(connection)
        if now is None:
            raise RequestRefusal("no policy is in force", advice="apply one first")
        apply.apply(connection, now.source, now.terms, name=now.name)


def reachable(where: Place) -> bool:
    """Whether the owner can connect now."""
    try:
        with connect.owning(where):
            return True
    except OperationalError:
        return False
