"""Records of OpenTelemetry's logs: one that tells of an exception is a crash, every other one is system activity.

Source: opentelemetry.io/docs/specs/otlp, .../specs/otel/logs/data-model, .../specs/semconv/exceptions/exceptions-logs.
Whatever else a record says (attributes that are not named here, of itself, its scope and its resource) is not read.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import chain
from typing import Any

import msgspec
from google.protobuf.message import DecodeError, Message
from msgspec import Struct
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from troth.intake.event import Refused
from troth.intake.kinds import KINDS, PERSON, Activity, Crash, Frame, Sending
from troth.intake.reading import ahead_of, understood
from troth.intake.sent import Sender, Sent

#: The attributes that are read: of a record, and of the resource that made it.
FAILURE = ("exception.type", "exception.message", "exception.stacktrace")
READ = frozenset({*FAILURE, "event.name", "user.id", "enduser.id"})
READ_OF_RESOURCE = frozenset({"service.version", "deployment.environment.name", "deployment.environment"})
#: Each stands for four numbers, from one on.
SEVERITIES = ("trace", "debug", "info", "warn", "error", "fatal")
#: A place in a trace as Python writes it, where what failed stands last; as Java and JavaScript do, where it is first.
LAST = re.compile(r'\s*File "(?P<file>[^"]+)", line (?P<line>\d{1,7})(?:, in (?P<function>.+))?')
FIRST = re.compile(r"\s*at (?:(?P<function>[^()]+)\()?(?P<file>[^()]+)\)?")
LINES = re.compile(r"(?P<file>.+?):(?P<line>\d{1,7})(?::\d{1,7})?")
LONGEST_LINE, MOST_FRAMES = 700, 200


class Unreadable(Exception):
    """The body is none of its kind."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record, as far as it is read; `whole` is it as it was sent.

    Times are nanoseconds since 1970, 0 where not said: when it happened, and when it was observed. `program` says which
    of those in the request told it.
    """

    whole: bytes
    program: int
    happened: int
    observed: int
    severity: int
    event: str
    words: str
    says: Mapping[str, str]


class Value(Struct, rename="camel"):
    """A value; any but words are not read."""

    string_value: str | None = None


class Attribute(Struct):
    """A name and a value."""

    key: str = ""
    value: Value | None = None


class Line(Struct, rename="camel"):
    """A record as JSON; a number of 64 bits may be in quotes."""

    time_unix_nano: int | str = 0
    observed_time_unix_nano: int | str = 0
    severity_number: int = 0
    event_name: str = ""
    body: Value | None = None
    attributes: list[Attribute] = []


class Named(Struct):
    """The part of a program that told, such as a logger."""

    name: str = ""


class Part(Struct, rename="camel"):
    """What one part of a program told."""

    scope: Named | None = None
    log_records: list[msgspec.Raw] = []


class Resource(Struct):
    """What told it."""

    attributes: list[Attribute] = []


class Told(Struct, rename="camel"):
    """What one program told."""

    resource: Resource | None = None
    scope_logs: list[Part] = []


class Request(Struct, rename="camel"):
    """What one request brings."""

    resource_logs: list[Told] = []


def packed(body: bytes) -> Iterator[Record]:
    """Yield the records of a request in protobuf. Raises Unreadable."""
    for program, told in enumerate(_parsed(ExportLogsServiceRequest(), body).resource_logs):
        about = _read(((each.key, each.value.string_value) for each in told.resource.attributes), READ_OF_RESOURCE)
        for part in told.scope_logs:
            for line in part.log_records:
                says = _read(((each.key, each.value.string_value) for each in line.attributes), READ)
                yield Record(
                    line.SerializeToString(deterministic=True),
                    program,
                    line.time_unix_nano,
                    line.observed_time_unix_nano,
                    line.severity_number,
                    line.event_name or says.get("event.name", "") or part.scope.name,
                    line.body.string_value,
                    about | says,
                )


def spelt(body: bytes) -> Iterator[Record]:
    """Yield the records of a request in JSON. Raises Unreadable."""
    for program, told in enumerate(_decoded(body, Request).resource_logs):
        about = _read(_words(told.resource.attributes if told.resource else ()), READ_OF_RESOURCE)
        for part in told.scope_logs:
            for raw in part.log_records:
                line = _decoded(bytes(raw), Line)
                says = _read(_words(line.attributes), READ)
                scope = part.scope.name if part.scope else ""
                yield Record(
                    bytes(raw),
                    program,
                    _number(line.time_unix_nano),
                    _number(line.observed_time_unix_nano),
                    line.severity_number,
                    line.event_name or says.get("event.name", "") or scope,
                    (line.body.string_value if line.body else None) or "",
                    about | says,
                )


READERS: Mapping[bytes, Callable[[bytes], Iterator[Record]]] = {
    b"application/x-protobuf": packed,
    b"application/json": spelt,
}


def _parsed[M: Message](into: M, body: bytes) -> M:
    try:
        into.ParseFromString(body)
    except DecodeError as error:
        raise Unreadable("it is no protobuf of what is exported here") from error
    return into


def _decoded[S](body: bytes, form: type[S]) -> S:
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("it is no JSON of what is exported here") from error


def _words(attributes: Iterable[Attribute]) -> Iterator[tuple[str, str]]:
    for each in attributes:
        yield each.key, (each.value.string_value if each.value else None) or ""


def _read(words: Iterable[tuple[str, str]], wanted: frozenset[str]) -> dict[str, str]:
    return {name: word for name, word in words if name in wanted and word}


def _number(told: int | str) -> int:
    try:
        return int(told)
    except ValueError as error:
        raise Unreadable("a time is no number") from error


def judged(records: Sequence[Record], sender: Sender, received: datetime) -> Iterator[Sent | Refused]:
    """Yield what each record tells. They have no names: what is sent again as it was, and as often, is the same."""
    seen: Counter[bytes] = Counter()
    ahead = _ahead(records, received)
    for record in records:
        about = msgspec.json.encode(sorted(record.says.items()))
        mark = sha256(about + b"\0" + record.whole).digest()
        seen[mark] += 1
        key = sha256(mark + seen[mark].to_bytes(8)).hexdigest()
        yield _judged(record, key, sender, ahead.get(record.program, timedelta()))


def _ahead(records: Iterable[Record], received: datetime) -> dict[int, timedelta]:
    """Return by how much the clocks of programs are ahead at least: by as much as they observed after it was received.

    By how much one is behind nothing says, since a request may have waited, and come again.
    """
    latest = dict[int, int]()
    for record in records:
        latest[record.program] = max(latest.get(record.program, 0), record.observed or record.happened)
    told = ((program, _moment(last)) for program, last in latest.items())
    found = ((program, ahead_of(moment, received)) for program, moment in told)
    return {program: ahead for program, ahead in found if ahead > timedelta()}


def _moment(nanoseconds: int) -> datetime | None:
    """Return when that is; None where it was not said, or stands in no calendar."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds else None
    except (ValueError, OverflowError, OSError):
        return None


def _judged(record: Record, key: str, sender: Sender, ahead: timedelta) -> Sent | Refused:
    says = _crash(record) if any(name in record.says for name in FAILURE) else _activity(record)
    kind = KINDS["crash" if isinstance(says, Crash) else "activity"]
    person = record.says.get("user.id") or record.says.get("enduser.id", "")
    if not PERSON.fullmatch(person):
        return Refused("unknown-person", kind=kind.table)  # whoever it is, it is nobody whom we told the application of
    nanoseconds = record.happened or record.observed
    at = _moment(nanoseconds)
    if nanoseconds and at is None:
        return Refused("malformed", kind=kind.table)
    sending = Sending(key=key, kind=kind.table, data=msgspec.Raw(b""), person=person, at=at)
    return understood(sending, kind, says, sender, ahead)


def _of_resource(says: Mapping[str, str]) -> dict[str, Any]:
    environment = says.get("deployment.environment.name") or says.get("deployment.environment", "")
    return {"release": says.get("service.version", "")[:200] or None, "environment": environment[:100] or None}


def _activity(record: Record) -> Activity:
    grave = (record.severity - 1) // 4
    return Activity(
        event=record.event[:200] or "log",
        severity=SEVERITIES[grave] if 0 <= grave < len(SEVERITIES) else None,  # type: ignore[arg-type]
        message=record.words[:2000] or None,
        **_of_resource(record.says),
    )


def _crash(record: Record) -> Crash:
    return Crash(
        kind=record.says.get("exception.type", "Error")[:200],
        message=record.says.get("exception.message", "")[:2000] or None,
        stack=_stack(record.says.get("exception.stacktrace", "")),
        **_of_resource(record.says),
    )


def _stack(trace: str) -> list[Frame]:
    lines = [line for line in trace.splitlines() if len(line) <= LONGEST_LINE]
    last = [_frame(found["function"], found["file"], found["line"]) for found in map(LAST.fullmatch, lines) if found]
    first = chain.from_iterable(map(_first, lines))
    return last[-MOST_FRAMES:] if last else list(first)[:MOST_FRAMES][::-1]


def _first(line: str) -> Iterator[Frame]:
    found = FIRST.fullmatch(line)
    place = LINES.fullmatch(found["file"]) if found else None
    if found and place:
        yield _frame((found["function"] or "").strip(), place["file"], place["line"])


def _frame(function: str | None, file: str, line: str) -> Frame:
    return Frame(function=(function or "")[:200] or None, file=file[-500:], line=int(line))


class Points(Struct, rename="camel"):
    """The points of a metric."""

    data_points: list[msgspec.Raw] = []


class Metric(Struct, rename="camel"):
    """A metric, of one of these forms."""

    gauge: Points | None = None
    sum: Points | None = None
    histogram: Points | None = None
    exponential_histogram: Points | None = None
    summary: Points | None = None


class Measured(Struct, rename="camel"):
    """Spans or metrics of one part of a program."""

    spans: list[msgspec.Raw] = []
    metrics: list[Metric] = []


class Program(Struct, rename="camel"):
    """Those of one program."""

    scope_spans: list[Measured] = []
    scope_metrics: list[Measured] = []


class Other(Struct, rename="camel"):
    """Traces or metrics."""

    resource_spans: list[Program] = []
    resource_metrics: list[Program] = []


def spans(body: bytes, *, json: bool) -> int:
    """Return how many spans are in a body, none of which is taken. Raises Unreadable."""
    if json:
        parts = chain.from_iterable(each.scope_spans for each in _decoded(body, Other).resource_spans)
        return sum(len(part.spans) for part in parts)
    told: Sequence[Any] = _parsed(ExportTraceServiceRequest(), body).resource_spans
    return sum(len(part.spans) for each in told for part in each.scope_spans)


def points(body: bytes, *, json: bool) -> int:
    """Return how many points of metrics are in a body, none of which is taken. Raises Unreadable."""
    if json:
        parts = chain.from_iterable(each.scope_metrics for each in _decoded(body, Other).resource_metrics)
        forms = [msgspec.structs.astuple(metric) for part in parts for metric in part.metrics]
        return sum(len(form.data_points) for metric in forms for form in metric if form)
    told: Sequence[Any] = _parsed(ExportMetricsServiceRequest(), body).resource_metrics
    metrics = [metric for each in told for part in each.scope_metrics for metric in part.metrics]
    return sum(len(getattr(each, form).data_points) for each in metrics if (form := each.WhichOneof("data")))
