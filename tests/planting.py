"""What somebody who signs in to an application has in the tables, put there past the doors."""

import uuid
from typing import Any

from psycopg import Connection

APPLICATION = "planted-application"


def sign_in(owner: Connection[Any], subject: uuid.UUID, account: int | None = None) -> None:
    """Plant an answer, a code, a spent token and, with an account, a live one."""
    owner.execute(
        "INSERT INTO troth.application (application, name, manifest, purposes, claims)"
        " VALUES (%s, 'Planted', '', '{provide}', '{name:person.name:provide}') ON CONFLICT DO NOTHING",
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
