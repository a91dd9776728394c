"""Checkpoints and proofs: who signed is believed, and nothing that was changed on the way."""

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.ledger.test_tree import TREE
from troth.ledger import signednote, tree
from troth.ledger.errors import CheckpointRefusal
from troth.ledger.proofs import Proof
from troth.ledger.signednote import Checkpoint, Key

#: A key as another program (Go's sumdb/note) writes it.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NAME = "harbor.example/ledger"
KEY = Key.of(NAME, SIGNER)
HEAD = Checkpoint(NAME, 600, tree.root(600, TREE.node))


def test_a_key_that_another_program_wrote_is_read() -> None:
    assert Key.read(PETER).written == PETER


def test_a_key_is_read_as_it_is_written() -> None:
    assert Key.read(KEY.written) == KEY
    for broken in (KEY.written[:-4], KEY.written.replace("+", "+0", 1), "harbor.example", "", "a+b+c"):
        with pytest.raises(CheckpointRefusal):
            Key.read(broken)


def test_a_checkpoint_comes_back_whole() -> None:
    note = signednote.signed(HEAD.text, [(NAME, SIGNER)])
    assert signednote.opened(note, [KEY]) == HEAD
    assert note.startswith(f"{NAME}\n600\n{base64.b64encode(HEAD.root).decode()}\n\n\u2014 {NAME} ")


def test_no_byte_of_a_checkpoint_can_be_another() -> None:
    note = signednote.signed(HEAD.text, [(NAME, SIGNER)])
    for place in range(len(note) - 1):
        broken = note[:place] + chr(ord(note[place]) ^ 1) + note[place + 1 :]
        with pytest.raises(CheckpointRefusal):
            signednote.opened(broken, [KEY])


def test_a_signature_of_somebody_else_counts_for_nothing() -> None:
    stranger = Ed25519PrivateKey.generate()
    for signers in ([], [(NAME, stranger)], [("other.example", SIGNER)]):
        with pytest.raises(CheckpointRefusal, match="none of the keys"):
            signednote.opened(signednote.signed(HEAD.text, signers), [KEY])
    both = signednote.signed(HEAD.text, [("witness.example", stranger), (NAME, SIGNER)])
    assert signednote.opened(both, [KEY]) == HEAD


def proof(index: int) -> Proof:
    note = signednote.signed(HEAD.text, [(NAME, SIGNER)])
    return Proof(index, tuple(tree.inclusion(index, HEAD.size, TREE.node)), note)


def test_a_proof_comes_back_and_shows_its_entry_alone() -> None:
    told = Proof.read(proof(77).text)
    assert told == proof(77)
    assert told.shows(b"77", [KEY]) == HEAD
    with pytest.raises(CheckpointRefusal, match="does not stand at 77"):
        told.shows(b"78", [KEY])


def test_what_is_no_proof_is_said_to_be_none() -> None:
    text = proof(77).text
    for broken in (
        "",
        text[:40],
        text.replace("index 77", "index 077"),
        text.replace("@v1", "@v2"),
        re.sub("=\n", "\n", text, count=1),
    ):
        with pytest.raises(CheckpointRefusal):
            Proof.read(broken).shows(b"77", [KEY])
