"""What happens to an event before it is stored: receive, judge, enrich, reduce, guard; each returns it or a refusal."""

import ipaddress
import logging
import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlsplit

from ua_parser import parse

from troth.intake import special
from troth.intake.decisions import Decisions, Share
from troth.intake.event import Device, Event, Refused, now
from troth.intake.guard import cleared_address, harmless, note
from troth.intake.hints import NONE, Hints, refined
from troth.people import places
from troth.policy.meaning import Occasion, Precision

LOG = logging.getLogger(__name__)
#: Names of query fields whose values are never kept, and what a value that gives itself away looks like.
SECRET_NAME = re.compile(
    r"(?i)(token|secret|pass|pwd|code|key|sig|auth|session|sid|jwt|otp|pin|email|mail|phone|ssn|card|name|state|nonce|assert|cred)"
)
SECRET_VALUE = re.compile(r"[@?&=;]|%40|^[A-Za-z0-9+/_.-]{24,}$|\d{9,}")
#: Paths that carry a secret themselves; parts that hold an address or a password, and what follows a part's semicolon.
SECRET_PATH = re.compile(r"^(/operator/first/|/announcements/stop/)[^/?#]+")
SECRET_REST = re.compile(r"(;|#|%3[Bb]).*", re.DOTALL)
HIDDEN = "-"
LONGEST = 2048
LONGEST_TOLD, LONGEST_AGENT = 4 * LONGEST, 1024
FUTURE = timedelta(minutes=5)
#: Why something sensitive about nobody known is refused; from what columns are read.
SENSITIVE = "sensitive-of-nobody"
READ_FROM = dict.fromkeys(("browser", "system", "kind"), "agent") | dict.fromkeys(("place", "provider"), "ip")
#: The longest that an event waits to be stored; what comes of age on its way is coarsened before.
ON_ITS_WAY = timedelta(hours=1)


Step = Callable[[Event, Decisions], "Event | Refused"]


def receive(event: Event, _decisions: Decisions) -> Event | Refused:
    """Strip secrets from what was asked for, before anything else sees it."""
    shorten(event)
    event.url = stripped(event.url)
    event.referrer = origin_only(event.referrer)
    event.method = (event.method or "")[:20] or None
    return event


def judge(event: Event, decisions: Decisions) -> Event | Refused:
    """Refuse what the policy does not collect now, what nothing that its person is in may use, and what is old."""
    if clause := _sensitive(event, decisions):
        return Refused(SENSITIVE, clause, event.occasion)
    if not decisions.kept[event.occasion]:
        return Refused("not-collected", kind=event.occasion)
    reason = _declined(event, decisions.share(event))
    return Refused(reason, decisions.accessed[event.occasion], event.occasion) if reason else event


def _declined(event: Event, share: Share) -> str:
    """Return why nothing may use an access now; empty where something may."""
    if not share.access:
        return "browser-objects" if event.objects else "person-declined"
    age = now() - coarse_time(event.at, share.access.get("at", Precision.DAY))
    if share.oldest is not None and age >= share.oldest:
        return "older-than-every-window"
    return "in-the-future" if event.at - now() > FUTURE else ""


def _sensitive(event: Event, decisions: Decisions) -> str:
    """Return the clause that keeps something sensitive apart of which this says something about nobody known."""
    if event.occasion is Occasion.ACCESS:
        return ""
    holds = (
        clause for (table, column), clause in decisions.apart.items() if table == "access" and _says(event, column)
    )
    return next(holds, "")


def _says(event: Event, column: str) -> bool:
    return getattr(event, READ_FROM.get(column, column), None) is not None


def enrich(event: Event, decisions: Decisions) -> Event | Refused:
    """Read what the user agent tells of the device, and, where it is kept, about where the address is, still exact."""
    if event.agent is not None:
        event.device = seen(event.agent, event.hints)
        event.browser, event.system, event.kind = event.device.browser, event.device.system, event.device.kind
        event.agent, event.hints = None, NONE
    kept = decisions.share(event).access
    if event.ip and not (event.place or event.provider) and ("place" in kept or "provider" in kept):
        found = places.looked_up(valid_address(event.ip.partition("/")[0]) or "")
        event.place, event.provider = found.place, found.provider
    return event


def reduce(event: Event, decisions: Decisions) -> Event | Refused:
    """Drop what nothing its person is in may use, and coarsen what is used coarsely.

    The database checks what the policy collects; what a person left is known here alone.
    """
    share = decisions.share(event)
    for column in ("method", "url", "status", "referrer", "ip", "place", "provider", "browser", "system", "kind"):
        if column not in share.access:
            setattr(event, column, None)
    event.at = coarse_time(event.at, share.access.get("at", Precision.DAY))
    if event.ip is not None:
        coarse = share.access["ip"] is Precision.NETWORK or _no_longer_exact(event, decisions)
        event.ip = coarse_address(event.ip) if coarse else valid_address(event.ip)
    event.device = _device(event.device, share)
    return event


def guard(event: Event, decisions: Decisions) -> Event | Refused:
    """Take out of free text what says who somebody is, and words of the special categories.

    Of nobody who is known the latter are refused, where the policy keeps what is sensitive apart from them.
    """
    for column in ("url", "referrer"):
        told = getattr(event, column)
        found = cleared_address(told) if told else None
        if found and found.counts:
            if (
                event.occasion is not Occasion.ACCESS
                and decisions.anonymous
                and not special.current().names.isdisjoint(found.counts)
            ):
                return Refused(SENSITIVE, decisions.anonymous, event.occasion)
            setattr(event, column, found.text if column == "url" else None)
            note(event, found)
    return event


def _device(device: Device | None, share: Share) -> Device | None:
    if device is None or device.browser is None or "device" not in share.device:
        return None
    return Device(**{name: value if name in share.device else None for name, value in asdict(device).items()})


def _no_longer_exact(event: Event, decisions: Decisions) -> bool:
    return decisions.exact is not None and now() - event.at >= decisions.exact - ON_ITS_WAY


STEPS: tuple[Step, ...] = (receive, judge, enrich, reduce, guard)


def through(event: Event, decisions: Decisions) -> Event | Refused:
    """Take an event through every step before the store. A second time changes nothing more."""
    for step in STEPS:
        outcome = step(event, decisions)
        if isinstance(outcome, Refused):
            return outcome
    return event


def understood(event: Event, decisions: Decisions) -> Event | Refused:
    """Take an event through the steps; one that a step stumbles over is refused, and takes no other with it."""
    try:
        return through(event, decisions)
    except Exception as error:  # noqa: BLE001 - whatever a client sent must not end the intake
        LOG.warning("an access was not understood (%s)", type(error).__name__)
        return Refused("not-understood")


def coarse_time(at: datetime, precision: Precision) -> datetime:
    """Return the hour or the day (UTC) of a time that is used so; a row must have some time."""
    match precision:
        case Precision.DAY:
            return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        case Precision.HOUR:
            return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        case _:
            return at


def shorten(event: Event) -> None:
    """Cut what is longer than anything that is kept of it, so that neither a queue nor what is remembered grows by it.

    An address ends with a whole part: half a secret would not be known for one.
    """
    if event.url and len(event.url) > LONGEST_TOLD:
        head = event.url[:LONGEST_TOLD]
        event.url = head[: max(map(head.rfind, "/?&;")) + 1] or HIDDEN
    event.referrer = event.referrer and event.referrer[:LONGEST]
    event.agent = event.agent and event.agent[:LONGEST_AGENT]


@lru_cache(maxsize=8192)
def stripped(url: str | None) -> str | None:
    """Return path and query with the values of secret-looking fields hidden, and without control characters."""
    if not url:
        return None
    clean = "".join(sign for sign in url if sign.isprintable())
    path, _, query = clean.partition("?")
    path = "/".join(_part(each) for each in SECRET_PATH.sub(r"\1" + HIDDEN, path[:LONGEST]).split("/"))
    fields = parse_qsl(query, keep_blank_values=True, max_num_fields=200) if query and query.count("&") < 200 else []  # noqa: PLR2004
    if fields:
        path += "?" + "&".join(f"{_named(name)}={_shown(name, value)}" for name, value in fields)
    elif query:
        path += "?" + HIDDEN
    return path[:LONGEST]


def _part(part: str) -> str:
    return HIDDEN if "@" in part or "%40" in part else SECRET_REST.sub(r"\1" + HIDDEN, part)


def _named(name: str) -> str:
    return HIDDEN if SECRET_VALUE.search(name) else quote(name[:80])


def _shown(name: str, value: str) -> str:
    return HIDDEN if SECRET_NAME.search(name) or SECRET_VALUE.search(value) else quote(value[:200])


@lru_cache(maxsize=8192)
def origin_only(referrer: str | None) -> str | None:
    """Return where somebody came from: the origin, and no path, which is another site's business."""
    if not referrer or referrer == "-":
        return None
    try:
        parts = urlsplit("".join(sign for sign in referrer if sign.isprintable()))
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}/"[:LONGEST]


@lru_cache(maxsize=8192)
def described(agent: str) -> tuple[str | None, str | None, str | None]:
    """Return browser with its major version, operating system, and kind of device of a user agent."""
    if not agent or agent == "-":
        return None, None, None
    found = parse(agent[:LONGEST_AGENT].encode("utf-8", "replace").decode())
    browser = found.user_agent
    name = " ".join(filter(None, (browser.family, browser.major)))[:200] if browser else None
    system = found.os.family[:200] if found.os else None
    return harmless(name), harmless(system), _kind(agent, found.device.family if found.device else "")


def seen(agent: str, hints: Hints = NONE) -> Device:
    """Return what a request's headers tell of the device."""
    name, family, kind = described(agent)
    browser, system, model = refined(hints, name, family)
    return Device(browser, system, kind, model)


def _kind(agent: str, device: str) -> str:
    low = agent.lower()
    if device == "Spider" or "bot" in low or "crawler" in low or "curl/" in low or "python-" in low:
        return "robot"
    if "ipad" in low or "tablet" in low or ("android" in low and "mobile" not in low):
        return "tablet"
    return "phone" if "mobile" in low or "iphone" in low else "computer"


@lru_cache(maxsize=8192)
def coarse_address(address: str) -> str | None:
    """Return the network of an address: /24 of IPv4, /48 of IPv6; None when it is none."""
    clean = valid_address(address.partition("/")[0])
    if clean is None:
        return None
    length = 24 if ipaddress.ip_address(clean).version == 4 else 48  # noqa: PLR2004 - the version of the protocol
    return str(ipaddress.ip_network(f"{clean}/{length}", strict=False))


@lru_cache(maxsize=8192)
def valid_address(address: str) -> str | None:
    """Return an address in its shortest form, IPv4 where it is mapped into IPv6; None when it is no address."""
    try:
        found = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
