"""What is acknowledged while the database is away, in a stream of NATS JetStream that all nodes put into and take from.

A record is sealed before it leaves this node, with AES-256-GCM under this place's secret, which its nodes share: NATS
holds what it cannot read. It is stored when the server says so; that it outlives a loss of power is the server's
setting, `sync_interval: always`. Whatever node reaches the database first hands it over, one record after the other,
and has it written over where it lay: the key to it stays.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import nats
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from troth.intake.shelf import Lot
from troth.intake.spool import LONGEST, NONCE, ROOM

LOG = logging.getLogger(__name__)
#: The oldest server whose `sync_interval` may be `always`.
OLDEST = (2, 10)
SEALED_FOR = b"troth stream 1"
EVENTS = "Troth-Events"
#: Seconds for which an answer is waited for; after which it is looked anew what other nodes left; and for which a node
#: that took a record has it for itself.
ANSWERED, LOOKED, MINE = 5.0, 5.0, 30.0
#: The server removes by itself what no node was there to count.
BEYOND = 3_600.0


class Unfit(OSError):
    """A server that cannot promise what is asked of it."""


class Stream:
    """One stream of one database's nodes. Connects when it is needed, and again."""

    shared = True

    def __init__(self, address: str, name: str, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        """Know where it is; `name` names the stream, and so the database."""
        self.address, self.name, self.clock = address, f"troth-{name}", clock
        self.subject = f"{self.name}.kept"
        self.cipher = AESGCM(secret)
        self.client: Client | None = None
        self.many, self.looked = 0, 0.0
        self.opening = asyncio.Lock()

    @property
    def holds(self) -> bool:
        """Whether something lay there when it was looked at, or was put there since."""
        return self.many > 0

    async def left(self) -> Sequence[bytes]:
        """Return nothing: what lies there is any node's."""
        return ()

    async def put(self, content: bytes, many: int) -> None:
        """Publish a record, and wait until the server has stored it. Raises OSError."""
        nonce = os.urandom(NONCE)
        sealed = nonce + self.cipher.encrypt(nonce, content, SEALED_FOR)
        headers = {"Nats-Msg-Id": sha256(sealed).hexdigest(), EVENTS: str(many)}
        with self._answering():
            async with asyncio.timeout(ANSWERED):
                context = await self._context()
                await context.publish(self.subject, sealed, stream=self.name, headers=headers)
        self.many += 1

    async def lots(self) -> AsyncGenerator[Lot]:
        """Yield record by record; one that was not let go of comes again, to this node or another."""
        with self._answering():
            context = await self._context()
            taking = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=MINE, max_ack_pending=1)
            taken = await context.pull_subscribe(self.subject, durable="nodes", stream=self.name, config=taking)
        try:
            while message := await self._next(taken):
                answered = False

                async def done(message: Any = message) -> None:  # noqa: ANN401 - the client's message
                    nonlocal answered
                    with self._answering():
                        await self._erase(context, message.metadata.sequence.stream)
                        await message.ack_sync(ANSWERED)
                    answered, self.many = True, max(0, self.many - 1)

                try:
                    record = self.cipher.decrypt(message.data[:NONCE], message.data[NONCE:], SEALED_FOR)
                    yield Lot([record], torn=False, done=done)
                except InvalidTag:
                    yield Lot((), torn=True, done=done)
                finally:
                    if not answered:
                        with suppress(nats.errors.Error):
                            await message.nak()
        finally:
            with suppress(nats.errors.Error):
                await taken.unsubscribe()
        with self._answering():
            await self._look()

    async def expire(self) -> int:
        """Once in a while look what lies there, and remove what has lain too long."""
        if time.monotonic() - self.looked < LOOKED:
            return 0
        gone = 0
        with self._answering(), suppress(NotFoundError):  # another node was quicker
            async with asyncio.timeout(ANSWERED):
                context, state = await self._context(), await self._look()
                while state.messages:
                    oldest = await context.get_msg(self.name, seq=state.first_seq)
                    if self.clock() - _stored(oldest.time) < LONGEST:
                        break
                    await self._erase(context, state.first_seq)
                    gone += int((oldest.headers or {}).get(EVENTS, 1))
                    state = await self._look()
        return gone

    async def _erase(self, context: JetStreamContext, number: int) -> None:
        """Have a message written over where it lies: one only acknowledged stays in the file."""
        with suppress(NotFoundError):  # another node was quicker
            await context.delete_msg(self.name, number)

    async def close(self) -> None:
        """Leave the server."""
        if self.client is not None:
            # What it had still to say to a server that is gone, asyncio writes to a transport that is no more.
            with suppress(TypeError, RuntimeError, OSError):
                await self.client.close()
            self.client = None

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Raise OSError where the server does not answer; what lies there then holds nobody up."""
        try:
            yield
        except Unfit as error:
            LOG.warning("%s", error)
            raise
        except (nats.errors.Error, TimeoutError, OSError) as error:
            self.many, self.looked = 0, time.monotonic()
            raise OSError(f"the stream does not answer ({type(error).__name__})") from error

    async def _look(self) -> Any:  # noqa: ANN401 - the client's state of a stream
        self.looked = time.monotonic()
        state = (await (await self._context()).stream_info(self.name)).state
        self.many = state.messages
        return state

    async def _context(self) -> JetStreamContext:
        async with self.opening:
            if self.client is None:
                client = await nats.connect(self.address, name="troth", connect_timeout=2, max_reconnect_attempts=-1,
                                            reconnect_time_wait=1, allow_reconnect=True, error_cb=_quiet)  # fmt: skip
                try:
                    await self._prepare(client)
                except BaseException:
                    await client.close()
                    raise
                self.client = client
            return self.client.jetstream(timeout=ANSWERED)

    async def _next(self, taken: JetStreamContext.PullSubscription) -> Any:  # noqa: ANN401 - the client's message
        with self._answering():
            try:
                return (await taken.fetch(1, timeout=1))[0]
            except TimeoutError:  # nothing lies there for now
                return None

    async def _prepare(self, client: Client) -> None:
        version = client.connected_server_version
        if (version.major, version.minor) < OLDEST:
            raise Unfit(f"NATS {version} cannot sync each record; run 2.10 or newer, with `sync_interval: always`")
        wanted = StreamConfig(
            name=self.name, subjects=[self.subject], retention=RetentionPolicy.WORK_QUEUE, storage=StorageType.FILE,
            discard=DiscardPolicy.NEW, max_bytes=ROOM, max_age=LONGEST + BEYOND, duplicate_window=120,
        )  # fmt: skip
        context = client.jetstream(timeout=ANSWERED)
        try:
            await context.stream_info(self.name)
        except NotFoundError:
            await context.add_stream(wanted)


async def _quiet(_error: Exception) -> None:
    """Say nothing: whoever puts or takes is told, and says it once."""


def _stored(told: datetime | None) -> float:
    return (told or datetime.now(UTC)).timestamp()
