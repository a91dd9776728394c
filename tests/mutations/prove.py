"""Every mutant of every fact: a part of `make prove`; it writes its part of `docs/proof.md`.

`TROTH_MINUTES=10` stops after so long: the mutants are drawn in an order that `TROTH_SEED` gives, of each way of taking
something away one, then of each another, and what was judged is the head of that order. `TROTH_MUTANTS=300` judges as many.
"""

import os
import random
import re
import sys
import time
from collections import Counter, defaultdict
from itertools import zip_longest

from tests.conftest import serving
from tests.mutations.equivalent import reason
from tests.mutations.killing import Judge
from tests.mutations.mutants import Mutant, mutants
from tests.mutations.pages import write
from tests.mutations.peopling import planted
from tests.mutations.world import World

SEED, MANY = int(os.environ.get("TROTH_SEED", "1")), int(os.environ.get("TROTH_MUTANTS", "1000000"))
MINUTES = float(os.environ.get("TROTH_MINUTES", "inf"))


def main(wanted: str = "") -> int:
    """Try all, or those whose name holds `wanted`; return 1 when something survives that is not equivalent."""
    with serving() as where, planted(where) as world:
        judge = Judge(world)
        wrong = judge.settle()
        whole = [mutant for mutant in mutants(world) if re.search(wanted, mutant.name)]
        killers = {} if wrong else _killers(judge, drawn(whole, SEED)[:MANY])
        every = [mutant for mutant in whole if mutant.name in killers]
        wrong += judge.settle()
        equivalent = {mutant.name: reason(mutant, world) for mutant in every}
        text = report(world, every, killers, equivalent, len(whole))
    survivors = [name for name, killer in killers.items() if not killer and not equivalent[name]]
    misjudged = [name for name, killer in killers.items() if killer and equivalent[name]]
    for title, lines in (
        ("not as before", wrong),
        ("survives", survivors),
        ("killed, though called equivalent", misjudged),
    ):
        for line in lines:
            print(f"{title}: {line}")
    if not wanted and not wrong:
        write("mutations", text)
    print(text)
    return 1 if wrong or survivors or misjudged else 0


def drawn(every: list[Mutant], seed: int) -> list[Mutant]:
    """Return the mutants in an order of a seed, in which every way of taking something away comes round in turn."""
    ways: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in every:
        ways[re.sub(r"\d+", "", mutant.operator)].append(mutant)
    chance = random.Random(seed)
    for found in ways.values():
        chance.shuffle(found)
    return [mutant for turn in zip_longest(*ways.values()) for mutant in turn if mutant is not None]


def _killers(judge: Judge, every: list[Mutant]) -> dict[str, str]:
    found, began = {}, time.monotonic()
    for number, mutant in enumerate(every, 1):
        if time.monotonic() - began > MINUTES * 60:
            break
        # What is called equivalent is asked of all that may notice, and what is not, of everything before it survives.
        found[mutant.name] = judge.killer(mutant, thorough=not reason(mutant, judge.world))
        if number % 100 == 0:
            print(f"{number} of {len(every)} in {time.monotonic() - began:.0f} s", flush=True)
    return found


def report(world: World, every: list[Mutant], killers: dict[str, str], equivalent: dict[str, str], whole: int) -> str:
    """Return the score, by kind of fact, and the survivors with the reasons why they are equivalent."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in every:
        fate = "killed" if killers.get(mutant.name) else "equivalent" if equivalent[mutant.name] else "survives"
        kinds[mutant.fact.kind.name.lower()][fate] += 1
    total = sum(kinds.values(), Counter[str]())
    alive = total["killed"] + total["survives"]
    lines = [
        "## Mutations",
        "",
        f"The default policy, to which a purpose that only counts and an analyst are added, compiles to {len(world.facts)} facts."
        " Something is taken away from each, one at a time, and the probes and the behaviours of `tests/mutations` look; none"
        " of them compares the catalog with what it should say. `make prove` does it all again and writes this part.",
        "",
        _judged(len(every), whole),
        "",
        f"**{total['killed']} of {alive} mutants are killed**; {total['equivalent']} more change nothing that anybody could see.",
        "",
        "| fact | killed | survives | equivalent |",
        "|---|---|---|---|",
        *(f"| {kind} | {n['killed']} | {n['survives']} | {n['equivalent']} |" for kind, n in kinds.items()),
        "",
        "Who notices first: "
        + ", ".join(f"{name} {many}" for name, many in Counter(filter(None, killers.values())).most_common())
        + ".",
        "",
        *(f"- survives: `{name}`" for name, killer in killers.items() if not killer and not equivalent[name]),
        "### Equivalent",
        "",
    ]
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, killer in killers.items():
        if not killer and equivalent[name]:
            by_reason[equivalent[name]].append(name.replace("`", ""))
    for why, names in by_reason.items():
        lines += [f"- {why[0].upper()}{why[1:]}:", *(f"  - `{name}`" for name in names)]
    return "\n".join([*lines, ""])


def _judged(many: int, whole: int) -> str:
    if many == whole:
        return f"All {whole} mutants were judged."
    return (
        f"**A sample**: {many} of {whole} mutants were judged, as many of each way of taking something away as there was time"
        f" for, drawn with the seed {SEED}. `TROTH_SEED={SEED} TROTH_MUTANTS={many} python -m tests.mutations.prove` judges the same."
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
