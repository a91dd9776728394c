"""Who tries keys and tokens that open nothing is stopped, by network; what opens something goes on, wherever it comes from."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.core.cache import cache
from psycopg import Connection
from scim2_server.requests import ScimRequest

from tests.browsing import Browser
from tests.conftest import Person
from tests.directory.asking import directory_of, organize
from tests.intake.sending import Application, event, finished, post, registered
from troth.api.guessing import Guesses
from troth.api.scim.mount import Mount
from troth.database.place import Place
from troth.intake.beating import beat
from troth.intake.health import PULSE
from troth.web import figures

GUESSER, OTHER = "198.51.100.7", "203.0.113.9"
NEIGHBOUR = GUESSER  # whoever shares its network
MANY = 30
#: Every way in, and what carries a key there where it is not the usual header.
WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/intake/v1/events", {}),
    ("/intake/v1/telemetry/guessed", {}),
    ("/intake/v1/reports/guessed", {}),
    ("/api/1/envelope/", {"x_sentry_auth": "Sentry sentry_key=guessed"}),
    ("/v1/track", {"authorization": "Basic Z3Vlc3NlZDo="}),
    ("/v1/logs", {}),
)


@pytest.fixture
def limited(settings: Any) -> None:
    cache.clear()
    settings.KEY_RATE_LIMITS = settings.KEY_LIMITS


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person], limited: None) -> Application:
    made = registered(owner)
    made.knows(cast["alice"])
    return made


def serve(play: Callable[[Any], Awaitable[None]]) -> None:
    """Play against the one application, as it is put together, without its recorder."""

    async def whole() -> None:
        from troth.config.asgi import Application as Service

        service = Service("")
        await service.lean.start()
        try:
            await play(service)
        finally:
            await service.lean.stop()
            service.directories.close()

    finished(whole())


def use(notes: Application) -> dict[str, Any]:
    return event("feature_use", notes.names["Alice"], uuid.uuid4().hex)


async def guessed(service: Any, address: str = GUESSER, *, many: int = MANY) -> list[int]:
    return [(await post(service, {}, key=uuid.uuid4().hex, address=address)).status for _ in range(many)]


def test_a_network_that_guesses_is_stopped_before_a_key_is_looked_at_and_others_are_not(notes: Application) -> None:
    async def play(service: Any) -> None:
        before = PULSE.wrong, PULSE.stopped
        assert await guessed(service) == [401] * MANY
        for path, told in WAYS:
            answer = await post(service, {}, key="guessed", path=path, address=GUESSER, **told)
            assert (answer.status, answer.headers[b"retry-after"]) == (429, b"60"), path
        # Not even the right one, which nobody has shown since the service was started, is looked at now.
        assert (await post(service, use(notes), key=notes.key, address=NEIGHBOUR)).status == 429
        assert (await post(service, use(notes), key=notes.key, address=OTHER)).status == 201
        assert (PULSE.wrong - before[0], PULSE.stopped - before[1]) == (MANY, len(WAYS) + 1)
        await beat(await service.lean.intake.gate._pool())
        health = await asyncio.to_thread(figures.health)
        assert (health["wrong"], health["stopped"]) == (PULSE.wrong, PULSE.stopped)

    serve(play)


def test_a_key_that_opened_something_is_never_locked_out(notes: Application) -> None:
    async def play(service: Any) -> None:
        assert (await post(service, use(notes), key=notes.key, address=OTHER)).status == 201
        await guessed(service, many=MANY + 5)
        service.lean.intake.gate.senders.clear()  # whoever comes back after seconds is asked about again
        for _ in range(3):
            assert (await post(service, use(notes), key=notes.key, address=NEIGHBOUR)).status == 201
        assert (await guessed(service, many=1)) == [429]

    serve(play)


def test_a_key_that_ended_is_a_guess_like_any_other(notes: Application, owner: Connection[Any]) -> None:
    async def play(service: Any) -> None:
        assert (await post(service, use(notes), key=notes.key, address=GUESSER)).status == 201
        owner.execute("UPDATE troth.application_key SET ended_at = now()")
        service.lean.intake.gate.senders.clear()
        for _ in range(MANY):
            assert (await post(service, use(notes), key=notes.key, address=GUESSER)).status == 401
        assert (await post(service, use(notes), key=notes.key, address=GUESSER)).status == 429

    serve(play)


def test_who_sends_no_key_guesses_nothing_and_a_whole_network_of_version_6_is_one(notes: Application) -> None:
    async def play(service: Any) -> None:
        for _ in range(MANY + 5):
            assert (await post(service, {}, key="", address=GUESSER)).status == 401
        for nth in range(MANY):
            await guessed(service, f"2001:db8:1:2::{nth:x}", many=1)
        assert await guessed(service, "2001:db8:1:2:ffff::1", many=1) == [429]
        assert await guessed(service, "2001:db8:1:3::1", many=1) == [401]

    serve(play)


@pytest.mark.parametrize("taken", ["limit", "known"])
def test_the_mutations_nobody_counts_and_nobody_is_known(
    notes: Application, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    if taken == "limit":
        monkeypatch.setattr("troth.web.guessing.Wrong.count", lambda *_told: None)
    else:
        monkeypatch.setattr(Guesses, "knows", lambda *_told: False)
    with pytest.raises(AssertionError):
        test_a_key_that_opened_something_is_never_locked_out(notes)


def test_a_directorys_token_is_judged_alike(
    database: Place, owner: Connection[Any], cast: dict[str, Person], limited: None
) -> None:
    directory = directory_of(organize(owner, "Harbor", cast["alice"]), cast["alice"])

    async def play(service: Any) -> None:
        mount: Mount = service.directories

        def asked(token: str, address: str) -> Any:
            request = ScimRequest("GET", mount.base_url, "/Users", {}, {"Authorization": f"Bearer {token}"}, b"")
            answer = mount.answer(request, address)
            return int(answer.status), answer.headers.get("Retry-After")

        def all_of_it() -> None:
            assert asked(directory.token, OTHER)[0] == 200
            assert [asked(uuid.uuid4().hex, GUESSER)[0] for _ in range(MANY)] == [401] * MANY
            assert asked("one more", GUESSER) == (429, "60")
            assert asked("one more", OTHER)[0] == 401
            assert asked(directory.token, NEIGHBOUR)[0] == 200
            assert (mount.guesses.knows(directory.token.encode()), mount.guesses.knows(b"one more")) == (True, False)

        await asyncio.to_thread(all_of_it)
        # Keys and tokens of one network are counted together.
        assert await guessed(service, many=1) == [429]

    serve(play)


@pytest.mark.parametrize("path", ["/connect/userinfo", "/connect/introspect"])
def test_wrong_tokens_and_secrets_are_told_to_wait_beside_right_ones(
    browser: Browser, owner: Connection[Any], limited: None, path: str
) -> None:
    def asked(address: str) -> tuple[int, str | None]:
        if path.endswith("info"):
            answer = browser.get(path, headers={"Authorization": f"Bearer {uuid.uuid4().hex}"}, REMOTE_ADDR=address)
        else:
            secret = {"client_id": "none", "client_secret": uuid.uuid4().hex, "token": "guessed"}
            answer = browser.post(path, secret, REMOTE_ADDR=address)
        return answer.status_code, answer.headers.get("Retry-After")

    assert [asked(GUESSER) for _ in range(MANY)] == [(401, None)] * MANY
    assert asked(GUESSER) == (429, "60")
    assert asked(OTHER) == (401, None)
