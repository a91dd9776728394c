"""P14: logs hold nobody. Somebody does much, well and badly, is erased, and is looked for in every file and every printed line."""

import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg import sql
from requests.adapters import HTTPAdapter

from tests.intake.sending import Application, event, registered
from tests.notices.mailing import Sink, listening
from tests.serving import Serving
from troth.cli.serve import briefly
from troth.database import connect, place

pytestmark = pytest.mark.xdist_group("faults")
EMAIL, NAME, PASSWORD = "zenobia.canary@harbor.example", "Zenobia Canaryfield", "nine otters under a red canary bridge"
WORD = "canary-word-5d1e"
#: A machine of hers: no other line of the service has a reason to name it.
ADDRESS = "127.0.0.77"
#: PostgreSQL's own folder, which rights and windows govern; and the secrets of the place, random bytes of before anybody.
OTHERS = {"cluster", "secrets", "socket"}


class From(HTTPAdapter):
    """Comes from an address of one's own."""

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, source_address=(ADDRESS, 0), **named)


@dataclass(slots=True)
class Visitor:
    """Somebody's browser against the real service."""

    service: Serving
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False
        self.session.verify = str(self.service.data / "tls" / "ca.pem")
        self.session.mount("https://", From())
        self.session.headers["User-Agent"] = f"Firefox {WORD}"

    def get(self, path: str) -> str:
        return self.session.get(self.service.address + path, timeout=60).text

    def post(self, page: str, told: dict[str, str], path: str = "") -> requests.Response:
        form = self.get(page)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        token = {"csrfmiddlewaretoken": found[1]} if found else {}
        hidden = dict(re.findall(r'name="(policy|terms|seen)" value="([0-9a-f-]+)"', form))
        return self.session.post(
            self.service.address + (path or page),
            hidden | token | told,
            headers={"Referer": self.service.address + page},
            timeout=60,
        )


@dataclass(frozen=True, slots=True)
class World:
    """A running service, a mail server, and what would tell of her."""

    service: Serving
    sink: Sink
    told: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """She has signed up, done what follows, and is erased."""
    with listening() as sink:
        service = Serving(tmp_path_factory.mktemp("logs") / "data", arguments=("--mail", sink.url)).start()
        try:
            yield World(service, sink, lived(service, sink))
        finally:
            service.stop()


def lived(service: Serving, sink: Sink) -> dict[str, str]:
    """Let her do what people do, and what goes wrong; then erase her. Return what is looked for."""
    visitor = Visitor(service)
    visitor.post("/sign-up", {"email": EMAIL, "name": NAME, "password1": PASSWORD})
    visitor.post("/agree", {"answer": "agree"})
    visitor.post("/sign-up/verify", {"code": code(sink), "action": "verify"})
    assert NAME in visitor.get("/me"), "she is in"
    with owning(service) as owner:
        row = owner.execute("SELECT subject FROM troth.person WHERE email = %s", (EMAIL,)).fetchone()
    assert row is not None
    subject = uuid.UUID(str(row[0]))
    bad_input(service, visitor)
    errors_of_pages(service, visitor)
    token = errors_of_postgresql(service, subject)
    sink.unknown.add(EMAIL)
    visitor.post("/password/forgotten", {"email": EMAIL})  # comes back
    sent_while_away(service, subject, token)
    service.run("export", EMAIL, "--output", str(service.data.with_name("taken.json")))
    service.run("erase", EMAIL, "--yes")
    cookies = {f"cookie {each.name}": str(each.value) for each in visitor.session.cookies if len(str(each.value)) > 10}
    told = {"name": NAME, "surname": NAME.split()[1], "address": EMAIL, "part": EMAIL.partition("@")[0]}
    told |= {"subject": str(subject), "subject in hex": subject.hex, "token": token, "network": ADDRESS}
    return told | {"password": PASSWORD, "word": WORD} | cookies


def bad_input(service: Serving, visitor: Visitor) -> None:
    stranger = Visitor(service)
    stranger.post("/sign-in", {"login": EMAIL, "password": WORD})
    stranger.post("/sign-in", {"login": f"{EMAIL}\x00", "password": WORD * 400})
    stranger.post("/sign-up", {"email": EMAIL, "name": NAME, "password1": PASSWORD})
    stranger.get(f"/no/such/{WORD}?email={EMAIL}&name={NAME}")
    stranger.session.get(service.address + f"/{WORD}", headers={"Host": f"{WORD}.example"}, timeout=60)
    visitor.session.post(service.address + "/me/name", {"name": NAME}, timeout=60)  # no token of the form
    for body in (f'{{"key": "{WORD}"', f'[{{"kind": "{EMAIL}"}}]', b"\xff\xfe" + WORD.encode()):
        headers = {"Authorization": f"Bearer {WORD}"}
        visitor.session.post(service.address + "/intake/v1/events", data=body, headers=headers, timeout=60)
        visitor.session.post(service.address + "/scim/v2/Users", data=body, headers=headers, timeout=60)
        visitor.session.post(service.address + "/connect/token", data=body, headers=headers, timeout=60)


def errors_of_pages(service: Serving, visitor: Visitor) -> None:
    """Let rows that hold her be refused where nothing foresees it: PostgreSQL's own words name the whole row then."""
    with owning(service) as owner:
        owner.execute(
            "ALTER TABLE troth.person ADD CONSTRAINT broken CHECK (name <> 'Zenobia Canaryfield II') NOT VALID"
        )
        owner.execute(sql.SQL("ALTER TABLE troth.access ADD CONSTRAINT broken CHECK (url NOT LIKE {}) NOT VALID").format(
            f"%{WORD}%"))  # fmt: skip
    assert visitor.post("/me/name", {"name": f"{NAME} II"}).status_code == 500
    visitor.get(f"/{WORD}")
    time.sleep(3)  # accesses are stored in batches
    with owning(service) as owner:
        owner.execute("ALTER TABLE troth.person DROP CONSTRAINT broken")
        owner.execute("ALTER TABLE troth.access DROP CONSTRAINT broken")


def errors_of_postgresql(service: Serving, subject: uuid.UUID) -> str:
    """Let each way be refused by the database itself; return a token that she looks with."""
    token = uuid.uuid4().hex
    with service.connect("door") as door:
        door.execute("SELECT troth.open_token(%s, sha256(%s), now() + interval '1 hour')", (subject, token.encode()))
    wrong: list[tuple[str, str, tuple[Any, ...]]] = [
        ("self", "SELECT name FROM troth.person WHERE 1 / (length(email) - length(email)) = 1", ()),
        ("self", "SELECT email::int FROM troth.person", ()),
        ("door", "INSERT INTO troth.person (subject, email, name) VALUES (%s, %s, %s)", (subject, EMAIL, NAME)),
        ("provide", "SELECT %s::int", (EMAIL,)),
        ("provide", f"SELECT '{NAME}'::int", ()),
        ("understand", f'SELECT "{WORD}" FROM access', ()),
    ]
    for role, statement, values in wrong:
        with pytest.raises(psycopg.Error), service.connect(role) as connection:
            connection.execute("SELECT set_config('troth.token', %s, true)", (token,))
            connection.execute(statement.encode(), values)
    return token


def sent_while_away(service: Serving, subject: uuid.UUID, token: str) -> None:
    """Let an application send of her, with and without a database."""
    with owning(service) as owner:
        notes: Application = registered(owner)
    named = uuid.uuid4().hex * 2
    with service.connect("self") as mine:
        mine.execute("SELECT set_config('troth.token', %s, true)", (token,))
        mine.execute("SELECT troth.permit_application(%s, '{}', '{}')", (notes.application,))
    with service.connect("door") as door:
        door.execute("SELECT troth.use_application(%s, %s, %s)", (subject, notes.application, named))
    with owning(service) as owner:
        assert send(service, notes, event("feature_use", named, "canary-key-1")) == 201
        owner.execute("ALTER ROLE troth_intake CONNECTION LIMIT 0")
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'troth_intake'")
        try:
            assert send(service, notes, event("feature_use", named, "canary-key-2")) == 202
            assert any(file.suffix == ".spool" for file in (service.data / "spool").iterdir())
        finally:
            owner.execute("ALTER ROLE troth_intake CONNECTION LIMIT -1")
    until(lambda: not any(file.suffix == ".spool" for file in (service.data / "spool").iterdir()))


def send(service: Serving, notes: Application, body: Any) -> int:
    told, visitor = {"Authorization": f"Bearer {notes.key}"}, Visitor(service)
    return visitor.session.post(service.address + "/intake/v1/events", json=body, headers=told, timeout=60).status_code


def owning(service: Serving) -> Any:
    return connect.owning(place.read(service.data))


def code(sink: Sink) -> str:
    until(lambda: sink.taken)
    text = sink.taken[-1][1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    found = re.search(r"\b([A-Z0-9]{4}-[A-Z0-9]{4})\b", text)
    assert found, text
    return found[1]


def until(holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def files(data: Path) -> dict[str, bytes]:
    """Return every file of the data folder that is searched."""
    found = (file for file in data.rglob("*") if file.is_file() and file.relative_to(data).parts[0] not in OTHERS)
    return {str(file.relative_to(data)): file.read_bytes() for file in found}


def found(world: World) -> set[tuple[str, str]]:
    """Return in which file what of her is found; what the service printed is one, too."""
    held = files(world.service.data) | {"printed": world.service.said.encode()}
    return {
        (name, what)
        for name, content in held.items()
        for what, word in world.told.items()
        if word.encode() in content or word.encode("utf-16-le") in content
    }


def test_nobody_who_was_erased_is_found_in_a_log_or_in_what_was_printed(world: World) -> None:
    held = files(world.service.data)
    assert [name for name in held if name.startswith("log/postgresql-")]
    assert "a page failed: CheckViolation" in world.service.said, "what a log is for is there"
    assert "a notice was not delivered (SMTPRecipientsRefused)" in world.service.said
    assert found(world) == set()
    assert not [name for name in held if name.startswith(("spool/", "exports/")) and not name.endswith("/lock")]


def test_were_postgresqls_errors_logged_she_would_be_found(world: World) -> None:
    """The control taken away."""
    with owning(world.service) as owner:
        owner.execute("ALTER SYSTEM SET log_min_messages = 'error'")
        owner.execute("SELECT pg_reload_conf()")
        try:
            with pytest.raises(psycopg.Error), world.service.connect("provide") as connection:
                connection.execute("SELECT pg_sleep(1)")
                connection.execute(f"SELECT '{NAME}'::int".encode())
            until(lambda: {what for name, what in found(world) if name.startswith("log/")} >= {"name"})
        finally:
            owner.execute("ALTER SYSTEM RESET log_min_messages")
            owner.execute("SELECT pg_reload_conf()")


def test_the_keeper_says_of_a_wrong_value_what_kind_of_error_it_is_and_of_the_rest_what_it_said(world: World) -> None:
    with owning(world.service) as owner:
        for statement, values in (("SELECT %s::int", (WORD,)), ("SELECT %s::uuid", (NAME,))):
            with pytest.raises(psycopg.Error) as refused:
                owner.execute(statement.encode(), values)
            assert briefly(refused.value) == "InvalidTextRepresentation 22P02"
        with pytest.raises(psycopg.Error) as refused:
            owner.execute("SELECT * FROM troth.absent")
    assert briefly(refused.value) == 'relation "troth.absent" does not exist'
