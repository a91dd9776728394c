"""What a directory may say of a person and of a group: no more than is kept, and the schemas that say so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field
from scim2_models import (
    URN,
    AnyExtension,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Extension,
    External,
    Filter,
    Mutability,
    Pagination,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from troth.people.directory import Known
from troth.policy.catalog import Column
from troth.policy.declaring import Type, shape

#: Rows of one answer at most (RFC 7644 section 3.4.2.4).
PAGE = 200
CORE = "urn:ietf:params:scim:schemas:core:2.0"
EXTENSION = "urn:ietf:params:scim:schemas:extension"


class Name(ComplexAttribute):
    """A name as the directory writes it; once the person has joined, their own stands in `formatted`."""

    formatted: str | None = None
    family_name: str | None = None
    given_name: str | None = None


class Email(ComplexAttribute):
    """The one address at which the person is invited; it says nothing about any account."""

    value: Annotated[str | None, Required.true] = None
    type: str | None = Field(None, examples=["work", "home", "other"])
    primary: bool | None = None


class Membership(ComplexAttribute):
    """A group that the person is in."""

    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    ref: Annotated[Reference["Group"] | None, Mutability.read_only] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    display: Annotated[str | None, Mutability.read_only] = None


class EnterpriseUser(Extension):
    """What an employer knows somebody by."""

    __schema__ = URN(f"{EXTENSION}:enterprise:2.0:User")

    employee_number: Annotated[str | None, CaseExact.true] = None


class User(Resource[AnyExtension]):
    """Somebody of the organization, as its directory knows them."""

    __schema__ = URN(f"{CORE}:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    display_name: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None
    groups: Annotated[list[Membership] | None, Mutability.read_only] = None

    Name: ClassVar[type[ComplexAttribute]] = Name
    Emails: ClassVar[type[ComplexAttribute]] = Email
    Groups: ClassVar[type[ComplexAttribute]] = Membership


class GroupMember(ComplexAttribute):
    """Somebody in a group."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    # The library finds the model by the name that stands here.
    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(  # type: ignore[type-arg]
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])


class Group(Resource[Any]):
    """A group of the organization."""

    __schema__ = URN(f"{CORE}:Group")

    display_name: Annotated[str | None, Required.true] = None
    members: list[GroupMember] | None = None

    Members: ClassVar[type[ComplexAttribute]] = GroupMember


#: What clients in the field do beside the standard is taken where it confuses nothing: they send attributes that nobody
#: keeps, name what they remove by value, and describe the e-mail address that is to be made.
TOLERANCE = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)


#: What stands in a field of a type, where that is no text. SCIM has no day without an hour, and its references are
#: stricter than the addresses that people write.
KINDS: Mapping[Type, Any] = {Type.NUMBER: int, Type.YES_NO: bool}
#: How what is written in one form alone is written.
WRITTEN = {Type.DATE: "2027-01-31", Type.WEB: "https://example.org/", Type.PHONE: "+34 600 000 000"}
#: Before the name of a field, in a model: it may be called as what every model has.
OURS = "field_"


@dataclass(frozen=True, slots=True)
class Described:
    """What the service understands: `fields` is the extension of what the operator declared, if anything."""

    provider: ScimProvider
    user: Any
    fields: Any = None


def described(known: Known) -> Described:
    """Return the description of the service with the fields that the operator declared."""
    fields = _extension(known) if known.all else None
    user = User[EnterpriseUser | fields] if fields else User[EnterpriseUser]  # type: ignore[valid-type] # made here
    return Described(_provider(user, [fields] if fields else []), user, fields)


def _extension(known: Known) -> Any:  # noqa: ANN401 - a model
    """Return a model of the fields, each under its own name; what people tell themselves is read-only."""
    told: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": "What the organization holds of somebody, and what they tell in their profile.",
        "__schema__": URN(f"{EXTENSION}:organization:2.0:User"),
        "__annotations__": {f"{OURS}{each.name}": _kind(each, held=each in known.held) for each in known.all},
    }
    for each in known.all:
        whose = "held by the organization" if each in known.held else "told by the person"
        written = WRITTEN.get(shape(each).type, "")
        told[f"{OURS}{each.name}"] = Field(
            None,
            serialization_alias=each.name,
            validation_alias=each.name,
            description=f"{each.category}, {whose}{f', as {written}' if written else ''}",
            # Shown as canonical values, which are suggestions (RFC 7643 section 7): how something is written is one.
            examples=[written] if written else list(each.choices) or None,
        )
    made: Any = type(Extension)
    return made("Organization", (Extension,), told)


def _kind(column: Column, *, held: bool) -> Any:  # noqa: ANN401 - an annotation
    kind = KINDS.get(shape(column).type, str) | None
    return Annotated[kind, Mutability.read_write if held else Mutability.read_only, CaseExact.true]


def _provider(user: Any, more: list[Any]) -> ScimProvider:  # noqa: ANN401 - models
    """Return what the three discovery endpoints show."""
    scheme = AuthenticationScheme(
        type=AuthenticationScheme.Type.oauthbearertoken,
        name="Directory token",
        description="A token that an administrator of the organization made for its directory.",
        spec_uri=Reference[External]("https://www.rfc-editor.org/info/rfc6750"),
        primary=True,
    )
    config = ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=PAGE),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=True),
        pagination=Pagination(
            cursor=True,
            index=True,
            default_pagination_method=Pagination.DefaultPaginationMethod.index,
            default_page_size=PAGE,
            max_page_size=PAGE,
        ),
        authentication_schemes=[scheme],
    )
    types = [ResourceType.from_resource(user), ResourceType.from_resource(Group)]
    return ScimProvider([User, EnterpriseUser, *more, Group], types, config, TOLERANCE)
