"""The keys of whoever takes the service over: laid beside those of now, and put in their place once that is agreed.

What speaks for the owner changes: the key that signs versions and requests, the ledger's, and that of receipts. What
the database derives from (`roles.key`) and what sessions are sealed with (`django.key`) stay, so that nobody is signed
out and nothing hashed under them is lost.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from troth.database.place import Secrets, replace_file, written

FOLDER = "next"
OPERATOR = "operator.key"
#: The operator's last: as long as it is laid out, the change is not whole.
NAMES = ("ledger.key", "receipts.key", OPERATOR)


def lay_out(secrets: Secrets, operator: Ed25519PrivateKey | None = None) -> Secrets:
    """Lay the successor's keys out beside those of now: the operator's as it is given, the others new."""
    folder = secrets.folder / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in NAMES:
        key = operator if operator and name == OPERATOR else Ed25519PrivateKey.generate()
        replace_file(folder / name, written(key), 0o600)
    return Secrets(folder)


def laid_out(secrets: Secrets) -> Secrets | None:
    """Return the successor's keys, if they are laid out whole."""
    folder = secrets.folder / FOLDER
    return Secrets(folder) if (folder / OPERATOR).exists() else None


def put_in_place(secrets: Secrets, name: str) -> None:
    """Let a key of the successor's be the key of now. Safe to repeat, and to kill at any point."""
    laid = secrets.folder / FOLDER / name
    if laid.exists():
        laid.replace(secrets.folder / name)


def clear(secrets: Secrets) -> None:
    """Forget what was laid out and never agreed, or what is empty now."""
    folder = secrets.folder / FOLDER
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)
    if folder.exists():
        folder.rmdir()
