"""Counts of what arrives: they add up, nobody reads them but by fives of five people, and the salt of a day goes with it."""

import uuid

from tests.mutations.scene import Scene

ROLL = (
    "SELECT troth.roll(ARRAY[date_trunc('hour', now())], '{{visit}}', '{{}}'::text[] || ''::text, '{{page}}', ARRAY[%s], '{{{many}}}',"
    " '{{{bits}}}', (now() AT TIME ZONE 'UTC')::date - {day})"
)
COUNTED = "SELECT value, count FROM troth.rolled('{visit}', 'page', now() - interval '2 hours', now() + interval '1 hour', %s) WHERE application = ''"
HELD = "SELECT sum(count)::int FROM troth.rollup WHERE kind = 'visit' AND dimension = 'page' AND value = %s"
SALTED = "SELECT day, fresh FROM troth.roll_salt()"


def _added(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID) -> None:
    scene.does("owner", "DELETE FROM troth.rollup")
    for _ in range(2):
        scene.does("intake", ROLL.format(many=4, bits=15, day=0), "/a")
    scene.must("counts add up", scene.does("owner", HELD, "/a"), [(8,)])
    scene.must("of four people", scene.does("door", COUNTED, ""), [(None, None)])
    scene.does("intake", ROLL.format(many=1, bits=16, day=0), "/a")
    scene.must("of five people", scene.does("door", COUNTED, ""), [("/a", 5)])
    scene.does("intake", ROLL.format(many=30, bits=1, day=0), "/b")
    scene.must("another that comes often", scene.does("door", COUNTED, ""), [("/a", 5), (None, None)])
    for step in ("hour", "day"):
        scene.must(f"by {step}", scene.does("door", COUNTED, step), [("/a", 5), (None, None)])
    scene.does("intake", ROLL.format(many=30, bits=-1, day=0), "other")
    scene.must("all that is other", scene.does("door", COUNTED, ""), [("/a", 5), (None, None)])
    scene.does("owner", "UPDATE troth.rollup SET hour = hour + interval '2 hours'")
    scene.must("of after", scene.does("door", COUNTED, ""), [])
    scene.does("owner", "UPDATE troth.rollup SET hour = hour - interval '5 hours'")
    scene.must("of before", scene.does("door", COUNTED, ""), [])


def _apart(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID) -> None:
    """Bits of two salts are of nobody together: in one row, and in the rows of a day."""
    scene.does("owner", "DELETE FROM troth.rollup")
    bits = "SELECT people, (now() AT TIME ZONE 'UTC')::date - salted FROM troth.rollup"
    scene.does("intake", ROLL.format(many=4, bits=3, day=2), "/a")
    scene.does("intake", ROLL.format(many=4, bits=28, day=1), "/a")
    scene.must("more people take their place", scene.does("owner", bits), [(28, 1)])
    scene.does("intake", ROLL.format(many=4, bits=3, day=0), "/a")
    scene.does("intake", ROLL.format(many=4, bits=224, day=0), "/a")
    scene.must("fewer and as many do not", scene.does("owner", bits), [(28, 1)])
    scene.must("all are counted", scene.does("owner", HELD, "/a"), [(16,)])
    scene.does("owner", "DELETE FROM troth.rollup")
    day = "date_trunc('day', now(), 'UTC')"
    for hours, (people, salted) in enumerate(((7, 1), (56, 0))):
        add = f"INSERT INTO troth.rollup VALUES ({day} + interval '{hours} hours', 'visit', '', 'page', '/a', 9, {people}, now()::date - {salted})"
        scene.does("owner", add)
    asked = f"SELECT value, count FROM troth.rolled('{{visit}}', 'page', {day}, {day} + interval '1 day', '') WHERE application = ''"
    scene.must("of three and three", scene.does("door", asked), [(None, None)])
    scene.does("owner", "UPDATE troth.rollup SET salted = now()::date")
    scene.must("of six", scene.does("door", asked), [("/a", 15)])


def _named(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID) -> None:
    """What applications named goes with its day where it was of few."""
    scene.does("owner", "DELETE FROM troth.rollup")
    add = "INSERT INTO troth.rollup VALUES (date_trunc('day', now(), 'UTC') - interval '36 hours' + %s::int * interval '1 hour', 'page_view', %s, %s, %s, 3, %s, now()::date - %s::int)"
    rows = (
        (0, "notes", "page", "/few", 7, 1), (1, "notes", "page", "/few", 3, 1), (0, "notes", "page", "/five", 3, 1),
        (1, "notes", "page", "/five", 28, 1), (0, "notes", "page", "/salts", 7, 1), (1, "notes", "page", "/salts", 56, 2),
        (0, "notes", "page", "/late", 1, 0), (0, "notes", "page", "/old", 1, 9), (0, "", "page", "/own", 1, 1),
        (0, "notes", "", "", 1, 1), (0, "notes", "page", "other", 1, 1), (36, "notes", "page", "/few", 1, 0),
        (1, "notes", "feature", "few", 1, 1), (-24, "notes", "page", "/few", 31, 1),
    )  # fmt: skip
    for row in rows:
        scene.does("owner", add, *row)
    for _ in range(2):
        scene.does("steward", "SELECT troth.forget_rollups()")
    left = scene.does("owner", "SELECT dimension, value, sum(count)::int FROM troth.rollup GROUP BY 1, 2 ORDER BY 1, 2")
    kept = [("", "", 3), ("feature", "other", 3), ("page", "/few", 6), ("page", "/five", 6), ("page", "/late", 3)]
    kept += [("page", "/old", 3), ("page", "/own", 3), ("page", "other", 15)]
    scene.must("words of few go with their day", sorted(left), kept)


def _bounded(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID) -> None:
    scene.does("owner", "DELETE FROM troth.rollup")
    for nth in range(51):
        scene.does("intake", ROLL.format(many=1, bits=0, day=0), f"/{nth}")
    scene.must("the fiftieth", scene.does("owner", HELD, "/49"), [(1,)])
    scene.must("the one behind it", scene.does("owner", HELD, "other"), [(1,)])
    scene.does("intake", ROLL.format(many=1, bits=0, day=0), "/7")
    scene.must("one that is known", scene.does("owner", HELD, "/7"), [(2,)])


def _salted(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID) -> None:
    scene.does("owner", "DELETE FROM troth.rollup_salt")
    today = scene.does("owner", "SELECT (now() AT TIME ZONE 'UTC')::date")[0][0]
    scene.must("made", scene.does("intake", SALTED), [(today, True)])
    scene.must("known", scene.does("intake", SALTED), [(today, False)])
    scene.does("owner", "INSERT INTO troth.rollup_salt (day) VALUES ((now() AT TIME ZONE 'UTC')::date - 1)")
    scene.does("intake", SALTED)
    scene.must("of yesterday", scene.does("owner", "SELECT day FROM troth.rollup_salt"), [(today,)])
    scene.does("owner", "INSERT INTO troth.rollup_salt (day) VALUES ((now() AT TIME ZONE 'UTC')::date - 1)")
    scene.does("owner", "DELETE FROM troth.rollup")
    for hours, word in ((9500, "kept"), (9700, "gone")):
        scene.does("intake", ROLL.format(many=1, bits=0, day=0), word)
        scene.does(
            "owner", "UPDATE troth.rollup SET hour = hour - make_interval(hours => %s) WHERE value = %s", hours, word
        )
    scene.does("steward", "SELECT troth.forget_rollups()")
    scene.must("salts", scene.does("owner", "SELECT day FROM troth.rollup_salt"), [(today,)])
    scene.must("counts", scene.does("owner", "SELECT value FROM troth.rollup"), [("kept",)])


PLAYS = (_added, _apart, _bounded, _named, _salted)
