"""`troth policy fmt|explain|compare|coverage|show`: every policy, as text and as JSON, and what bad input is told."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.conftest import POLICY
from tests.serving import TROTH
from troth.cli import reading
from troth.cli.policy import policy, what_follows
from troth.database.catalog import load
from troth.database.place import Place
from troth.policy import explain, parse
from troth.policy.coverage import PROMISES, Promise, Status
from troth.policy.meaning import Policy
from troth.policy.plan import plan
from troth.policy.planned import Plan
from troth.policy.widening import widened

FOLDER = POLICY.parent
FILES = sorted(FOLDER.glob("*.troth"))
each_policy = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
each_language = pytest.mark.parametrize("language", ["en", "es"])
TINY = """policy "Harbor" version 1 effective 2026-11-01
operator "Harbor, Inc." contact privacy@harbor.example
category access.ip, access.url identifying
purpose protect "keep the service safe" by legitimate interest
collect access.ip, access.url on visit
    for protect 14 days as network
"""
#: Sound as a policy, and the tables cannot hold to it: two windows of one purpose for the rows of one table.
UNHELD = TINY.replace("access.ip, access.url on", "access.ip on") + (
    "collect access.url on visit\n    for protect 30 days\n"
)


def ask(*arguments: object) -> Result:
    return CliRunner().invoke(policy, [str(each) for each in arguments], catch_exceptions=False)


def told(*arguments: object) -> Any:
    done = ask(*arguments, "--format", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def meaning(file: Path) -> Policy:
    return parse.read(file.read_text(encoding="utf-8"), file.name)


def folded(text: str) -> str:
    return "".join(text.split())


def write(folder: Path, text: str, name: str = "mine.troth") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


# fmt


@each_policy
def test_the_policies_stand_in_their_canonical_form(file: Path) -> None:
    assert ask("fmt", "--check", file).exit_code == 0
    assert told("fmt", "--check", file) == {"changed": [], "errors": []}


def test_fmt_writes_the_canonical_form_once(tmp_path: Path) -> None:
    file = write(tmp_path, TINY.replace('policy "', 'policy   "').replace("\n    for", "\n  for"))
    done = ask("fmt", file)
    assert (done.exit_code, done.stdout) == (0, f"{file}: written anew\n")
    assert file.read_text(encoding="utf-8") == TINY
    done = ask("fmt", file)
    assert (done.exit_code, done.stdout) == (0, "")


@pytest.mark.parametrize("form", ["text", "json"])
def test_fmt_check_changes_nothing_and_exits_with_one(tmp_path: Path, form: str) -> None:
    untidy = TINY.replace('policy "', 'policy   "')
    file, other = write(tmp_path, untidy), write(tmp_path, TINY, "other.troth")
    done = ask("fmt", "--check", file, other, "--format", form)
    assert done.exit_code == 1
    assert file.read_text(encoding="utf-8") == untidy
    if form == "json":
        assert json.loads(done.stdout) == {"changed": [str(file)], "errors": []}
    else:
        assert done.stdout == f"{file}: is not in its canonical form\n"


def test_fmt_writes_the_sound_files_and_tells_every_error_of_the_others(tmp_path: Path) -> None:
    bad, worse = write(tmp_path, "nonsense here\n", "a.troth"), write(tmp_path, "more nonsense\n", "b.troth")
    good = write(tmp_path, TINY.replace('policy "', 'policy   "'))
    done = ask("fmt", bad, good, worse)
    assert done.exit_code == 1
    assert done.stdout == f"{good}: written anew\n"
    assert f"{bad}:1:1: P-S01: `nonsense` begins no clause" in done.stderr
    assert f"{worse}:1:1: P-S01: `more` begins no clause" in done.stderr
    assert bad.read_text(encoding="utf-8") == "nonsense here\n"
    done = ask("fmt", bad, good, worse, "--format", "json")
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["changed"]) == (1, [])
    assert [(error["file"], error["code"]) for error in answer["errors"]] == [(str(f), "P-S01") for f in (bad, worse)]


# explain


@each_language
@each_policy
def test_explain_says_the_same_as_text_and_as_json(file: Path, language: str) -> None:
    said = explain.sections(meaning(file), language)
    answer = told("explain", file, "--language", language)
    assert (answer["name"], answer["version"]) == (meaning(file).name, 1)
    assert [section["key"] for section in answer["sections"]] == [section.key for section in said]
    text = ask("explain", file, "--language", language)
    assert text.exit_code == 0
    for section in answer["sections"]:
        assert section["title"] in text.stdout
        for sentence in section["sentences"]:
            assert set(sentence) == {"clause", "text", "promises", "commentary"}
            assert folded(sentence["text"]) in folded(text.stdout) or section["key"] == "what", sentence["text"]


def test_explain_without_a_file_says_the_policy_in_force(database: Place) -> None:
    assert database.data.is_dir()
    assert ask("explain").stdout == ask("explain", POLICY).stdout
    assert told("explain") == told("explain", POLICY)


# compare


@each_language
@each_policy
def test_compare_says_each_difference_and_one_verdict(file: Path, language: str) -> None:
    answer = told("compare", POLICY, file, "--language", language)
    text = ask("compare", POLICY, file, "--language", language)
    assert text.exit_code == 0
    lines = text.stdout.splitlines()
    if file == POLICY:
        assert (answer["verdict"], answer["deltas"], len(lines)) == ("editorial", [], 1)
        return
    assert answer["verdict"] == "ask"
    assert answer["asked"]
    assert answer["agree_again"] is True
    assert any(delta["significant"] for delta in answer["deltas"])
    assert all(set(delta) >= {"kind", "about", "direction", "clauses", "sentence"} for delta in answer["deltas"])
    assert lines[-2] == ""
    assert all(line.endswith("]") for line in lines[:-2])


@pytest.mark.parametrize(
    ("rule", "new", "verdict", "again"),
    [
        ("", "10 days", "favourable", False),
        ("", "20 days", "agree again", True),
        ("ask again when these change: purposes\n", "20 days", "agree again", True),
    ],
)
def test_a_window_that_changes_is_said_with_where_it_goes(
    tmp_path: Path, rule: str, new: str, verdict: str, *, again: bool
) -> None:
    before = write(tmp_path, TINY + rule)
    after = write(tmp_path, TINY.replace("14 days", new) + rule, "after.troth")
    answer = told("compare", before, after)
    assert (answer["verdict"], answer["agree_again"]) == (verdict, again)
    assert {clause for delta in answer["deltas"] for clause in delta["clauses"]} == {"collect-access-ip-on-visit"}
    assert new in ask("compare", before, after).stdout


def test_compare_of_one_file_is_with_the_version_in_force(database: Place, tmp_path: Path) -> None:
    assert database.data.is_dir()
    assert told("compare", POLICY)["verdict"] == "editorial"
    longer = (
        POLICY.read_text(encoding="utf-8")
        .replace("for protect 90 days", "for protect 120 days")
        .replace("within 90 days", "within 120 days")
    )
    file = write(tmp_path, longer.replace("version 1", "version 2", 1))
    answer = told("compare", file)
    assert answer["verdict"] != "editorial"
    assert answer["deltas"] == told("compare", POLICY, file)["deltas"]
    assert "120 days" in ask("compare", file).stdout
    shop = FOLDER / "shop-newsletter.troth"
    assert told("compare", shop)["deltas"] == told("compare", POLICY, shop)["deltas"]


# coverage


@each_policy
def test_coverage_speaks_of_every_promise(file: Path) -> None:
    found = told("coverage", file)["promises"]
    assert [each["promise"] for each in found] == list(PROMISES)
    named = {sentence.clause for section in explain.sections(meaning(file)) for sentence in section.sentences}
    for each in found:
        assert each["status"] in set(Status)
        assert (each["status"] == Status.SILENT) is (not each["clauses"])
        acting = [clause for clause in each["clauses"] if not clause["clause"].startswith("category-")]
        assert {clause["clause"] for clause in acting} <= named
    text = ask("coverage", file)
    assert text.exit_code == 0
    lines = text.stdout.splitlines()
    assert [line.split()[0] for line in lines[:40]] == list(PROMISES)
    assert sum(int(part.split()[0]) for part in lines[-1].split(", ")) == len(PROMISES)
    assert not re.search(r"\b1 (clauses|proofs)\b", text.stdout)


def test_coverage_without_a_file_is_of_the_policy_in_force(database: Place) -> None:
    assert database.data.is_dir()
    assert told("coverage") == told("coverage", POLICY)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("status", Status)
def test_strict_exits_with_one_while_a_promise_is_not_built(
    monkeypatch: pytest.MonkeyPatch, status: Status, form: str
) -> None:
    found = tuple(Promise(name, Status.TOLD, (), ()) for name in PROMISES[:-1])
    monkeypatch.setattr(reading, "promises", lambda *_told: (*found, Promise("P40", status, (), ())))
    refused = status in (Status.UNBUILT, Status.SILENT)
    assert ask("coverage", POLICY, "--strict", "--format", form).exit_code == int(refused)
    assert ask("coverage", POLICY, "--format", form).exit_code == 0


def test_a_clause_on_what_no_table_holds_is_not_called_enforced(tmp_path: Path) -> None:
    city, other = FOLDER / "city-maintenance.troth", tmp_path / "other.troth"
    other.write_text(city.read_text("utf-8").replace("coarsen location.gps", "coarsen location.place"), "utf-8")
    status = {each["clause"]: each["status"] for each in told("show", "P13", other)["clauses"]}
    assert status["coarsen-location-place"] == Status.UNBUILT
    for clause in ("coarsen-access-ip", "coarsen-location-gps"):
        assert told("show", clause, city)["clauses"][0]["status"] == Status.ENFORCED


# show


@each_policy
def test_show_walks_from_a_promise_to_clauses_to_objects_and_back(file: Path) -> None:
    known = clauses_by_name("P8", file)
    assert {"access.ip", "access.url"} & {category.name for category in meaning(file).categories}
    objects = 0
    for name, clause in known.items():
        assert "P8" in clause["promises"]
        assert clauses_by_name(name, file) == {name: clause}
        objects += len(clause["objects"])
        for made in {*clause["objects"][:2], *clause["objects"][-1:]}:  # each takes as long as a command does
            assert name in clauses_by_name(made, file), made
    assert objects > 5


@pytest.mark.parametrize("file", [file for file in FILES if file.stem != "shop-newsletter"], ids=lambda file: file.stem)
def test_show_walks_from_a_category_to_whatever_is_done_with_it(file: Path) -> None:
    policy_meant = meaning(file)
    known = clauses_by_name("access.ip", file)
    done = {c.clause.name for c in policy_meant.collections if "access.ip" in c.categories}
    done |= {sight.clause.name for sight in policy_meant.sights if "access.ip" in sight.categories}
    assert done <= set(known)
    assert any("grant select (ip) on troth.access to protect" in clause["objects"] for clause in known.values())
    assert "grant select (ip) on troth.access to self" in str(known)


def clauses_by_name(what: str, file: Path) -> Mapping[str, Any]:
    return {each["clause"]: each for each in told("show", what, file)["clauses"]}


def test_show_says_in_text_what_it_says_in_json() -> None:
    said, text = told("show", "P8", POLICY)["clauses"], ask("show", "P8", POLICY)
    assert text.exit_code == 0
    for each in said:
        assert f"{each['clause']}  [{each['status']}]  {' '.join(each['promises'])}\n" in text.stdout
        assert all(f"    {line}\n" in text.stdout for line in (*each["objects"], each["text"]) if line)
    assert ask("show", "p8", POLICY).stdout == text.stdout
    assert "Cada vez que" in ask("show", "collect-access-ip-on-access", POLICY, "--language", "es").stdout


def test_show_walks_from_the_name_of_an_object_alone() -> None:
    for name in ("access.protect_select", "protect.access", "grant select (ip) on troth.access to protect"):
        assert "collect-access-ip-on-access-2" in clauses_by_name(name, POLICY)
    assert set(clauses_by_name("role announce", POLICY)) == {"purpose-announce"}


def test_show_without_a_file_is_of_the_policy_in_force(database: Place) -> None:
    assert database.data.is_dir()
    assert told("show", "P8") == told("show", "P8", POLICY)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("P41", "nothing here is called `P41`; give a promise (P17)"),
        ("no-such-thing", "nothing here is called `no-such-thing`"),
        ("", "nothing here is called ``"),
        (" ", "nothing here is called ` `"),
        ("P27", "no clause of this policy cites `P27`"),
    ],
)
def test_show_says_that_it_knows_nothing_of_that(what: str, sentence: str) -> None:
    done = ask("show", what, FOLDER / "shop-newsletter.troth")
    assert (done.exit_code, done.stdout) == (1, "")
    assert sentence in done.stderr


# what the plan says, and what follows from a version


def test_the_plan_says_whose_rows_a_purpose_reads_how_long_and_by_which_clause() -> None:
    lines = ask("plan", POLICY).stdout.splitlines()
    place = lines.index("understand (by legitimate interest)")
    whose = "of people who agreed and did not object, of browsers that are known and of visitors"
    whose += ", stored on access, cookie, visit"
    assert lines[place + 1] == f"  reads access, 30 days, {whose}"
    assert lines[place + 2].endswith("  (collect-access-ip-on-access)")
    assert "    at, day, hour, subject, url  (collect-access-url-on-access)" in lines
    assert "  sees join_request" in lines[lines.index("administrator, of the rows of whom it is shown") :]


@each_policy
def test_the_plan_as_data_holds_all_of_it(file: Path) -> None:
    said = told("plan", file)
    assert {"counted", "coarsenings", "seen", "unseen", "unheld"} <= set(said)
    assert ask("plan", file).exit_code == 0


def test_after_a_version_each_purpose_is_told_what_follows() -> None:
    old = compiled(POLICY.read_text(encoding="utf-8"))
    text = POLICY.read_text(encoding="utf-8").replace(
        "for understand 30 days as network", "for understand 60 days as network"
    )
    clause = 'purpose lend "lend things" by consent [P3]\ncollect access.url on access\n    for lend while consented\n'
    new = compiled(text + clause)
    told = what_follows(old, new, widened(old, new))
    assert told["provide"] == told["administrator"] == "goes on with everybody who is in it"
    assert told["understand"] == "wider: nobody is in it until they have agreed again"
    assert told["lend"] == "new: nobody is in it until they have agreed again and said yes"
    assert what_follows(new, old, frozenset())["lend"] == "gone: nobody is in it any more"


def compiled(text: str) -> Plan:
    return plan(parse.read(text, "x"), load())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("polcy",), 2),
        (("policy", "check"), 2),
        (("policy", "show", "P99", str(POLICY)), 1),
        (("query", "--format", "xml", "select 1"), 2),
        (("doctor", "--data"), 2),
    ],
)
def test_every_refusal_begins_alike(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    done = subprocess.run(
        [str(TROTH), *arguments], capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(tmp_path)}
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.splitlines()[-1].startswith("troth: ")
    assert "Error" not in done.stderr


# bad input


def reading_of(file: Path) -> list[tuple[object, ...]]:
    return [
        ("explain", file),
        ("compare", file, POLICY),
        ("compare", POLICY, file),
        ("coverage", file),
        ("show", "P8", file),
    ]


@pytest.mark.parametrize("place", range(5), ids=["explain", "compare-old", "compare-new", "coverage", "show"])
@pytest.mark.parametrize(("source", "code"), [("nonsense here\n", "P-S01"), ("", "P-M01"), (UNHELD, "P-T02")])
def test_what_is_no_sound_policy_is_told_with_its_code_and_exit_code_one(
    tmp_path: Path, source: str, code: str, place: int
) -> None:
    arguments = reading_of(write(tmp_path, source))[place]
    done = ask(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert code in done.stderr
    assert "mine.troth" in done.stderr
    done = ask(*arguments, "--format", "json")
    assert done.exit_code == 1
    assert code in {error["code"] for error in json.loads(done.stdout)["errors"]}


def test_what_the_tables_cannot_hold_to_has_its_place_like_every_other_error(tmp_path: Path) -> None:
    file = write(tmp_path, UNHELD)
    done = ask("check", file)
    assert f"{file}:8:5: P-T02: " in done.stderr
    assert (
        " 8 |     for protect 30 days\n   |     ^^^^^^^^^^^^^^^^^^^\n   = keep one; the other is in line 6"
        in done.stderr
    )
    (error,) = json.loads(ask("check", file, "--format", "json").stdout)["errors"]
    assert (error["code"], error["line"], error["column"], error["end_column"]) == ("P-T02", 8, 5, 24)
    assert (error["source"], error["advice"]) == ("    for protect 30 days", "keep one; the other is in line 6")


@pytest.mark.parametrize("place", range(5), ids=["explain", "compare-old", "compare-new", "coverage", "show"])
def test_a_file_that_is_not_there_and_bytes_that_are_no_text_are_refused(tmp_path: Path, place: int) -> None:
    done = ask(*reading_of(tmp_path / "nowhere.troth")[place])
    assert done.exit_code == 2
    assert "does not exist" in done.stderr
    latin = tmp_path / "latin.troth"
    latin.write_bytes(TINY.replace("Harbor", "Caf\xe9", 1).encode("latin-1"))
    done = ask(*reading_of(latin)[place])
    assert done.exit_code == 1
    assert "the byte 0xE9 cannot be read" in done.stderr


def test_a_language_or_form_that_is_not_there_is_refused_with_those_that_are() -> None:
    done = ask("explain", POLICY, "--language", "xx")
    assert (done.exit_code, "'en', 'es'" in done.stderr) == (2, True)
    done = ask("show", "P8", POLICY, "--format", "xml")
    assert (done.exit_code, "'text', 'json'" in done.stderr) == (2, True)


@pytest.mark.parametrize("arguments", [("explain",), ("compare", str(POLICY)), ("coverage",), ("show", "P8")])
def test_without_a_file_and_without_a_troth_it_is_said_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    command = [str(TROTH), "policy", *arguments, "--data", str(tmp_path / "nowhere")]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("troth: no troth at ")
    assert done.stderr.count("\n") == 1


def test_a_plan_says_how_long_in_the_words_of_the_language(tmp_path: Path) -> None:
    file = tmp_path / "tiny.troth"
    file.write_text(TINY, encoding="utf-8")
    assert "reads access, 14 days, of visitors, stored on visit" in ask("plan", file).stdout
