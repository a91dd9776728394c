"""What a file is, seen in its bytes, and a name for it that says so; what is in an archive stays there unopened."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from troth.people.cleaning import CONTROL
from troth.records.errors import FileRefusal

#: Bytes of a file, files of a post, characters of a file's name.
LARGEST, MOST, LONGEST_NAME = 1 << 20, 3, 200
#: Signs that turn the direction of the text around them without closing it, and what separates folders.
UNNAMEABLE = re.compile(CONTROL.pattern[:-1] + "\u200e\u200f/\\\\]")
#: How each kind of file begins (the formats' own specifications); a text is told otherwise.
SIGNS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-"), "application/pdf"),
    (re.compile(rb"PK\x03\x04"), "application/zip"),
)
TEXT = "text/plain"
ENDINGS: Mapping[str, tuple[str, ...]] = {
    "image/png": ("png",),
    "image/jpeg": ("jpg", "jpeg"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "application/pdf": ("pdf",),
    "application/zip": ("zip", "docx", "xlsx", "pptx", "odt", "ods", "odp", "epub"),
    TEXT: ("txt", "md", "csv", "log", "json"),
}


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is kept: a name without a path, the media type that was seen, the bytes as they came."""

    name: str
    type: str
    content: bytes


def clean_file(name: str, content: bytes) -> File:
    """Return a file as kept. Raises FileRefusal."""
    if not content:
        raise FileRefusal("this file is empty", advice="choose another")
    if len(content) > LARGEST:
        raise FileRefusal(f"this file has {len(content)} bytes", advice=f"keep it to {LARGEST}")
    kind = sniffed(content)
    if kind is None:
        raise FileRefusal(
            "this is no kind of file that is kept here", advice="choose a picture, a PDF, a text or a ZIP"
        )
    return File(named(name, kind), kind, content)


def sniffed(content: bytes) -> str | None:
    """Return the media type that the bytes of a file show, or None."""
    for sign, kind in SIGNS:
        if sign.match(content):
            return kind
    try:
        return None if "\0" in content.decode("utf-8") else TEXT
    except UnicodeDecodeError:
        return None


def named(name: str, kind: str) -> str:
    """Return a name without folders and unseen signs, that ends as its kind of file does."""
    last = name.replace("\\", "/").rpartition("/")[2]
    clean = " ".join(UNNAMEABLE.sub("", last).split()).strip(". ") or "file"
    endings = ENDINGS[kind]
    if clean.rpartition(".")[2].lower() not in endings or "." not in clean:
        clean = f"{clean[: LONGEST_NAME - 6]}.{endings[0]}"
    stem, _, ending = clean.rpartition(".")
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"
