"""A play with three people, on a stage of its own where nothing stays."""

import uuid
from collections.abc import Iterator

from tests.mutations.flows import agree, give_token, newcomer
from tests.mutations.scene import Play, Scene
from tests.mutations.world import NOBODY, World


def played(world: World, play: Play, prepare: Play | None = None) -> Iterator[str]:
    """Yield what went wrong in a play; the three have agreed, and each has an account with addresses.

    They have the tokens `hers`, `theirs` and `third`.
    """
    with Scene(world) as scene:
        whose, other, third = (uuid.uuid5(NOBODY, f"{who} {play.__name__}") for who in ("whose", "other", "third"))
        for each, word in ((whose, "hers"), (other, "theirs"), (third, "third")):
            agree(scene, each, newcomer(scene, each))
            give_token(scene, each, word)
            known_by(scene, each)
        if prepare:
            prepare(scene, whose, other, third)
        play(scene, whose, other, third)
    yield from scene.wrong


def address(whose: uuid.UUID) -> str:
    return f"{whose.hex}@harbor.example"


def known_by(scene: Scene, whose: uuid.UUID) -> None:
    """Let somebody have an account with one address that they have proven, and one that they have not."""
    row = scene.does(
        "owner",
        "INSERT INTO troth.people_account (subject, email, password, is_active, date_joined)"
        " VALUES (%s, %s, '', true, now()) RETURNING id",
        whose, address(whose),
    )  # fmt: skip
    for which, verified in ((address(whose), True), (f"un{address(whose)}", False)):
        scene.does(
            "owner",
            'INSERT INTO troth.account_emailaddress (user_id, email, verified, "primary") VALUES (%s, %s, %s, false)',
            row[0][0] if row else None, which, verified,
        )  # fmt: skip
