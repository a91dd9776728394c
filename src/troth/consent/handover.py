"""Another owner (P40): the successor signs what is in force, keys roll, and nobody's agreement or standing changes.

The successor's keys lie beside those of now. One transaction lets the new key sign the version in force and the one
that waits, writes the ledger's entry and the row that names all keys; the old ledger key then signs a head that holds
the entry, so that whoever believes the old key learns the new ones from it. Only then do the keys change places. A stop
at any point is gone on from at the keeper's next turn; before the transaction nothing has happened at all.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection
from psycopg.rows import class_row

from troth.consent import scheduling
from troth.database import connect, place, requests, signatures, succession
from troth.database.errors import DatabaseRefusal, RequestRefusal
from troth.database.keeper import Keeper
from troth.database.place import Place, Secrets
from troth.database.statements import load
from troth.ledger import published, sealing, sequencing
from troth.ledger.actions import record
from troth.ledger.entry import Facts
from troth.ledger.errors import LedgerRefusal
from troth.ledger.signednote import Key
from troth.people import keys

SQL = load("troth.consent")
KIND = "owner.change"

type Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """When the service changed owner and which version the successor signed; the keys before and after (32 bytes each).

    `leaf` is the ledger's entry `entry`, and `proof` (tlog-proof) shows it under a head that the old ledger key signed;
    both are None for the moment until that head is signed.
    """

    at: datetime
    version: int
    old_operator: bytes
    old_ledger: bytes
    old_receipts: bytes
    operator: bytes
    ledger: bytes
    receipts: bytes
    entry: int
    leaf: str | None
    proof: str | None


def changes(role: str = "door") -> Sequence[Change]:
    """Return every change of owner, the newest first."""
    with connect.acting(role) as connection, connection.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(SQL["owner_changes"].encode()).fetchall()


def told_of(changed: Change, origin: str) -> Told:
    """Return a change as `/ledger/keys` tells it: keys as verifiers take them, the entry and its proof as text."""
    writers: Mapping[str, Callable[[bytes], str]] = {
        "operator": sealing.multikey,
        "ledger": lambda public: Key(origin, public).written,
        "receipts": sealing.multikey,
    }
    rolled = {
        name: {"before": write(getattr(changed, f"old_{name}")), "after": write(getattr(changed, name))}
        for name, write in writers.items()
    }
    told: Told = {"at": changed.at.isoformat(), "version": changed.version, "keys": rolled, "entry": changed.entry}
    return told | {"leaf": changed.leaf, "proof": changed.proof}


def ask(operator: Ed25519PrivateKey | None) -> Told:
    """Lay the successor's keys out and ask the keeper to hand over; return version, entry and the new key (Multikey).

    Raises RequestRefusal; nothing has changed then.
    """
    secrets = place.secrets_of(place.current())
    there = succession.laid_out(secrets)
    if there is not None and any(each.operator == _operator(there) for each in changes()):
        raise RequestRefusal("a change of owner is being finished", advice="`troth serve` finishes it when it runs")
    laid = _operator(succession.lay_out(secrets, operator))
    told: Told = {"operator": laid.hex(), "until": time.time() + requests.PATIENCE}
    return requests.ask(KIND, told) | {"operator": sealing.multikey(laid)}


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who now hands the service over, and finishes what was begun."""

    def finish(connection: Connection[Any]) -> None:
        if succession.laid_out(place.secrets_of(keeper.where)) is None:
            return
        try:
            _finish(connection, keeper.where)
        except LedgerRefusal as refusal:
            keeper.tell(str(refusal))

    def hand_over(connection: Connection[Any], told: Told) -> Told:
        return _hand_over(connection, keeper.where, told)

    keeper.kinds = {**keeper.kinds, KIND: hand_over}
    # Before anything that is asked: the old key signs nothing more once the new one took over.
    keeper.first = (*keeper.first, finish)
    return keeper


def _hand_over(connection: Connection[Any], where: Place, told: Told) -> Told:
    """Let the successor, whose keys are laid out, sign what is in force, and their keys be those of now.

    Raises RequestRefusal; nothing has changed then.
    """
    now = place.secrets_of(where)
    then = succession.laid_out(now)
    if then is None or _operator(then).hex() != told["operator"]:
        raise RequestRefusal("the successor's keys are not there", advice="run `troth owner change` again")
    try:
        _ensure_new(connection, _operator(then), told)
        sequencing.sequence(connection, where)
        with connection.transaction():
            version = signatures.countersign(connection, then.operator)
            scheduling.countersign(connection, then.operator)
            entry = _written(connection, version, _public(now), _public(then))
            keys.turn(connection, where)
    except (DatabaseRefusal, LedgerRefusal) as refusal:
        succession.clear(now)
        raise RequestRefusal(refusal.sentence, advice=refusal.advice) from refusal
    with suppress(LedgerRefusal):  # told at each turn, until it can be finished
        _finish(connection, where)
    return {"version": version, "entry": entry}


def _ensure_new(connection: Connection[Any], operator: bytes, told: Told) -> None:
    if float(told["until"]) < time.time():
        raise RequestRefusal("nobody waits for this answer any more", advice="run `troth owner change` again")
    if signatures.known(connection, operator):
        raise RequestRefusal("this key is or was an owner's here", advice="let the successor make a new one")


def _written(connection: Connection[Any], version: int, before: dict[str, bytes], after: dict[str, bytes]) -> int:
    facts: Facts = {"version": version}
    facts |= {f"old_{name}": key.hex() for name, key in before.items()}
    facts |= {name: key.hex() for name, key in after.items()}
    entry = record(connection, action="owner-changed", actor=None, subject=None, facts=facts)
    told: Told = {"version": version, "entry": entry, **after}
    told |= {f"old_{name}": key for name, key in before.items()}
    connection.execute(SQL["add_owner_change"].encode(), told)
    return entry


def _finish(connection: Connection[Any], where: Place) -> None:
    """Put the keys of an agreed change in their place, after the old ledger key has shown its entry."""
    secrets = place.secrets_of(where)
    then = succession.laid_out(secrets)
    if then is None:
        return
    row = connection.execute(SQL["agreed_change"].encode(), {"operator": _operator(then)}).fetchone()
    if row is None:
        return
    entry, proven = row
    if not proven:
        sequencing.sequence(connection, where)
        leaf, proof = published.proven(connection, entry)
        told = {"entry": entry, "leaf": leaf.decode(), "proof": proof.text}
        connection.execute(SQL["prove_owner_change"].encode(), told)
    for name in succession.NAMES[:-1]:
        succession.put_in_place(secrets, name)
    sequencing.sign_again(connection, where)
    succession.put_in_place(secrets, succession.OPERATOR)
    succession.clear(secrets)


def _operator(secrets: Secrets) -> bytes:
    return secrets.operator.public_key().public_bytes_raw()


def _public(secrets: Secrets) -> dict[str, bytes]:
    held = {"operator": secrets.operator, "ledger": secrets.ledger, "receipts": secrets.receipts}
    return {name: key.public_key().public_bytes_raw() for name, key in held.items()}
