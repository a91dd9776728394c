"""Where everything is: the data folder, the database's address, the secrets."""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from troth.database.errors import FolderInUse, FolderRefusal

DATABASE = "troth"
PORT = 5432  # names the socket's file; the embedded server listens on no network port
FOLDERS = ("socket", "secrets", "tls", "log", "spool")


@dataclass(frozen=True, slots=True)
class Place:
    """A troth's place: `host` is the socket's folder, or an external server's name."""

    data: Path
    host: str
    port: int = PORT
    database: str = DATABASE
    external: bool = False
    owner: str = f"{DATABASE}_owner"
    tls: tuple[tuple[str, str], ...] = ()  # libpq's ssl* parameters of an external server
    address: str = ""  # where pages are served, once they are
    geo_db: str = ""  # the operator's own databases of places, separated as paths are

    @property
    def secrets(self) -> Path:
        """The folder of the secrets."""
        return self.data / "secrets"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder."""
        return self.data / "cluster"

    def role(self, part: str) -> str:
        """Return the cluster-wide name of the role `part`: `door` is `troth_door`."""
        return f"{self.database}_{part}"

    def write(self) -> None:
        """Write `place.json`, which holds no secret; other processes find the database by it."""
        told = asdict(self) | {"data": str(self.data), "tls": dict(self.tls)}
        replace_file(self.data / "place.json", json.dumps(told, indent=2).encode() + b"\n", 0o644)
        read.cache_clear()


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of a place. They are read when asked for, and never leave the machine."""

    folder: Path

    @property
    def roles(self) -> bytes:
        """The 32 bytes every role's password derives from."""
        return base64.urlsafe_b64decode(self._text("roles.key"))

    @property
    def django(self) -> str:
        """Django's SECRET_KEY."""
        return self._text("django.key")

    @property
    def operator(self) -> Ed25519PrivateKey:
        """The key that signs what the keeper is asked to do."""
        return self._key("operator.key")

    @property
    def ledger(self) -> Ed25519PrivateKey:
        """The key that signs the ledger's checkpoints."""
        return self._key("ledger.key")

    @property
    def receipts(self) -> Ed25519PrivateKey:
        """The key that seals people's receipts: the first owner's is derived, every later owner has one."""
        if (self.folder / "receipts.key").exists():
            return self._key("receipts.key")
        return Ed25519PrivateKey.from_private_bytes(self.derive("receipts"))

    def _key(self, name: str) -> Ed25519PrivateKey:
        key = load_pem_private_key(self._text(name).encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise FolderRefusal(f"`{name}` is not an Ed25519 key", place=str(self.folder), advice="restore it")
        return key

    def derive(self, label: str) -> bytes:
        """Return 32 bytes that only this place can make for `label`."""
        return hmac.digest(self.roles, label.encode(), "sha256")

    def password(self, role: str) -> str:
        """Return the password of the full role name `role`."""
        return base64.urlsafe_b64encode(self.derive(role)).rstrip(b"=").decode()

    def verifier(self, role: str, iterations: int = 4096) -> str:
        """Return the SCRAM-SHA-256 verifier (RFC 5803) of the role's password, so that no statement carries it."""
        salt = self.derive(f"salt {role}")[:16]
        salted = hashlib.pbkdf2_hmac("sha256", self.password(role).encode(), salt, iterations)
        stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
        server = hmac.digest(salted, b"Server Key", "sha256")
        salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
        return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"

    def _text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(encoding="ascii").strip()
        except OSError as error:
            sentence = f"the secret `{name}` cannot be read: {error.strerror}"
            raise FolderRefusal(
                sentence, place=str(self.folder), advice="start `troth serve` once, as its user"
            ) from error


def data_folder() -> Path:
    """Return the data folder: TROTH_DATA, else the default of this user."""
    named = os.environ.get("TROTH_DATA")
    if named:
        return Path(named).expanduser().resolve()
    return usual_folder()


def usual_folder() -> Path:
    """Return the data folder that commands look into when nobody names one."""
    return Path("/var/lib/troth") if os.geteuid() == 0 else Path.home() / ".local/share/troth"


def current() -> Place:
    """Return the place of this process: what the keeper wrote, or where an embedded server would be."""
    data = data_folder()
    return read(data) if (data / "place.json").exists() else Place(data=data, host=str(data / "socket"))


@cache
def read(data: Path) -> Place:
    """Return the place that `data`/place.json tells of; the folder itself may have moved. Raises FolderRefusal."""
    file = data / "place.json"
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return Place(**(told | {"data": data, "tls": tuple(sorted(told["tls"].items()))}))
    except (OSError, ValueError, TypeError, KeyError) as error:
        sentence = f"`{file}` cannot be understood: {error}"
        raise FolderRefusal(sentence, advice="start `troth serve` with this data folder again") from error


def secrets_of(place: Place) -> Secrets:
    """Return the secrets of `place`."""
    return Secrets(place.secrets)


def prepare(data: Path) -> None:
    """Make the data folder and what is ours inside it. Raises FolderRefusal when it cannot be written."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        if not (data / "lock").exists() and any(data.iterdir()):
            sentence = f"the folder `{data}` holds something else than a troth"
            raise FolderRefusal(sentence, advice="name an empty or a new folder with --data")
        (data / "lock").touch()
        # Passing through is harmless, and the socket inside must be reachable; nothing here can be listed.
        data.chmod(0o711)
        for name in FOLDERS:
            (data / name).mkdir(exist_ok=True)
        (data / "socket").chmod(0o711)
        (data / "secrets").chmod(0o711 if os.geteuid() == 0 else 0o700)
        (data / "log").chmod(0o700)
        (data / "spool").chmod(0o700)
        make_secrets(data / "secrets")
    except OSError as error:
        sentence = f"the data folder `{data}` cannot be written: {error.strerror}"
        raise FolderRefusal(sentence, advice="name another with --data, or run as the user it belongs to") from error


def make_secrets(folder: Path) -> None:
    """Make the secrets that are not there yet; an existing one is never replaced."""
    fresh = {
        "roles.key": base64.urlsafe_b64encode(secrets.token_bytes(32)),
        "django.key": secrets.token_urlsafe(64).encode(),
        "operator.key": written(Ed25519PrivateKey.generate()),
        "ledger.key": written(Ed25519PrivateKey.generate()),
    }
    for name, content in fresh.items():
        if not (folder / name).exists():
            replace_file(folder / name, content, 0o600)


def written(key: Ed25519PrivateKey) -> bytes:
    """Return a key as its file holds it: PEM, PKCS 8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Write `content` whole or not at all: a new file, synced, renamed over `path`."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    new.rename(path)


def lock(data: Path) -> IO[str]:
    """Take the data folder for this process, until the returned file is closed. Raises FolderInUse."""
    file = (data / "lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        sentence = f"the data folder `{data}` is already served by process {holder}"
        raise FolderInUse(sentence, advice="stop that one, or name another folder with --data") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def held(data: Path) -> int | None:
    """Return the process id of the keeper that holds the data folder, or None."""
    try:
        with (data / "lock").open(encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0)
    except (OSError, ValueError):
        return None
    return None
