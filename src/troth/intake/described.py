"""What applications say of events: what a kind may say, and in words of their own, as far as a schema declares it."""

import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import jsonschema_rs
import msgspec
from msgspec import inspect

from troth.intake.event import Fault, Refused
from troth.intake.kinds import KINDS, Kind, Says
from troth.intake.schema import unfit
from troth.people import metadata
from troth.people.metadata import DEEPEST, Field
from troth.policy.catalog import Catalog, Table
from troth.policy.meaning import Policy

if TYPE_CHECKING:
    from troth.intake.answers import Request

#: Seconds for which a manifest is known without looking again, which never changes; keys of how many.
KNOWN, MOST_KNOWN = 60.0, 500
#: Bytes of the metadata of one event.
LONGEST = 8 * 1024
#: By name, what of an object may be told: of an object or a list of objects what of these, of all else nothing more.
type Tree = dict[str, "Tree"]


@dataclass(frozen=True, slots=True)
class Described:
    """What an application may say of a kind of event now: the fields that it declared and the policy covers."""

    tree: Tree
    schema: Mapping[str, Any] = field(default_factory=dict)
    validator: jsonschema_rs.Draft202012Validator | None = None
    special: Sequence[Field] = field(default_factory=tuple)

    def fitted(self, told: dict[str, Any], *, drop: bool) -> dict[str, Any] | Refused:
        """Return what of an object was declared, or why nothing is taken, with a clause where one says so."""
        left = _left(told, self.tree)
        if left != told and not drop:
            return Refused(
                "metadata-undeclared", "undeclared", fault=unfit(self.schema, _astray(told, self.tree) or [])
            )
        if self.validator is not None and not self.validator.is_valid(left):
            return Refused("metadata-unfit", fault=self._fault(left))
        return left if self.validator is not None else {}

    def _fault(self, left: dict[str, Any]) -> Fault | None:
        """Return where an object is something else than declared; each name on the way is one that was declared."""
        for error in self.validator.iter_errors(left) if self.validator is not None else ():
            path = [*error.instance_path, *filter(None, [getattr(error.kind, "property", None)])]
            return unfit(self.schema, path)
        return None

    def sensitive(self, told: dict[str, Any]) -> bool:
        """Whether an object says something of a sensitive category."""
        return any(_holds(told, each.path) for each in self.special)


type Declared = Mapping[str, Described]
#: Of an application that declared nothing.
NOTHING: Declared = {}
UNDECLARED = Described({}, {"properties": {}})
FORGOTTEN: tuple[Declared, float] = (NOTHING, 0.0)


class Manifests:
    """What applications declared, remembered for a while; asked for only where an event says something of its own."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.policy: Policy | None = None
        self.catalog: Catalog | None = None
        self.known: dict[bytes, tuple[Declared, float]] = {}

    def under(self, policy: Policy, catalog: Catalog) -> None:
        """Go by another policy, if it is one."""
        if self.policy is None or self.policy.digest != policy.digest:
            self.known.clear()
        self.policy, self.catalog = policy, catalog

    async def of(self, connection: Any, batch: "Iterable[Request]") -> Mapping[bytes, Declared]:  # noqa: ANN401 - asyncpg's proxy
        """Return, by digests of keys, what those declared who say something of it. Raises asyncpg.PostgresError."""
        told = {
            request.sender.digest
            for request in batch
            if not request.passed_whole()  # without knowing what was declared, so nothing says something of its own
            and any(getattr(each, "metadata", None) is not None for each in request.events)
        }
        moment = time.monotonic()
        found = {digest: self.known[digest][0] for digest in told if self.known.get(digest, FORGOTTEN)[1] > moment}
        asked = sorted(told - found.keys())
        if asked and self.policy is not None and self.catalog is not None:
            rows = await connection.fetch("SELECT nth, manifest FROM troth.manifests_of($1)", asked)
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            for nth, manifest in rows:
                digest, declared = asked[nth - 1], compiled(tomllib.loads(manifest), self.policy, self.catalog)
                found[digest], self.known[digest] = declared, (declared, moment + KNOWN)
        return found


def read(raw: bytes) -> dict[str, Any]:
    """Return what JSON says that is an object, and not too long. Raises msgspec.DecodeError, RecursionError."""
    if len(raw) > LONGEST:
        raise msgspec.DecodeError
    told: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
    if not _flat(told, DEEPEST + 1):
        raise msgspec.DecodeError
    try:
        msgspec.json.encode(told)
    except OverflowError as error:  # a number that no column holds
        raise msgspec.DecodeError from error
    return told


def said(raw: msgspec.Raw, kind: Kind) -> tuple[Says, msgspec.ValidationError | None]:
    """Return what an event says that its kind may say, and what a decoder says of it that says more.

    Raises as decoders do.
    """
    try:
        return cast("Says", SAYS[kind.table].decode(raw)), None
    except msgspec.ValidationError as error:
        left = _narrowed_to(kind, bytes(raw))
        if left is None:
            raise
        return cast("Says", SAYS[kind.table].decode(left)), error


def _narrowed_to(kind: Kind, raw: bytes) -> bytes | None:
    """Return what a kind may say of what was said as JSON; None where that is all of it, or lies too deep.

    Raises msgspec.DecodeError, RecursionError.
    """
    told: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
    left = _left(told, SAYABLE[kind.table]) if _flat(told, DEEPEST + 1) else told
    try:
        return None if left == told else msgspec.json.encode(left)
    except OverflowError:  # a number that no column holds
        return None


def _sayable(told: inspect.Type) -> Tree:
    match told:
        case inspect.StructType():
            return {each.encode_name: _sayable(each.type) for each in told.fields}
        case inspect.ListType():
            return _sayable(told.item_type)
        case inspect.UnionType():
            return {name: tree for each in told.types for name, tree in _sayable(each).items()}
        case _:
            return {}


#: What reads what each kind says.
SAYS = {name: msgspec.json.Decoder(kind.says) for name, kind in KINDS.items()}
#: By kind of event, what it may say.
SAYABLE: Mapping[str, Tree] = {name: _sayable(inspect.type_info(kind.says)) for name, kind in KINDS.items()}


def _flat(told: Any, deep: int) -> bool:  # noqa: ANN401 - whatever JSON holds
    """Whether nothing lies deeper than any schema lets it."""
    inside = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    return deep > 0 and all(_flat(each, deep - 1) for each in inside)


def compiled(manifest: Mapping[str, Any], policy: Policy, catalog: Catalog) -> Declared:
    """Return what a manifest that was found sound says of metadata, as far as the policy in force covers it."""
    tables = metadata.kinds(catalog)
    return {
        kind: _compiled(schema, policy, tables[kind])
        for kind, schema in manifest.get("metadata", {}).items()
        if kind in tables
    }


def _compiled(schema: dict[str, Any], policy: Policy, table: Table) -> Described:
    known = [each for each in metadata.fields(schema) if isinstance(each, Field)]
    free = {each for each in known if each.category is None or not [*metadata.uncovered(policy, table, each.category)]}
    narrowed = _narrowed(schema, (), {each.path for each in free})
    if narrowed is None:
        return UNDECLARED
    sensitive = {each.name for each in policy.categories if each.sensitive}
    special = tuple(each for each in known if each.category in sensitive)
    return Described(_tree(narrowed), narrowed, metadata.validator(narrowed), special)


def _narrowed(schema: dict[str, Any], path: tuple[str, ...], free: set[tuple[str, ...]]) -> dict[str, Any] | None:
    """Return a schema without what the policy does not cover, and closed; None where nothing is left."""
    match schema["type"]:
        case "object":
            told = ((name, _narrowed(each, (*path, name), free)) for name, each in schema["properties"].items())
            left = {name: each for name, each in told if each is not None}
            required = [name for name in schema.get("required", ()) if name in left]
            closed = {"type": "object", "properties": left, "required": required, "additionalProperties": False}
            return closed if left else None
        case "array":
            items = _narrowed(schema["items"], path, free)
            return None if items is None else schema | {"items": items}
        case _:
            return schema if path in free else None


def _tree(schema: dict[str, Any]) -> Tree:
    while schema["type"] == "array":
        schema = schema["items"]
    return {name: _tree(each) for name, each in schema.get("properties", {}).items()}


def _left(told: Any, tree: Tree) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return what of a value a tree has; a value of another form than declared stays, for the schema to refuse."""
    if isinstance(told, dict):
        return {name: _left(each, tree[name]) for name, each in told.items() if name in tree}
    if isinstance(told, list):
        return [_left(each, tree) for each in told]
    return told


def _astray(told: Any, tree: Tree) -> list[str | int] | None:  # noqa: ANN401 - whatever JSON holds
    """Return the way, by declared names, to the first object that says more than a tree has; None where none does."""
    if isinstance(told, dict):
        if not told.keys() <= tree.keys():
            return []
        ways = ([name, *way] for name, each in told.items() if (way := _astray(each, tree[name])) is not None)
        return next(ways, None)
    if isinstance(told, list):
        return next(([nth, *way] for nth, each in enumerate(told) if (way := _astray(each, tree)) is not None), None)
    return None


def _holds(told: Any, path: Sequence[str]) -> bool:  # noqa: ANN401 - whatever JSON holds
    if isinstance(told, list):
        return any(_holds(each, path) for each in told)
    if not path:
        return True
    return isinstance(told, dict) and path[0] in told and _holds(told[path[0]], path[1:])
