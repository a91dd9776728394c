"""What a line of a web server's log says: Common, Combined, either after a virtual host, nginx's and Caddy's JSON.

Source: httpd.apache.org/docs/2.4/logs.html, nginx.org/en/docs/http/ngx_http_log_module.html and caddyserver.com/docs.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from troth.intake.event import Event, ordered_uuid
from troth.intake.objecting import signalled
from troth.intake.steps import valid_address

#: host ident user [time] "request" status bytes, and for Combined "referrer" "user agent"; quotes inside are escaped.
#: What could begin at many places is bounded, so that a hostile line costs no more than it is long.
LINE = re.compile(
    r'(?P<host>\S+) \S+ (?P<user>.{1,256}?) \[(?P<at>[^\]]{1,40})\] "(?P<request>(?:[^"\\]|\\.)*)"'
    r" (?P<status>\d{3}|-) (?:\d+|-)"
    r'(?: "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?(?:\s.*)?'
)
#: What may stand before a line: the virtual host, with its port or without.
VIRTUAL = re.compile(r"(?P<virtual>\S{1,260}) (?P<rest>(?P<host>[0-9A-Fa-f:.]{2,45}) .*)", re.DOTALL)
MONTHS = {name: place for place, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)}  # noqa: SIM905 - one glance
TIME = re.compile(r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})")
SECONDS = re.compile(r"\d{1,12}(\.\d{1,9})?")
#: By which names nginx's variables are logged; who writes the form chooses them, most call them what nginx does.
AT = ("time_iso8601", "time_local", "msec", "@timestamp", "timestamp", "time", "ts")
HOST = ("remote_addr", "client_ip", "remote_ip", "clientip", "client")
METHOD, TARGET = ("request_method", "method"), ("request_uri", "uri", "url", "path")
REFERRER = ("http_referer", "http_referrer", "referer", "referrer")
AGENT = ("http_user_agent", "user_agent", "agent")
STATUS = ("status", "status_code")
LARGEST_STATUS = 999


def event_of(line: bytes) -> Event | None:
    """Return the event of a line, or None when it is malformed."""
    if line.lstrip()[:1] == b"{":
        return _spelt(line)
    text = line.decode("utf-8", "replace").replace("\0", "")
    found = LINE.fullmatch(_without_virtual(text))
    at = TIME.fullmatch(found["at"]) if found else None
    moment = time_of(at) if at else None
    if found is None or moment is None:
        return None
    method, url = request_of(found["request"])
    return Event(
        at=moment,
        method=method,
        url=url,
        status=int(found["status"]) if found["status"] != "-" else None,
        referrer=found["referrer"],
        ip=found["host"],
        agent=found["agent"],
        id=ordered_uuid(),
    )


def moment_of(line: bytes) -> datetime | None:
    """Return when a line was written, or None where it does not say."""
    found = TIME.search(line.decode("utf-8", "replace"))
    if found is None and line.lstrip()[:1] == b"{":
        event = _spelt(line)
        return event.at if event else None
    return time_of(found) if found else None


def _without_virtual(text: str) -> str:
    """Return a line without the virtual host before it: an address stands second, and none stands first."""
    found = VIRTUAL.fullmatch(text)
    return found["rest"] if found and valid_address(found["host"]) and not valid_address(found["virtual"]) else text


def _spelt(line: bytes) -> Event | None:
    """Return the event of an object: as Caddy writes it, with the request inside, or as nginx is told to."""
    try:
        said = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    request = said.get("request")
    headers: Mapping[str, Any] = {}
    if isinstance(request, dict):
        told = request.get("headers")
        headers = {str(name).lower(): value for name, value in told.items()} if isinstance(told, dict) else {}
        said = said | request
    moment, status = _moment(_first(said, AT)), _status(_first(said, STATUS))
    if moment is None or status is None:
        return None
    method, url = request_of(_text(request) or "") if isinstance(request, str) else (None, None)
    return Event(
        at=moment,
        method=method or _method(_first(said, METHOD)),
        url=url or _text(_first(said, TARGET)),
        status=status,
        referrer=_text(_first(said, REFERRER)) or _header(headers, "referer"),
        ip=_text(_first(said, HOST)),
        agent=_text(_first(said, AGENT)) or _header(headers, "user-agent"),
        objects=signalled(_values(headers, "sec-gpc")),
        id=ordered_uuid(),
    )


def _first(said: Mapping[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever a log holds
    return next((said[name] for name in names if said.get(name) not in (None, "", "-")), None)


def _text(value: Any) -> str | None:  # noqa: ANN401 - whatever a log holds
    return value.replace("\0", "") if isinstance(value, str) else None


def _header(headers: Mapping[str, Any], name: str) -> str | None:
    return next(iter(_values(headers, name)), None)


def _values(headers: Mapping[str, Any], name: str) -> list[str]:
    values = headers.get(name)
    return [text for each in (values if isinstance(values, list) else [values]) if (text := _text(each)) is not None]


def _method(value: Any) -> str | None:  # noqa: ANN401 - whatever a log holds
    return value if isinstance(value, str) and value.isalpha() and value.isupper() else None


def _status(value: Any) -> int | None:  # noqa: ANN401 - whatever a log holds
    try:
        status = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return status if 0 <= status <= LARGEST_STATUS else None


def _moment(value: Any) -> datetime | None:  # noqa: ANN401 - whatever a log holds
    """Return a time in UTC: seconds since 1970, as nginx writes it for Common logs, or by ISO 8601 with its zone."""
    try:
        if isinstance(value, str) and (found := TIME.fullmatch(value)):
            return time_of(found)
        if isinstance(value, int | float) or (isinstance(value, str) and SECONDS.fullmatch(value)):
            return datetime.fromtimestamp(float(value), UTC)
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def request_of(request: str) -> tuple[str | None, str | None]:
    """Return method and target of a request line; what is no request (a scanner's noise) has neither."""
    parts = request.split(" ")
    if len(parts) in (2, 3) and parts[0].isalpha() and parts[0].isupper():
        return parts[0], parts[1]
    return None, None


def time_of(found: re.Match[str]) -> datetime | None:
    """Return a log's time in UTC, or None when no calendar has it, or only where the log was written."""
    day, month, year, hour, minute, second, sign, east, minutes = found.groups()
    if month not in MONTHS:
        return None
    stamp = f"{year}-{MONTHS[month]:02}-{day}T{hour}:{minute}:{second}{sign}{east}:{minutes}"
    try:
        return datetime.fromisoformat(stamp).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
