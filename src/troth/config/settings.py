"""Django's settings: pages and management run as the role `door`; only the keeper's migrations run as the owner."""

import os
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from troth.database import connect, place

WHERE = place.current()
DEV = os.environ.get("TROTH_DEV") == "1"
#: Where people reach the service; mails are built from this, never from a request's Host header.
BASE_URL = os.environ.get("TROTH_BASE_URL", "https://localhost:8443")
MAIL = os.environ.get("TROTH_MAIL", "")
#: Of what is sent to many, at most so many a second; the folder in which mails arrive that come back.
MAIL_RATE = float(os.environ.get("TROTH_MAIL_RATE", "20"))
RETURNS = os.environ.get("TROTH_RETURNS", "")
#: The key of the application under which browsers report what these pages' own policy blocked; without it they do not.
REPORTS = os.environ.get("TROTH_REPORTS", "")
if not (REPORTS.isascii() and REPORTS.isalnum()) and REPORTS:
    raise ImproperlyConfigured("`TROTH_REPORTS` is no key; make one with `troth app add-key`")
REPORTED_TO = f"/intake/v1/reports/{REPORTS}" if REPORTS else ""

SECRET_KEY = place.secrets_of(WHERE).django
DEBUG = False
ALLOWED_HOSTS = [
    host
    for host in {urlsplit(BASE_URL).hostname, *os.environ.get("TROTH_HOSTS", "localhost,127.0.0.1,[::1]").split(",")}
    if host
]
ROOT_URLCONF = "troth.config.urls"
WSGI_APPLICATION = "troth.config.wsgi.application"

INSTALLED_APPS = [
    "troth.web",  # before the sign-in library, whose templates ours replace
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.idp.oidc",
    "troth.database",
    "troth.ledger",
    "troth.notices",
    "troth.people",
    "troth.consent",
    "troth.intake",
    "troth.records",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "troth.web.middleware.headers",
    "troth.web.middleware.declared",
    "troth.web.assets.serve",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "troth.web.middleware.confirming",
    "troth.web.sessions.lasting",
    "troth.web.provider.onward.let",
    "troth.web.middleware.viewer",
    "troth.web.known.browser",
    "troth.web.gate.Gate",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csrf",
                "django.contrib.messages.context_processors.messages",
                "troth.web.context.everywhere",
            ],
        },
    }
]


def _database() -> dict[str, Any]:
    role = "owner" if os.environ.get("TROTH_CONNECT_AS") == "owner" else "door"
    told = connect.parameters(role, WHERE)
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    options: dict[str, Any] = {key: value for key, value in told.items() if key not in named}
    if role == "door":
        options["pool"] = {"min_size": 1, "max_size": 10, "timeout": 15, "max_idle": 120, "reset": connect.forget}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **{named[k]: v for k, v in told.items() if k in named},
        "OPTIONS": options,
        "CONN_HEALTH_CHECKS": True,  # a pooled connection may be from before the database was started again
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# It holds what the limits count: few entries would let a crowd of guesses push out those about one account.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 200_000}}}

# People

AUTH_USER_MODEL = "people.Account"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "troth.people.passwords.LongEnough"},
    {"NAME": "troth.people.passwords.LongestLength"},
    {"NAME": "troth.people.passwords.NotLeaked"},
    {"NAME": "troth.people.passwords.NotOneself"},
]
LOGIN_URL = "/sign-in"
LOGIN_REDIRECT_URL = "/me"

ACCOUNT_ADAPTER = "troth.web.adapter.Adapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_FORMS = {
    "signup": "troth.web.forms.SignUp",
    "login": "troth.web.forms.Login",
    "reset_password": "troth.web.forms.Forgotten",
    "reset_password_from_key": "troth.web.forms.NewPassword",
    "change_password": "troth.web.forms.ChangePassword",
    "set_password": "troth.web.forms.SetPassword",
    "reauthenticate": "troth.web.forms.Confirm",
    "request_login_code": "troth.web.forms.AskForCode",
    "confirm_login_code": "troth.web.forms.EnterCode",
    "confirm_reauthentication_code": "troth.web.forms.ConfirmByMail",
    "add_email": "troth.web.forms.AddAddress",
}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 600
# The library's own change of address is left out: it tells who signs up with an address that is taken.
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = 3
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_LOGIN_ON_PASSWORD_RESET = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_USER_DISPLAY = "troth.web.adapter.shown"
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
# A code by mail is offered to who has nothing else, by the adapter alone: it is no second factor.
ACCOUNT_REAUTHENTICATION_METHODS = ["password", "mfa", "code"]
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_MAX_EMAIL_ADDRESSES = 5

# What somebody shows beside the password or in its place

MFA_ADAPTER = "troth.web.second.SecondAdapter"
MFA_SUPPORTED_TYPES = ["recovery_codes", "totp", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_PASSKEY_SIGNUP_ENABLED = True
# A passkey counts as two factors, beside a remembered browser too, so each recognises its owner each time; every one
# did when it was made. The library keeps one challenge of a session, whoever asks: none may be made less strict.
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_RECOVERY_CODE_DIGITS = 10  # of ten a guess in a hundred tries finds one with less than 1 in 10 million
MFA_TRUST_ENABLED = True
MFA_TRUST_COOKIE_NAME = "__Host-trusted"
MFA_TRUST_COOKIE_AGE = 14 * 24 * 3600
MFA_FORMS = {
    "authenticate": "troth.web.forms.SecondCode",
    "reauthenticate": "troth.web.forms.ConfirmByCode",
    "activate_totp": "troth.web.forms.ActivateApp",
    "deactivate_totp": "troth.web.forms.RemoveApp",
    "add_webauthn": "troth.web.forms.AddPasskey",
    "signup_webauthn": "troth.web.forms.SignUpPasskey",
    "edit_webauthn": "troth.web.forms.NamePasskey",
}

# How long a session lives: seconds since signing in, and since anything was asked (NIST SP 800-63B-4, 2.1.3, 2.2.3).
# Who showed two factors may do more, so theirs ends sooner when nobody is there.
SESSION_OVERALL = 24 * 3600
SESSION_IDLE = {1: 12 * 3600, 2: 3600}
# A person gets through after a mistake or two; a guesser gets at most 100 failures a day of an account
# (NIST SP 800-63B-4).
LIMITS = {
    "login_failed": "10/m/ip,20/5m/key,100/d/key",
    "signup": "30/m/ip",
    "reset_password": "20/m/ip,5/m/key",
    "confirm_email": "1/10s/key",
    "reauthenticate": "10/m/user,100/d/user",
    # Three tries for each code: the codes of a day are good for fewer than 100 failures.
    "request_login_code": "20/m/ip,5/m/key,30/d/key",
}
# Keys of applications and tokens of directories that open nothing. What is known to open something is not counted.
KEY_LIMITS = {"key_wrong": "30/m/ip"}
KEY_RATE_LIMITS: dict[str, str] = KEY_LIMITS if os.environ.get("TROTH_UNLIMITED") != "1" else {}
# Many tests sign up from one address.
MFA_RATE_LIMITS: dict[str, str] | bool = (
    {"webauthn_login": "60/m/ip"} if os.environ.get("TROTH_UNLIMITED") != "1" else False
)
ACCOUNT_RATE_LIMITS: dict[str, str] | bool = LIMITS if os.environ.get("TROTH_UNLIMITED") != "1" else False

# Applications that sign people in

IDP_OIDC_ADAPTER = "troth.web.provider.adapter.Provider"
IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = 600
IDP_OIDC_REFRESH_TOKEN_EXPIRES_IN = 30 * 24 * 3600
IDP_OIDC_INTROSPECTION_ENABLED = True
IDP_OIDC_RP_INITIATED_LOGOUT_ASKS_FOR_OP_LOGOUT = True
# What a device shows is short: wrong codes are counted of the account and of the network (RFC 8628 section 5.1), and
# nobody fills the memory that the counts stand in by beginning without end.
DEVICE_LIMITS = {"device_user_code": "5/m/ip,10/h/user,30/d/user", "device_begun": "30/m/ip"}
# Each page of a list of users is read from as many people as it tells of.
LIST_LIMITS = {"users_listed": "120/m/key"}
IDP_OIDC_RATE_LIMITS: dict[str, str] | bool = DEVICE_LIMITS | LIST_LIMITS if ACCOUNT_RATE_LIMITS else False

# Mail goes to the outbox, in the transaction that caused it

MAILERS = {"default": {"BACKEND": "troth.notices.outbox.Outbox"}}
DEFAULT_FROM_EMAIL = os.environ.get("TROTH_FROM", "troth@localhost")

# The browser

SESSION_ENGINE = "troth.people.sessionstore"
SESSION_COOKIE_NAME = "__Host-session"
SESSION_COOKIE_AGE = SESSION_OVERALL
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_NAME = "__Host-csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/"
CSRF_COOKIE_AGE = None  # like the session, it ends with the browser
CSRF_FAILURE_VIEW = "troth.web.views.errors.forged"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "manifest-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
} | ({"report-to": ["csp"], "report-uri": [REPORTED_TO]} if REPORTED_TO else {})
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100
# Longer than any body that is let in: what people post is never written to a file on the way.
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 10
APPEND_SLASH = False

# Words

LANGUAGE_CODE = "en"
LANGUAGE_COOKIE_NAME = "__Host-language"
LANGUAGES = [("en", "English"), ("es", "Español")]
USE_TZ = True
TIME_ZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"reticent": {"()": "troth.config.reticent.Reticent"}},
    "handlers": {"terminal": {"class": "logging.StreamHandler", "formatter": "reticent"}},
    "root": {"handlers": ["terminal"], "level": "WARNING"},
    # Django would write the whole request of a refused Host or a failed page, query and all.
    "loggers": {"django.request": {"level": "CRITICAL"}, "django.security": {"level": "CRITICAL"}},
}
