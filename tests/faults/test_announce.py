"""`troth announce`, whole: a file, a running service, a mail server, and only those who want to hear of it."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.test_kills import sign_up
from tests.notices.mailing import Sink, listening
from tests.serving import Serving

pytestmark = pytest.mark.xdist_group("faults")
NEWS = """
[en]
subject = "A new quay"
text = "It opens on Monday."
"""


def choose(service: Serving, token: str, kind: str) -> None:
    with service.connect("self") as mine:
        mine.execute("SELECT set_config('troth.token', %s, true)", (token,))
        mine.execute("SELECT troth.choose('announce', %s)", (kind,))


def wait_for(sink: Sink, many: int) -> list[str]:
    """Return who got a mail, once so many have, and a moment later nobody more."""
    deadline = time.monotonic() + 60
    while len(sink.taken) < many:
        assert time.monotonic() < deadline, sink.taken
        time.sleep(0.1)
    time.sleep(2)
    return sorted(to for (to,), _ in sink.taken)


def test_a_file_reaches_those_who_said_yes_and_nobody_else(tmp_path: Path) -> None:
    with listening() as sink:
        service = Serving(tmp_path / "data", arguments=("--mail", sink.url)).start()
        try:
            people = {name: sign_up(service, name) for name in ("Alice", "Bob", "Charlie")}
            choose(service, people["Alice"][1], "consent")
            choose(service, people["Bob"][1], "consent")
            choose(service, people["Bob"][1], "withdrawal")
            told = tmp_path / "news.toml"
            told.write_text(NEWS, encoding="utf-8")
            said = service.run("announce", str(told), "--yes").stdout
            assert "it is on its way; see /operator/announcements" in said, "where its own row stands"
            assert wait_for(sink, 1) == [f"{people['Alice'][1]}@x.example"]
            mail = sink.taken[0][1]
            assert mail["Subject"] == "A new quay"
            assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
            assert "It opens on Monday." in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
            with service.connect("owner") as owner:
                entry = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'announced'"
                assert owner.execute(entry).fetchone() == (1,)
            choose(service, people["Alice"][1], "withdrawal")
            service.run("announce", str(told), "--yes")
            assert len(wait_for(sink, 1)) == 1, "she wants none any more"
        finally:
            service.stop()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[en]\nsubject = 'x'", "`en` has no subject or no text"),
        ("[xx]\nsubject = 'x'\ntext = 'y'", "there is no language `xx`"),
        ("subject =", "is no TOML"),
        ("", "an announcement says something"),
    ],
)
def test_what_is_no_announcement_is_refused_with_its_place_before_anything_is_asked(
    tmp_path: Path, text: str, sentence: str
) -> None:
    told = tmp_path / "news.toml"
    told.write_text(text, encoding="utf-8")
    done: subprocess.CompletedProcess[str] = Serving(tmp_path / "none").run("announce", str(told), "--yes", check=False)
    assert done.returncode == 1
    assert str(told) in done.stderr
    assert sentence in done.stderr
