"""What an organization's directory supplies, and the domains it holds, on the stage where nothing stays."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from tests.mutations.joining import LEAVE, REMOVE, Club
from tests.mutations.playing import address, played
from tests.mutations.scene import Play, Scene
from tests.mutations.world import World

OPEN = "SELECT troth.open_directory(%s, 'HR', sha256(%s::bytea), %s)"
END, USE = "SELECT troth.end_directory(%s)", "SELECT troth.use_directory(%s)"
PROVISION, CHANGE = "SELECT troth.provision(%s::jsonb)", "SELECT troth.change_entry(%s, %s::jsonb, %s)"
TAKE, READ = "SELECT troth.remove_entry(%s, %s)", "SELECT troth.read_entry(%s)"
OFFERS, JOIN, DECLINE = (
    "SELECT entry, declined FROM troth.my_offers()", "SELECT troth.join_entry(%s)", "SELECT troth.decline_entry(%s)",
)  # fmt: skip
ADD, GROUP = (
    "SELECT troth.add_grouping(%s, NULL)",
    "SELECT troth.change_grouping(%s, %s, NULL, %s::pg_catalog.uuid[], %s::pg_catalog.uuid[], %s)",
)
UNGROUP = "SELECT troth.remove_grouping(%s, %s)"
CLAIM, LOSE, RECHECK = (
    "SELECT troth.claim_domain(%s, %s, repeat('v', 40))", "SELECT troth.drop_domain(%s, %s)", "SELECT troth.recheck_domain(%s, %s)",
)  # fmt: skip
JUDGE = "SELECT troth.judge_domain(%s, %s, %s::boolean)"
DUE = "SELECT email, organization_name FROM troth.due_offers()"
ENTRY = "SELECT subject, user_name, full_name, active, version, joined_at IS NOT NULL FROM troth.directory_entry WHERE entry = %s"
ACTS = "SELECT kind FROM troth.directory_act WHERE organization = %s ORDER BY at, act"
LAST = "SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT 1"
ONE = {"user_name": "Fay", "full_name": "Fay F.", "given_name": "Fay", "family_name": "F.", "display_name": "Fay"}
#: A field that no organization holds; which ones there are, the operator says, and here none.
UNHELD = {"shoe_size": "47"}
YES, NO = True, False


class Directory:
    """The directory of a club, whose token is `word`."""

    def __init__(self, scene: Scene, club: Club, word: str = "dir") -> None:
        self.scene, self.club, self.word = scene, club, word
        found = scene.does("self", OPEN, club.org, word.encode(), 30, token="hers")
        self.token = found[0][0] if found else None

    def does(self, statement: str, *values: Any) -> Any:
        """Let the directory act, and return what it is answered."""
        found = self.scene.does("directory", statement, *values, token=self.word)
        return found[0][0] if found else None

    def refused(self, code: str, statement: str, *values: Any) -> None:
        """Let it try what it may not."""
        self.scene.refused(code, "directory", statement, *values, token=self.word)

    def supplies(self, **told: Any) -> Any:
        """Let it supply somebody; return the entry."""
        return self.does(PROVISION, json.dumps(ONE | told))

    def told(self, action: str) -> None:
        """Check what was written down last."""
        self.scene.must(f"written down {action}", self.scene.does("owner", LAST), [(action,)])


def supplying(world: World, play: Play) -> Iterator[str]:
    """A directory supplies people, who join or not; it reaches its own organization, and nobody else's."""
    yield from played(world, play)


def _opens(scene: Scene, *_people: uuid.UUID) -> None:
    club = Club(scene)
    club.takes_in("theirs")
    for word in ("theirs", "third", ""):
        scene.refused("TR050", "self", OPEN, club.org, b"no", 30, token=word)
    hr = Directory(scene, club)
    hr.told("directory-opened")
    scene.must("whose", hr.does(USE, NO), club.org)
    used = "SELECT used_at IS NOT NULL, listed_at IS NOT NULL FROM troth.directory_token WHERE token = %s"
    scene.must("used", scene.does("owner", used, hr.token), [(True, False)])
    hr.does(USE, YES)
    scene.must("listed", scene.does("owner", used, hr.token), [(True, True)])
    scene.does("owner", "UPDATE troth.directory_token SET used_at = now() - interval '1 d', listed_at = NULL")
    hr.does(USE, NO)
    late = "SELECT used_at > now() - interval '1 h', listed_at FROM troth.directory_token WHERE token = %s"
    scene.must("used again", scene.does("owner", late, hr.token), [(True, None)])
    scene.refused("TR050", "directory", USE, NO, token="forged")
    rest: tuple[tuple[Any, ...], ...] = (
        (PROVISION, json.dumps(ONE)), (CHANGE, uuid.UUID(int=1), "{}", 1), (TAKE, uuid.UUID(int=1), 1), (READ, uuid.UUID(int=1)),
        (ADD, "Group"), (GROUP, uuid.UUID(int=1), "Group", [], [], 1), (UNGROUP, uuid.UUID(int=1), 1),
    )  # fmt: skip
    for statement, *values in rest:
        scene.refused("TR050", "directory", statement, *values, token="forged")
    for change, undo in (("ended_at = now()", "ended_at = NULL"), ("until = now()", "until = now() + interval '1 d'")):
        scene.does("owner", f"UPDATE troth.directory_token SET {change} WHERE token = %s", hr.token)
        hr.refused("TR050", USE, NO)
        scene.does("owner", f"UPDATE troth.directory_token SET {undo} WHERE token = %s", hr.token)
    for word in ("theirs", "third"):
        scene.refused("TR052", "self", END, hr.token, token=word)
    scene.does("self", END, hr.token, token="hers")
    hr.told("directory-ended")
    hr.refused("TR050", USE, NO)
    scene.refused("TR052", "self", END, hr.token, token="hers")
    for number in range(10):
        Directory(scene, club, f"dir {number}")
    scene.refused("TR056", "self", OPEN, club.org, b"eleventh", 30, token="hers")


def _supplies(scene: Scene, *_people: uuid.UUID) -> None:
    club, other = Club(scene), Club(scene)
    hr, theirs = Directory(scene, club), Directory(scene, other, "other")
    entry = hr.supplies()
    hr.told("directory-supplied")
    scene.must("acts", scene.does("owner", ACTS, club.org), [("supplied",)])
    by = "SELECT token FROM troth.directory_act WHERE organization = %s"
    scene.must("by which token", scene.does("owner", by, club.org), [(hr.token,)])
    hr.refused("TR051", PROVISION, json.dumps(ONE | {"user_name": "fay"}))
    theirs.supplies()
    seen = "SELECT entry FROM troth.directory_entry"
    scene.must("what it reads", scene.does("directory", seen, token="dir"), [(entry,)])
    kinds = (
        "SELECT kind FROM troth.subject WHERE subject = (SELECT subject FROM troth.directory_entry WHERE entry = %s)"
    )
    scene.must("whose the row is", scene.does("owner", kinds, entry), [("supplied",)])
    hr.does(READ, entry)
    scene.must("nobody is told", scene.does("owner", ACTS, club.org), [("supplied",)])
    scene.does("owner", "UPDATE troth.directory_entry SET ended_at = now() WHERE entry = %s", entry)
    scene.must("what has ended", scene.does("directory", seen, token="dir"), [])
    hr.supplies()
    hr.refused("TR061", PROVISION, json.dumps(ONE | {"user_name": "Gus", "held": UNHELD}))


def _changes(scene: Scene, *_people: uuid.UUID) -> None:
    club, other = Club(scene), Club(scene)
    hr, theirs = Directory(scene, club), Directory(scene, other, "other")
    entry, second = hr.supplies(), hr.supplies(user_name="Gus")
    theirs.refused("TR052", CHANGE, entry, "{}", 1)
    hr.refused("TR053", CHANGE, entry, "{}", 2)
    hr.refused("TR051", CHANGE, entry, '{"user_name": "GUS"}', 1)
    hr.refused("TR061", CHANGE, entry, json.dumps({"held": UNHELD}), 1)
    hr.does(CHANGE, entry, '{"user_name": "fay", "full_name": "Fay G."}', 1)
    hr.told("directory-changed")
    found = scene.does("owner", ENTRY, entry)
    scene.must("changed", [row[1:] for row in found], [("fay", "Fay G.", None, 2, False)])
    untouched = [row[1:] for row in scene.does("owner", ENTRY, second)]
    scene.must("another", untouched, [("Gus", "Fay F.", None, 1, False)])
    scene.must("acts", scene.does("owner", ACTS, club.org), [("supplied",), ("supplied",), ("changed",)])
    scene.does("owner", "UPDATE troth.directory_act SET at = at - interval '400 days'")
    hr.does(CHANGE, entry, '{"active": false}', 2)
    scene.must("old acts go, of one person", scene.does("owner", ACTS, club.org), [("supplied",), ("changed",)])
    scene.does("owner", "UPDATE troth.directory_entry SET ended_at = now() WHERE entry = %s", entry)
    hr.refused("TR052", CHANGE, entry, "{}", 3)
    hr.does(CHANGE, second, '{"user_name": "fay"}', 1)


def _joins(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    club = Club(scene)
    hr = Directory(scene, club)
    entry = hr.supplies(email=address(other).upper())
    before = scene.does("owner", ENTRY, entry)
    hr.supplies(user_name="un", email=f"un{address(other)}")
    scene.must("offers", scene.does("self", OFFERS, token="theirs"), [(entry, False)])
    for word in ("third", ""):
        scene.must("offers to others", scene.does("self", OFFERS, token=word), [])
        scene.refused("TR052" if word else "TR003", "self", JOIN, entry, token=word)
    scene.does("owner", "UPDATE troth.directory_entry SET active = false WHERE entry = %s", entry)
    scene.must("not wanted", scene.does("self", OFFERS, token="theirs"), [])
    scene.does("owner", "UPDATE troth.directory_entry SET active = true WHERE entry = %s", entry)
    scene.does("self", JOIN, entry, token="theirs")
    hr.told("directory-joined")
    club.role(other, "member")
    scene.must("joined", scene.does("owner", ENTRY, entry), [(other, "Fay", None, True, 2, True)])
    acts = "SELECT count(*) FROM troth.directory_act WHERE subject = %s"
    scene.must("acts come along", scene.does("owner", acts, other), [(1,)])
    ended = "SELECT ended_at IS NOT NULL FROM troth.subject WHERE subject = %s"
    scene.must("nobody's subject ends", scene.does("owner", ended, before[0][0] if before else None), [(True,)])
    scene.must("offers", scene.does("self", OFFERS, token="theirs"), [])
    scene.refused("TR052", "self", JOIN, entry, token="theirs")
    second = hr.supplies(user_name="twice", email=address(other))
    scene.refused("TR051", "self", JOIN, second, token="theirs")
    owners = hr.supplies(user_name="hers", email=address(whose))
    scene.does("self", JOIN, owners, token="hers")
    club.role(whose, "owner")
    for _ in range(2):
        hr.does(READ, entry)
    read = "SELECT count(*) FROM troth.directory_act WHERE subject = %s AND kind = 'read'"
    scene.must("told once an hour", scene.does("owner", read, other), [(1,)])
    hr.does(CHANGE, entry, '{"full_name": "Another", "display_name": "A", "given_name": "A", "family_name": "A"}', 2)
    names = "SELECT full_name, display_name, given_name, family_name FROM troth.directory_entry WHERE entry = %s"
    scene.must("names are theirs", scene.does("owner", names, entry), [(None, None, None, None)])
    hr.refused("TR061", CHANGE, entry, json.dumps({"held": UNHELD}), 3)


def _declines(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    club = Club(scene)
    hr = Directory(scene, club)
    entry = hr.supplies(email=address(other))
    scene.refused("TR003", "self", DECLINE, entry)
    for word in ("third", "hers"):
        scene.refused("TR052", "self", DECLINE, entry, token=word)
    scene.does("owner", "UPDATE troth.directory_entry SET offer_due = true WHERE entry = %s", entry)
    scene.does("self", DECLINE, entry, token="theirs")
    hr.told("directory-declined")
    scene.must("still offered", scene.does("self", OFFERS, token="theirs"), [(entry, True)])
    scene.must("no mail", scene.does("door", DUE), [])
    scene.does("self", JOIN, entry, token="theirs")
    scene.refused("TR052", "self", DECLINE, entry, token="theirs")
    club.role(whose, "owner")


def _joined(scene: Scene, club: Club, whose: uuid.UUID, word: str, hr: Directory) -> Any:
    entry = hr.supplies(user_name=f"of {word}", email=address(whose))
    scene.does("self", JOIN, entry, token=word)
    return entry


def _suspends(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    club = Club(scene)
    hr = Directory(scene, club)
    mine, entry = _joined(scene, club, whose, "hers", hr), _joined(scene, club, other, "theirs", hr)
    _joined(scene, club, third, "third", hr)
    hr.refused("TR054", CHANGE, mine, '{"active": false}', 2)
    hr.refused("TR054", TAKE, mine, 2)
    hr.does(CHANGE, entry, '{"active": false}', 2)
    hr.told("directory-suspended")
    club.role(other, None)
    club.role(third, "member")
    found = scene.does("owner", ENTRY, entry)
    scene.must("tied to nobody", [(row[0] == other, row[5]) for row in found], [(False, False)])
    scene.must("offers", scene.does("self", OFFERS, token="theirs"), [])
    acts = "SELECT kind FROM troth.directory_act WHERE subject = %s ORDER BY at, act"
    scene.must("what they are told", scene.does("owner", acts, other), [("supplied",), ("suspended",)])


def _takes_back(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    club, another = Club(scene), Club(scene)
    hr, theirs = Directory(scene, club), Directory(scene, another, "other")
    entry, waits = _joined(scene, club, other, "theirs", hr), hr.supplies()
    theirs.refused("TR052", TAKE, entry, 2)
    hr.refused("TR053", TAKE, entry, 1)
    hr.does(TAKE, entry, 2)
    hr.told("directory-removed")
    club.role(other, None)
    scene.must("gone", scene.does("owner", ENTRY, entry), [])
    hr.refused("TR052", TAKE, entry, 2)
    (found,) = scene.does("owner", ENTRY, waits) or [(None,)]
    hr.does(TAKE, waits, 1)
    ended = "SELECT ended_at IS NOT NULL FROM troth.subject WHERE subject = %s"
    for each, expected in ((found[0], True), (other, False), (whose, False)):
        scene.must("whose subject ends", scene.does("owner", ended, each), [(expected,)])
    kinds = "SELECT kind FROM troth.directory_act WHERE subject = %s ORDER BY at, act"
    scene.must("what they are told", scene.does("owner", kinds, other), [("supplied",), ("removed",)])
    third = hr.supplies(user_name="ended")
    scene.does("owner", "UPDATE troth.directory_entry SET ended_at = now() WHERE entry = %s", third)
    hr.refused("TR052", TAKE, third, 1)


def _detaches(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    club = Club(scene)
    hr = Directory(scene, club)
    entry, second = _joined(scene, club, other, "theirs", hr), _joined(scene, club, third, "third", hr)
    group = hr.does(ADD, "Group")
    hr.does(GROUP, group, "Group", [entry], [], 1)
    scene.does("self", LEAVE, club.org, token="theirs")
    club.does(REMOVE, third)
    for each, whom in ((entry, other), (second, third)):
        found = scene.does("owner", ENTRY, each)
        scene.must("tied to nobody", [(row[0] == whom, row[5]) for row in found], [(False, False)])
    grouped = "SELECT subject = %s FROM troth.directory_grouped WHERE entry = %s"
    scene.must("in the group still", scene.does("owner", grouped, other, entry), [(False,)])
    scene.must("offered again", scene.does("self", OFFERS, token="theirs"), [(entry, False)])
    unsupplied = "SELECT count(*) FROM troth.subject WHERE kind = 'supplied' AND ended_at IS NULL"
    before = scene.does("owner", unsupplied)
    scene.does("door", "SELECT troth.end_unsupplied()")
    scene.must("supplied still", scene.does("owner", unsupplied), before)
    scene.does("owner", "DELETE FROM troth.directory_entry WHERE entry = %s", entry)
    scene.does("door", "SELECT troth.end_unsupplied()")
    scene.must("supplied no more", scene.does("owner", unsupplied), [(before[0][0] - 1,)] if before else None)


def _groups(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    club, another = Club(scene), Club(scene)
    hr, theirs = Directory(scene, club), Directory(scene, another, "other")
    entry, foreign = _joined(scene, club, other, "theirs", hr), theirs.supplies()
    group = hr.does(ADD, "Group")
    hr.told("directory-group-added")
    second = hr.does(ADD, "Second")
    for statement, *values in ((GROUP, group, "x", [], [], 1), (UNGROUP, group, 1)):
        theirs.refused("TR052", statement, *values)
    hr.refused("TR053", GROUP, group, "x", [], [], 2)
    hr.refused("TR057", GROUP, group, "x", [foreign], [], 1)
    hr.does(GROUP, group, "Renamed", [entry], [], 1)
    hr.told("directory-group-changed")
    hr.does(GROUP, second, "Second", [entry], [], None)
    groups, inside = "SELECT grouping FROM troth.directory_group", "SELECT grouping, entry FROM troth.directory_grouped"
    for word, every in (("dir", [group, second]), ("other", []), ("forged", [])):
        found = sorted(each for (each,) in scene.does("directory", groups, token=word))
        scene.must(f"groups that {word} reads", found, sorted(every))
        found = sorted(scene.does("directory", inside, token=word))
        scene.must(f"who is in them, for {word}", found, sorted((each, entry) for each in every))
    named = "SELECT name, version FROM troth.directory_group WHERE grouping = %s"
    scene.must("its name", scene.does("owner", named, group), [("Renamed", 2)])
    grouped = "SELECT grouping FROM troth.directory_grouped WHERE subject = %s ORDER BY 1"
    in_both = scene.does("self", grouped, other, token="theirs")
    scene.must("in both", in_both, sorted([(group,), (second,)]))
    hr.does(GROUP, group, "Renamed", [], [entry], 2)
    scene.must("in one", scene.does("owner", grouped, other), [(second,)])
    kinds = "SELECT kind FROM troth.directory_act WHERE subject = %s ORDER BY at, act"
    expected = [(kind,) for kind in ("supplied", "grouped", "grouped", "ungrouped")]
    scene.must("what they are told", scene.does("owner", kinds, other), expected)
    hr.refused("TR053", UNGROUP, group, 1)
    hr.does(UNGROUP, group, 3)
    hr.told("directory-group-removed")
    hr.refused("TR052", UNGROUP, group, 3)
    scene.must("the other stays", scene.does("owner", named, second), [("Second", 2)])
    scene.must("in one still", scene.does("owner", grouped, other), [(second,)])


def _writes(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    """Whom a directory supplies is written to where the domain is the organization's, once."""
    club, another = Club(scene), Club(scene)
    hr = Directory(scene, club)
    for each, since in ((club, "now()"), (another, "NULL")):
        scene.does(
            "owner",
            "INSERT INTO troth.domain (organization, domain, value, held_since)"
            f" VALUES (%s, 'harbor.example', repeat('v', 40), {since})", each.org,
        )  # fmt: skip
    Directory(scene, another, "other").supplies(email="gus@harbor.example")
    hr.supplies(email="fay@elsewhere.example", user_name="else")
    hr.supplies(email="not@harbor.example", user_name="not", active=False)
    hr.supplies(user_name="none")
    entry = hr.supplies(email=address(other).upper())
    due = [(address(other).upper(), "Club")]
    scene.must("due", scene.does("door", DUE), due)
    scene.must("once", scene.does("door", DUE), [])
    hr.does(CHANGE, entry, '{"user_name": "another"}', 1)
    scene.must("not again", scene.does("door", DUE), [])
    hr.does(CHANGE, entry, '{"email": "new@harbor.example"}', 2)
    scene.must("to a new address", scene.does("door", DUE), [("new@harbor.example", "Club")])
    hr.does(CHANGE, entry, json.dumps({"email": address(other)}), 3)
    scene.does("self", DECLINE, entry, token="theirs")
    hr.does(CHANGE, entry, '{"email": "newer@harbor.example"}', 4)
    scene.must("after a no", scene.does("door", DUE), [])
    ended = hr.supplies(email="late@harbor.example", user_name="late")
    scene.does("owner", "UPDATE troth.directory_entry SET ended_at = now() WHERE entry = %s", ended)
    scene.must("who has ended", scene.does("door", DUE), [])


def _domains(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    club = Club(scene)
    club.takes_in("theirs")
    org, name = club.org, "club.example"
    for word in ("theirs", "third", ""):
        for statement in (CLAIM, LOSE, RECHECK):
            scene.refused("TR050", "self", statement, org, name, token=word)
    scene.does("self", CLAIM, org, name, token="hers")
    scene.must("written down", scene.does("owner", LAST), [("domain-claimed",)])
    state = "SELECT held_since IS NOT NULL, missed, next_check_at > clock_timestamp() FROM troth.domain WHERE (organization, domain) = (%s, %s)"

    def judged(there: object, expected: str, *standing: object, which: object = org) -> None:
        scene.must(f"judged {there}", scene.does("door", JUDGE, which, name, there), [(expected,)])
        if standing:
            scene.must(f"after {expected}", scene.does("owner", state, which, name), [(*standing, True)])

    judged(NO, "waiting", NO, 0)
    scene.does("owner", "UPDATE troth.domain SET checked_at = now() WHERE organization = %s", org)
    scene.does("self", RECHECK, org, name, token="hers")
    scene.must("looked at just now", scene.does("owner", state, org, name), [(False, 0, True)])
    scene.does("owner", "UPDATE troth.domain SET checked_at = now() - interval '1 min' WHERE organization = %s", org)
    scene.does("self", RECHECK, org, name, token="hers")
    scene.must("looked at again", scene.does("owner", state, org, name), [(False, 0, False)])
    judged(YES, "held", YES, 0)
    scene.must("written down", scene.does("owner", LAST), [("domain-held",)])
    second = Club(scene)
    scene.does("self", CLAIM, second.org, name, token="hers")
    judged(YES, "taken", NO, 0, which=second.org)
    judged(None, "unanswered", YES, 0)
    for missed in (1, 2):
        judged(NO, "missed", YES, missed)
    judged(YES, "held", YES, 0)
    for missed in (1, 2):
        judged(NO, "missed", YES, missed)
    judged(NO, "lost", NO, 0)
    scene.must("written down", scene.does("owner", LAST), [("domain-lost",)])
    judged(YES, "held", YES, 0)
    scene.does("owner", "UPDATE troth.domain SET seen_at = now() - interval '8 days' WHERE organization = %s", org)
    judged(None, "lost", NO, 0)
    scene.does("self", LOSE, org, name, token="hers")
    scene.must("written down", scene.does("owner", LAST), [("domain-dropped",)])
    judged(YES, "gone")
    scene.must("another's stays", scene.does("owner", state, second.org, name), [(False, 0, True)])
    for number in range(20):
        scene.does("self", CLAIM, org, f"n{number}.example", token="hers")
    scene.refused("TR056", "self", CLAIM, org, "more.example", token="hers")


PLAYS = (_opens, _supplies, _changes, _joins, _declines, _suspends, _takes_back, _detaches, _groups, _writes, _domains)
