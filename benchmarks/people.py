"""What people cost, in parts; of each part the lines in `results/people.json` are written anew.

`organizations`: one of 100,000 members against one of 100, in the same run and in turn: a page of the list that its
administrator sees, a search, one member, adding somebody and removing them by the pages, and what its directory asks
(SCIM 2.0), each answered whole. Every look of an administrator is written down and committed before anything is shown.

`signing`: CPU of signing in, against the password's hash, how many a second one core does, and CPU of pages, against a
page that does nothing.
"""

import argparse
import json
import os
import platform
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from psycopg import Connection
from scim2_server.requests import ScimRequest

from benchmarks import signing
from benchmarks.administering import Pages
from benchmarks.governing import Measured, alternate, server
from troth.api.scim.mount import Mount
from troth.database import connect
from troth.people import organizations

SQL = (Path(__file__).parent / "people.sql").read_text(encoding="utf-8")
RESULTS = Path(__file__).parent / "results" / "people.json"
SMALL, LARGE = 100, 100_000
TIMES = 5
SECOND = uuid.UUID("00000000-0000-4000-8000-000000000002")
AIM = 2.0
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ROLES = {
    "owner": ["see", "invite", "members", "roles", "own"],
    "administrator": ["see", "invite", "members"],
    "member": [],
}


def statements() -> dict[str, str]:
    """Return the statements of the file beside this one, by name."""
    parts = SQL.split("-- name: ")[1:]
    return {part.split("\n", 1)[0].strip(): part.split("\n", 1)[1].strip() for part in parts}


def run(owner: Connection[Any], name: str, told: Mapping[str, Any]) -> None:
    """Run a block of them, one after the other."""
    for part in re.split(r";\n(?=[A-Z])", statements()[name]):
        owner.execute(part.encode(), told if "%(" in part else None)


def organize(owner: Connection[Any], members: int) -> uuid.UUID:
    """Make an organization of so many, whom its directory supplied."""
    organization = uuid.uuid4()
    told: dict[str, Any] = {"organization": organization, "name": f"Of {members}", "members": members}
    run(owner, "organization", told)
    for role, may in ROLES.items():
        run(owner, "role", told | {"role": role, "may": may})
    run(owner, "members", told)
    run(owner, "token", told | {"token": f"of {members}"})
    return organization


def settle(owner: Connection[Any]) -> None:
    """Wait until every row is known to be visible to everybody, as it is in a database that has run for a while."""
    for _ in range(30):
        run(owner, "settle", {})
        if owner.execute(statements()["unsettled"].encode()).fetchone() == (0,):
            return
        time.sleep(1)


class Directory:
    """A directory that asks."""

    def __init__(self, members: int) -> None:
        self.mount, self.token = Mount("https://localhost"), f"of {members}"
        self.fresh = count()

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Return what is answered, which must be a success."""
        path, _, query = path.partition("?")
        told = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/scim+json"}
        content = json.dumps(body).encode() if body else b""
        answer = self.mount.answer(
            ScimRequest(method, self.mount.base_url, path, dict(parse_qsl(query)), told, content)
        )
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {answer.body}")
        return answer.body or {}

    def expect(self, path: str, found: int) -> None:
        """Ask for a list that must hold so many."""
        if len(self.ask("GET", path)["Resources"]) != found:
            raise SystemExit(f"{path} does not find {found}")

    def come_and_go(self) -> None:
        """Supply somebody and take them back."""
        made = self.ask("POST", "/Users", {"schemas": [USER], "userName": f"fresh{next(self.fresh)}"})
        self.ask("DELETE", f"/Users/{made['id']}")


def organized(owner: Connection[Any]) -> Iterator[Measured]:
    """Measure the part `organizations`."""
    run(owner, "people", {"people": LARGE})
    few, many = organize(owner, SMALL), organize(owner, LARGE)
    run(owner, "viewer", {})
    pages = Pages(owner)
    for which in (few, many):
        run(owner, "administrator", {"organization": which, "subject": pages.administrator})
    settle(owner)
    small, large = Directory(SMALL), Directory(LARGE)

    def both(name: str, ask: Callable[[Directory], None]) -> Measured:
        return alternate(name, lambda: [ask(small) for _ in range(TIMES)], lambda: [ask(large) for _ in range(TIMES)])

    def listed(name: str, begins: str, found: int) -> Measured:
        def look(which: uuid.UUID) -> None:
            if len(organizations.members("viewer", which, sought=begins)) < found:
                raise SystemExit(f"{name} finds too few")

        return alternate(name, lambda: [look(few) for _ in range(TIMES)], lambda: [look(many) for _ in range(TIMES)])

    def alone(which: uuid.UUID) -> None:
        if organizations.member("viewer", which, SECOND) is None:
            raise SystemExit("one member is not seen")

    yield listed("administrator: a page of the list", "", 50)
    yield listed("administrator: search by name", "c4ca", 0)
    yield alternate(
        "administrator: one member",
        lambda: [alone(few) for _ in range(TIMES)],
        lambda: [alone(many) for _ in range(TIMES)],
    )
    for name, way in (("invite and remove", pages.invited), ("admit and remove", pages.admitted)):
        small_one, large_one = way(few), way(many)
        yield alternate(
            f"administrator's pages: {name}",
            lambda ask=small_one: [ask() for _ in range(TIMES)],
            lambda ask=large_one: [ask() for _ in range(TIMES)],
        )
    yield both("directory: first page of 50", lambda d: d.expect("/Users?startIndex=1&count=50", 50))
    yield both("directory: a page by cursor", lambda d: d.expect("/Users?cursor=&count=50", 50))
    yield both("directory: userName eq", lambda d: d.expect('/Users?filter=userName eq "USER77"', 1))
    yield both("directory: externalId eq", lambda d: d.expect('/Users?filter=externalId eq "x77"', 1))
    yield both("directory: displayName sw", lambda d: d.expect('/Users?filter=displayName sw "nobody at all"', 0))
    yield both("directory: add and remove", lambda d: d.come_and_go())
    last = alternate(
        "directory: last page of 50 by index",
        lambda: [small.expect(f"/Users?startIndex={SMALL - 49}&count=50", 50) for _ in range(TIMES)],
        lambda: [large.expect(f"/Users?startIndex={LARGE - 49}&count=50", 50) for _ in range(TIMES)],
    )
    yield last


#: part -> what measures it, what its two columns are, the ratio it aims to stay under
PARTS: Mapping[str, tuple[Callable[[Connection[Any]], Iterator[Measured]], str, str, float | None]] = {
    "organizations": (organized, f"{LARGE:,}", f"{SMALL:,}", AIM),
    "signing": (signing.measured, "here", "baseline", None),
}


def show(part: str, lines: list[Measured]) -> None:
    """Print the table of a part."""
    _, ours, theirs, aim = PARTS[part]
    print(f"\n{part:<44}{ours:>14}{theirs:>14}{'ratio':>8}{'min':>8}{'max':>8}")
    for line in lines:
        over = "  over the aim" if aim and line.ratio >= aim else ""
        unit = "ms" if line.unit.startswith("ms") else "/s"
        values = f"{line.value:>11.2f} {unit}{line.baseline:>11.2f} {unit}"
        print(f"{line.name:<44}{values}{line.ratio:>8.2f}{line.min:>8.2f}{line.max:>8.2f}{over}")


def main() -> None:
    """Run the parts that are asked for, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all of them when none is named")
    wanted = parser.parse_args().parts or [*PARTS]
    with server() as where, connect.owning(where) as owner:
        found = {part: list(PARTS[part][0](owner)) for part in wanted}
        version = owner.execute("SELECT version()").fetchone()[0]
    for part, lines in found.items():
        show(part, lines)
    machine = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "postgresql": version,
    }
    before = json.loads(RESULTS.read_text(encoding="utf-8")).get("parts", {}) if RESULTS.exists() else {}
    parts = before | {part: [asdict(line) for line in lines] for part, lines in found.items()}
    RESULTS.write_text(json.dumps({**machine, "parts": parts}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
