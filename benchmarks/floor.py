"""What the intake's storage costs by itself: parse, and the one statement that stores what troth stores, and no more.

Keys, columns, indexes, stamps and trigger are those of troth, and so is the role; nothing is judged, guarded, reduced
or counted, and of each name it is known from the start whose it is. `KEY` is an application's key, `PEOPLE` how many.
"""

import asyncio
import os
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from typing import Any

import asyncpg

from benchmarks.plain import MOST, Plain
from troth.intake import store
from troth.intake.event import ordered_uuid
from troth.intake.kinds import KINDS
from troth.policy.carrying import insert_new

#: What of both kinds that are sent stands in columns.
SAID = {"activity": ("event", "severity", "message", "release", "environment"), "feature_use": ("feature", "outcome")}
#: What `roll` takes where nothing is counted.
UNCOUNTED: list[list[Any]] = [[] for _ in range(7)]


class Floor(Plain):
    """Events into troth's own tables, many requests in one commit."""

    async def _begin(self) -> None:
        self.connection = await asyncpg.connect(**store.arguments("intake"))
        self.digest, names = sha256(os.environ["KEY"].encode()).digest(), int(os.environ["PEOPLE"])
        people = [f"person-{nth}" for nth in range(names)]
        rows = await self.connection.fetch(
            "SELECT nth, application, subject, uses FROM troth.sent_about($1, $2)", [self.digest] * names, people
        )
        self.known = {people[row["nth"] - 1]: (row["subject"], row["uses"]) for row in rows}
        self.application = rows[0]["application"]

    async def _take(self, path: str, body: bytes) -> None:
        lines = [body] if path == "/events" else body.split(b"\n")
        rows = [self._parsed(line) for line in lines if line]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((rows[0][0], rows, done))
        self.wake.set()
        await done

    def _parsed(self, line: bytes) -> tuple[Any, ...]:
        event = self.one.decode(line)
        subject, uses = self.known[event.person]
        marks = (blake2b(told, digest_size=32).digest() for told in (event.key.encode(), line))
        return event.kind, *marks, subject, datetime.now(UTC), uses, event.data

    async def _run(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.waiting:
                batch, many = [self.waiting.pop(0)], 0
                while self.waiting and many < MOST and self.waiting[0][0] == batch[0][0]:
                    batch.append(self.waiting.pop(0))
                    many += len(batch[-1][1])
                await self._store(batch[0][0], [row for _, rows, _ in batch for row in rows])
                for _, _, done in batch:
                    done.set_result(None)

    async def _store(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        _, keys, bodies, subjects, moments, uses, said = zip(*rows, strict=True)
        columns = {**store.SENT, **{name: KINDS[table].columns[name] for name in SAID[table]}}
        values = [subjects, moments, uses, [self.application] * len(rows), [ordered_uuid() for _ in rows]]
        values += [[each.get(name) for each in said] for name in SAID[table]]
        alike = store.told_once(columns, values)
        told = [
            store.as_told(name, kind, each, alike) for (name, kind), each in zip(columns.items(), values, strict=True)
        ]
        await self.connection.fetch(
            insert_new(((table, tuple(columns.items()), alike),)),
            [self.digest],
            [self.application],
            store.marks(keys),
            store.marks(bodies),
            *UNCOUNTED,
            datetime.now(UTC).date(),
            *told,
        )


application = Floor()
