"""P40: another owner signs what is in force, keys roll, and nothing that concerns anybody changes."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection

from tests.conftest import TERMS, Person, forget
from tests.consent.test_publishing import PLAIN, turn
from tests.consent.test_receipts import of_agreement, of_choice
from tests.consent.test_scheduling import comes, later
from troth.api import ledger
from troth.cli.owner import change as change_command
from troth.cli.owner import show
from troth.consent import actions, handover, publishing, receipts, scheduling
from troth.consent.errors import NotAReceipt
from troth.database import connect, place, requests, signatures, succession
from troth.database.drift import drift
from troth.database.errors import RequestRefusal
from troth.database.keeper import Keeper
from troth.database.place import Place
from troth.ledger import published, sequencing, signednote
from troth.ledger.errors import CheckpointRefusal
from troth.ledger.proofs import Proof
from troth.ledger.signednote import Key
from troth.policy.compare import Verdict

pytestmark = [pytest.mark.usefixtures("django"), pytest.mark.xdist_group("handover")]
#: What a change of owner may touch, and nothing else in the whole database.
TOUCHED = {"ledger_checkpoint", "ledger_entry", "ledger_tile", "owner_change", "policy_signature", "signing_key"}


@pytest.fixture(autouse=True)
def folder(database: Place) -> Iterator[Path]:
    """The secrets, which are as they were for the next test; and a ledger that this database begins."""
    (database.data / sequencing.FILE).unlink(missing_ok=True)
    kept = database.data / "kept"
    shutil.copytree(database.secrets, kept)
    yield database.secrets
    shutil.rmtree(database.secrets)
    kept.rename(database.secrets)
    (database.data / sequencing.FILE).unlink(missing_ok=True)


@pytest.fixture
def keeper(keeper: Keeper) -> Keeper:
    return handover.taught(sequencing.taught(keeper))


def asked(key: Ed25519PrivateKey | None = None, *, until: float | None = None) -> dict[str, Any]:
    """Lay a successor's keys out; return what the keeper is asked."""
    then = succession.lay_out(place.secrets_of(place.current()), key)
    told = {"operator": then.operator.public_key().public_bytes_raw().hex()}
    return told | {"until": until or datetime.now(UTC).timestamp() + 60}


def hands_over(owner: Connection[Any], keeper: Keeper, told: dict[str, Any] | None = None) -> dict[str, Any]:
    return dict(keeper.kinds[handover.KIND](owner, told or asked()))


def fingerprints(owner: Connection[Any]) -> dict[str, str]:
    """Return what every table of the service holds, as a digest."""
    tables = owner.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'troth'::regnamespace AND relkind IN ('r', 'p')"
    )
    query = "SELECT md5(coalesce(string_agg(held::text, chr(10) ORDER BY held::text), '')) FROM troth.{} AS held"
    return {
        name: str((owner.execute(query.format(name).encode()).fetchone() or ("",))[0]) for (name,) in tables.fetchall()
    }


def test_a_change_of_owner_touches_nothing_that_concerns_anybody(
    keeper: Keeper, owner: Connection[Any], cast: dict[str, Person]
) -> None:
    of_choice(cast["alice"], "understand", "objection")
    keeper.turn()
    before = fingerprints(owner)
    assert hands_over(owner, keeper)["version"] == 1
    after = fingerprints(owner)
    assert {name for name in after if after[name] != before.get(name)} == TOUCHED
    assert drift(owner).lines() == []
    with connect.acting("self", token=cast["alice"].token) as mine:
        assert mine.execute("SELECT troth.viewer()").fetchone() == (cast["alice"].subject,)


def test_the_old_ledger_key_names_the_new_keys(keeper: Keeper, owner: Connection[Any], cast: dict[str, Person]) -> None:
    where = place.current()
    keeper.turn()
    head = sequencing.newest(owner)
    assert head is not None
    old = sequencing.key(where, head.origin)
    answer = hands_over(owner, keeper)
    new = sequencing.key(where, head.origin)
    assert new != old
    (told,) = json.loads(ledger.answer("/ledger/keys")[1])
    assert told["keys"]["ledger"] == {"before": old.written, "after": new.written}
    assert told["keys"]["receipts"]["after"] == receipts.key()
    Proof.read(told["proof"]).shows(told["leaf"].encode(), [Key.read(old.written)])
    entry = json.loads(told["leaf"])
    assert (entry["action"], entry["index"]) == ("owner-changed", answer["entry"])
    named = {name: value for name, value in entry["facts"].items() if isinstance(value, str)}
    assert named["ledger"] == new.public.hex()
    assert named["old_ledger"] == old.public.hex()
    forged = told["leaf"].replace(new.public.hex(), "0" * 64)
    with pytest.raises(CheckpointRefusal):
        Proof.read(told["proof"]).shows(forged.encode(), [old])
    # From here on the new key signs, of the very same head, and the old one is believed no more.
    note = ledger.answer("/ledger/checkpoint")[1].decode()
    now = sequencing.newest(owner)
    assert now is not None
    assert now.size == answer["entry"] + 1
    assert signednote.opened(note, [new]).size == now.size
    with pytest.raises(CheckpointRefusal):
        signednote.opened(note, [old])
    assert published.judge(owner, where) is not None
    of_choice(cast["alice"], "understand", "objection")
    keeper.turn()
    assert published.judge(owner, where) is not None


def test_receipts_hold_under_the_key_that_sealed_them(
    keeper: Keeper, owner: Connection[Any], cast: dict[str, Person]
) -> None:
    before, old = of_agreement(cast["alice"]), receipts.key()
    hands_over(owner, keeper)
    after, new = of_agreement(cast["alice"]), receipts.key()
    assert receipts.verified(before.content, old).facts == receipts.verified(after.content, new).facts
    for content, key in ((before.content, new), (after.content, old)):
        with pytest.raises(NotAReceipt):
            receipts.verified(content, key)


def test_the_successor_publishes_and_the_predecessor_asks_for_nothing_any_more(
    keeper: Keeper, owner: Connection[Any]
) -> None:
    requests.leave("policy.publish", publishing.asked(PLAIN, TERMS, Verdict.EDITORIAL, key=True))
    hands_over(owner, keeper)
    assert turn(keeper, owner) == 1
    ((granted, answer),) = owner.execute("SELECT granted, answer FROM troth.keeper_request").fetchall()
    assert (granted, answer["sentence"]) == (False, "the request's signature does not hold")
    requests.leave("policy.publish", publishing.asked(PLAIN, TERMS, Verdict.EDITORIAL, key=True))
    assert turn(keeper, owner) == 2
    signatures.check(owner)


def test_what_the_successor_did_not_sign_is_not_theirs(
    keeper: Keeper, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hands_over(owner, keeper)
    signatures.check(owner)
    owner.execute("DELETE FROM troth.policy_signature WHERE signer = (SELECT operator FROM troth.owner_change)")
    with pytest.raises(signatures.AlteredVersion):
        signatures.check(owner)


def test_what_waits_takes_effect_under_the_successor(
    keeper: Keeper, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.publish(owner, publishing.asked(later(PLAIN), TERMS, Verdict.EDITORIAL, key=True))
    hands_over(owner, keeper)
    assert scheduling.waiting(owner) is not None
    comes(monkeypatch)
    assert turn(keeper, owner) == 2


def stopped(owner: Connection[Any], keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand over, and stop before the keys changed places."""
    with monkeypatch.context() as patched:
        patched.setattr(handover, "_finish", lambda *_: None)
        hands_over(owner, keeper)


def test_what_waits_takes_effect_though_its_day_comes_before_the_keys_changed_places(
    keeper: Keeper, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.publish(owner, publishing.asked(later(PLAIN), TERMS, Verdict.EDITORIAL, key=True))
    stopped(owner, keeper, monkeypatch)
    comes(monkeypatch)
    assert turn(keeper, owner) == 2
    signatures.check(owner)


def test_what_the_old_key_was_asked_is_not_signed_by_it_after_the_new_one_took_over(
    keeper: Keeper, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests.leave("policy.publish", publishing.asked(PLAIN, TERMS, Verdict.EDITORIAL, key=True))
    stopped(owner, keeper, monkeypatch)
    assert turn(keeper, owner) == 1
    signatures.check(owner)


def test_no_successor_signs_what_was_altered(keeper: Keeper, owner: Connection[Any], folder: Path) -> None:
    publishing.publish(owner, publishing.asked(later(PLAIN), TERMS, Verdict.EDITORIAL, key=True))
    owner.execute("UPDATE troth.policy_scheduled SET source = replace(source, '90 days', '900 days')")
    with pytest.raises(RequestRefusal, match="what waits is not what was signed"):
        hands_over(owner, keeper)
    owner.execute("UPDATE troth.policy_scheduled SET closed_at = now(), outcome = 'withdrawn'")
    owner.execute("UPDATE troth.policy_version SET source = replace(source, '90 days', '900 days')")
    with pytest.raises(RequestRefusal, match="is not what this operator's key signed"):
        hands_over(owner, keeper)
    assert not (folder / succession.FOLDER).exists()
    assert owner.execute("SELECT count(*) FROM troth.owner_change").fetchone() == (0,)


def test_an_owner_of_before_does_not_come_back_and_a_late_request_does_nothing(
    keeper: Keeper, owner: Connection[Any]
) -> None:
    first = place.secrets_of(place.current()).operator
    hands_over(owner, keeper)
    with pytest.raises(RequestRefusal, match="is or was an owner's"):
        hands_over(owner, keeper, asked(first))
    with pytest.raises(RequestRefusal, match="nobody waits"):
        hands_over(owner, keeper, asked(until=1.0))
    other = asked()
    asked()
    with pytest.raises(RequestRefusal, match="keys are not there"):
        hands_over(owner, keeper, other)


# Killed at any point


def dies(database: Place, told: dict[str, Any], step: int) -> bool:
    """Hand over in a process that dies before its `step`-th statement or move of a file; return whether it got so far."""
    forget()
    child = os.fork()
    if child == 0:
        try:
            left = [step]

            def counted(call: Callable[..., Any]) -> Callable[..., Any]:
                def instead(*given: Any, **named: Any) -> Any:
                    left[0] -= 1
                    if left[0] == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return call(*given, **named)

                return instead

            for name in ("replace", "rename", "unlink", "rmdir"):
                setattr(Path, name, counted(getattr(Path, name)))
            Connection.execute = counted(Connection.execute)  # type: ignore[method-assign]
            hand = handover.taught(Keeper(database)).kinds[handover.KIND]
            with connect.owning(database) as connection:
                hand(connection, told)
        except BaseException:  # noqa: BLE001 - nothing of the test's may run in the child
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_a_change_killed_at_any_point_has_happened_whole_or_not_at_all(
    keeper: Keeper, database: Place, folder: Path, cast: dict[str, Person]
) -> None:
    actions.choose(token=cast["alice"].token, purpose="understand", kind="objection")
    keeper.turn()
    step, undone, finished = 0, 0, 0
    while True:
        step += 1
        old, told = place.secrets_of(database).operator.public_key(), asked()
        died = dies(database, told, step)
        keeper.turn()  # whoever starts again goes on from there
        with connect.owning(database) as looking:
            signatures.check(looking)
            agreed = looking.execute(
                "SELECT proof IS NOT NULL FROM troth.owner_change WHERE encode(operator, 'hex') = %s",
                (told["operator"],),
            ).fetchall()
            now = place.secrets_of(database).operator.public_key()
            assert (now.public_bytes_raw().hex() == told["operator"]) is bool(agreed), step
            assert agreed in ([], [(True,)])
            assert (now == old) is not bool(agreed)
            head = sequencing.newest(looking)
            assert head is not None
            published.judge(looking, database)
        assert (succession.laid_out(place.secrets_of(database)) is None) is bool(agreed)
        undone, finished = undone + (not agreed), finished + bool(agreed)
        if not died:
            break
    assert undone > 5
    assert finished > 5
    print(f"killed {step - 1} times: {undone} had not happened, {finished} had")


# The command


def answering(keeper: Keeper) -> Callable[..., Any]:
    """Answer at once, as the keeper would a moment later."""

    def ask(kind: str, told: Any, **_: Any) -> Any:
        with connect.owning(place.current()) as connection:
            return keeper.kinds[kind](connection, dict(told))

    return ask


def test_the_command_takes_the_successors_own_key_and_says_who_had_the_service(
    keeper: Keeper, owner: Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "ask", answering(keeper))
    keeper.turn()
    key, file, runner = Ed25519PrivateKey.generate(), tmp_path / "successor.pem", CliRunner()
    file.write_text("no key", encoding="utf-8")
    refused = runner.invoke(change_command, ["--key", str(file), "--yes"])
    assert (refused.exit_code, "openssl genpkey -algorithm ed25519" in refused.output) == (1, True)
    file.write_bytes(place.written(key))
    assert runner.invoke(change_command, ["--key", str(file)], input="n\n").exit_code == 1
    assert owner.execute("SELECT count(*) FROM troth.owner_change").fetchone() == (0,)
    done = runner.invoke(change_command, ["--key", str(file)], input="y\n")
    assert done.exit_code == 0, done.output
    assert "Nobody is asked to agree again" in done.output
    assert place.secrets_of(place.current()).operator.public_key() == key.public_key()
    told = runner.invoke(show, [])
    assert told.output.count("z6Mk") == 2
    assert "the successor signed version 1" in told.output
    assert len(json.loads(runner.invoke(show, ["--format", "json"]).output)["changes"]) == 1
