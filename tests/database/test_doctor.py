"""`troth doctor` finds what is wrong, says what to do, and ends with 1 when something fails."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from psycopg import Connection

from troth.cli import certificates
from troth.cli.doctor import doctor
from troth.database import place, versions
from troth.database.place import Place


def findings(*arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    done = CliRunner().invoke(doctor, ["--format", "json", *arguments], catch_exceptions=False)
    return done.exit_code, {finding["check"]: finding for finding in json.loads(done.stdout)}


def test_a_sound_service_passes(database: Place) -> None:
    certificates.ensure(database.data / "tls", [])
    with place.lock(database.data):
        code, found = findings()
    assert (code, {check: each["verdict"] for check, each in found.items() if each["verdict"] != "ok"}) in (
        (0, {}),
        (0, {"users": "warn"}),
        (0, {"disk": "warn"}),
    )


def test_without_a_keeper_it_fails(database: Place) -> None:
    code, found = findings()
    assert code == 1
    assert found["keeper"]["verdict"] == "fail"
    assert found["keeper"]["advice"] == "start `troth serve`"
    assert str(database.data) in found["keeper"]["found"]


def test_the_whole_reason_of_a_database_that_is_away_stands_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TROTH_DATA", str(tmp_path))
    _, found = findings()
    said = found["postgresql"]["found"]
    assert said.startswith("does not answer: connection ")
    assert "No such file or directory Is the server running" in said
    assert "\t" not in said


def test_what_the_policy_did_not_make_is_drift(owner: Connection[Any]) -> None:
    owner.execute("GRANT SELECT ON troth.person TO troth_understand")
    code, found = findings()
    assert code == 1
    assert found["drift"]["verdict"] == "fail"


def test_a_flawed_server_fails(database: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "of", lambda _connection: versions.ServerVersion(180001))
    _, found = findings()
    assert found["postgresql"]["verdict"] == "fail"
    assert "CVE-2024-10976" in found["postgresql"]["found"]
    assert database.database == "troth"


def test_a_certificate_that_ends_is_told(database: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (database.data / "tls" / "server.pem").unlink(missing_ok=True)
    monkeypatch.setattr(certificates, "LEAF", timedelta(days=5))
    certificates.ensure(database.data / "tls", [])
    _, found = findings()
    assert found["tls"]["verdict"] == "warn"
    (database.data / "tls" / "server.pem").write_text("torn")
    code, found = findings()
    assert (code, found["tls"]["verdict"]) == (1, "fail")
    (database.data / "tls" / "server.pem").unlink()


def test_a_mail_server_that_does_not_answer_fails(database: Place) -> None:
    _, found = findings("--mail", "smtp://127.0.0.1:1")
    assert found["mail"]["verdict"] == "fail"
    assert database.database == "troth"
