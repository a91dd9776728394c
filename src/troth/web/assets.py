"""Style sheet, script and icons, served from the package under names that carry their content's hash."""

import gzip
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib import resources

from django.http import HttpRequest, HttpResponse

TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"


@cache
def assets() -> dict[str, tuple[str, bytes, bytes]]:
    """Return path -> (type, bytes, gzipped bytes)."""
    found = {}
    for file in resources.files("troth.web").joinpath("static").iterdir():
        stem, _, kind = file.name.rpartition(".")
        if kind in TYPES:
            content = file.read_bytes()
            path = f"/static/{stem}.{sha256(content).hexdigest()[:12]}.{kind}"
            found[path] = (TYPES[kind], content, gzip.compress(content, 9, mtime=0))
    return found


@cache
def address(name: str) -> str:
    """Return where a file of the folder `static` is served, empty when there is none."""
    stem, _, kind = name.rpartition(".")
    return next((path for path in assets() if path.startswith(f"/static/{stem}.") and path.endswith(f".{kind}")), "")


def serve(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer for these paths before any session is opened."""

    def answer(request: HttpRequest) -> HttpResponse:
        asset = assets().get(request.path)
        if asset is None or request.method not in ("GET", "HEAD"):
            return get_response(request)
        kind, content, packed = asset
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        response = HttpResponse(packed if zipped else content, content_type=kind)
        response.headers["Cache-Control"] = FOREVER
        response.headers["Vary"] = "Accept-Encoding"
        if zipped:
            response.headers["Content-Encoding"] = "gzip"
        return response

    return answer
