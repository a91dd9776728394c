"""`DATABASE_URL`: a server of the operator's own, whose owner is no superuser, and the servers that are refused."""

import json
import os
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.conftest import POLICY, QUICK
from tests.faults.test_kills import sign_up
from tests.serving import TROTH, Serving, free_port
from troth.database import connect, embedded, place, versions
from troth.database.errors import AddressRefusal, VersionRefusal
from troth.database.place import Place

pytestmark = pytest.mark.xdist_group("faults")


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Another PostgreSQL on loopback, with a database whose owner may make roles and nothing more."""
    data, port = tmp_path / "other", free_port()
    place.prepare(data)
    monkeypatch.setattr(embedded, "ACCESS", embedded.ACCESS + "host all all 127.0.0.1/32 scram-sha-256\n")
    server = embedded.Server(
        replace(embedded.located(data), port=port),
        settings=QUICK | {"listen_addresses": "127.0.0.1", "port": str(port)},
    )
    server.start()
    with connect.owning(server.place, database="postgres") as owner:
        owner.execute("CREATE ROLE harbor LOGIN CREATEROLE NOSUPERUSER PASSWORD 'secret'")
        owner.execute("CREATE DATABASE hosted OWNER harbor")
    yield f"postgresql://harbor:secret@127.0.0.1:{port}/hosted"
    server.stop()


def test_a_database_of_ones_own_serves_without_a_superuser(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    service = Serving(tmp_path / "data")
    service.start()
    try:
        server = service.children()["server"][0]
        assert b"secret" not in Path(f"/proc/{server}/environ").read_bytes()
        trust = ssl.create_default_context(cafile=str(service.data / "tls" / "ca.pem"))
        urllib.request.urlopen(f"{service.address}/policy", context=trust).read()  # noqa: S310 - https, on loopback
        deadline = time.monotonic() + 10
        while not json.loads(
            service.run("query", "--purpose", "understand", "--format", "json", "select url from access").stdout
        ):
            assert time.monotonic() < deadline
            time.sleep(0.3)
        ann = service.run("analyst", "add", "ann", "--purpose", "understand").stdout.strip()
        with psycopg.connect(ann) as connection:
            assert connection.execute("SELECT count(*) > 0 FROM access").fetchone() == (True,)
        service.run("policy", "drift")
        service.run("analyst", "remove", "ann")
        service.run("policy", "drift")
        refused = service.run("backup", "create", str(tmp_path / "backup"), check=False)
        assert "no superuser" in refused.stderr
    finally:
        service.stop()


def test_its_owner_exports_and_erases_whole_persons_though_bound_by_row_security(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    service = Serving(tmp_path / "data")
    service.start()
    try:
        (alice, token), (bob, other) = (sign_up(service, name) for name in ("Alice", "Bob"))
        with service.connect("intake") as intake:
            intake.execute(
                "INSERT INTO troth.access (subject, at, id, url) VALUES (%s, statement_timestamp(), uuidv7(), '/mine')",
                (alice,),
            )
        told = json.loads(service.run("export", f"{token}@x.example").stdout)
        rows = {table["table"]: table["rows"] for table in told["tables"]}
        assert [row["values"]["url"] for row in rows["access"]] == ["/mine"]
        assert {len(rows[name]) for name in ("subject", "person", "agreement", "permitted", "request_token")} == {1}
        assert len(rows["ledger_salt"]) == 1
        assert other not in str(told)
        assert str(bob) not in str(told)
        preview, done = (
            json.loads(service.run("erase", str(alice), flag, "--format", "json").stdout)["tables"]
            for flag in ("--preview", "--yes")
        )
        assert [each["at_once"] for each in preview] == [each["at_once"] for each in done]
        assert {each["table"] for each in done if each["at_once"]} == {"request_token"}
        service.run("policy", "drift")
    finally:
        service.stop()


def test_its_owner_simulates_a_version_for_everybody_and_for_one_person(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    service, new = Serving(tmp_path / "data"), tmp_path / "new.troth"
    text = POLICY.read_text(encoding="utf-8").replace("version 1 effective", "version 2 effective")
    new.write_text(text.replace("then 365 days", "then 400 days"), encoding="utf-8")
    service.start()
    try:
        (_, token), _ = (sign_up(service, name) for name in ("Alice", "Bob"))
        everybody = json.loads(service.run("policy", "simulate", str(new), "--format", "json", "--on", address).stdout)
        alice = json.loads(
            service.run("policy", "simulate", str(new), "--format", "json", "--person", f"{token}@x.example").stdout
        )
        assert [said["again"] for said in (everybody, alice)] == [2, 1]
        for said, people in ((everybody, 2), (alice, 1)):
            seen = {(s["purpose"], s["table"]): s for s in said["sights"] if s["whose"] == "person"}
            sight = seen["provide", "person"]
            assert [sight[when]["people"] for when in ("before", "at_once", "agreed")] == [people, 0, people]
    finally:
        service.stop()


def test_an_older_or_flawed_server_is_refused() -> None:
    for number, words in ((170009, "too old"), (180001, "known flaws"), (160000, "too old")):
        with pytest.raises(VersionRefusal, match=words):
            versions.check(versions.ServerVersion(number))
    versions.check(versions.ServerVersion(180006))
    versions.check(versions.ServerVersion(190000))


@pytest.mark.asvs("12.3.1")
def test_plain_text_beyond_this_machine_is_refused(tmp_path: Path) -> None:
    for url in (
        "postgresql://a:b@db.example/troth?sslmode=disable",
        "postgresql://a:b@db.example/troth?sslmode=prefer",
    ):
        with pytest.raises(AddressRefusal, match="unprotected"):
            connect.external(url, Place(data=tmp_path, host=""))
    assert dict(connect.external("postgresql://a:b@db.example/troth", Place(data=tmp_path, host="")).tls) == {
        "sslmode": "verify-full"
    }


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://a@b/c", "troth speaks PostgreSQL only"),
        ("postgresql://a:b@127.0.0.1:1/troth", "does not answer"),
        ("postgresql://a:b@127.0.0.1:x/troth", "is no number"),
        ("postgresql://127.0.0.1/troth", "names no user"),
    ],
)
def test_a_wrong_address_is_said_in_a_sentence(url: str, words: str, tmp_path: Path) -> None:
    command = [str(TROTH), "serve", "--port", str(free_port()), "--data", str(tmp_path / "data")]
    done = subprocess.run(
        command, env=os.environ | {"DATABASE_URL": url}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
