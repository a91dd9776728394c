"""What the keeper does about applications when the operator's key asks: register, give a new secret, remove."""

import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from argon2 import PasswordHasher
from psycopg import Connection
from psycopg.types.json import Jsonb

from troth.database import connect, place, published
from troth.database.errors import RequestRefusal
from troth.database.keeper import Keeper
from troth.database.statements import load
from troth.ledger.actions import record
from troth.people import keys
from troth.people.errors import ManifestRefusal
from troth.people.manifests import Manifest, read

SQL = load("troth.people")
LONGEST = 64 * 1024
#: The secrets are random and long: nothing is gained by making each check of one slow. The form is the framework's.
HASHER, FAMILY = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), "argon2"
CODE, REFRESH = "authorization_code", "refresh_token"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
#: What goes with an application, in this order.
ENDING = ("end_grants", "remove_tokens", "remove_codes", "remove_browsers", "remove_spent", "remove_client")

type Told = dict[str, Any]


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who can now be asked about applications, and turns the keys that sign tokens."""
    keeper.kinds = {**keeper.kinds, **KINDS}
    keeper.chores = (*keeper.chores, lambda connection: keys.keep(connection, keeper.where), forget_what_is_old)
    return keeper


def forget_what_is_old(_connection: Connection[Any]) -> None:
    """Forget invitations that are past their end, with the addresses in them, and looks at members of a year ago."""
    with connect.acting("steward") as connection:
        connection.execute("SELECT troth.forget_invitations(), troth.forget_looks()")


def register(connection: Connection[Any], told: Told) -> Told:
    """Register a manifest; the answer holds the application's id, its events and, once, its secret.

    Raises RequestRefusal.
    """
    text = str(told["manifest"])
    manifest = _sound(connection, text)
    application, secret = _id(manifest.name), secrets.token_urlsafe(32)
    with connection.transaction():
        row: Told = {"application": application, "name": manifest.name, "manifest": text}
        row |= {"purposes": list(manifest.purposes), "claims": [claim.written for claim in manifest.claims]}
        row["events"] = list(manifest.events)
        connection.execute(SQL["add_application"].encode(), row)
        connection.execute(SQL["add_client"].encode(), row | _client(manifest) | {"secret": _digest(secret)})
        _record(connection, "application-registered", application)
    return {"application": application, "secret": "" if manifest.public else secret, "events": row["events"]}


def renew(connection: Connection[Any], told: Told) -> Told:
    """Give an application another secret; the one before opens nothing any more. Raises RequestRefusal."""
    application, secret = str(told["application"]), secrets.token_urlsafe(32)
    with connection.transaction():
        asked = {"application": application, "secret": _digest(secret)}
        if not connection.execute(SQL["change_secret"].encode(), asked).rowcount:
            raise RequestRefusal(
                f"no application `{application}` has a secret", advice="see `troth app list`; public ones have none"
            )
        _record(connection, "application-secret-renewed", application)
    return {"application": application, "secret": secret}


def remove(connection: Connection[Any], told: Told) -> Told:
    """Remove an application with its tokens; what people permitted it ends and stays in their history."""
    application = {"application": str(told["application"])}
    with connection.transaction():
        if not connection.execute(SQL["remove_application"].encode(), application).rowcount:
            raise RequestRefusal(f"there is no application `{told['application']}`", advice="see `troth app list`")
        for statement in (
            "end_grants",
            "remove_tokens",
            "remove_codes",
            "remove_browsers",
            "remove_spent",
            "remove_client",
        ):
            connection.execute(SQL[statement].encode(), application)
        _record(connection, "application-removed", application["application"])
    return {}


def add_key(connection: Connection[Any], told: Told) -> Told:
    """Make one more key with which an application sends events; the answer holds it, once. Raises RequestRefusal."""
    # Sentry's clients read a key of letters and digits alone.
    application, key = str(told["application"]), secrets.token_hex(32)
    asked = {"application": application, "digest": sha256(key.encode()).digest()}
    with connection.transaction():
        if not connection.execute(SQL["add_sending_key"].encode(), asked).rowcount:
            raise RequestRefusal(
                f"no application `{application}` declares events",
                advice="see `troth app list`, and `events` in manifests",
            )
        _record(connection, "application-key-added", application)
    return {"application": application, "key": key}


def end_keys(connection: Connection[Any], told: Told) -> Told:
    """Let every key with which an application sends events open nothing any more; the answer says how many did."""
    application = str(told["application"])
    with connection.transaction():
        ended = connection.execute(SQL["end_sending_keys"].encode(), {"application": application}).rowcount
        _record(connection, "application-keys-ended", application)
    return {"application": application, "ended": ended}


def replace_keys(connection: Connection[Any], _told: Told) -> Told:
    """Sign tokens with a new key at once and believe none of those before."""
    keys.replace(connection, place.current())
    record(connection, action="signing-keys-replaced", actor=None, subject=None)
    return {}


KINDS: Mapping[str, Callable[[Connection[Any], Told], Told]] = {
    "application.register": register,
    "application.renew": renew,
    "application.remove": remove,
    "application.add_key": add_key,
    "application.end_keys": end_keys,
    "application.replace_keys": replace_keys,
}


def _sound(connection: Connection[Any], text: str) -> Manifest:
    if len(text) > LONGEST:
        raise RequestRefusal("the manifest is longer than 64 kB", advice="a manifest is a page of TOML")
    now = published.on(connection)
    if now is None:
        raise RequestRefusal("no policy is in force", advice="start `troth serve`, which applies one")
    try:
        home = place.current().address
        return read(text, policy=now.policy, plan=now.plan, catalog=now.catalog, home=home)
    except ManifestRefusal as refusal:
        raise RequestRefusal(refusal.sentence, advice=refusal.advice) from refusal


def _client(manifest: Manifest) -> Told:
    """Return what the sign-in library keeps of an application; its lists are lines of a text."""
    grants = [CODE, REFRESH] if manifest.redirect_uris else [REFRESH]
    scopes = "\n".join(manifest.scopes)
    return {
        "kind": "public" if manifest.public else "confidential",
        "scopes": scopes,
        "grants": "\n".join([*grants, *([DEVICE] if manifest.device else [])]),
        "redirects": "\n".join(manifest.redirect_uris),
        "origins": "\n".join(manifest.origins),
        "data": Jsonb({"client_metadata": {"post_logout_redirect_uris": list(manifest.after_sign_out)}}),
    }


def _id(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return f"{slug if slug[:1].isalpha() else 'app'}-{secrets.token_hex(4)}"


def _digest(secret: str) -> str:
    return FAMILY + HASHER.hash(secret)


def _record(connection: Connection[Any], action: str, application: str) -> None:
    record(connection, action=action, actor=None, subject=None, facts={"application": application})
