"""Each policy that comes with troth, served for real: sign up, agree, verify, look, choose, close."""

import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import psycopg
import pytest

from tests.serving import Serving
from troth.database.catalog import load
from troth.policy import parse
from troth.policy.meaning import Basis, Occasion, Policy
from troth.policy.plan import plan
from troth.policy.planned import Plan

FOLDER = Path(__file__).parents[2] / "policies"
NAMES = sorted(file.stem for file in FOLDER.glob("*.troth"))
PASSWORD = "seven herons over a grey quay"
FIELDS = {"email": "person.email", "name": "person.name", "password1": "person.password"}
NO = {Basis.CONSENT: "withdrawal", Basis.LEGITIMATE_INTEREST: "objection"}
YES = {Basis.CONSENT: "consent", Basis.LEGITIMATE_INTEREST: "permission"}


class House:
    """A policy that is served, with what it means."""

    def __init__(self, name: str, service: Serving) -> None:
        self.service = service
        self.policy: Policy = parse.read((FOLDER / f"{name}.troth").read_text(encoding="utf-8"), name)
        self.plan: Plan = plan(self.policy, load())

    @property
    def asked(self) -> set[str]:
        collections = self.policy.collections
        return {c for each in collections if each.occasion is Occasion.SIGN_UP for c in each.categories}

    def shown(self, table: str) -> set[str]:
        return {own.column for own in self.plan.own if (own.table, own.privilege) == (table, "select")}

    def rows(self, purpose: str, whose: uuid.UUID) -> int:
        """Return how many persons a purpose sees of somebody, on a connection of its own."""
        with self.service.connect(purpose) as connection:
            row = connection.execute("SELECT count(*) FROM troth.person WHERE subject = %s", (whose,)).fetchone()
        assert row is not None
        return int(row[0])


class Stranger:
    """A browser that sends what it was given."""

    def __init__(self, service: Serving) -> None:
        self.service = service
        trust = ssl.create_default_context(cafile=str(service.data / "tls" / "ca.pem"))
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=trust), urllib.request.HTTPCookieProcessor(CookieJar())
        )
        self.page, self.at = "", ""

    def go(self, path: str, told: dict[str, str] | None = None) -> int:
        """Open a page, or send a form to it with what protects the form; follow where it leads."""
        headers = {"Referer": f"{self.service.address}{path}", "Accept-Language": "en"}
        if told is not None:
            told |= {"csrfmiddlewaretoken": self.written("csrfmiddlewaretoken")}
        data = None if told is None else urllib.parse.urlencode(told).encode()
        request = urllib.request.Request(self.service.address + path, data, headers)  # noqa: S310 - our own service
        try:
            with self.opener.open(request, timeout=30) as answer:
                self.page, self.at, status = answer.read().decode(), answer.url, answer.status
        except urllib.error.HTTPError as error:
            self.page, self.at, status = error.read().decode(), error.url or "", error.code
        return int(status)

    def written(self, field: str, after: str = "") -> str:
        found = re.search(rf'name="{field}" value="([^"]+)"', self.page[self.page.index(after) :])
        assert found, self.page
        return found.group(1)

    def fields(self) -> set[str]:
        return set(re.findall(r'<input type="(?:text|email|password)" name="(\w+)"', self.page))

    def sign_up(self, email: str, told: dict[str, str]) -> None:
        """Go the whole way in."""
        assert self.go("/sign-up", told | {"email": email, "password1": PASSWORD}) == 200, self.page
        assert self.at.endswith("/agree")
        agreed = {name: self.written(name) for name in ("policy", "terms")} | {"answer": "agree"}
        assert self.go("/agree", agreed) == 200, self.page
        assert self.go("/sign-up/verify", {"code": code(self.service), "action": "verify"}) == 200, self.page


def code(service: Serving) -> str:
    """Return the code in the mail that the terminal shows."""
    deadline = time.monotonic() + 15
    while not (found := re.findall(r"\b([A-Z0-9]{4}-[A-Z0-9]{4})\b", service.said)):
        assert time.monotonic() < deadline, service.said
        time.sleep(0.1)
    return str(found[-1])


@pytest.fixture(scope="module", params=NAMES)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp(request.param) / "data"
    service = Serving(data, arguments=("--dev", "--policy", str(FOLDER / f"{request.param}.troth")))
    try:
        yield House(request.param, service.start())
    finally:
        service.stop()


def test_the_whole_way_in_and_out_under_each_policy(house: House) -> None:
    alice, named = Stranger(house.service), "person.name" in house.asked
    assert alice.go("/sign-up") == 200
    assert alice.fields() == {field for field, category in FIELDS.items() if category in house.asked}
    alice.sign_up("alice@harbor.example", {"name": "Alice Okafor"})  # sent even where it was not asked for
    assert alice.at.endswith("/me"), alice.at
    assert "Your data" in alice.page
    assert ("Alice Okafor" in alice.page) is named
    assert ("alice@harbor.example" in alice.page) is ("email" in house.shown("person"))

    with house.service.connect("door") as door:
        row = door.execute("SELECT subject FROM troth.people_account").fetchone()
    assert row is not None
    subject = row[0]

    assert alice.go("/me/accesses") == 200
    assert alice.go("/api/v1/me") == 200
    held = json.loads(alice.page)
    assert (held["profile"]["email"], held["profile"]["name"]) == (
        "alice@harbor.example",
        "Alice Okafor" if named else None,
    )
    assert len(held["agreements"]) == 1
    correctable = any((o.column, o.privilege) == ("name", "update") for o in house.plan.own)
    assert alice.go("/me/name") == (200 if correctable else 404)

    readers = {reading.purpose for reading in house.plan.readings if reading.table == "person"}
    for purpose in house.policy.purposes:
        if purpose.basis in NO:
            for kind, there in ((YES[purpose.basis], 1), (NO[purpose.basis], 0)):
                assert alice.go("/me") == 200
                answer = {"kind": kind, "seen": alice.written("seen", f'action="/me/purposes/{purpose.name}"')}
                assert alice.go(f"/me/purposes/{purpose.name}", answer) == 200, purpose.name
                assert purpose.name not in readers or house.rows(purpose.name, subject) == there
        elif purpose.name in readers:
            assert house.rows(purpose.name, subject) == 1

    assert alice.go("/me/close") == 200
    assert alice.go("/me/close", {"password": PASSWORD}) == 200
    assert alice.at.endswith("/closed"), alice.at
    alice.go("/me")
    assert "/sign-in" in alice.at
    assert "no drift" in house.service.run("policy", "drift").stdout
    assert "Traceback" not in house.service.said


def test_the_demonstration_fills_a_service_under_the_policy_that_asks_least(tmp_path: Path) -> None:
    shop = str(FOLDER / "shop-newsletter.troth")
    service = Serving(tmp_path / "data", arguments=("--demo", "--policy", shop)).start()
    try:
        assert "26 people and" in service.said
        with service.connect("announce") as connection:
            told = connection.execute("SELECT count(*) FROM person WHERE email LIKE '%@harbor.example'").fetchone()
        assert told is not None
        assert 0 < told[0] < 26
    finally:
        service.stop()


def test_what_no_clause_collects_the_door_cannot_store_under_any_policy(house: House) -> None:
    for name, category in (("email", "person.email"), ("name", "person.name")):
        try:
            with house.service.connect("door") as door:
                subject = uuid.uuid4()
                door.execute("SELECT troth.claim(%s)", (subject,))
                door.execute("INSERT INTO troth.subject (subject, kind) VALUES (%s, 'person')", (subject,))
                door.execute(f"INSERT INTO troth.person (subject, {name}) VALUES (%s, 'x')".encode(), (subject,))
                door.rollback()
            stored = True
        except psycopg.errors.InsufficientPrivilege:
            stored = False
        assert stored is (category in house.asked), name
