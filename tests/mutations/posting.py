"""What people post: to whom they were told of, read by nobody else, changed by nobody else, gone with whoever leaves."""

import uuid
from collections.abc import Iterator
from typing import Any

from tests.mutations.playing import played
from tests.mutations.scene import Play, Scene
from tests.mutations.world import World

MEMBERS, EVERYONE, PUBLIC = "members of the same organization", "everyone signed in", "the public"
WRITE = (
    "SELECT troth.write_post(%s, %s, %s, %s::integer, (SELECT max(version) + %s::integer FROM troth.policy_version))"
)
ADDRESS = "SELECT troth.address_post(%s, %s, %s, %s::integer, (SELECT max(version) FROM troth.policy_version))"
ATTACH = "SELECT troth.attach_file(%s, %s, 'text/plain', 'of a boat')"
EDIT = "SELECT troth.note_edit(%s)"
BESIDE = "SELECT troth.members_beside(%s)"
POSTS = "SELECT text, (SELECT name FROM troth.person WHERE person.subject = post.subject) FROM troth.post WHERE subject IN (%s, %s) ORDER BY id"
FILES = "SELECT name FROM troth.attachment WHERE subject IN (%s, %s) ORDER BY id"
STANDS = "SELECT audience, organization, edited_at IS NOT NULL FROM troth.post WHERE id = %s"
FILED = "SELECT DISTINCT audience, organization FROM troth.attachment WHERE post = %s"
REMOVED = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'record-deleted'"
LAST = "SELECT action, facts FROM troth.ledger_entry ORDER BY index DESC LIMIT 1"
MEMBER = "INSERT INTO troth.membership (subject, organization, role) VALUES (%s, %s, 'member')"
READERS = {"member": MEMBERS, "reader": EVERYONE, "passer": PUBLIC}


def posting(world: World, play: Play) -> Iterator[str]:
    """Somebody has an organization, which another is in and a third is not."""
    yield from played(world, play, _prepare)


def _prepare(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    scene.does("self", "SELECT troth.found_organization('Rowing')", token="hers")
    scene.does("owner", MEMBER, other, _club(scene, whose))


def _club(scene: Scene, whose: uuid.UUID) -> Any:
    found = scene.does("owner", "SELECT organization FROM troth.membership WHERE subject = %s", whose)
    return found[0][0] if found else None


def _write(scene: Scene, text: str, towards: str, club: Any = None, *, who: str = "hers") -> Any:
    made = scene.does("self", WRITE, text, towards, club, 2 if club else None, 0, token=who)
    return made[0][0] if made else None


def _reads(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    club = _club(scene, whose)
    for text, towards, which in (
        ("m", MEMBERS, club),
        ("e", EVERYONE, None),
        ("p", PUBLIC, None),
        ("c", "chosen people", None),
    ):
        made = _write(scene, text, towards, which)
        scene.does("self", ATTACH, made, f"{text}.txt", token="hers")
    for role, token, text in (
        ("member", "theirs", "m"), ("reader", "theirs", "e"), ("reader", "third", "e"), ("passer", "", "p"),
        ("member", "hers", "m"),
    ):  # fmt: skip
        scene.must(f"{role} {token}", scene.does(role, POSTS, whose, other, token=token), [(text, "Eve")])
        scene.must(f"files of {role}", scene.does(role, FILES, whose, other, token=token), [(f"{text}.txt",)])
    for role, token in (
        ("member", "third"),
        ("member", ""),
        ("reader", ""),
        ("reader", "forged"),
        ("member", "forged"),
    ):
        for statement in (POSTS, FILES, "SELECT name FROM troth.person WHERE subject IN (%s, %s)"):
            scene.must(f"{role} with `{token}`", scene.does(role, statement, whose, other, token=token), [])
    scene.must("others by themselves", scene.does("self", POSTS, whose, other, token="theirs"), [])


def _shown(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    _reads(scene, whose, other)
    for role, bits in _stamps(scene).items():
        for change in (f"uses = {~bits}", "ended_at = now()"):
            for table, statement in (
                ("post", POSTS),
                ("attachment", FILES),
                ("person", "SELECT name FROM troth.person WHERE subject IN (%s, %s)"),
            ):
                scene.does("owner", f"UPDATE troth.{table} SET {change} WHERE subject = %s", whose)
                found = scene.does(role, statement, whose, other, token="theirs")
                scene.must(f"{role} of {table} with {change}", found, [])
                back = f"UPDATE troth.{table} SET uses = p.uses, ended_at = NULL FROM troth.permitted AS p"
                scene.does("owner", f"{back} WHERE p.subject = {table}.subject AND {table}.subject = %s", whose)
    scene.does("owner", "UPDATE troth.post SET ended_at = now() WHERE subject = %s", whose)
    for role in READERS:
        found = scene.does(
            role, "SELECT name FROM troth.person WHERE subject IN (%s, %s)", whose, other, token="theirs"
        )
        scene.must(f"whom {role} knows when nothing is left", found, [])


def _stamps(scene: Scene) -> dict[str, int]:
    return {role: 1 << scene.world.target.bits[role] for role in READERS}


def _told(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    club = _club(scene, whose)
    scene.must("beside", scene.does("self", BESIDE, club, token="theirs"), [(2,)])
    for token in ("third", "forged"):
        scene.must("beside others", scene.does("self", BESIDE, club, token=token), [(None,)])
    scene.refused("TR003", "self", WRITE, "x", PUBLIC, None, None, 0)
    scene.refused("TR081", "self", WRITE, "x", MEMBERS, club, 2, 0, token="third")
    scene.refused("TR081", "self", WRITE, "x", MEMBERS, None, None, 0, token="hers")
    for many in (1, 3, None):
        scene.refused("TR082", "self", WRITE, "x", MEMBERS, club, many, 0, token="hers")
    for off in (-1, 1, None):
        scene.refused("TR082", "self", WRITE, "x", PUBLIC, None, None, off, token="hers")
    scene.refused(
        "42501", "self", WRITE, "x", "administrators of the person's organization", None, None, 0, token="hers"
    )
    scene.does("owner", "UPDATE troth.membership SET ended_at = now() WHERE subject = %s", other)
    scene.must("beside who is there", scene.does("self", BESIDE, club, token="hers"), [(1,)])
    made = _write(scene, "of hers", PUBLIC)
    scene.must("written down", scene.does("owner", LAST), [("posted", {"audience": "the-public"})])
    scene.must("whose", scene.does("owner", "SELECT subject FROM troth.post WHERE id = %s", made), [(whose,)])
    scene.does(
        "owner",
        "INSERT INTO troth.post (subject, text, audience) SELECT %s, 'x', 'the public' FROM generate_series(1, 99)", whose,
    )  # fmt: skip
    scene.refused("TR083", "self", WRITE, "x", PUBLIC, None, None, 0, token="hers")
    scene.does("owner", "UPDATE troth.post SET at = at - interval '25 hours' WHERE subject = %s", whose)
    _write(scene, "the next day", PUBLIC)
    _write(scene, "of theirs", PUBLIC, who="third")
    kept = scene.does("owner", "SELECT count(*) FROM troth.post WHERE subject = %s", third)
    scene.must("of the third", kept, [(1,)])


def _changes(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    club = _club(scene, whose)
    made = _write(scene, "mine", EVERYONE)
    beside = _write(scene, "beside it", EVERYONE)
    for name in ("a.txt", "b.txt", "c.txt"):
        scene.does("self", ATTACH, made, name, token="hers")
    scene.refused("TR084", "self", ATTACH, made, "d.txt", token="hers")
    scene.does("self", ATTACH, beside, "e.txt", token="hers")
    scene.refused("TR003", "self", ATTACH, made, "x.txt")
    scene.refused("TR080", "self", ATTACH, made, "x.txt", token="theirs")
    scene.refused("TR003", "self", ADDRESS, made, MEMBERS, club, 2)
    scene.refused("TR080", "self", ADDRESS, made, MEMBERS, club, 2, token="theirs")
    scene.refused("TR082", "self", ADDRESS, made, MEMBERS, club, 3, token="hers")
    scene.refused("TR003", "self", EDIT, made)
    scene.refused("TR080", "self", EDIT, made, token="theirs")
    before = scene.does("owner", "SELECT count(*) FROM troth.ledger_entry")
    scene.does("self", ADDRESS, made, EVERYONE, None, None, token="hers")
    scene.must("nothing changed", scene.does("owner", "SELECT count(*) FROM troth.ledger_entry"), before)
    scene.does("self", ADDRESS, made, MEMBERS, club, 2, token="hers")
    addressed = [("post-addressed", {"audience": "members-of-the-same-organization"})]
    scene.must("written down", scene.does("owner", LAST), addressed)
    scene.must("the post", scene.does("owner", STANDS, made), [(MEMBERS, club, False)])
    scene.must("its files", scene.does("owner", FILED, made), [(MEMBERS, club)])
    scene.must("no other", scene.does("owner", STANDS, beside), [(EVERYONE, None, False)])
    scene.must("nor its files", scene.does("owner", FILED, beside), [(EVERYONE, None)])
    scene.does("self", "UPDATE troth.post SET text = 'changed' WHERE id = %s", made, token="hers")
    scene.does("self", EDIT, made, token="hers")
    scene.must("written down", scene.does("owner", LAST), [("post-edited", {})])
    scene.must("the post", scene.does("owner", STANDS, made), [(MEMBERS, club, True)])
    scene.must("no other", scene.does("owner", STANDS, beside), [(EVERYONE, None, False)])
    _deletes(scene, whose, made)


def _deletes(scene: Scene, whose: uuid.UUID, made: Any) -> None:
    remove = "SELECT troth.remove_own('post', at, id) FROM troth.post WHERE id = %s"
    scene.must("another's", scene.does("self", remove, made, token="theirs"), [])
    ((before,),) = scene.does("owner", REMOVED)
    scene.must("deleted", scene.does("self", remove, made, token="hers"), [(True,)])
    scene.must("which is written down", scene.does("owner", REMOVED), [(before + 1,)])
    scene.must("files", scene.does("owner", "SELECT count(*) FROM troth.attachment WHERE post = %s", made), [(0,)])
    file = "SELECT troth.remove_own('attachment', at, id) FROM troth.attachment WHERE subject = %s"
    scene.must("a file", scene.does("self", file, whose, token="hers"), [(True,)])
    scene.must("which is written down, too", scene.does("owner", REMOVED), [(before + 2,)])


PLAYS = (_shown, _told, _changes)
