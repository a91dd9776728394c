"""Reports that browsers send on their own: counted by a closed list of words, and never stored.

Source: w3.org/TR/reporting-1, w3.org/TR/CSP3 (both forms of a violation), w3.org/TR/network-error-logging.
What a report holds of somebody (addresses of pages and of what was blocked beyond its scheme, samples, lines of source,
agents, networks) has no field here.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from troth.intake.event import Counted, Refused

REPORTS, VIOLATION = b"application/reports+json", b"application/csp-report"
OTHER = "other"
#: Source: w3.org/TR/CSP3, section 6, and what older browsers still know.
DIRECTIVES = frozenset({
    "base-uri", "block-all-mixed-content", "child-src", "connect-src", "default-src", "fenced-frame-src",
    "font-src", "form-action", "frame-ancestors", "frame-src", "img-src", "manifest-src", "media-src",
    "navigate-to", "object-src", "plugin-types", "prefetch-src", "require-trusted-types-for", "sandbox",
    "script-src", "script-src-attr", "script-src-elem", "style-src", "style-src-attr", "style-src-elem",
    "trusted-types", "upgrade-insecure-requests", "webrtc", "worker-src",
})  # fmt: skip
#: What was blocked: what browsers call what has no address, and of an address its scheme.
BLOCKED = frozenset({
    "inline", "eval", "wasm-eval", "trusted-types-policy", "trusted-types-sink", "http", "https", "ws", "wss",
    "data", "blob", "filesystem", "about", "chrome-extension", "moz-extension", "safari-web-extension",
})  # fmt: skip
DISPOSITIONS = frozenset({"enforce", "report"})
#: Source: w3.org/TR/network-error-logging, section 6.
FAILURES = frozenset({
    "ok", "unknown", "abandoned", "dns.unreachable", "dns.name_not_resolved", "dns.failed",
    "dns.address_changed", "tcp.timed_out", "tcp.closed", "tcp.reset", "tcp.refused", "tcp.aborted",
    "tcp.address_invalid", "tcp.address_unreachable", "tcp.failed", "tls.version_or_cipher_mismatch",
    "tls.bad_client_auth_cert", "tls.cert.name_invalid", "tls.cert.date_invalid", "tls.cert.authority_invalid",
    "tls.cert.invalid", "tls.cert.revoked", "tls.cert.pinned_key_not_in_cert_chain", "tls.protocol.error",
    "tls.failed", "http.error", "http.protocol.error", "http.response.invalid", "http.response.redirect_loop",
    "http.failed",
})  # fmt: skip
ENDINGS = frozenset({"oom", "unresponsive"})


class Unread(Exception):
    """The body is no list of reports, nor a violation."""


class Report(Struct):
    """One report, as far as it is read."""

    type: str
    body: msgspec.Raw = msgspec.Raw(b"{}")


class Violation(Struct, rename="camel"):
    """A violation as the Reporting API has it."""

    effective_directive: str = ""
    blocked_url: str | None = msgspec.field(default=None, name="blockedURL")
    disposition: str = "enforce"


class Older(Struct, rename="kebab"):
    """A violation as it was sent before; some browsers said only with its sources which directive it was of."""

    effective_directive: str = ""
    violated_directive: str = ""
    blocked_uri: str | None = None
    disposition: str = "enforce"


class Wrapped(Struct, rename="kebab"):
    """The body around it."""

    csp_report: Older


class Failure(Struct):
    """A request that failed, or was taken for a sample."""

    type: str = ""


class Ending(Struct):
    """A page that ended."""

    reason: str | None = None


class Anything(Struct):
    """Whatever a browser says of itself in words of its own, none of which is read."""


def _violated(found: Violation) -> str:
    return _words(found.effective_directive, found.blocked_url, found.disposition)


def _violated_before(found: Older) -> str:
    named = found.effective_directive or found.violated_directive.strip().partition(" ")[0]
    return _words(named, found.blocked_uri, found.disposition)


def _words(directive: str, blocked: str | None, disposition: str) -> str:
    return " ".join(
        (
            _listed(directive, DIRECTIVES),
            _listed((blocked or "").partition(":")[0], BLOCKED),
            _listed(disposition, DISPOSITIONS),
        )
    )


def _failed(found: Failure) -> str:
    return _listed(found.type, FAILURES)


def _ended(found: Ending) -> str:
    return _listed(found.reason or "", ENDINGS)


def _nothing(_found: Anything) -> str:
    return ""


def _listed(word: str, words: frozenset[str]) -> str:
    """Return a word that stands in a closed list, and for every other one the same."""
    return word if word in words else OTHER


#: By type of report: the structure that is read of it, and the words by which it is counted.
TYPES: Mapping[str, tuple[type[Struct], Callable[[Any], str]]] = {
    "csp-violation": (Violation, _violated),
    "network-error": (Failure, _failed),
    "deprecation": (Anything, _nothing),
    "intervention": (Anything, _nothing),
    "crash": (Ending, _ended),
}
#: What a count calls each: a crash of a browser's page is none that an application tells of.
NAMES: Mapping[str, str] = {name: name for name in TYPES} | {"crash": "page-crash"}


def reported(body: bytes) -> Iterator[Counted | Refused]:
    """Yield what each report of a list is counted as. Raises Unread."""
    for raw in _decoded(body, list[msgspec.Raw]):
        try:
            report = _decoded(bytes(raw), Report)
        except Unread:
            yield Refused("malformed")
            continue
        yield _counted(report)


def _counted(report: Report) -> Counted | Refused:
    if report.type not in TYPES:
        return Refused("unknown-kind")
    name, (form, words) = NAMES[report.type], TYPES[report.type]
    try:
        return Counted(name, words(_decoded(bytes(report.body), form)))
    except Unread:
        return Refused("malformed", kind=name)


def violated(body: bytes) -> Iterator[Counted | Refused]:
    """Yield what a violation in the older form is counted as. Raises Unread."""
    yield Counted("csp-violation", _violated_before(_decoded(body, Wrapped).csp_report))


READERS: Mapping[bytes, Callable[[bytes], Iterator[Counted | Refused]]] = {REPORTS: reported, VIOLATION: violated}


def _decoded[S](body: bytes, form: type[S]) -> S:
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unread("it is no JSON of reports") from error
