"""The house's own lints: each reads text and returns its findings, so that a test can also show it something bad."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / "src" / "troth"
#: Bottom first; `web`, `api` and `cli` stand beside each other.
ROOMS = (
    "policy",
    "database",
    "ledger",
    "notices",
    "people",
    "consent",
    "records",
    "intake",
    "rights",
    "web",
    "api",
    "cli",
    "config",
)
#: The one emitter. It cannot run what it writes: its room may not import a database driver.
EMITTER = "policy"

LONGEST_FILE = 450
VAGUE = {"base", "common", "core", "helper", "helpers", "lib", "manager", "managers", "misc", "shared", "util", "utils"}
#: Written with classes of one letter, so that the pattern does not find itself.
UNFINISHED = re.compile(r"\b(TO[D]O|FI[X]ME|XX[X]|NotImplemented[E]rror|mark\.(s[k]ip|xf[a]il)|pytest\.s[k]ip)\b")

SQL = re.compile(
    r"\b(SELECT\b|INSERT INTO\b|UPDATE\s+\S+\s+SET\b|DELETE FROM\b|TRUNCATE\b|MERGE INTO\b|COPY\s+\S+\s+(FROM|TO)\b"
    r"|(CREATE|ALTER|DROP)\s+(OR\s+REPLACE\s+)?(ROLE|USER|TABLE|VIEW|SCHEMA|FUNCTION|POLICY|INDEX|TRIGGER|DATABASE|TYPE)\b"
    r"|GRANT\s+\S+|REVOKE\s+\S+|SET\s+(LOCAL|ROLE|SESSION)\b|COMMENT ON\b)"
    r"|^\s*(select\s.+\sfrom\s|insert into\s|update\s+\S+\s+set\s|delete from\s+\S+\s+where\s)",
    re.DOTALL | re.MULTILINE,
)
RUNS_SQL = {"execute", "executemany", "copy", "stream", "fetch", "fetchrow", "fetchval", "SQL"}
NAMED = re.compile(r"^-- name: (\w+)", re.MULTILINE)
CREATES = re.compile(r"CREATE TABLE troth\.(\w+)\s*\((.*?)^\)", re.DOTALL | re.MULTILINE)
REFERS = re.compile(r"REFERENCES troth\.(\w+)")


def built_sql(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, why) wherever SQL is put together from parts, instead of being named and given parameters."""
    tree = ast.parse(source)
    inside = {id(child) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for child in ast.walk(node)} - {
        id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
    }
    for node in ast.walk(tree):
        text = built_text(node)
        if text is not None and id(node) not in inside and SQL.search(text):
            yield node.lineno, "SQL is built from parts"  # type: ignore[attr-defined] # every built expression has a line
        if (
            isinstance(node, ast.Call)
            and called(node) in RUNS_SQL
            and node.args
            and built_text(node.args[0]) is not None
        ):
            yield node.lineno, "what is run is built from parts"


def built_text(node: ast.AST) -> str | None:
    """Return the constant parts of an expression that puts a string together at run time, or None."""
    match node:
        case ast.JoinedStr(values=parts) if any(isinstance(part, ast.FormattedValue) for part in parts):
            return " ? ".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
        case ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str(text))):
            return text
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            texts = [
                side.value for side in (left, right) if isinstance(side, ast.Constant) and isinstance(side.value, str)
            ]
            return texts[0] if len(texts) == 1 else None
        case ast.Call(func=ast.Attribute(attr="format" | "join" | "replace", value=ast.Constant(value=str(text)))):
            return text
        case ast.Call(func=ast.Attribute(attr="encode" | "strip" | "format", value=value)):
            return built_text(value)
    return None


def called(node: ast.Call) -> str:
    """Return the last name of what is called."""
    match node.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def vague_names(paths: Iterator[Path]) -> list[Path]:
    """Return the paths with a part that explains nothing."""
    return [path for path in paths if {part.split(".")[0] for part in path.parts} & VAGUE]


def unused_statements(files: Mapping[str, str]) -> list[str]:
    """Return the named SQL statements that no code quotes, whole or as `f"count_{table}"`, and no catalog declares."""
    code = "\n".join(text for name, text in files.items() if name.endswith((".py", ".toml")))
    beginnings = tuple(re.findall(r"""\bf["'](\w+_)\{""", code))
    quoted = {*re.findall(r"""["'](\w+)(?=["'])""", code), *re.findall(r"^\[functions\.(\w+)\]", code, re.MULTILINE)}
    names = [name for path, text in files.items() if path.endswith(".sql") for name in NAMED.findall(text)]
    return [name for name in names if not name.startswith(beginnings) and name not in quoted]


def references_up(migrations: Mapping[str, str]) -> list[str]:
    """Return `room.table -> room.table` for each foreign key, in SQL by room, that points to a room above."""
    rooms = {table: room for room, text in migrations.items() for table, _ in CREATES.findall(text)}
    return [
        f"{room}.{table} -> {rooms[target]}.{target}"
        for room, text in migrations.items()
        for table, body in CREATES.findall(text)
        for target in REFERS.findall(body)
        if ROOMS.index(rooms[target]) > ROOMS.index(room)
    ]


def python_files() -> Iterator[Path]:
    """Yield every Python file of the house."""
    return HOUSE.rglob("*.py")


def told(path: Path) -> str:
    """Return the path as it is written from the project's top."""
    return str(path.relative_to(ROOT))
