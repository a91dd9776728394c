"""What a file is, its bytes say; what it is called says no more than that, and nothing in it is opened."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.records.errors import FileRefusal
from troth.records.files import ENDINGS, LARGEST, LONGEST_NAME, UNNAMEABLE, clean_file, named

PNG = b"\x89PNG\r\n\x1a\n rest"


def bomb() -> bytes:
    """A megabyte of nothing a thousand times over, in less than a megabyte."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("nothing", "w") as inside:
        for _ in range(64):
            inside.write(bytes(1 << 20))
    return held.getvalue()


@pytest.mark.asvs("5.2.2", "5.3.2", "5.4.1")
@pytest.mark.parametrize(
    ("name", "content", "kept"),
    [
        ("boat.png", PNG, ("boat.png", "image/png")),
        ("boat.html", PNG, ("boat.html.png", "image/png")),
        ("page.html", b"<!doctype html><script>alert(1)</script>", ("page.html.txt", "text/plain")),
        ("drawing.svg", b"<svg onload=alert(1)>", ("drawing.svg.txt", "text/plain")),
        ("invoice.pdf.exe", b"%PDF-1.7", ("invoice.pdf.exe.pdf", "application/pdf")),
        ("../../etc/passwd", b"root", ("passwd.txt", "text/plain")),
        ("..\\..\\boot.ini", b"x", ("boot.ini.txt", "text/plain")),
        ("gpj.\u202eexe.txt", b"x", ("gpj.exe.txt", "text/plain")),
        ("a\r\nSet-Cookie: b.txt", b"x", ("aSet-Cookie: b.txt", "text/plain")),
        ("\x00\u202e/", b"x", ("file.txt", "text/plain")),
        ("", b"x", ("file.txt", "text/plain")),
        ("محضر الاجتماع.md", "نص".encode(), ("محضر الاجتماع.md", "text/plain")),
        ("report.docx", b"PK\x03\x04", ("report.docx", "application/zip")),
    ],
)
def test_a_file_is_called_as_what_it_is(name: str, content: bytes, kept: tuple[str, str]) -> None:
    file = clean_file(name, content)
    assert ((file.name, file.type), file.content) == (kept, content)


def test_an_archive_stays_shut() -> None:
    content = bomb()
    assert len(content) < LARGEST
    assert clean_file("bomb.zip", content).content == content


@pytest.mark.asvs("5.2.1", "5.2.2")
@pytest.mark.parametrize(
    "content", [b"", b"x" * (LARGEST + 1), b"MZ\x90\x00\x03", b"\x7fELF\x00", b"a\x00b", b"\xff\xfe"]
)
def test_what_is_no_kind_that_is_kept_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefusal):
        clean_file("a.png", content)


@pytest.mark.asvs("5.4.2")
@given(st.text(), st.sampled_from(sorted(ENDINGS)))
def test_every_name_can_be_kept(name: str, kind: str) -> None:
    kept = named(name, kind)
    assert 1 <= len(kept) <= LONGEST_NAME
    assert not UNNAMEABLE.search(kept)
    assert kept.rpartition(".")[2].lower() in ENDINGS[kind]
