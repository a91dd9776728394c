"""Counts of what arrives: they add up, nobody reads them but by fives of five people, and the salt of a day goes with it."""

import uuid

from tests.mutations.scene import Scene

ROLL = (
    "SELECT troth.roll(ARRAY[date_trunc('hour', now())], '{{visit}}', '{{}}'::text[] || ''::text, '{{page}}', ARRAY[%s], '{{{many}}}',"
    " '{{{bits}}}')"
)
COUNTED = (
    "SELECT value, count FROM troth.rolled('{visit}', 'page', now() - interval '2 hours', %s) WHERE application = ''"
)
HELD = "SELECT sum(count)::int FROM troth.rollup WHERE kind = 'visit' AND dimension = 'page' AND value = %s"
SALTED = "SELECT day, fresh FROM troth.roll_salt()"


def _added(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID) -> None:
    scene.does("owner", "DELETE FROM troth.rollup")
    for _ in range(2):
        scene.does("intake", ROLL.format(many=4, bits=15), "/a")
    scene.must("counts add up", scene.does("owner", HELD, "/a"), [(8,)])
    scene.must("of four people", scene.does("door", COUNTED, ""), [(None, None)])
    scene.does("intake", ROLL.format(many=1, bits=16), "/a")
    scene.must("of five people", scene.does("door", COUNTED, ""), [("/a", 5)])
    scene.does("intake", ROLL.format(many=30, bits=1), "/b")
    scene.must("another that comes often", scene.does("door", COUNTED, ""), [("/a", 5), (None, None)])
    for step in ("hour", "day"):
        scene.must(f"by {step}", scene.does("door", COUNTED, step), [("/a", 5), (None, None)])
    scene.does("intake", ROLL.format(many=30, bits=-1), "other")
    scene.must("all that is other", scene.does("door", COUNTED, ""), [("/a", 5), (None, None)])
    scene.does("owner", "UPDATE troth.rollup SET hour = hour - interval '3 hours'")
    scene.must("of before", scene.does("door", COUNTED, ""), [])


def _bounded(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID) -> None:
    scene.does("owner", "DELETE FROM troth.rollup")
    for nth in range(51):
        scene.does("intake", ROLL.format(many=1, bits=0), f"/{nth}")
    scene.must("the fiftieth", scene.does("owner", HELD, "/49"), [(1,)])
    scene.must("the one behind it", scene.does("owner", HELD, "other"), [(1,)])
    scene.does("intake", ROLL.format(many=1, bits=0), "/7")
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
        scene.does("intake", ROLL.format(many=1, bits=0), word)
        scene.does(
            "owner", "UPDATE troth.rollup SET hour = hour - make_interval(hours => %s) WHERE value = %s", hours, word
        )
    scene.does("steward", "SELECT troth.forget_rollups()")
    scene.must("salts", scene.does("owner", "SELECT day FROM troth.rollup_salt"), [(today,)])
    scene.must("counts", scene.does("owner", "SELECT value FROM troth.rollup"), [("kept",)])


PLAYS = (_added, _bounded, _salted)
