"""The doors of a real web server behind nginx, as deploy/nginx.conf has it."""

import re
from pathlib import Path

import pytest

from supplier_api.cli.local import is_free
from tests.nginx import serving_nginx
from tests.system.conftest import Install
from tests.system.installation import HOST, free_port, new_session
from tests.waiting import eventually

pytestmark = pytest.mark.slow
NGINX = (Path(__file__).parents[2] / "deploy" / "nginx.conf").read_text(encoding="utf-8")
CONSOLE = "console.example"
# What a caller may say of itself, and the console must not believe.
FORGED = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}


def test_people_sign_in_through_nginx_and_are_known_by_their_address(
    install: Install, tmp_path: Path
) -> None:
    port, public, inside = free_port(), free_port(), free_port()
    url = f"https://{CONSOLE}:{public}"
    installation = install(CONSOLE__LISTEN=f"{HOST}:{port}", CONSOLE__URL=url, CONSOLE__PROXIES="1")
    installation.start("serve")
    conf = NGINX.replace("listen 443 ", f"listen {public} ").replace("8443", str(inside))
    conf = conf.replace("127.0.0.1:8083", f"{HOST}:{port}")
    with serving_nginx(tmp_path, conf) as pem, new_session() as session:
        eventually(lambda: not is_free(HOST, public), "nginx")
        # The certificate is for the address; the name is what the request says.
        session.verify = str(pem)
        session.headers.update({"Host": f"{CONSOLE}:{public}", "Referer": f"{url}/", **FORGED})
        link = installation.run("user", "link", "--reason", "a test").stdout.strip()
        assert link.startswith(f"{url}/console/sign-in/link/")
        here = link.replace(CONSOLE, HOST)

        token = re.search(r'name="csrf_token" value="([^"]+)"', session.get(here).text)
        assert token
        form = {"csrf_token": token[1]}
        begun = session.post(here, data=form, allow_redirects=False)

        assert begun.status_code == 303, begun.text
        assert "Secure" in begun.headers["Set-Cookie"]
        shown = session.get(f"https://{HOST}:{public}/console/audit/")
        assert shown.status_code == 200
        assert f"from {HOST}" in shown.text
        assert "192.0.2.1" not in shown.text
