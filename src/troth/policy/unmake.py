"""How observed facts are undone: the emitter's other half."""

from troth.policy.quoting import literal, quoted


def drop(thing: str) -> str:
    """Drop what `thing` names the way SQL names it: `VIEW a.b`, `POLICY p ON a.t`."""
    return f"DROP {thing}"


def drop_check(table: str, name: str) -> str:
    """Drop what holds a declared column to what was declared of it."""
    return f"ALTER TABLE troth.{quoted(table)} DROP CONSTRAINT {quoted(name)}"


def drop_role(name: str) -> str:
    """Drop a role; what it was granted are facts of their own, and are taken back before."""
    return f"DROP ROLE {quoted(name)}"


def leave(role: str, who: str) -> str:
    """End a membership."""
    return f"REVOKE {quoted(role)} FROM {quoted(who)}"


def reset(role: str, database: str, name: str) -> str:
    """Forget a setting of a role, or of the database where there is no role."""
    return f"ALTER {f'ROLE {quoted(role)}' if role else f'DATABASE {quoted(database)}'} RESET {quoted(name)}"


def revoke(privilege: str, thing: str, column: str, role: str) -> str:
    """Take a privilege back."""
    right = f"{privilege} ({column})" if column else privilege
    return f"REVOKE {right} ON {thing} FROM {role if role == 'PUBLIC' else quoted(role)}"


def mark(thing: str, fingerprint: str, digest: str) -> str:
    """Tie the fingerprint of the emitted text to the object as PostgreSQL now holds it."""
    return f"COMMENT ON {thing} IS {literal(f'troth {fingerprint} {digest}')}"
