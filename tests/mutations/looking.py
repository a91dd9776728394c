"""Looks of administrators, each of which is a transaction of its own, and the next one's to use."""

import uuid
from collections.abc import Iterator
from typing import Any

from tests.mutations.world import World

LOOK = "SELECT troth.look_at_members(%s, %s, %s)"


def looked(
    world: World, token: str, organization: uuid.UUID, asked: str, *, whom: uuid.UUID | None = None,
    between: bool = False, first: str = "SELECT 1", carried: str = "",
) -> list[tuple[Any, ...]]:  # fmt: skip
    """Let somebody look at an organization's members, and ask in the transaction after; return what they see."""
    assert world.stage is not None
    stage = world.stage
    stage.execute("ROLLBACK; BEGIN")
    world.become("administrator")
    stage.execute("SELECT set_config('troth.token', %s, true)", (token,))
    row = stage.execute(LOOK.encode(), (organization, whom, "list")).fetchone()
    stage.execute("COMMIT")
    if between:
        stage.execute("BEGIN; SELECT 1; COMMIT")
    stage.execute(f"BEGIN; {first}".encode())
    world.become("administrator")
    carry = "SELECT set_config('troth.token', %s, true), set_config('troth.look', coalesce(%s, ''), true)"
    stage.execute(carry.encode(), (carried or token, row[0] if row else None))
    found = stage.execute(asked.encode()).fetchall()
    stage.execute("ROLLBACK")
    return found


def past_a_look(world: World, asked: str) -> Iterator[str]:
    """What is asked without a look, or at another one than it was, shows nothing."""
    alice, club = "token of Alice", world.clubs["Alice"]
    greta = world.people["greta"]
    early = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    demoted = "UPDATE troth.membership SET role = 'member' WHERE role = 'owner'"
    left = f"UPDATE troth.membership SET ended_at = now() WHERE subject = '{greta}'"
    alone = "SELECT member FROM troth.looked_member() AS member WHERE member IS NOT NULL"
    for what, found in {
        "without a look": world.ask("administrator", asked, token=alice),
        "a transaction later": looked(world, alice, club, asked, between=True),
        "as another": looked(world, alice, club, asked, carried="token of Bob"),
        "with an old snapshot": looked(world, alice, club, asked, first=early),
        "who administers no longer": looked(world, alice, club, asked, first=demoted),
        "one by one, looking at all": looked(world, alice, club, alone),
        "who left": looked(world, alice, club, alone, whom=greta, first=left),
    }.items():
        if found:
            yield f"an administrator sees members {what}"
    requests = "SELECT subject FROM troth.join_request"
    for name, wanted in (("Alice", []), ("Bob", [(world.people["alice"],)])):
        if looked(world, f"token of {name}", world.clubs[name], requests) != wanted:
            yield f"{name} sees others among who asks than those who do"
    if world.ask("administrator", requests, token="token of Bob"):
        yield "who asks is seen without a look"
    if looked(world, alice, club, asked, whom=greta) != [("Greta",)]:
        yield "a look at one member shows another, or not that one"
    if looked(world, alice, club, alone, whom=greta) != [(greta,)]:
        yield "a look at one member is at another, or at nobody"
