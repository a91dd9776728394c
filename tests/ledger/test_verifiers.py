"""A verifier that somebody else wrote, Go's sumdb, believes what the ledger publishes, and nothing that was changed."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.ledger.test_sequencing import ledger, sign, write
from troth.database.place import Place
from troth.ledger import published, sequencing
from troth.ledger.tiles import Tile, of_size

__all__ = ["ledger"]
SOURCE = Path(__file__).parent / "verifier" / "main.go"
INDEX = 260


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verifier, built from Debian's packages."""
    go = shutil.which("go")
    assert go, "install golang-go and golang-golang-x-mod-dev (Debian)"
    folder = tmp_path_factory.mktemp("verifier")
    told = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    subprocess.run([go, "build", "-o", str(folder / "verifier"), str(SOURCE)], env=dict(os.environ) | told, check=True)
    return folder / "verifier"


@pytest.fixture
def told(ledger: Connection[Any], bare_server: Place, tmp_path: Path) -> Path:
    """A folder with everything that the ledger publishes of 700 entries."""
    write(ledger, 300)
    old = sign(ledger, bare_server)
    write(ledger, 400)
    head = sign(ledger, bare_server)
    entry, proof = published.proven(ledger, INDEX)
    for name, text in {
        "key": sequencing.key(bare_server, head.origin).written,
        "checkpoint": head.note,
        "before": old.note,
        "proof": proof.text,
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "entry").write_bytes(entry)
    for tile in of_size(head.size):
        held = published.tile(ledger, tile, head)
        assert held is not None
        (tmp_path / tile.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / tile.path).write_bytes(held)
    return tmp_path


def judged(verifier: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(verifier), str(folder), str(INDEX)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_believes_head_tiles_proof_and_that_one_follows_the_other(verifier: Path, told: Path) -> None:
    done = judged(verifier, told)
    assert (done.returncode, done.stdout) == (0, "700 entries hold, from 300 on\n"), done.stderr


def flipped(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        raw = bytearray((folder / name).read_bytes())
        raw[40] ^= 1
        (folder / name).write_bytes(raw)

    return change


@pytest.mark.parametrize("name", ["entry", "proof", "checkpoint", "before", Tile(0, 1).path, Tile(1, 0, 2).path])
def test_it_believes_nothing_of_which_a_bit_is_another(verifier: Path, told: Path, name: str) -> None:
    flipped(name)(told)
    assert judged(verifier, told).returncode == 1


def test_it_believes_no_other_key(verifier: Path, told: Path) -> None:
    shutil.copy(told / "key", told / "mine")
    (told / "key").write_text("localhost/ledger+00000000+AQ==", encoding="utf-8")
    assert judged(verifier, told).returncode == 1
