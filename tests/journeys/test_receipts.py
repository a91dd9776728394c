"""In a real browser: a yes has a receipt to keep, which holds without the service; the ledger that proves it is verified from outside."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.journeys.conftest import Visitor
from tests.journeys.test_support import faults
from tests.serving import TROTH, Serving

Visit = Callable[..., Visitor]


def verified(file: Path, *keys: str) -> subprocess.CompletedProcess[str]:
    """Check a receipt as somebody does who has the file and the keys, and no troth that runs."""
    command = [str(TROTH), "receipt", "verify", str(file), *keys, "--format", "json"]
    environment = {"PATH": "/usr/bin:/bin", "TROTH_DATA": str(file.parent / "nothing")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def saved(alice: Visitor, file: Path) -> Path:
    """Save the receipt that is open, once the ledger has signed it."""
    deadline = time.monotonic() + 30
    while alice.page.get_by_text("The ledger signs it in a moment").count():
        assert time.monotonic() < deadline
        time.sleep(0.5)
        alice.page.reload()
    with alice.page.expect_download() as download:
        alice.page.get_by_role("link", name="Save the receipt").click()
    download.value.save_as(file)
    return file


def test_a_yes_is_kept_and_believed_without_the_service(service: Serving, visit: Visit, tmp_path: Path) -> None:
    alice = visit(accept_downloads=True)
    alice.join("alice-receipt@harbor.example", "Alice Okafor")
    card = alice.go("/me").locator("#purpose-announce")
    card.get_by_role("button", name="Yes").click()
    alice.page.wait_for_load_state()
    alice.page.locator("section", has_text="Your choices").get_by_role("link", name="Receipt").first.click()
    assert alice.title() == "Receipt"
    found = faults(alice)
    file = saved(alice, tmp_path / "receipt.jsonld")
    told = json.loads(file.read_text("utf-8"))
    assert (told["receipt"]["kind"], told["receipt"]["purpose"]) == ("consent", "announce")
    page = alice.context.new_page()
    keys = []
    for option, path in (("--key", "/receipts/key"), ("--ledger", "/ledger/key")):
        answer = page.request.get(service.address + path)
        keys += [option, answer.text().strip()]
    held = verified(file, *keys)
    assert held.returncode == 0, held.stderr
    altered = tmp_path / "altered.jsonld"
    altered.write_text(json.dumps(told | {"receipt": told["receipt"] | {"kind": "withdrawal"}}), encoding="utf-8")
    refused = verified(altered, *keys)
    assert refused.returncode == 1
    assert "the seal does not hold" in refused.stderr
    assert "the signed tree of" in service.run("ledger", "verify").stdout
    assert found == []
