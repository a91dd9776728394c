"""The functions that know what an organization holds of its members, what is wanted instead, and what awaits them."""

from collections.abc import Iterator

from troth.policy.catalog import Function
from troth.policy.planned import Held, Plan
from troth.policy.quoting import literal, quoted

SECURE = "SECURITY DEFINER SET search_path = ''"
UNHELD = "RAISE EXCEPTION 'the organization holds no such field' USING ERRCODE = 'TR061';"


def functions(plan: Plan) -> Iterator[Function]:
    """Yield them, of the registrar and the provisioner, whose other functions say who may."""
    yield Function("write_held", "uuid, uuid, text, text", "registrar", (), _write_held(plan))
    yield Function("want_held", "uuid, uuid, text, text, text", "registrar", (), _want_held(plan))
    yield Function("wanted_in", "uuid, uuid, text", "registrar", (), _wanted_in(plan))
    yield Function("supply_held", "uuid, uuid, text, text", "provisioner", (), _supply_held(plan))
    yield Function("supplied_held", "uuid, uuid", "provisioner", (), _supplied_held(plan))


def writers(plan: Plan) -> Iterator[tuple[Held, str]]:
    """Yield each column that one of them writes, with its name; what is wanted instead is only kept."""
    yield from ((held, "supply_held" if held.supplied else "write_held") for held in plan.held if not held.wanted)


def _write_held(plan: Plan) -> str:
    # A privilege on the column would reach every member of whoever may look; who may act say those who call this.
    steps = "\n".join(
        f"""    IF what = {literal(held.column)} THEN
        UPDATE troth.{held.table} SET {quoted(held.column)} = told::{held.stored},
            since = CASE WHEN told IS NULL THEN since - what
                         ELSE since || jsonb_build_object(what, statement_timestamp()) END
        WHERE subject = whose AND organization = org AND {quoted(held.column)} IS DISTINCT FROM told::{held.stored};
        RETURN FOUND;
    END IF;"""
        for held in plan.held
        if not (held.wanted or held.supplied)
    )
    return f"""CREATE OR REPLACE FUNCTION troth.write_held(org uuid, whose uuid, what text, told text) RETURNS boolean
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
BEGIN
{steps}
    {UNHELD}
END
$$"""


def _want_held(plan: Plan) -> str:
    steps = "\n".join(
        f"""    IF what = {literal(held.column)} THEN
        INSERT INTO troth.{held.table} (subject, organization, field, reason, {quoted(held.column)})
        VALUES (whose, org, what, why, told::{held.stored}) RETURNING correction INTO made;
        RETURN made;
    END IF;"""
        for held in plan.held
        if held.wanted
    )
    return f"""CREATE OR REPLACE FUNCTION troth.want_held(org uuid, whose uuid, what text, told text, why text)
RETURNS uuid LANGUAGE plpgsql VOLATILE {SECURE} AS $$
DECLARE made uuid;
BEGIN
{steps}
    {UNHELD}
END
$$"""


def _wanted_in(plan: Plan) -> str:
    branches = " ".join(
        f"WHEN {literal(held.column)} THEN (SELECT c.{quoted(held.column)}::text FROM troth.{held.table} AS c"
        " WHERE c.subject = whose AND c.correction = which)"
        for held in plan.held
        if held.wanted
    )
    told = f"CASE what {branches} END" if branches else "NULL::text"
    return f"""CREATE OR REPLACE FUNCTION troth.wanted_in(whose uuid, which uuid, what text) RETURNS text
LANGUAGE sql STABLE {SECURE} AS $$ SELECT {told} $$"""


def _supply_held(plan: Plan) -> str:
    steps = "\n".join(
        f"""    IF what = {literal(held.column)} THEN
        INSERT INTO troth.{held.table} (subject, organization) VALUES (whose, org) ON CONFLICT DO NOTHING;
        UPDATE troth.{held.table} SET {quoted(held.column)} = told::{held.stored}, changed_at = statement_timestamp()
        WHERE subject = whose AND organization = org AND {quoted(held.column)} IS DISTINCT FROM told::{held.stored};
        RETURN FOUND;
    END IF;"""
        for held in plan.held
        if held.supplied
    )
    return f"""CREATE OR REPLACE FUNCTION troth.supply_held(org uuid, whose uuid, what text, told text) RETURNS boolean
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
BEGIN
{steps}
    {UNHELD}
END
$$"""


def _supplied_held(plan: Plan) -> str:
    found = [held for held in plan.held if held.supplied]
    columns = ", ".join(f"{literal(held.column)}, e.{quoted(held.column)}" for held in found)
    told = (
        f"SELECT jsonb_strip_nulls(jsonb_build_object({columns})) FROM troth.{found[0].table} AS e"
        " WHERE e.subject = whose AND e.organization = org"
        if found
        else "SELECT NULL::jsonb"
    )
    return f"""CREATE OR REPLACE FUNCTION troth.supplied_held(org uuid, whose uuid) RETURNS jsonb
LANGUAGE sql STABLE {SECURE} AS $$ {told} $$"""
