"""What somebody who signs in to an application has in the tables, put there past the doors."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection

from troth.policy.subjects import LEAST

APPLICATION = "planted-application"
#: What somebody let themselves see: both sides of a permission are one person's, so that it is theirs alone.
LENT = (
    "INSERT INTO troth.person_grant (subject, receiver, address, categories, reason, version, accepted_at, since, until, used_at)"
    " VALUES (%(subject)s, %(subject)s, 'a@harbor.example', '{person.name}', 'planted', 1, now(), now(), now() + interval '1 day',"
    " now())",
    "INSERT INTO troth.person_grant_use (subject, given, receiver, category) SELECT subject, given, receiver, 'person.name'"
    " FROM troth.person_grant WHERE subject = %(subject)s",
    "INSERT INTO troth.agreed_permission (subject, address, receiver, categories, reason, terms, days, ends, notice, wordings,"
    " version) VALUES (%(subject)s, 'a@harbor.example', %(subject)s, '{person.name}', 'planted', '', 1, 'at once', 0, '{}', 1)",
)


def account(
    owner: Connection[Any], subject: uuid.UUID, email: str, *, proven: str | None = None, verified: bool = True
) -> int:
    """Give somebody the account that signs them in, with one address, which may be another; return its number."""
    row = owner.execute(
        "INSERT INTO troth.people_account (subject, email, password, is_active, date_joined)"
        " VALUES (%s, %s, '!', true, statement_timestamp()) RETURNING id",
        (subject, email),
    ).fetchone()
    assert row is not None
    owner.execute(
        'INSERT INTO troth.account_emailaddress (email, verified, "primary", user_id) VALUES (%s, %s, true, %s)',
        (proven or email, verified, row[0]),
    )
    return int(row[0])


def sign_in(owner: Connection[Any], subject: uuid.UUID, account: int | None = None) -> None:
    """Plant an answer, a code, a spent token and, with an account, a live one."""
    owner.execute(
        "INSERT INTO troth.application (application, name, manifest, purposes, claims, events)"
        " VALUES (%s, 'Planted', '', '{provide}', '{name:person.name:provide}', '{crash,activity,feature_use,page_view,transaction,location}') ON CONFLICT DO NOTHING",
        (APPLICATION,),
    )
    owner.execute(
        "INSERT INTO troth.application_grant (subject, application, offered, claims, purposes, version, used_at)"
        " VALUES (%s, %s, '{name:person.name:provide}', '{name:person.name:provide}', '{provide}', 1, now())",
        (subject, APPLICATION),
    )
    owner.execute(
        "INSERT INTO troth.application_code (code, subject, application, redirect_uri, scopes, challenge, family, expires_at)"
        " VALUES (sha256(%s), %s, %s, 'https://planted.example/', '{openid}', repeat('x', 43), gen_random_uuid(), now())",
        (subject.bytes, subject, APPLICATION),
    )
    owner.execute(
        "INSERT INTO troth.application_spent (digest, subject, application, family, expires_at)"
        " VALUES (encode(sha256(%s), 'hex'), %s, %s, gen_random_uuid(), now() + interval '1 day')",
        (subject.bytes, subject, APPLICATION),
    )
    owner.execute(
        "INSERT INTO troth.agreement_ahead (subject, version, policy_digest, terms_digest, wording, language)"
        " VALUES (%s, 2, repeat('0', 64), repeat('0', 64), 'I agree.', 'en') ON CONFLICT DO NOTHING",
        (subject,),
    )
    for statement in LENT:
        owner.execute(statement, {"subject": subject})
    if account is not None:
        owner.execute(
            "INSERT INTO troth.allauth_idp_oidc_client (id, name, secret, scopes, default_scopes, type, grant_types,"
            " redirect_uris, cors_origins, allow_uri_wildcards, response_types, skip_consent, created_at)"
            " VALUES (%s, 'Planted', '', '', '', 'public', '', '', '', false, 'code', false, now()) ON CONFLICT DO NOTHING",
            (APPLICATION,),
        )
        owner.execute(
            "INSERT INTO troth.allauth_idp_oidc_token (type, hash, user_id, client_id, created_at, scopes, data)"
            " VALUES ('at', encode(sha256(%s), 'hex'), %s, %s, now(), 'openid', '{}')",
            (subject.bytes, account, APPLICATION),
        )


def known(owner: Connection[Any], subject: uuid.UUID) -> None:
    """Plant a session, an earlier name, a link with nobody else yet, and a code for one."""
    for statement in (
        "INSERT INTO troth.session (subject, session, device) VALUES (%s, gen_random_uuid(), gen_random_uuid())",
        "INSERT INTO troth.earlier_name (subject) VALUES (%s)",
        "INSERT INTO troth.linked (subject, bond) VALUES (%s, gen_random_uuid())",
        "INSERT INTO troth.link_offer (subject, digest, expires_at)"
        " VALUES (%s, sha256(gen_random_uuid()::text::bytea), now())",
    ):
        owner.execute(statement.encode(), (subject,))


def belongs(owner: Connection[Any], subject: uuid.UUID) -> None:
    """Plant an organization of somebody's own, a wish to be let into it, and what its directory says of them."""
    mine = uuid.uuid5(subject, "organization")
    for statement in (
        "INSERT INTO troth.organization (organization, name) VALUES (%(mine)s, 'Planted')",
        "INSERT INTO troth.organization_role (organization, role, may) VALUES (%(mine)s, 'member', '{}')",
        "INSERT INTO troth.membership (subject, organization, role) VALUES (%(whose)s, %(mine)s, 'member')",
        "INSERT INTO troth.correction (subject, organization, field) VALUES (%(whose)s, %(mine)s, 'planted')",
        "INSERT INTO troth.join_request (subject, organization) VALUES (%(whose)s, %(mine)s)",
        "INSERT INTO troth.directory_entry (subject, organization, user_name) VALUES (%(whose)s, %(mine)s, 'planted')",
        "INSERT INTO troth.directory_awaited (subject, organization) VALUES (%(whose)s, %(mine)s)",
        "INSERT INTO troth.post (subject, text, audience, organization)"
        " VALUES (%(whose)s, 'planted', 'members of the same organization', %(mine)s)",
        "INSERT INTO troth.attachment (subject, post, name, type, content, audience, organization)"
        " SELECT subject, id, 'planted.txt', 'text/plain', 'planted', audience, organization"
        " FROM troth.post WHERE subject = %(whose)s",
    ):
        owner.execute(statement.encode(), {"whose": subject, "mine": mine})


def supplied(owner: Connection[Any], subject: uuid.UUID) -> None:
    """Plant, after `belongs`, a group of their organization that they are in, and what its directory did about them."""
    for statement in (
        "INSERT INTO troth.directory_group (organization, grouping, name) VALUES (%(mine)s, %(whose)s, 'Planted')",
        "INSERT INTO troth.directory_grouped (subject, organization, grouping, entry) SELECT subject, organization, %(whose)s, entry"
        " FROM troth.directory_entry WHERE subject = %(whose)s AND organization = %(mine)s",
        "INSERT INTO troth.directory_act (subject, organization, kind) VALUES (%(whose)s, %(mine)s, 'read')",
        "INSERT INTO troth.organization_look (subject, organization, whom, kind, digest, session, turn)"
        " VALUES (%(whose)s, %(mine)s, %(whose)s, 'member', sha256(uuid_send(%(whose)s::uuid)), 1, '')",
    ):
        owner.execute(statement.encode(), {"whose": subject, "mine": uuid.uuid5(subject, "organization")})


def staffed(owner: Connection[Any], subject: uuid.UUID) -> None:
    """Plant a role on the staff that has ended, a look that they allowed, a version that they proposed and approved."""
    for statement in (
        "INSERT INTO troth.staff (subject, role, until) VALUES (%s, 'auditor', now())",
        "INSERT INTO troth.support_access (subject, asker, reason, ticket, asked_areas, asked_hours)"
        " VALUES (%s, gen_random_uuid(), 'planted', 'P-1', '{profile}', 1)",
        "INSERT INTO troth.support_look (subject, access, digest, area, rows, session, turn)"
        " SELECT subject, access, sha256(uuid_send(access)), 'profile', 1, 1, '' FROM troth.support_access WHERE subject = %s",
        "INSERT INTO troth.policy_proposal (subject, source, terms, digest, terms_digest, closed_at, outcome)"
        " VALUES (%s, 'planted', 'planted', repeat('a', 64), repeat('a', 64), now(), 'withdrawn')",
        "INSERT INTO troth.policy_approval (subject, proposal)"
        " SELECT subject, proposal FROM troth.policy_proposal WHERE subject = %s",
    ):
        owner.execute(statement.encode(), (subject,))


def remembered(owner: Connection[Any], subject: uuid.UUID) -> None:
    """Plant a browser that is remembered, a notice that waits."""
    for statement in (
        "INSERT INTO troth.remembered (subject, digest, until) VALUES (%s, 'digest', now() + interval '1 day')",
        "INSERT INTO troth.notice (subject, address, template, facts) VALUES (%s, 'a@harbor.example', 'code', '{}')",
    ):
        owner.execute(statement.encode(), (subject,))


def ties(owner: Connection[Any], subject: uuid.UUID) -> None:
    """Plant that they tied a browser to their account of which nothing is left."""
    browser = uuid.UUID(int=LEAST.int | uuid.uuid5(subject, "gone").int & (1 << 62) - 1)
    owner.execute("INSERT INTO troth.subject (subject, kind) VALUES (%s, 'anonymous')", (browser,))
    owner.execute("INSERT INTO troth.tied (subject, identifier) VALUES (%s, %s)", (subject, browser))


def knew(owner: Connection[Any], subject: uuid.UUID) -> None:
    """Plant a browser that was known before they signed in, which they tied to their account, and what it left.

    That is no row of theirs, so that it stands beside `everything`.
    """
    browser = uuid.UUID(int=LEAST.int | uuid.uuid5(subject, "browser").int & (1 << 62) - 1)
    for statement in (
        "INSERT INTO troth.subject (subject, kind) VALUES (%(browser)s, 'anonymous')",
        "INSERT INTO troth.permitted (subject, uses) VALUES (%(browser)s, 0)",
        "INSERT INTO troth.identifier (subject, digest, until, tied_at)"
        " VALUES (%(browser)s, sha256(uuid_send(%(browser)s::uuid)), now() + interval '1 day', now())",
        "INSERT INTO troth.access (subject, at, id, url) VALUES (%(browser)s, now(), uuidv7(), '/planted')",
        "INSERT INTO troth.tied (subject, identifier) VALUES (%(whose)s, %(browser)s)",
    ):
        with whatever_they_permit(owner):
            owner.execute(statement.encode(), {"whose": subject, "browser": browser})


def mailed(owner: Connection[Any], subject: uuid.UUID) -> None:
    """Plant what became of a mail."""
    owner.execute(
        "INSERT INTO troth.notice_outcome (subject, notice, template, outcome, said)"
        " VALUES (%s, gen_random_uuid(), 'version', 'bounced', '5.1.1')",
        (subject,),
    )


#: What an application told of somebody, some hours ago.
REPORTED = (
    "INSERT INTO troth.crash (subject, at, id, application, fingerprint, kind, message, stack, release, environment, metadata, uses)"
    " SELECT %(subject)s, now() - make_interval(secs => %(hours)s * 3600), uuidv7(), %(application)s, 'planted', 'planted', 'planted',"
    " 'planted', 'planted', 'planted', jsonb_build_object('by', 'planted'), coalesce((SELECT uses FROM troth.permitted WHERE subject = %(subject)s), 0)",
    "INSERT INTO troth.activity (subject, at, id, application, event, severity, message, release, environment, uses)"
    " SELECT %(subject)s, now() - make_interval(secs => %(hours)s * 3600), uuidv7(), %(application)s, 'planted', 'info', 'planted',"
    " 'planted', 'planted', coalesce((SELECT uses FROM troth.permitted WHERE subject = %(subject)s), 0)",
    "INSERT INTO troth.feature_use (subject, at, id, application, feature, outcome, uses)"
    " SELECT %(subject)s, now() - make_interval(secs => %(hours)s * 3600), uuidv7(), %(application)s, 'planted', 'planted',"
    " coalesce((SELECT uses FROM troth.permitted WHERE subject = %(subject)s), 0)",
    "INSERT INTO troth.page_view (subject, at, id, application, url, referrer, browser, system, kind, model, method, status, metadata, uses)"
    " SELECT %(subject)s, now() - make_interval(secs => %(hours)s * 3600), uuidv7(), %(application)s, 'planted', 'planted', 'planted',"
    " 'planted', 'planted', 'planted', 'GET', 200, jsonb_build_object('by', 'planted'), coalesce((SELECT uses FROM troth.permitted WHERE subject = %(subject)s), 0)",
    "INSERT INTO troth.transaction (subject, at, id, application, item, amount, currency, uses)"
    " SELECT %(subject)s, now() - make_interval(secs => %(hours)s * 3600), uuidv7(), %(application)s, 'planted', 19.95, 'EUR',"
    " coalesce((SELECT uses FROM troth.permitted WHERE subject = %(subject)s), 0)",
    "INSERT INTO troth.location (subject, at, id, application, latitude, longitude, accuracy, altitude, source, metadata, uses)"
    " SELECT %(subject)s, now() - make_interval(secs => %(hours)s * 3600), uuidv7(), %(application)s, 41.38879, 2.15899, 12, 20,"
    " 'gps', jsonb_build_object('by', 'planted'), coalesce((SELECT uses FROM troth.permitted WHERE subject = %(subject)s), 0)",
)
REFUSED = (
    "INSERT INTO troth.refused_event (subject, day, kind, reason, clause, count)"
    " VALUES (%(subject)s, current_date, 'crash', 'planted', 'planted', 1)"
)


@contextmanager
def whatever_they_permit(owner: Connection[Any]) -> Iterator[Connection[Any]]:
    """Store past the triggers that would refuse it, and that would stamp it."""
    owner.execute("SET session_replication_role = replica")
    yield owner
    owner.execute("RESET session_replication_role")


def reported(owner: Connection[Any], subject: uuid.UUID, hours: float = 1) -> None:
    """Plant one of each kind that applications tell of somebody, whatever they permit."""
    with whatever_they_permit(owner):
        for statement in REPORTED:
            owner.execute(statement, {"subject": subject, "application": APPLICATION, "hours": hours})


def told(owner: Connection[Any], subject: uuid.UUID) -> None:
    """Plant what an application told of somebody, and that something was refused."""
    reported(owner, subject)
    owner.execute(REFUSED, {"subject": subject})


def everything(owner: Connection[Any], subject: uuid.UUID) -> None:
    """Plant all of this, so that there is a row of somebody in every table that agreeing and using leave empty."""
    for plant in (sign_in, known, belongs, supplied, staffed, remembered, ties, mailed, told):
        plant(owner, subject)
