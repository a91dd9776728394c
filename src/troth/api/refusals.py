"""Every refusal of the lean plane: a stable code, the HTTP status, a sentence, what to do next."""

from typing import Any

REFUSALS: dict[str, tuple[int, str, str]] = {
    "sign-in-needed": (401, "nobody is signed in", "sign in at /sign-in; the answer is for the person it is about"),
    "key-needed": (
        401,
        "no key of an application's opens the intake",
        "send `Authorization: Bearer KEY`; see `troth app add-key`",
    ),
    "agreement-missing": (403, "there is no agreement to the policy in force", "read it and agree at /agree"),
    "cross-origin": (
        403,
        "the request does not come from the service's own pages",
        "send JSON from a page of the service",
    ),
    "not-found": (404, "there is nothing here", "see /api/v1/policy, /api/v1/me, /ledger/checkpoint"),
    "ledger-empty": (404, "the ledger has no signed head yet", "try again in a moment"),
    "method": (405, "this path does not take that method", "read with GET, decide with POST"),
    "too-slow": (408, "the body took too long", "send it at once"),
    "choice-unknown": (
        409,
        "the purpose's basis knows no such choice",
        "consent, refusal or withdrawal; objection or permission",
    ),
    "choice-outdated": (
        409,
        "another choice was made meanwhile",
        "read /api/v1/me, and send the newest choice about the purpose as `seen`",
    ),
    "too-long": (413, "the body is too long", "send at most 64 kB"),
    "kind": (415, "the body is of an unknown kind", "send `application/json` or `application/x-ndjson`"),
    "coding": (415, "the body is packed in an unknown way", "send gzip, deflate, br or zstd, or nothing packed"),
    "too-much": (413, "there is more in the body than is taken at once", "send at most 1,000 events and 4 MB unpacked"),
    "purpose-unknown": (422, "the policy has no such purpose", "choose one of /api/v1/policy"),
    "before": (422, "`before` is no time", "write it as 2026-11-01T12:00:00Z"),
    "clock": (422, "`Sent-At` is no time", "write it as 2026-11-01T12:00:00Z, or leave it out"),
    "body": (422, "the body is not what was expected", 'send {"purpose": ..., "kind": ..., "seen": ...}'),
    "envelope": (422, "the body is no envelope", "send what a client of Sentry's sends"),
    "calls": (400, "the body is no call", "send what a client of Segment or RudderStack sends"),
    "calls-long": (
        413,
        "the calls are longer than is taken at once",
        "send at most 32 kB in a call and 500 kB in a batch",
    ),
    "export": (400, "the body is no export of OpenTelemetry", "send what an exporter sends by OTLP/HTTP"),
    "export-kind": (415, "the export is of an unknown kind", "send `application/x-protobuf` or `application/json`"),
    "page": (400, "the body is not what a page sends", "send what the library in `clients/javascript` sends"),
    "reports": (400, "the body is no report", "send what a browser sends"),
    "reports-kind": (
        415,
        "the reports are of an unknown kind",
        "send `application/reports+json` or `application/csp-report`",
    ),
    "guessing": (
        429,
        "too many keys that open nothing came from this network",
        "wait for `Retry-After`; a key that opened something goes on",
    ),
    "busy": (503, "more came at once than waits here", "send it again after `Retry-After`, under the same keys"),
    "unavailable": (503, "the database does not answer", "try again in a moment"),
}


class Refusal(Exception):
    """One of them."""

    def __init__(self, code: str, detail: str = "", *, advice: str = "", allowed: str = "", retry: int = 0) -> None:
        """Look it up by its code; `retry` is how many seconds later it may be tried again.

        `advice` says what to do next in place of what is said where nobody says more.
        """
        self.allowed, self.retry = allowed, retry
        self.status, sentence, usual = REFUSALS[code]
        self.body: dict[str, Any] = {
            "code": code,
            "message": f"{sentence}: {detail}" if detail else sentence,
            "what_next": advice or usual,
        }
        super().__init__(self.body["message"])
