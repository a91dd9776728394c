"""`/v1/logs`: what OpenTelemetry's exporters send, as protobuf or JSON; traces and metrics are refused likewise.

Source: opentelemetry.io/docs/specs/otlp, OTLP/HTTP: what is refused is counted in the answer, and not sent again.
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)

from troth.api.answering import Scope
from troth.api.intake import bearer
from troth.api.protocols import MOST, Brought, Reply, kind_of
from troth.api.refusals import Refusal
from troth.intake.event import Refused
from troth.intake.gate import Answer, Outcome
from troth.intake.logs import READERS, Unreadable, judged, points, spans
from troth.intake.sent import Sender

JSON = b"application/json"
#: How each signal calls in JSON what was not taken of it. In protobuf all three look the same.
REJECTED = {"logs": "rejectedLogRecords", "traces": "rejectedSpans", "metrics": "rejectedDataPoints"}


class Logs:
    """What OpenTelemetry's exporters send and are answered."""

    path = re.compile("/v1/(logs|traces|metrics)")
    carried = b"content-type, content-encoding, authorization"

    def key(self, scope: Scope) -> bytes:
        """Return the key that stands in the header for it."""
        return bearer(scope)

    def read(self, scope: Scope, body: bytes, sender: Sender, received: datetime) -> Brought:
        """Return what is in an export. Raises Refusal."""
        kind = kind_of(scope)
        if kind not in READERS:
            raise Refusal("export-kind")
        try:
            match _signal(scope):
                case "logs":
                    records = list(islice(READERS[kind](body), MOST + 1))
                    return Brought(list(judged(records, sender, received)))
                case "traces":
                    many = spans(body, json=kind == JSON)
                case _:
                    many = points(body, json=kind == JSON)
        except Unreadable as error:
            raise Refusal("export", str(error)) from error
        return Brought([Refused("unknown-kind")] * min(many, MOST + 1))

    def told(self, scope: Scope, _brought: Brought, found: Sequence[Answer]) -> Reply:
        """Say how many were not taken, and why; nothing where all were."""
        out = [each for each in found if each.outcome in (Outcome.REFUSED, Outcome.CONFLICT)]
        whys = Counter(str(each.refused or each.outcome) for each in out)
        message = ", ".join(f"{many} {why}" for why, many in sorted(whys.items()))
        if kind_of(scope) == JSON:
            partial = {REJECTED[_signal(scope)]: str(len(out)), "errorMessage": message}
            return Reply(200, msgspec.json.encode({"partialSuccess": partial} if out else {}))
        answer = ExportLogsServiceResponse()
        if out:
            answer.partial_success.rejected_log_records = len(out)
            answer.partial_success.error_message = message
        return Reply(200, answer.SerializeToString(), "application/x-protobuf")

    def turned_away(self, scope: Scope, refusal: Refusal) -> Reply:
        """Say why, as a google.rpc.Status: of that is written what it shares with another message, number 2."""
        message = f"{refusal.body['message']}; {refusal.body['what_next']}"
        if kind_of(scope) != b"application/x-protobuf":
            return Reply(refusal.status, msgspec.json.encode({"message": message}))
        status = ExportLogsPartialSuccess(error_message=message)
        return Reply(refusal.status, status.SerializeToString(), "application/x-protobuf")


def _signal(scope: Scope) -> str:
    return str(scope["path"]).rpartition("/")[2]
