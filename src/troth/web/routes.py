"""Every route of the pages, and who may use it: a route that is not listed here opens for nobody."""

from enum import Enum, auto

from troth.people.staffing import Role


class Audience(Enum):
    """Who a route is for."""

    ANYBODY = auto()  # also without an agreement
    NEWCOMER = auto()  # on the way in: not signed in, or between the steps of signing in
    SIGNED_IN = auto()  # signed in, agreed or not: agreeing, leaving, signing out
    AGREED = auto()  # signed in and agreed to what is in force
    STAFF = auto()  # on the operator's staff, agreed, whatever the role
    OWNER = auto()
    PUBLISHER = auto()  # publishers and owners
    SUPPORT = auto()
    AUDITOR = auto()
    DEV = auto()  # only with --dev


#: The roles that open what is for an audience of the operator's staff; to everybody else it is not there.
ROLES: dict[Audience, frozenset[Role]] = {
    Audience.STAFF: frozenset(Role),
    Audience.OWNER: frozenset({Role.OWNER}),
    Audience.PUBLISHER: frozenset({Role.PUBLISHER, Role.OWNER}),
    Audience.SUPPORT: frozenset({Role.SUPPORT}),
    Audience.AUDITOR: frozenset({Role.AUDITOR}),
}
ROUTES: dict[str, Audience] = {
    "home": Audience.ANYBODY,
    "policy": Audience.ANYBODY,
    "policy_text": Audience.ANYBODY,
    "versions": Audience.ANYBODY,
    "comparison": Audience.ANYBODY,
    "promises": Audience.ANYBODY,
    "policy_jsonld": Audience.ANYBODY,
    "policy_turtle": Audience.ANYBODY,
    "policy_labels": Audience.ANYBODY,
    "terms": Audience.ANYBODY,
    "declined": Audience.ANYBODY,
    "closed": Audience.ANYBODY,
    "language": Audience.ANYBODY,
    "first": Audience.ANYBODY,
    "agree": Audience.ANYBODY,
    # Applications and their pages ask these; who may know what is judged by token, secret and answer.
    "configuration": Audience.ANYBODY,
    "jwks": Audience.ANYBODY,
    "authorization": Audience.ANYBODY,
    "token": Audience.ANYBODY,
    "userinfo": Audience.ANYBODY,
    "introspect": Audience.ANYBODY,
    "revoke": Audience.ANYBODY,
    "device_code": Audience.ANYBODY,
    "logout": Audience.ANYBODY,
    "account_login": Audience.NEWCOMER,
    "account_signup": Audience.NEWCOMER,
    "account_email_verification_sent": Audience.NEWCOMER,
    "another": Audience.NEWCOMER,
    "instead": Audience.NEWCOMER,
    "account_inactive": Audience.NEWCOMER,
    "account_reset_password": Audience.NEWCOMER,
    "account_confirm_password_reset_code": Audience.NEWCOMER,
    "account_complete_password_reset": Audience.NEWCOMER,
    "account_password_reset_completed": Audience.NEWCOMER,
    "account_signup_by_passkey": Audience.NEWCOMER,
    "mfa_signup_webauthn": Audience.NEWCOMER,
    "mfa_login_webauthn": Audience.NEWCOMER,
    "account_request_login_code": Audience.NEWCOMER,
    "account_confirm_login_code": Audience.NEWCOMER,
    "mfa_authenticate": Audience.NEWCOMER,
    "mfa_trust": Audience.NEWCOMER,
    "account_logout": Audience.SIGNED_IN,
    "account_change_password": Audience.AGREED,
    "account_reauthenticate": Audience.SIGNED_IN,
    "account_email": Audience.AGREED,
    "account_set_password": Audience.AGREED,
    "mfa_reauthenticate": Audience.SIGNED_IN,
    "mfa_reauthenticate_webauthn": Audience.SIGNED_IN,
    "mfa_index": Audience.AGREED,
    "mfa_activate_totp": Audience.AGREED,
    "mfa_deactivate_totp": Audience.AGREED,
    "mfa_view_recovery_codes": Audience.AGREED,
    "mfa_generate_recovery_codes": Audience.AGREED,
    "mfa_add_webauthn": Audience.AGREED,
    "mfa_edit_webauthn": Audience.AGREED,
    "mfa_remove_webauthn": Audience.AGREED,
    "forget_browsers": Audience.AGREED,
    "me": Audience.AGREED,
    "name": Audience.AGREED,
    "profile": Audience.AGREED,
    "profile_field": Audience.AGREED,
    "profile_delete": Audience.AGREED,
    "accesses": Audience.AGREED,
    "choose": Audience.AGREED,
    "device_authorization": Audience.AGREED,
    "my_applications": Audience.AGREED,
    "end_application": Audience.AGREED,
    # Of an organization, the database shows what the viewer's role in it lets them see; to others it is not there.
    "organizations": Audience.AGREED,
    "organization": Audience.AGREED,
    "organization_members": Audience.AGREED,
    "organization_joining": Audience.AGREED,
    "organization_roles": Audience.AGREED,
    "organization_ask": Audience.AGREED,
    "join": Audience.AGREED,
    "devices": Audience.AGREED,
    "end_session": Audience.AGREED,
    "end_other_sessions": Audience.AGREED,
    "identify_device": Audience.AGREED,
    "name_device": Audience.AGREED,
    "forget_device": Audience.AGREED,
    "linked": Audience.AGREED,
    "offer_link": Audience.AGREED,
    "enter_link": Audience.AGREED,
    "unlink": Audience.AGREED,
    "close": Audience.SIGNED_IN,
    "invited": Audience.AGREED,
    "operator": Audience.STAFF,
    "staff": Audience.OWNER,
    "staff_role": Audience.OWNER,
    "withdraw_invitation": Audience.OWNER,
    "publishing": Audience.PUBLISHER,
    "proposal": Audience.PUBLISHER,
    "answer_proposal": Audience.PUBLISHER,
    "record": Audience.AUDITOR,
    "support": Audience.SUPPORT,
    "support_access": Audience.SUPPORT,
    "support_look": Audience.SUPPORT,
    "support_done": Audience.SUPPORT,
    "my_support": Audience.AGREED,
    "answer_support": Audience.AGREED,
    "end_support": Audience.AGREED,
    "fields": Audience.OWNER,
    "applications": Audience.OWNER,
    "register_application": Audience.OWNER,
    "application": Audience.OWNER,
    "renew_secret": Audience.OWNER,
    "remove_application": Audience.OWNER,
    "dev": Audience.DEV,
    "components": Audience.DEV,
    "mail": Audience.DEV,
}
