"""Real clients against a whole service: a Python library, a browser library, and a web server's module."""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from playwright.sync_api import Page
from requests.exceptions import RequestException

from tests.journeys.conftest import Visitor
from tests.serving import Serving, free_port

MANIFEST = """name = "{name}"
kind = "{kind}"
origins = ["{origin}"]
redirect_uris = ["{origin}{path}"]
after_sign_out = ["{origin}/bye.html"]
purposes = ["provide"]
[claims]
name = {{ category = "person.name", purpose = "provide" }}
email = {{ category = "person.email", purpose = "provide" }}
"""
#: The browser library's release, as its registry has it.
LIBRARY = "oidc-client-ts@3.5.0"
NAMES = iter(f"client-{number}@harbor.example" for number in range(100))


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    return visit()


def registered(service: Serving, folder: Path, **told: str) -> dict[str, str]:
    import json

    file = folder / "manifest.toml"
    file.write_text(MANIFEST.format(**({"path": "/back.html", "kind": "confidential"} | told)), encoding="utf-8")
    found: dict[str, str] = json.loads(service.run("app", "register", str(file), "--format", "json").stdout)
    return found


@contextmanager
def served(folder: Path, *, port: int, headers: dict[str, str] | None = None) -> Iterator[list[dict[str, str]]]:
    """Serve a folder as an application's own web server; yield the headers of every request."""
    seen: list[dict[str, str]] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({"path": self.path} | {name.lower(): value for name, value in self.headers.items()})
            super().do_GET()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield seen
    server.shutdown()
    thread.join()
    server.server_close()


def permit(page: Page) -> None:
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Sign in", exact=True).last.click()


def test_commands_register_show_renew_and_remove(service: Serving, tmp_path: Path) -> None:
    found = registered(service, tmp_path, name="Commanded", origin="https://commanded.example")
    assert found["issuer"] == service.address
    assert found["application"] in service.run("app", "list").stdout
    shown = service.run("app", "show", found["application"]).stdout
    assert "# claim `name`: person.name for provide" in shown
    assert found["secret"] not in shown
    renewed = service.run("app", "rotate-secret", found["application"]).stdout
    assert renewed.startswith("client_secret  ")
    assert found["secret"] not in renewed
    service.run("app", "replace-keys")
    service.run("app", "remove", found["application"])
    assert found["application"] not in service.run("app", "list").stdout
    refused = service.run("app", "remove", found["application"], check=False)
    assert refused.returncode == 1
    assert "there is no application" in refused.stderr
    bad = tmp_path / "bad.toml"
    bad.write_text(
        'name = "Bad"\nredirect_uris = ["https://bad.example/"]\npurposes = ["advertise"]\n', encoding="utf-8"
    )
    refused = service.run("app", "register", str(bad), check=False)
    assert "line 3: the policy has no purpose `advertise`" in refused.stderr


def test_authlib_signs_in_refreshes_and_revokes(service: Serving, visitor: Visitor, tmp_path: Path) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    found = registered(service, tmp_path, name="Authlib", origin=origin)
    trusted = str(service.data / "tls" / "ca.pem")
    metadata = requests.get(f"{service.address}/.well-known/openid-configuration", verify=trusted, timeout=10).json()
    client = OAuth2Session(
        found["application"],
        found["secret"],
        scope="openid profile email",
        redirect_uri=f"{origin}/back.html",
        code_challenge_method="S256",
    )
    client.verify, client.trust_env = trusted, False
    verifier = "v" * 64
    address, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    (tmp_path / "back.html").write_text("<!doctype html><title>back</title>back", encoding="utf-8")
    email = next(NAMES)
    visitor.join(email, "Ada Authlib")
    with served(tmp_path, port=port) as seen:
        visitor.page.goto(address)
        permit(visitor.page)
        visitor.page.wait_for_url(f"{origin}/back.html?*")
        back = visitor.page.url
    assert "__Host-" not in str(seen), "the platform's cookies go to the platform alone"
    tokens = client.fetch_token(
        metadata["token_endpoint"], authorization_response=back, code_verifier=verifier, state=state
    )
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], verify=trusted, timeout=10).json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": service.address}, aud={"essential": True, "value": found["application"]}
    ).validate(claims)
    assert (claims["name"], claims["email"]) == ("Ada Authlib", email)
    told = client.get(metadata["userinfo_endpoint"]).json()
    assert told["sub"] == claims["sub"]
    turned = client.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])
    assert turned["access_token"] != tokens["access_token"]
    client.revoke_token(metadata["revocation_endpoint"], token=turned["refresh_token"], token_type_hint="refresh_token")
    assert client.get(metadata["userinfo_endpoint"]).status_code == 401


PAGE = """<!doctype html><title>Notes</title><body><script src="/oidc-client-ts.min.js"></script><script src="/app.js"></script>"""
SCRIPT = """
const manager = new oidc.UserManager({
    authority: "%(issuer)s", client_id: "%(application)s", redirect_uri: "%(origin)s/back.html",
    post_logout_redirect_uri: "%(origin)s/bye.html", scope: "openid profile email", loadUserInfo: true,
    automaticSilentRenew: false, monitorSession: false,
});
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The browser library's one file, from its registry."""
    folder = tmp_path_factory.mktemp("library")
    npm = shutil.which("npm")
    assert npm, "the browser client's tests need npm (Debian: apt-get install npm)"
    told = os.environ | {"npm_config_update_notifier": "false", "npm_config_fetch_retries": "1"}
    done = subprocess.run([npm, "pack", LIBRARY], cwd=folder, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"the registry does not give {LIBRARY}: {done.stderr}"
    subprocess.run(["tar", "xzf", done.stdout.strip().splitlines()[-1]], cwd=folder, check=True)  # noqa: S607
    return folder / "package/dist/browser/oidc-client-ts.min.js"


@pytest.fixture
def notes(service: Serving, tmp_path: Path, library: Path) -> Iterator[dict[str, Any]]:
    """An application of pages alone, at an origin of its own."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    found = registered(service, tmp_path, name="Pages", origin=origin, kind="public")
    assert found["secret"] == ""
    folder = tmp_path / "www"
    folder.mkdir()
    shutil.copy(library, folder)
    for name in ("index.html", "back.html", "bye.html"):
        (folder / name).write_text(PAGE, encoding="utf-8")
    (folder / "app.js").write_text(SCRIPT % (found | {"origin": origin}), encoding="utf-8")
    with served(folder, port=port) as seen:
        yield found | {"origin": origin, "seen": seen}


def test_a_browser_client_signs_in_refreshes_and_signs_out(visitor: Visitor, notes: dict[str, Any]) -> None:
    email = next(NAMES)
    visitor.join(email, "Bea Browser")
    page = visitor.page
    page.goto(f"{notes['origin']}/index.html")
    page.evaluate("() => { manager.signinRedirect() }")
    page.wait_for_url("**/connect/authorize?*")
    permit(page)
    page.wait_for_url(f"{notes['origin']}/back.html?*")
    told = page.evaluate("() => manager.signinRedirectCallback().then(user => [user.profile, user.refresh_token])")
    assert (told[0]["name"], told[0]["email"], told[0]["email_verified"]) == ("Bea Browser", email, True)
    turned = page.evaluate("() => manager.signinSilent().then(user => user.refresh_token)")
    assert turned
    assert turned != told[1]
    page.evaluate("() => { manager.signoutRedirect() }")
    page.wait_for_url("**/connect/sign-out?*")
    page.get_by_role("button", name="Sign out here too").click()
    page.wait_for_url(f"{notes['origin']}/bye.html*")
    visitor.go("/me")
    assert visitor.title() == "Sign in"


def test_who_is_not_signed_in_yet_goes_all_the_way_in_a_real_browser(visitor: Visitor, notes: dict[str, Any]) -> None:
    """Sign in, answer, and come back: each form leads on to another origin, which the page's rule must let."""
    email = next(NAMES)
    visitor.join(email, "Cleo Client")
    page = visitor.page
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{notes['origin']}/index.html")
    page.evaluate("() => { manager.signinRedirect() }")
    page.wait_for_url("**/sign-in?next=*")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill("correct horse battery staple")
    permit(page)
    page.wait_for_url("**/connect/authorize?*")
    permit(page)
    page.wait_for_url(f"{notes['origin']}/back.html?*")
    assert not [line for line in visitor.complaints if "Content Security" in line]


@pytest.mark.asvs("3.5.4")
def test_an_applications_page_gets_at_nothing_of_the_platform(visitor: Visitor, notes: dict[str, Any]) -> None:
    """Threat 18: a hosted application's own page, with its person signed in to the platform beside it."""
    visitor.join(next(NAMES), "Dora Deceived")
    page, here = visitor.page, visitor.service.address
    page.goto(f"{notes['origin']}/index.html")
    assert page.evaluate("document.cookie") == ""
    for path in ("/me", "/me/permissions?kind=applications", "/connect/userinfo", "/api/v1/me"):
        ask = """address => fetch(address, {credentials: "include"}).then(r => r.text(), () => "nothing")"""
        assert "Dora" not in page.evaluate(ask, here + path), path
    framed = """address => new Promise(done => { const f = document.createElement("iframe"); f.src = address;
        f.onload = () => { try { done(f.contentDocument.body.innerText) } catch { done("") } }; document.body.append(f); })"""
    assert "Dora" not in page.evaluate(framed, here + "/me")
    with page.expect_navigation():
        page.evaluate(
            """address => { const f = document.createElement("form"); f.method = "post"; f.action = address; document.body.append(f); f.submit(); }""",
            here + "/sign-out",
        )
    visitor.go("/me")
    assert visitor.title() == "Your data", "a form from elsewhere signs nobody out"
    assert "__Host-" not in str(notes["seen"])


APACHE = """
ServerRoot "{folder}"
PidFile "{folder}/apache.pid"
TypesConfig /etc/mime.types
Listen 127.0.0.1:{port}
ServerName 127.0.0.1
ErrorLog "{folder}/error.log"
Mutex file:{folder} default
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule env_module {modules}/mod_env.so
LoadModule include_module {modules}/mod_include.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule auth_openidc_module {modules}/mod_auth_openidc.so
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
DocumentRoot "{folder}/www"
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {application}
OIDCClientSecret {secret}
OIDCRedirectURI {origin}/secret/back
OIDCCryptoPassphrase 0123456789abcdef0123456789abcdef
OIDCCABundlePath {trusted}
OIDCPKCEMethod S256
OIDCScope "openid profile email"
OIDCRemoteUserClaim email
OIDCCookieSameSite On
<Directory "{folder}/www">
  Options +Includes
  Require all granted
</Directory>
<Location /secret>
  AuthType openid-connect
  Require valid-user
</Location>
"""
MODULES = Path("/usr/lib/apache2/modules")


def test_apaches_module_signs_in(service: Serving, visitor: Visitor, tmp_path: Path) -> None:
    port, apache = free_port(), shutil.which("apache2") or "/usr/sbin/apache2"
    assert (MODULES / "mod_auth_openidc.so").exists(), "install it: apt-get install apache2 libapache2-mod-auth-openidc"
    origin = f"http://127.0.0.1:{port}"
    found = registered(service, tmp_path, name="Apache", origin=origin, path="/secret/back")
    (tmp_path / "www/secret").mkdir(parents=True)
    tmp_path.chmod(0o755)
    page = '<!doctype html><title>in</title><p id="who"><!--#echo var="REMOTE_USER" --></p><p id="name"><!--#echo var="OIDC_CLAIM_name" --></p>'
    (tmp_path / "www/secret/page.shtml").write_text(page, encoding="utf-8")
    told = {"folder": tmp_path, "port": port, "modules": MODULES, "origin": origin}
    text = APACHE.format(**told, **found, trusted=service.data / "tls" / "ca.pem")
    (tmp_path / "apache.conf").write_text(text, encoding="utf-8")
    server = subprocess.Popen([apache, "-X", "-f", str(tmp_path / "apache.conf")])
    try:
        _await(f"{origin}/", tmp_path / "error.log")
        email = next(NAMES)
        visitor.join(email, "Ana Apache")
        visitor.page.goto(f"{origin}/secret/page.shtml")
        permit(visitor.page)
        visitor.page.wait_for_url(f"{origin}/secret/page.shtml")
        assert re.search(re.escape(email), visitor.page.locator("#who").inner_text())
        assert visitor.page.locator("#name").inner_text() == "Ana Apache"
        jar = {cookie["name"]: cookie for cookie in visitor.context.cookies(origin)}
        assert not [name for name in jar if name.startswith("__Host-")]
    except BaseException:
        print((tmp_path / "error.log").read_text("utf-8"))
        raise
    finally:
        server.terminate()
        server.wait(20)


def _await(address: str, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            requests.get(address, timeout=1)
        except RequestException:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text("utf-8") if log.exists() else "apache did not start")
