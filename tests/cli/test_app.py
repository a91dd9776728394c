"""Whoever registers an application is told what it still needs."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from psycopg import Connection

from tests.provider.asking import MANIFEST
from troth.cli.app import app
from troth.people import registering

SENDING = MANIFEST.replace("purposes =", 'events = ["crash"]\npurposes =')


@pytest.mark.parametrize(
    ("manifest", "sends"), [(SENDING, True), (MANIFEST, False), (f'kind = "public"\n{SENDING}', True)]
)
def test_what_sends_events_needs_a_key_and_what_has_a_secret_shows_it_once(
    owner: Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, manifest: str, sends: bool
) -> None:
    answers: list[dict[str, Any]] = []

    def ask(_kind: str, told: dict[str, Any]) -> dict[str, Any]:
        answers.append(registering.register(owner, told))
        return answers[-1]

    monkeypatch.setattr("troth.database.requests.ask", ask)
    file = tmp_path / "notes.toml"
    file.write_text(manifest, encoding="utf-8")
    done = CliRunner().invoke(app, ["register", str(file)], catch_exceptions=False)
    (answer,) = answers
    told = f"to send events it needs a key: troth app add-key {answer['application']}"
    assert (told in done.stderr.splitlines()) is sends
    assert ("a secret is shown this once" in done.stderr) is bool(answer["secret"])
    assert done.stdout.split()[1] == answer["application"], "what a script reads is as it was"
