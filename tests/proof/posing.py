"""Play a case on PostgreSQL and in memory at once, and say where the two differ."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import psycopg
from psycopg import Connection, errors

from tests.proof.asking import answered, asked
from tests.proof.cases import BROWSER, Case, Event, Phase
from tests.proof.oracle import LEAST, NOBODY, ROLES, Oracle, Person, Row, coarse
from troth.database import apply, connect, place, signatures
from troth.database.catalog import load
from troth.policy import parse
from troth.policy.catalog import Table
from troth.policy.compare import Verdict
from troth.policy.meaning import Audience, Occasion
from troth.policy.refusing import DECLINED

TERMS = "The terms of the proof."
SPACE = UUID("7f0e1c1e-0000-4000-8000-000000000000")
#: Rows come a few hours off whole days, so that the seconds in which a case is played end no window.
OFF = timedelta(hours=7)
#: The sign of a stamp.
MARK = 1 << 63
#: Emptied before each case, in an order that foreign keys allow.
EMPTIED = "access device person agreement choice notice request_token ledger_salt retention_run permitted subject unit policy_signature version_retention policy_version"
PRIVILEGES = """
SELECT r.rolname, c.relname, a.attname FROM pg_roles AS r, pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'troth'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped AND r.rolname = ANY(%s) AND has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')
"""
#: What is done to the database after each version is applied, where a control is taken away.
type Break = Callable[[Connection[Any]], None]


def plain(value: Any) -> Any:
    """Return a value as both sides write it."""
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return str(value) if type(value).__name__.startswith("IPv") else value


def differing(where: str, wanted: Sequence[Sequence[Any]], got: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Say which rows are missing and which are too many, whatever their order."""
    left, right = (Counter(tuple(map(plain, row)) for row in rows) for rows in (wanted, got))
    for row, many in (left - right).items():
        yield f"{where}: PostgreSQL does not show {row} ({many}x)"
    for row, many in (right - left).items():
        yield f"{where}: PostgreSQL shows {row} too ({many}x)"


@dataclass(slots=True)
class Stage:
    """One database on which cases are played, one after the other."""

    owner: Connection[Any]
    lines: dict[str, tuple[int, Connection[Any]]] = field(default_factory=dict)
    played: int = 0

    def line(self, role: str) -> Connection[Any]:
        """Return a connection of a role, for as long as it is the same role."""
        row = self.owner.execute("SELECT oid FROM pg_roles WHERE rolname = %s", (f"troth_{role}",)).fetchone()
        assert row is not None, role
        known = self.lines.get(role)
        if known is None or known[0] != row[0]:
            if known:
                known[1].close()
            told = connect.parameters(role) | {"autocommit": True, "connect_timeout": 10}
            self.lines[role] = (row[0], Connection.connect(**told))
        return self.lines[role][1]

    def close(self) -> None:
        """Let go of every connection."""
        for _, line in self.lines.values():
            line.close()

    def empty(self) -> None:
        """Forget everybody and every version, as the data folder does."""
        (place.current().data / signatures.FILE).unlink(missing_ok=True)
        self.owner.execute("; ".join(f"DELETE FROM troth.{table}" for table in EMPTIED.split()).encode())
        self.owner.execute(
            f"INSERT INTO troth.subject (subject, kind) VALUES ('{NOBODY}', 'nobody');"
            f" INSERT INTO troth.permitted (subject, uses) VALUES ('{NOBODY}', 0)".encode()
        )

    def play(self, case: Case, broken: Break = lambda _: None) -> list[str]:
        """Play a case and return the differences of the first phase that has any."""
        self.empty()
        self.played += 1
        play = Play(self, Oracle(load(), datetime.now(UTC).replace(microsecond=0)))
        for phase in case.phases:
            play.phase(phase, broken)
            if play.found:
                break
        return play.found


@dataclass(slots=True)
class Play:
    """One case under way: what the oracle knows, and what was found."""

    stage: Stage
    oracle: Oracle
    found: list[str] = field(default_factory=list)
    ended: list[UUID] = field(default_factory=list)
    age: timedelta = timedelta()

    def phase(self, phase: Phase, broken: Break) -> None:
        """Put a version into force, let things happen, and compare."""
        policy = parse.read(phase.policy, "case")
        outcome = self._apply(phase.policy)
        self.oracle.versions.append(policy)
        self.age = timedelta(days=phase.age)
        opened = self.oracle.opening()
        if opened != sorted(outcome.widened):
            self.found.append(f"version {policy.version}: {opened} open anew, PostgreSQL opens {outcome.widened}")
        if opened and len(self.oracle.versions) > 1 and outcome.verdict < Verdict.AGREE_AGAIN:
            self.found.append(f"version {policy.version}: nobody is in {opened}, and nobody is asked to agree again")
        broken(self.stage.owner)
        for event in phase.events:
            self._happens(event)
        self._grow_old()
        if phase.swept and self._sweep():
            self.found += self._stored()
        self._compare(phase)

    def _apply(self, text: str) -> apply.Outcome:
        try:
            return apply.apply(self.stage.owner, text, TERMS)
        except apply.ApplyRefusal:  # a purpose opens for the third time, and the keeper has not swept since
            self._sweep()
            return apply.apply(self.stage.owner, text, TERMS)

    def _sweep(self) -> bool:
        done = False
        with suppress(errors.LockNotAvailable):
            self.stage.line("steward").execute("SELECT troth.sweep()")
            done = True
        self.oracle.sweep()
        return done

    def _stored(self) -> Iterator[str]:
        """What is still there after a sweep. Of an account that ended more may be gone: some of it went at once."""
        ended = {person.subject for person in self.oracle.people.values() if person.ended}
        for table in self.oracle.catalog.stamped:
            rows = self.stage.owner.execute(f"SELECT subject FROM troth.{table.name}".encode()).fetchall()
            got = Counter(subject for (subject,) in rows)
            wanted = Counter(row.subject for row in self.oracle.rows if row.table == table.name)
            for subject in {*got, *wanted}:
                kept, lasting = got[subject], wanted[subject]
                if kept > lasting or (kept < lasting and subject not in ended):
                    yield f"{table.name} of {subject}: PostgreSQL keeps {kept} rows, and {lasting} last"

    # What happens

    def _happens(self, event: Event) -> None:
        what, name = event[0], event[1]
        if what == "join":
            self._join(name)
        elif what == "rows":
            self._store(*event[1:])
        else:
            person = self.oracle.people.get(name)
            if person is not None:
                getattr(self, f"_{what}")(person, *event[2:])

    def _join(self, name: str) -> None:
        subject, kind = uuid5(SPACE, f"{name} {self.stage.played}"), "person"
        if name == BROWSER:
            subject, kind = UUID(int=LEAST.int | subject.int & (1 << 62) - 1), "anonymous"
        self.oracle.people[name] = Person(subject)
        self.stage.owner.execute("INSERT INTO troth.subject (subject, kind) VALUES (%s, %s)", (subject, kind))

    def _agree(self, person: Person) -> None:
        policy = self.oracle.policy
        if person.ended:
            return
        door, token = self.stage.line("door"), self._token(person)
        terms = hashlib.sha256(TERMS.encode()).hexdigest()
        told = (person.subject, policy.version, policy.digest, terms)
        door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", told)
        if policy.version in person.agreed:
            return  # one that comes twice is one
        if not person.agreed:
            digest = hashlib.sha256(token.encode()).digest()
            door.execute("SELECT troth.open_token(%s, %s, now() + interval '1 hour')", (person.subject, digest))
        person.agreed.append(policy.version)
        values = {"version": policy.version, "policy_digest": policy.digest, "terms_digest": terms}
        values |= {"how": "test", "wording": "I agree.", "language": "en"}
        self._came("agreement", person, values)

    def _choose(self, person: Person, purpose: str, kind: str) -> None:
        taken = True
        mine = self.stage.line("self")
        mine.execute("SELECT set_config('troth.token', %s, false)", (self._token(person),))
        try:
            mine.execute("SELECT troth.choose(%s, %s)", (purpose, kind))
        except psycopg.DatabaseError as error:
            assert (error.sqlstate or "").startswith("TR"), error
            taken = False
        if taken != self.oracle.takes(person, purpose, kind):
            self.found.append(f"{kind} about {purpose}: PostgreSQL {'takes' if taken else 'refuses'} it")
        if taken:
            person.choices.append((purpose, kind, self.oracle.policy.version))
            values = {"purpose": purpose, "kind": kind, "version": self.oracle.policy.version}
            self._came("choice", person, values)

    def _end(self, person: Person) -> None:
        if not person.ended:
            self.stage.line("door").execute("SELECT troth.end_subject(%s, 'proof')", (person.subject,))
            person.ended = self.oracle.now - self.age - OFF
            self.ended.append(person.subject)

    def _came(self, table: str, person: Person, values: dict[str, Any]) -> None:
        """Let what a function stored be as old as its phase, in the order in which it came."""
        earlier = [row for row in self.oracle.rows if (row.table, row.subject) == (table, person.subject)]
        at = self.oracle.now - self.age - OFF + timedelta(seconds=len(earlier))
        row = self.stage.owner.execute(
            f"UPDATE troth.{table} SET at = %s WHERE subject = %s AND {table} ="
            f" (SELECT max({table}::text)::uuid FROM troth.{table} WHERE subject = %s) RETURNING {table}".encode(),
            (at, person.subject, person.subject),
        ).fetchone()
        assert row is not None
        version = self.oracle.policy.version
        told = values | {table: row[0]}
        self.oracle.rows.append(Row(table, person.subject, at, Occasion.AGREEMENT, version, told))

    def _store(self, name: str, whose: Sequence[str], age: int, raw: dict[str, Any]) -> None:
        table = self.oracle.catalog.table(name)
        fresh = [row for row in (self._row(table, each, age, raw) for each in whose) if row is not None]
        for row in fresh:
            columns = ["subject", "at", "uses", *row.values]
            marks = ", ".join(["%s"] * len(columns))
            refused = False
            try:
                self.stage.owner.execute(
                    f"INSERT INTO troth.{name} ({', '.join(columns)}) VALUES ({marks})".encode(),
                    [row.subject, row.at, -MARK if row.objecting else 0, *row.values.values()],
                )
            except psycopg.DatabaseError as error:
                assert error.sqlstate == DECLINED, error
                refused = True
            if refused != self.oracle.refuses(row):
                self.found.append(f"{row}: PostgreSQL {'refuses' if refused else 'takes'} it")
            if not refused:
                self.oracle.rows.append(row)

    def _row(self, table: Table, name: str, age: int, raw: dict[str, Any]) -> Row | None:
        """Return a row as the intake would let it in: what is collected, as exactly as some use needs it."""
        person = self.oracle.people.get(name)
        if name != "nobody" and (person is None or person.ended):
            return None
        if name == BROWSER and not table.unknown:
            return None
        subject = person.subject if person else NOBODY
        known = Occasion.COOKIE if name == BROWSER else table.occasions[0]
        occasion = known if person else Occasion.VISIT
        policy, number = self.oracle.policy, len(self.oracle.rows)
        stored = self.oracle.stored(policy, table, occasion)
        values = {column: coarse(raw[column], stored[column]) for column in stored if column in raw}
        if table.name == "device":
            values |= {"device": uuid5(subject, str(raw["device"]))}
        if table.name == "access":
            values |= {"id": uuid5(subject, str(number))}
        key = [column for column in table.key if column not in {"subject", "at"}]
        mine = [row.values for row in self.oracle.rows if (row.table, row.subject) == (table.name, subject)]
        if any(all(each[column] == values[column] for column in key) for each in mine):
            return None
        at = self.oracle.now - timedelta(days=age) - OFF
        at = coarse(at, stored["at"]) if "at" in stored else at
        objecting = table.name in {"access", "device"} and raw.get("objects") == "yes"
        return Row(table.name, subject, at, occasion, policy.version, values, objecting)

    def _grow_old(self) -> None:
        """Let accounts that ended have ended when their phase was."""
        when = self.oracle.now - self.age - OFF
        for table in ("subject", *(t.name for t in self.oracle.catalog.stamped)) if self.ended else ():
            self.stage.owner.execute(
                f"UPDATE troth.{table} SET ended_at = %s WHERE subject = ANY(%s) AND ended_at IS NOT NULL".encode(),
                (when, self.ended),
            )
        self.ended.clear()

    @staticmethod
    def _token(person: Person) -> str:
        return f"token of {person.subject}"

    # What is compared

    def _compare(self, phase: Phase) -> None:
        self.found += self._privileges()
        for purpose in self.oracle.policy.purposes:
            line = self.stage.line(purpose.name)
            for table in self.oracle.catalog.stamped:
                self.found += self._read(line, purpose.name, table)
                self.found += self._numbers(line, purpose.name, table)
                self.found += self.oracle.spilt(purpose.name, table)
            self.found += self._withheld(line, purpose.name)
            for question in phase.questions:
                self.found += self._question(line, purpose.name, question)
        self.found += self._own()
        self.found += self._looked_at()
        told = (
            self.stage.line("steward")
            .execute("SELECT table_name, rows FROM troth.misstamped() WHERE rows > 0")
            .fetchall()
        )
        self.found += [f"misstamped: {each}" for each in told]

    def _privileges(self) -> Iterator[str]:
        wanted = {
            (f"troth_{purpose.name}", table.name, column)
            for purpose in self.oracle.policy.purposes
            for table in self.oracle.catalog.stamped
            for column in self.oracle.columns(purpose.name, table)
        }
        wanted |= {("troth_self", t.name, column) for t in self.oracle.catalog.stamped for column in self.oracle.own(t)}
        wanted |= {
            (f"troth_{role}", table.name, column)
            for audience, role in ROLES.items()
            for table in self.oracle.catalog.stamped
            for column in (*self.oracle.shown(self.oracle.policy, audience, table), *_declared(table, role))
        }
        viewers = {"troth_self", *(f"troth_{role}" for role in ROLES.values())}
        roles = sorted({f"troth_{purpose.name}" for purpose in self.oracle.policy.purposes} | viewers)
        declared = {(viewer, t.name) for t in self.oracle.catalog if not t.stamped for viewer in viewers}
        got = {row for row in self.stage.owner.execute(PRIVILEGES, (roles,)) if row[:2] not in declared}
        yield from (f"privileges: PostgreSQL does not let {role} read {t}.{c}" for role, t, c in sorted(wanted - got))
        yield from (f"privileges: PostgreSQL lets {role} read {t}.{c}" for role, t, c in sorted(got - wanted))

    def _read(self, line: Connection[Any], purpose: str, table: Table) -> Iterator[str]:
        names = self.oracle.columns(purpose, table)
        if names:
            listed = ", ".join(f'"{name}"' for name in names)
            wanted = [tuple(row[name] for name in names) for row in self.oracle.visible(purpose, table)]
            for schema in (purpose, "troth"):
                got = line.execute(f"SELECT {listed} FROM {schema}.{table.name}".encode()).fetchall()
                yield from differing(f"{purpose} reads {listed} of {schema}.{table.name}", wanted, got)
        kept = [column.name for column in table.columns if column.name not in names]
        refused = kept[len(self.oracle.rows) % len(kept)]
        with suppress(errors.InsufficientPrivilege):
            line.execute(f'SELECT "{refused}" FROM troth.{table.name}'.encode())
            yield f"{purpose} reads {refused} of {table.name}"

    def _numbers(self, line: Connection[Any], purpose: str, table: Table) -> Iterator[str]:
        if self.oracle.counts(purpose, table):
            wanted = self.oracle.counted(purpose, table)
            got = line.execute(f"SELECT * FROM {purpose}.{table.name}_counted".encode()).fetchall()
            yield from differing(f"{purpose} counts {table.name}", wanted, got)

    def _withheld(self, line: Connection[Any], purpose: str) -> Iterator[str]:
        wanted = [
            (table.name, column.name)
            for table in self.oracle.catalog
            for column in table.columns
            if column.category and not (table.stamped and column.name in self.oracle.columns(purpose, table))
        ]
        got = line.execute(f'SELECT "table", "column" FROM {purpose}.withheld'.encode()).fetchall()
        yield from differing(f"{purpose} is told what is withheld", wanted, got)

    def _question(self, line: Connection[Any], purpose: str, question: tuple[str, int, int, int]) -> Iterator[str]:
        views = {
            t.name: self.oracle.visible(purpose, t)
            for t in self.oracle.catalog.stamped
            if self.oracle.columns(purpose, t)
        }
        columns = {name: self.oracle.columns(purpose, self.oracle.catalog.table(name)) for name in views}
        if not views:
            return
        posed = asked(question, columns, views, self.oracle.catalog)
        try:
            got: Any = line.execute(posed.sql.encode(), posed.values).fetchall()
        except (errors.InsufficientPrivilege, errors.UndefinedColumn):
            got = None
        wanted = answered(posed, views)
        if wanted is None or got is None:
            if wanted is not got:
                yield f"{purpose} asks {posed.sql}: {'refused' if got is None else 'answered'}"
            return
        yield from differing(f"{purpose} asks {posed.sql} {posed.values}", wanted, got)

    def _looked_at(self) -> Iterator[str]:
        """What everyone signed in and the public see of others; whoever looks first signs in, where somebody can."""
        people = [person for person in self.oracle.people.values() if person.subject < LEAST]
        signed_in = [person for person in people if self.oracle.viewing(person)]
        for audience in (Audience.SIGNED_IN, Audience.PUBLIC):
            line = self.stage.line(ROLES[audience])
            token = self._token(signed_in[0]) if signed_in else "nobody's"
            line.execute("SELECT set_config('troth.token', %s, false)", (token,))
            for table in self.oracle.catalog.stamped:
                names = self.oracle.shown(self.oracle.policy, audience, table)
                if names and (signed_in or audience is Audience.PUBLIC):
                    listed = ", ".join(f'"{each}"' for each in names)
                    got = line.execute(f"SELECT {listed} FROM troth.{table.name}".encode()).fetchall()
                    wanted = [tuple(row[each] for each in names) for row in self.oracle.looked_at(audience, table)]
                    yield from differing(f"{audience} sees {listed} of {table.name}", wanted, got)

    def _own(self) -> Iterator[str]:
        line = self.stage.line("self")
        for name, person in self.oracle.people.items():
            line.execute("SELECT set_config('troth.token', %s, false)", (self._token(person),))
            for table in self.oracle.catalog.stamped:
                names = self.oracle.own(table)
                if names:
                    listed = ", ".join(f'"{each}"' for each in names)
                    got = line.execute(f"SELECT {listed} FROM troth.{table.name}".encode()).fetchall()
                    wanted = [tuple(row[each] for each in names) for row in self.oracle.held(person, table)]
                    yield from differing(f"{name} sees {listed} of {table.name}", wanted, got)


def _declared(table: Table, role: str) -> Iterator[str]:
    """Yield what a room's own declaration lets a role read of a table, whatever the policy says."""
    for access in table.accesses:
        for verb, columns in access.privileges if access.role == role else ():
            yield from columns if verb == "select" else ()
