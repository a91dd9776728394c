"""What the operator asks everybody, who may ask it, whom it is asked of, and how the answers are counted."""

import uuid
from collections.abc import Iterator

from tests.mutations.playing import played
from tests.mutations.scene import Play, Scene
from tests.mutations.staffing import WITHOUT, role
from tests.mutations.world import World

OPEN, CLOSE = "SELECT troth.open_question('announce')", "SELECT troth.close_question('announce')"
OTHER = "SELECT troth.open_question(%s)"
CHOOSE = "SELECT troth.choose('announce', %s)"
MINE = "SELECT open, may, kind FROM troth.asking(%s) WHERE purpose = 'announce'"
EVERY = "SELECT purpose FROM troth.asking(0)"
QUESTIONS = "SELECT purpose, closed_at IS NULL, yes, no FROM troth.questions()"
LAST = "SELECT action, facts, subject IS NULL, actor IS NULL FROM troth.ledger_entry ORDER BY index DESC LIMIT 1"
#: The choices of five more people, this long after a question was opened.
CROWD = """INSERT INTO troth.choice (subject, purpose, kind, version, at)
SELECT subject, %s, %s, 1, statement_timestamp() + %s::interval FROM troth.person
WHERE subject NOT IN (SELECT subject FROM troth.choice WHERE purpose = %s AND at > statement_timestamp()) ORDER BY subject LIMIT 5"""
AGED = "UPDATE troth.choice SET at = at - interval '9 days' WHERE subject = %s"


def questioning(world: World, play: Play) -> Iterator[str]:
    """Publishers ask, people answer once, and counts tell of no few."""
    yield from played(world, play)


def _opens(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, third: uuid.UUID) -> None:
    for word in ("hers", "theirs", "forged", ""):
        for statement in (OPEN, CLOSE, QUESTIONS):
            scene.refused("TR040", "staff", statement, token=word)
    role(scene, whose, "publisher")
    role(scene, third, "support", "analyst", "auditor")
    for statement in (OPEN, CLOSE, QUESTIONS):
        scene.refused("TR040", "staff", statement, token="third")
    scene.refused("TR004", "staff", OTHER, "nothing", token="hers")
    for purpose in ("understand", "provide"):
        scene.refused("TR005", "staff", OTHER, purpose, token="hers")
    scene.does("staff", OPEN, token="hers")
    told = [("question-opened", {"purpose": "announce"}, True, False)]
    scene.must("the entry", scene.does("owner", LAST), told)
    scene.does("owner", "UPDATE troth.ledger_entry SET action = 'seen' WHERE action = 'question-opened'")
    scene.does("staff", OPEN, token="hers")
    scene.must("asked twice", scene.does("owner", LAST)[0][0], "seen")
    scene.must("one question", scene.does("staff", QUESTIONS, token="hers"), [("announce", True, None, None)])
    scene.does("staff", CLOSE, token="hers")
    scene.must("its end", scene.does("owner", LAST), [("question-closed", {"purpose": "announce"}, True, False)])
    scene.must("closed", scene.does("staff", QUESTIONS, token="hers"), [("announce", False, None, None)])
    scene.does("owner", "UPDATE troth.ledger_entry SET action = 'seen' WHERE action = 'question-closed'")
    scene.does("staff", CLOSE, token="hers")
    scene.must("closed twice", scene.does("owner", LAST)[0][0], "seen")
    scene.does("staff", OPEN, token="hers")
    scene.must("asked again", len(scene.does("staff", QUESTIONS, token="hers")), 2)
    scene.does("owner", WITHOUT[0])
    for statement in (OPEN, CLOSE, QUESTIONS):
        scene.refused("TR065", "staff", statement, token="hers")


def _answers(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    role(scene, third, "owner")
    scene.must("nobody asks", scene.does("self", MINE, 0, token="hers"), [(False, True, None)])
    scene.does("staff", OPEN, token="third")
    for word in ("forged", ""):
        scene.must("whoever has no token", scene.does("self", MINE, 0, token=word), [])
    scene.must("asked", scene.does("self", MINE, 0, token="hers"), [(True, True, None)])
    scene.must("of what needs a yes", scene.does("self", EVERY, token="hers"), [("announce",), ("personalise",)])
    scene.does("self", CHOOSE, "refusal", token="hers")
    scene.must("a no", scene.does("self", MINE, 0, token="hers"), [(True, False, "refusal")])
    scene.must("a no among few", scene.sees("announce", "person", whose), 0)
    scene.must("hers is not theirs", scene.does("self", MINE, 0, token="theirs"), [(True, True, None)])
    scene.does("self", CHOOSE, "consent", token="theirs")
    scene.must("a yes", scene.does("self", MINE, 0, token="theirs"), [])
    scene.must("a yes is in", scene.sees("announce", "person", other), 1)
    scene.does("owner", AGED, whose)
    for days, may in ((0, False), (10, False), (9, True), (8, True)):
        scene.must(f"after {days} days", scene.does("self", MINE, days, token="hers"), [(True, may, "refusal")])
    scene.does("owner", "UPDATE troth.unit SET since_version = since_version + 9 WHERE purpose = 'announce'")
    scene.must("a yes to less", scene.does("self", MINE, 0, token="theirs"), [(True, True, "consent")])
    scene.does("owner", "UPDATE troth.unit SET since_version = since_version - 9 WHERE purpose = 'announce'")
    scene.does("self", CHOOSE, "withdrawal", token="theirs")
    scene.must("the last counts", scene.does("self", MINE, 0, token="theirs"), [(True, False, "withdrawal")])
    scene.does("staff", CLOSE, token="third")
    scene.must("no longer asked", scene.does("self", MINE, 0, token="hers"), [(False, False, "refusal")])
    scene.does("owner", "UPDATE troth.unit SET retired_at = now() WHERE purpose = 'announce'")
    scene.must("a purpose of before", scene.does("self", MINE, 0, token="hers"), [])
    scene.refused("TR004", "staff", OPEN, token="third")


def _counts(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    role(scene, third, "publisher")
    scene.does("owner", CROWD, "announce", "consent", "-1 hour", "nothing")
    scene.does("staff", OPEN, token="third")
    scene.does("owner", CROWD, "personalise", "consent", "1 minute", "nothing")
    for kind, word in (("refusal", "hers"), ("consent", "theirs")):
        scene.does("self", CHOOSE, kind, token=word)
    few = [("announce", True, None, None)]
    scene.must("few, of others, and of before", scene.does("staff", QUESTIONS, token="third"), few)
    scene.does("self", CHOOSE, "consent", token="hers")
    crowd = (
        "INSERT INTO troth.choice (subject, purpose, kind, version) SELECT subject, 'announce', %s, 1 FROM troth.person"
        " WHERE subject NOT IN (%s, %s, %s) ORDER BY subject LIMIT %s"
    )
    scene.does("owner", crowd, "refusal", whose, other, third, 4)
    four = [("announce", True, None, None)]
    scene.must("four", scene.does("staff", QUESTIONS, token="third"), four)
    scene.does("owner", crowd, "refusal", whose, other, third, 5)
    scene.must("five said no", scene.does("staff", QUESTIONS, token="third"), [("announce", True, None, 5)])
    scene.does("owner", crowd, "consent", whose, other, third, 3)
    scene.must("the last answer", scene.does("staff", QUESTIONS, token="third"), [("announce", True, 5, None)])
    scene.does("owner", "UPDATE troth.question SET closed_at = clock_timestamp()")
    scene.does("owner", crowd.replace("kind, version)", "kind, version, at)").replace("%s, 1 FROM", "%s, 1, clock_timestamp() + interval '1 minute' FROM"),
               "refusal", whose, other, third, 5)  # fmt: skip
    scene.must("of after", scene.does("staff", QUESTIONS, token="third"), [("announce", False, 5, None)])


AHEAD = "SELECT troth.agree_ahead(9, repeat('a', 64), repeat('b', 64), 'I agree.', 'en')"
COMING = """INSERT INTO troth.policy_scheduled (version, source, terms, digest, terms_digest, effective_on, verdict, raised, signature)
VALUES (9, '', '', repeat('a', 64), repeat('b', 64), current_date + 9, 3, 0, decode(repeat('00', 64), 'hex'))"""


def _ahead(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    """What comes next is agreed to in its own words alone, once, and taken back."""
    scene.refused("TR002", "self", AHEAD, token="hers")
    scene.does("owner", COMING)
    for word in ("forged", ""):
        scene.refused("TR003", "self", AHEAD, token=word)
    for part in ("9, ", "repeat('a'", "repeat('b'"):
        scene.refused("TR002", "self", AHEAD.replace(part, {"9, ": "8, "}.get(part, "repeat('c'")), token="hers")
    held = "SELECT version, wording FROM troth.agreement_ahead WHERE subject = %s"
    scene.does("self", AHEAD, token="hers")
    scene.must("the entry", scene.does("owner", LAST)[0][0], "agreed-ahead")
    scene.does("self", AHEAD.replace("I agree.", "I do."), token="hers")
    scene.must("agreed ahead", scene.does("owner", held, whose), [(9, "I do.")])
    scene.does("self", "SELECT troth.unagree_ahead()", token="hers")
    scene.must("its end", scene.does("owner", LAST)[0][0], "unagreed-ahead")
    scene.must("taken back", scene.does("owner", held, whose), [])
    scene.does("owner", "UPDATE troth.policy_scheduled SET closed_at = now(), outcome = 'withdrawn' WHERE version = 9")
    scene.refused("TR002", "self", AHEAD, token="hers")


PLAYS = (_opens, _answers, _counts, _ahead)
