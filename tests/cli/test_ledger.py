"""`troth ledger key`, `checkpoint`, `prove` and `check`: what is handed out is believed without the service."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.ledger.conftest import Connect, bare_server, owner
from tests.ledger.test_sequencing import ledger, sign, write
from troth.cli import ledger as command
from troth.database.place import Place
from troth.ledger import sequencing

__all__ = ["bare_server", "ledger", "owner"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command.ledger, list(arguments), catch_exceptions=False)


@pytest.fixture
def grown(ledger: Connect, bare_server: Place, monkeypatch: pytest.MonkeyPatch) -> sequencing.Head:
    monkeypatch.setenv("TROTH_DATA", str(bare_server.data))
    write(ledger, 9)  # type: ignore[arg-type]
    return sign(ledger, bare_server)  # type: ignore[arg-type]


def test_a_proof_is_checked_with_the_key_alone(grown: sequencing.Head, tmp_path: Path, bare_server: Place) -> None:
    key = run("key").output.strip()
    assert run("prove", "4", "--to", str(tmp_path / "mine")).exit_code == 0
    said = run("check", str(tmp_path / "mine.tlog-proof"), str(tmp_path / "mine.json"), "--key", key)
    assert (said.exit_code, said.output) == (0, "the entry is in the ledger `localhost/ledger` of 9 entries\n")
    (tmp_path / "mine.json").write_bytes(b"{}")
    said = run("check", str(tmp_path / "mine.tlog-proof"), str(tmp_path / "mine.json"), "--key", key)
    assert said.exit_code == 1
    assert "does not stand at 4" in said.output


def test_what_is_not_in_the_tree_is_said(grown: sequencing.Head) -> None:
    said = run("prove", "9")
    assert said.exit_code == 1
    assert "the signed tree has 9 entries, counted from 0; 9 is not among them" in said.output


def test_the_head_is_printed_as_it_was_signed(grown: sequencing.Head) -> None:
    assert run("checkpoint").output == grown.note


def test_verify_looks_at_the_signed_tree_too(grown: sequencing.Head) -> None:
    assert "the signed tree of `localhost/ledger` holds its 9" in run("verify").output
