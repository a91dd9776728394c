"""An application's manifest: what it is called, where it is, what it asks for; held against the policy in force.

A claim is what a token or the userinfo page tells an application of a person (OpenID Connect Core 1.0, section 5.1).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from troth.people import metadata
from troth.people.written import Desk, toml
from troth.policy.catalog import Catalog, Table
from troth.policy.meaning import Policy, Precision
from troth.policy.planned import Plan

#: scope -> the claims it asks for (OpenID Connect Core 1.0, section 5.4).
SCOPES = {
    "profile": ("name", "nickname", "preferred_username", "profile"),
    "email": ("email",),
    "phone": ("phone_number",),
    "organization": ("organization",),
}
KEYS = frozenset(
    {"name", "kind", "device", "origins", "redirect_uris", "after_sign_out", "purposes", "claims", "events", "metadata"}
)
KINDS = ("confidential", "public")
LOOPBACK = frozenset({"127.0.0.1", "::1"})
LONGEST_NAME, LONGEST_ADDRESS, MOST = 100, 500, 20
#: A reverse domain name, as apps on devices use it (RFC 8252 section 7.1).
PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9]*(\.[a-z0-9-]+)+")
UNSAFE = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\*<>\"'`{}|^;,]")


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """One thing an application asks for: what it is called, which category it holds, for which purpose."""

    name: str
    category: str
    purpose: str

    @property
    def written(self) -> str:
        """The claim as tables hold it."""
        return f"{self.name}:{self.category}:{self.purpose}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was found sound."""

    name: str
    public: bool
    device: bool
    origins: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    after_sign_out: tuple[str, ...]
    purposes: tuple[str, ...]
    claims: tuple[Claim, ...]
    events: tuple[str, ...] = ()

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the application may ask for."""
        asked = {claim.name for claim in self.claims}
        return ("openid", *(scope for scope, claims in SCOPES.items() if asked.intersection(claims)))


def parsed(written: str) -> Claim:
    """Return a claim as tables hold it."""
    return Claim(*written.split(":"))


def within(claims: tuple[Claim, ...], scopes: list[str]) -> tuple[Claim, ...]:
    """Return the claims that scopes ask for."""
    asked = {name for scope in scopes for name in SCOPES.get(scope, ())}
    return tuple(claim for claim in claims if claim.name in asked)


@dataclass(slots=True)
class _Desk(Desk):
    """The same for a manifest; `home` is where the service itself is."""

    home: str = ""


def read(text: str, *, policy: Policy, plan: Plan, catalog: Catalog, home: str) -> Manifest:
    """Return a manifest (TOML) that the policy covers.

    `home` is where the service itself is: nothing of an application may stand there, since cookies know no ports.
    Raises ManifestRefusal with every error and its line.
    """
    told = toml(text, "the manifest")
    desk = _Desk(text, told, policy, plan, catalog, home=home)
    for step in (_known, _named, _addresses, _purposes, _claims, _events, _metadata):
        step(desk)
    desk.refuse("the manifest cannot be registered")
    return Manifest(
        name=" ".join(told["name"].split()),
        public=told.get("kind", KINDS[0]) == "public",
        device=told.get("device", False),
        origins=tuple(told.get("origins", ())),
        redirect_uris=tuple(told.get("redirect_uris", ())),
        after_sign_out=tuple(told.get("after_sign_out", ())),
        purposes=tuple(told["purposes"]),
        claims=tuple(sorted(Claim(n, c["category"], c["purpose"]) for n, c in told.get("claims", {}).items())),
        events=tuple(dict.fromkeys(told.get("events", ()))),
    )


def _known(desk: _Desk) -> None:
    for key in sorted(set(desk.told) - KEYS):
        desk.wrong(f"`{key}` means nothing in a manifest; it may hold {', '.join(sorted(KEYS))}", key)


def _named(desk: _Desk) -> None:
    name, kind, device = desk.told.get("name", ""), desk.told.get("kind", KINDS[0]), desk.told.get("device", False)
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        desk.wrong(f'`name` must be a text of at most {LONGEST_NAME} characters, as in name = "Harbor Notes"', "name")
    if kind not in KINDS:
        desk.wrong('`kind` is "confidential" (it can keep a secret) or "public" (it cannot)', "kind")
    if not isinstance(device, bool):
        desk.wrong("`device` is true or false", "device")
    elif device and kind != "public":
        desk.wrong('signing in on a device without a browser is for kind = "public"', "device")


def _addresses(desk: _Desk) -> None:
    for key, judge in (("origins", _bad_origin), ("redirect_uris", _bad_address), ("after_sign_out", _bad_address)):
        for address in _texts(desk, key):
            why = judge(desk, address)
            if why:
                desk.wrong(f"`{address}` {why}", key, address)
    if not desk.told.get("redirect_uris") and not desk.told.get("device"):
        desk.wrong("there is no address to come back to: `redirect_uris` names at least one", "redirect_uris")


def _texts(desk: _Desk, key: str) -> list[str]:
    told = desk.told.get(key, [])
    if not isinstance(told, list) or not all(isinstance(each, str) for each in told) or len(told) > MOST:
        desk.wrong(f"`{key}` must be a list of at most {MOST} texts", key)
        return []
    return told


def _bad_origin(desk: _Desk, origin: str) -> str:
    parts = _parts(origin)
    if parts is None or not parts.hostname or parts.path or parts.query:
        return "is no origin; write it as https://notes.example, without a path"
    return _bad_host(desk, parts)


def _bad_address(desk: _Desk, address: str) -> str:
    parts = _parts(address)
    if parts is None:
        return "is no address that a browser can be sent to; fragments, wildcards, user names and spaces are none"
    if PRIVATE_SCHEME.fullmatch(parts.scheme):
        public = desk.told.get("kind") == "public"
        return "" if public else 'has a scheme of its own, which is for kind = "public"'
    if not parts.hostname:
        return "names no host"
    return _bad_host(desk, parts)


def _bad_host(desk: _Desk, parts: SplitResult) -> str:
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return "is not https, which only 127.0.0.1 and [::1] may do without"
    if parts.hostname == urlsplit(desk.home).hostname:
        return "is on this service's own host, whose cookies its pages would be sent; give it a host of its own"
    return ""


def _parts(address: str) -> SplitResult | None:
    """Return the parts of an address that stays what it is in every parser, or None."""
    if UNSAFE.search(address) or len(address) > LONGEST_ADDRESS or "#" in address:
        return None
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    same = parts.geturl() == address and "@" not in parts.netloc and parts.netloc == parts.netloc.lower()
    return parts if same and "/../" not in f"{parts.path}/" and parts.scheme else None


def _purposes(desk: _Desk) -> None:
    known = {purpose.name for purpose in desk.policy.purposes}
    told = _texts(desk, "purposes")
    if not told:
        desk.wrong(f"`purposes` names at least one of {', '.join(sorted(known))}", "purposes")
    for purpose in told:
        if purpose not in known:
            words = (
                f'the policy has no purpose `{purpose}`; it would need: purpose {purpose} "what it is for" by consent'
            )
            desk.wrong(words, "purposes", purpose)


def _claims(desk: _Desk) -> None:
    told = desk.told.get("claims", {})
    if not isinstance(told, dict):
        desk.wrong('`claims` is a table, as in name = { category = "person.name", purpose = "provide" }', "claims")
        return
    known = {name for names in SCOPES.values() for name in names}
    for name, asked in told.items():
        if name not in known:
            desk.wrong(f"there is no claim `{name}`; there are {', '.join(sorted(known))}", "claims", name)
        elif (
            not isinstance(asked, dict)
            or set(asked) != {"category", "purpose"}
            or not all(isinstance(v, str) for v in asked.values())
        ):
            desk.wrong(f'`{name}` needs a category and a purpose: {{ category = "…", purpose = "…" }}', "claims", name)
        else:
            for words in _uncovered(desk, asked["category"], asked["purpose"]):
                desk.wrong(words, "claims", name)


def _events(desk: _Desk) -> None:
    kinds = {table.name: table for table in desk.catalog.stamped if table.through}
    for name in _texts(desk, "events"):
        if name not in kinds:
            desk.wrong(f"there is no kind of event `{name}`; there are {', '.join(sorted(kinds))}", "events", name)
            continue
        table = kinds[name]
        if not any(desk.plan.kept_on(occasion, name) for occasion in table.occasions):
            wanted = ", ".join(dict.fromkeys(column.category for column in table.columns if column.category))
            needed = f"collect {wanted} on {table.occasions[0]}"
            desk.wrong(f"the policy collects no `{name}`; it would need: {needed}, for a purpose", "events", name)


def _metadata(desk: _Desk) -> None:
    told, able = desk.told.get("metadata", {}), metadata.kinds(desk.catalog)
    if not isinstance(told, dict):
        desk.wrong("`metadata` holds a JSON Schema for each kind of event, as [metadata.feature_use]", "metadata")
        return
    for kind, schema in told.items():
        if kind not in able:
            desk.wrong(f"no event `{kind}` has metadata; there is {', '.join(sorted(able))}", "metadata", kind)
        elif kind not in desk.told.get("events", ()):
            desk.wrong(f"`{kind}` is not among the manifest's events", "metadata", kind)
        else:
            for each in metadata.fields(schema):
                for words in _unfit(desk, able[kind], each):
                    desk.wrong(words, "metadata", kind, *each.path)


def _unfit(desk: _Desk, table: Table, each: metadata.Field | metadata.Wrong) -> Iterator[str]:
    """Yield what is wrong with a field of metadata, with the clause that the policy would need."""
    if isinstance(each, metadata.Wrong):
        yield each.words
        return
    category = table.column(metadata.COLUMN).category or ""
    if not any(metadata.COLUMN in desk.plan.kept_on(occasion, table.name) for occasion in table.occasions):
        needed = f"collect {category} on {table.occasions[0]}, for a purpose"
        yield f"the policy collects no `{category}`; it would need: {needed}"
    elif each.category and (undeclared := list(desk.undeclared(each.category))):
        yield from undeclared
    elif each.category:
        for needed in metadata.uncovered(desk.policy, table, each.category):
            yield f"`{each.written}` would be used more than `{each.category}` may be; the policy would need: {needed}"


def _uncovered(desk: _Desk, category: str, purpose: str) -> Iterator[str]:
    """Yield why the policy in force does not let a purpose know a category, with the clause that would."""
    if purpose not in desk.told.get("purposes", ()):
        yield f"`{purpose}` is not among the manifest's purposes"
    elif undeclared := list(desk.undeclared(category)):
        yield from undeclared
    elif column(desk.plan, desk.catalog, category, purpose) is None:
        collected = [each for each in desk.policy.collections if category in each.categories]
        if not any(category == c.category for t in desk.catalog.stamped for c in t.columns):
            yield f"nothing here holds `{category}` yet, whatever the policy says"
        elif collected:
            where = collected[0].clause
            yield (
                f"no clause lets `{purpose}` use `{category}`; `{where.name}` (line {where.span.line} of the policy)"
                f" would need: for {purpose} while the account exists"
            )
        else:
            needed = f"collect {category} on sign-up for {purpose} while the account exists"
            yield f"no clause lets `{purpose}` use `{category}`; the policy would need: {needed}"


def column(plan: Plan, catalog: Catalog, category: str, purpose: str) -> tuple[str, str] | None:
    """Return table and column in which a purpose reads a category of one person as it is, or None."""
    read = {(r.table, r.column) for r in plan.readings if r.purpose == purpose}
    for table in catalog.stamped:
        if table.key == ("subject",):
            for each in table.columns:
                if each.category == category and each.precision is Precision.AS_IS and (table.name, each.name) in read:
                    return table.name, each.name
    return None
