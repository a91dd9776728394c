"""The login roles and their twins: who there is, what each inherits, and the settings that come with signing in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from troth.policy import audiences, granting
from troth.policy.facts import Fact, Kind
from troth.policy.planned import Plan
from troth.policy.quoting import literal, quoted

LOGINS = ("door", "self", "steward", "intake", *audiences.ROLES)
TWINS = (
    "stamper",
    "recorder",
    "usher",
    "warden",
    "counter",
    "copier",
    "registrar",
    "provisioner",
    "namer",
    "poster",
    granting.TWIN,
)
#: What one analyst may take of the server: connections at once, and what a connection may write while it sorts.
ANALYST_CONNECTIONS, ANALYST_FILES = 5, "1GB"
#: Connections that all analysts together may hold, and so how many analysts there may be: the service keeps the rest.
ANALYSTS_CONNECTIONS = 30


@dataclass(frozen=True, slots=True)
class Target:
    """Where a plan goes: the database's name, the bit of each purpose and audience, the analysts (name -> purpose)."""

    database: str
    bits: Mapping[str, int]
    analysts: Mapping[str, str]
    superuser: bool = True

    @property
    def analysed(self) -> tuple[str, ...]:
        """The purposes that somebody queries for."""
        return tuple(sorted(set(self.analysts.values())))

    def role(self, part: str) -> str:
        """Return the cluster-wide name of a role."""
        return f"{self.database}_{part}"


def analysts(purpose: str) -> str:
    """Return what the analysts of a purpose have in common: a role and a schema of its name, without who anybody is."""
    return f"{purpose}_analysts"


def connections(analysts: int) -> int:
    """Return how many connections each of so many analysts may hold at once."""
    return max(1, min(ANALYST_CONNECTIONS, ANALYSTS_CONNECTIONS // max(analysts, 1)))


def facts(plan: Plan, target: Target) -> Iterator[Fact]:
    """Yield every role, membership and setting that must be there."""
    yield from _roles(plan, target)
    yield from _settings(plan, target)


def _roles(plan: Plan, target: Target) -> Iterator[Fact]:
    for part in (*LOGINS, *(unit.purpose for unit in plan.units)):
        yield _role(target.role(part), "login", superuser=target.superuser)
    for part in TWINS:
        yield _role(target.role(part), "", superuser=target.superuser)
    yield member(target.role(audiences.MIRRORED), target.role(audiences.MIRROR))
    for name, purpose in target.analysts.items():
        analyst = target.role(f"analyst_{name}")
        yield _role(analyst, f"login connections {connections(len(target.analysts))}", superuser=target.superuser)
        yield member(target.role(analysts(purpose)), analyst)
    for purpose in target.analysed:
        yield _role(target.role(analysts(purpose)), "", superuser=target.superuser)


def _role(name: str, value: str, *, superuser: bool) -> Fact:
    plain = f"{'LOGIN' if value else 'NOLOGIN'} NOCREATEDB NOCREATEROLE INHERIT"
    plain += f" CONNECTION LIMIT {value.partition(' connections ')[2] or -1}"
    # A non-superuser may not even name these, and never can have given them.
    plain += " NOSUPERUSER NOREPLICATION NOBYPASSRLS" if superuser else ""
    # Nor can it own through a twin, or end a reader's session, without being a member.
    keeps = f"; GRANT {quoted(name)} TO CURRENT_USER WITH INHERIT TRUE, SET {'FALSE' if value else 'TRUE'}"
    return Fact(
        Kind.ROLE,
        name,
        value,
        make=f"CREATE ROLE {quoted(name)} {plain}{'' if superuser else keeps}",
        remake=f"ALTER ROLE {quoted(name)} {plain}",
    )


def member(role: str, who: str) -> Fact:
    """Return the fact that a role inherits another and can do nothing else with it: an analyst a purpose."""
    return Fact(
        Kind.MEMBER,
        f"{role} < {who}",
        "inherit",
        make=f"GRANT {quoted(role)} TO {quoted(who)} WITH INHERIT TRUE, SET FALSE, ADMIN FALSE",
    )


def _settings(plan: Plan, target: Target) -> Iterator[Fact]:
    for part in LOGINS:
        yield _setting(target.role(part), "search_path", "troth")
        yield _setting(target.role(part), "idle_in_transaction_session_timeout", "60s")
    readers = {target.role(u.purpose): u.purpose for u in plan.units}
    readers |= {target.role(f"analyst_{name}"): analysts(purpose) for name, purpose in target.analysts.items()}
    for role, purpose in readers.items():
        yield _setting(role, "search_path", purpose)
        yield _setting(role, "default_transaction_read_only", "on")
        yield _setting(role, "idle_in_transaction_session_timeout", "60s")
    for name in target.analysts:
        yield _setting(target.role(f"analyst_{name}"), "statement_timeout", "60s")
        if target.superuser:  # what only a superuser may set, nobody sets otherwise
            yield _setting(target.role(f"analyst_{name}"), "log_statement", "all")
            yield _setting(target.role(f"analyst_{name}"), "temp_file_limit", ANALYST_FILES)


def _setting(role: str, name: str, value: str) -> Fact:
    return Fact(
        Kind.SETTING,
        f"{role} {name}",
        value,
        make=f"ALTER ROLE {quoted(role)} SET {name} = {literal(value)}",
        unmake=f"ALTER ROLE {quoted(role)} RESET {name}",
    )
