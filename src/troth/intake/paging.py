"""What a page of an application tells: events of one person, as every sender's, and the browser that it is shown in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from troth.intake.event import Device, Refused
from troth.intake.hints import Hints
from troth.intake.kinds import PERSON, PageView
from troth.intake.reading import ahead_of, decode
from troth.intake.sent import Sender, Sent
from troth.intake.steps import seen

VERSION = re.compile(r"[0-9.]{1,40}")
#: What a model is called, without what a string of a header cannot hold as it stands.
MODEL = re.compile(r"[ !#-\[\]-~]{1,100}")


class Unreadable(Exception):
    """The body is not what a page sends."""


class Told(Struct):
    """A body: whom it is about, whether their browser objects, what its clock showed, what it says of its device."""

    person: Annotated[str, Meta(max_length=64, pattern=rf"^{PERSON.pattern}$(?!\n)")]
    events: list[msgspec.Raw]
    objects: bool = False
    sent: datetime | None = None
    system: Annotated[str, Meta(max_length=200)] | None = None
    model: Annotated[str, Meta(max_length=200)] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What was in a body, decoded."""

    person: str
    objects: bool
    events: Sequence[Sent | Refused]


def opened(body: bytes, sender: Sender, received: datetime, *, agent: str, system: str) -> Page:
    """Decode a body; `agent` and `system` are what the browser says of itself in every request. Raises Unreadable."""
    try:
        told = msgspec.json.decode(body, type=Told)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("it is no JSON of a page's") from error
    whole, ahead = replace(sender, objects=sender.objects or told.objects), ahead_of(told.sent, received)
    version, model = _string(told.system, VERSION), _string(told.model, MODEL)
    device = seen(agent, Hints(platform=system, platform_version=version, model=model))
    events = [_shown_in(device, decode(bytes(each), whole, ahead, told.person)) for each in told.events]
    return Page(told.person, told.objects, events)


def _string(told: str | None, shape: re.Pattern[str]) -> str:
    """Return what a script was told as the header that tells the same; empty for what no browser says."""
    return f'"{told}"' if told and shape.fullmatch(told) else ""


def _shown_in(device: Device, event: Sent | Refused) -> Sent | Refused:
    """Add what a page was shown in, which is no part of what was sent: that is the same when it comes again."""
    if isinstance(event, Sent) and isinstance(event.says, PageView):
        told = {"browser": device.browser, "system": device.system, "kind": device.kind, "model": device.model}
        event.says = msgspec.structs.replace(event.says, **told)
    return event
