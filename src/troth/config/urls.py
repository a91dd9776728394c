"""Where every page is. Each name stands in `web/routes.py` with its audience; a route that does not is closed."""

from allauth.account import views as account
from allauth.mfa.base import views as second
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as app
from allauth.mfa.webauthn import views as passkeys
from django.urls import include, path

from troth.web.provider import pages as provider_pages
from troth.web.provider import views as provider
from troth.web.views import (
    agreement,
    applications,
    dev,
    developer,
    errors,
    me,
    operator,
    pages,
    policy,
    publishing,
    record,
    security,
    staff,
    standards,
    support,
    verifying,
)

# The library asks for these by its own names.
oidc = [
    path(".well-known/openid-configuration", provider.configuration, name="configuration"),
    path(".well-known/jwks.json", provider.jwks, name="jwks"),
    path("connect/authorize", provider.authorize, name="authorization"),
    path("connect/token", provider.token, name="token"),
    path("connect/userinfo", provider.user_info, name="userinfo"),
    path("connect/introspect", provider.introspect, name="introspect"),
    path("connect/revoke", provider.revoke, name="revoke"),
    path("connect/device", provider.device_code, name="device_code"),
    path("connect/sign-out", provider_pages.leave, name="logout"),
    path("device", provider_pages.device, name="device_authorization"),
]

urlpatterns = [
    path("", include(([path("", include((oidc, "oidc")))], "idp"))),
    path("", pages.home, name="home"),
    path("policy", policy.policy, name="policy"),
    path("policy.txt", policy.text, name="policy_text"),
    path("policy/versions", policy.versions, name="versions"),
    path("policy/compare/<int:old>..<int:new>", policy.comparison, name="comparison"),
    path("policy/promises", policy.promises, name="promises"),
    path("policy.jsonld", standards.json_ld, name="policy_jsonld"),
    path("policy.ttl", standards.turtle, name="policy_turtle"),
    path("policy/labels.json", standards.labels_json, name="policy_labels"),
    path("terms", pages.terms, name="terms"),
    path("language", pages.language, name="language"),
    path("sign-up", account.signup, name="account_signup"),
    path("sign-up/verify", verifying.Verify.as_view(), name="account_email_verification_sent"),
    path("sign-up/another", verifying.another, name="another"),
    path("sign-up/instead", verifying.instead, name="instead"),
    path("sign-in", account.login, name="account_login"),
    path("sign-in/inactive", account.account_inactive, name="account_inactive"),
    path("sign-out", account.logout, name="account_logout"),
    path("password", account.password_change, name="account_change_password"),
    path("password/set", security.SetPassword.as_view(), name="account_set_password"),
    path("password/confirm", account.reauthenticate, name="account_reauthenticate"),
    path("password/forgotten", account.password_reset, name="account_reset_password"),
    path("password/forgotten/code", verifying.Reset.as_view(), name="account_confirm_password_reset_code"),
    path("password/forgotten/new", account.complete_password_reset, name="account_complete_password_reset"),
    path("password/forgotten/done", account.password_reset_from_key_done, name="account_password_reset_completed"),
    path("password/confirm/code", second.reauthenticate, name="mfa_reauthenticate"),
    path("password/confirm/passkey", passkeys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("sign-up/passkey", account.signup_by_passkey, name="account_signup_by_passkey"),
    path("sign-up/passkey/make", passkeys.signup_webauthn, name="mfa_signup_webauthn"),
    path("sign-in/passkey", security.ByPasskey.as_view(), name="mfa_login_webauthn"),
    path("sign-in/code", security.AskForCode.as_view(), name="account_request_login_code"),
    path("sign-in/code/enter", security.EnterCode.as_view(), name="account_confirm_login_code"),
    path("sign-in/second", second.authenticate, name="mfa_authenticate"),
    path("sign-in/trust", second.trust, name="mfa_trust"),
    path("me/security", security.security, name="mfa_index"),
    path("me/security/addresses", security.Addresses.as_view(), name="account_email"),
    path("me/security/app", app.activate_totp, name="mfa_activate_totp"),
    path("me/security/app/remove", security.RemoveApp.as_view(), name="mfa_deactivate_totp"),
    path("me/security/codes", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("me/security/codes/new", codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("me/security/passkeys/add", security.AddPasskey.as_view(), name="mfa_add_webauthn"),
    path(
        "me/security/passkeys/<int:pk>/name",
        passkeys.EditWebAuthnView.as_view(success_url="/me/security"),
        name="mfa_edit_webauthn",
    ),
    path(
        "me/security/passkeys/<int:pk>/remove",
        security.RemovePasskey.as_view(success_url="/me/security"),
        name="mfa_remove_webauthn",
    ),
    path("me/security/forget", security.forget_browsers, name="forget_browsers"),
    path("agree", agreement.agree, name="agree"),
    path("declined", agreement.declined, name="declined"),
    path("me", me.me, name="me"),
    path("me/name", me.name, name="name"),
    path("me/accesses", me.accesses, name="accesses"),
    path("me/purposes/<slug:purpose>", me.choose, name="choose"),
    path("me/close", me.close, name="close"),
    path("me/applications", applications.mine, name="my_applications"),
    path("me/applications/<slug:application>/end", applications.end, name="end_application"),
    path("closed", me.closed, name="closed"),
    path("operator/first/<str:token>", operator.first, name="first"),
    path("operator", operator.operator, name="operator"),
    path("operator/staff", staff.staff, name="staff"),
    path("operator/staff/role", staff.role, name="staff_role"),
    path("operator/staff/invitations/<uuid:invitation>/withdraw", staff.withdraw, name="withdraw_invitation"),
    path("operator/staff/invited/<str:token>", staff.invited, name="invited"),
    path("operator/publishing", publishing.proposals, name="publishing"),
    path("operator/publishing/<uuid:proposal>", publishing.proposal, name="proposal"),
    path("operator/publishing/<uuid:proposal>/answer", publishing.answer, name="answer_proposal"),
    path("operator/record", record.record, name="record"),
    path("operator/support", support.asked, name="support"),
    path("operator/support/<uuid:access>", support.access, name="support_access"),
    path("operator/support/<uuid:access>/look", support.look, name="support_look"),
    path("operator/support/<uuid:access>/done", support.done, name="support_done"),
    path("me/support", support.mine, name="my_support"),
    path("me/support/<uuid:access>", support.answer, name="answer_support"),
    path("me/support/<uuid:access>/end", support.end, name="end_support"),
    path("applications", developer.applications, name="applications"),
    path("applications/register", developer.register, name="register_application"),
    path("applications/<slug:application>", developer.application, name="application"),
    path("applications/<slug:application>/secret", developer.renew, name="renew_secret"),
    path("applications/<slug:application>/remove", developer.remove, name="remove_application"),
    path("dev/", dev.index, name="dev"),
    path("dev/components", dev.components, name="components"),
    path("dev/mail", dev.mail, name="mail"),
]

handler400 = errors.bad
handler403 = errors.forbidden
handler404 = errors.missing
handler500 = errors.failed
