"""Somebody else's checker passes whole, against the real service over HTTPS."""

import hashlib
import ssl
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import psycopg
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server
from scim2_tester.utils import Status

from tests.conftest import TERMS
from tests.directory.asking import ROLES
from tests.directory.declared import DECLARED, FIELDS, source
from tests.serving import Serving
from troth.database import connect, place

TOKEN = "troth-dir-of-the-checker"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("directory")
    (folder / "holding.troth").write_text(source(version=1), encoding="utf-8")
    (folder / "holding.terms.txt").write_text(TERMS, encoding="utf-8")
    (folder / "holding.fields.toml").write_text(DECLARED, encoding="utf-8")
    arguments = ("--dev", "--policy", str(folder / "holding.troth"))
    serving = Serving(folder / "data", arguments=arguments).start()
    try:
        with psycopg.connect(**connect.parameters("owner", place.read(serving.data)), autocommit=True) as owner:
            _open(owner)
        yield serving
    finally:
        serving.stop()


def _open(owner: psycopg.Connection[Any]) -> None:
    organization = uuid.uuid4()
    owner.execute("INSERT INTO troth.organization (organization, name) VALUES (%s, 'Harbor')", (organization,))
    for role, may in ROLES.items():
        owner.execute("INSERT INTO troth.organization_role VALUES (%s, %s, %s)", (organization, role, may))
    told = (organization, hashlib.sha256(TOKEN.encode()).digest())
    owner.execute(
        "INSERT INTO troth.directory_token (organization, name, digest, until)"
        " VALUES (%s, 'checker', %s, statement_timestamp() + interval '1 hour')",
        told,
    )


@pytest.fixture
def client(service: Serving) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    trusting = ssl.create_default_context(cafile=service.data / "tls" / "ca.pem")
    with httpx2.Client(base_url=f"{service.address}/scim/v2", headers=headers, verify=trusting) as held:
        yield held


@pytest.mark.xdist_group("faults")
def test_scim2_tester_finds_nothing(client: httpx2.Client) -> None:
    results = check_server(SyncSCIMClient(client))
    wrong = [f"{r.title} ({r.resource_type}): {r.reason}" for r in results if r.status is not Status.SUCCESS]
    assert wrong == []
    assert len(results) > 70
    about = [each for each in results if FIELDS in f"{each.title} {each.reason} {each.data}"]
    assert about, "what the operator declared is among what it tried"


@pytest.mark.xdist_group("faults")
def test_who_has_no_token_learns_what_the_service_can_do_and_nothing_else(client: httpx2.Client) -> None:
    nobody = {"Authorization": ""}
    assert client.get("/ServiceProviderConfig", headers=nobody).status_code == 200
    for path in ("/Users", "/Groups", "/Schemas", "/ResourceTypes", "/Me", "/"):
        answer = client.get(path, headers=nobody)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="SCIM"')


@pytest.mark.xdist_group("faults")
def test_addresses_are_the_services_own_whatever_a_request_calls_it(client: httpx2.Client, service: Serving) -> None:
    made = client.post("/Users", json={"userName": "evil"}, headers={"Host": "evil.example"})
    assert made.json()["meta"]["location"].startswith(f"{service.address}/scim/v2/Users/")
