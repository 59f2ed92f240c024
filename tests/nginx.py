"""nginx with a configuration of ours, as Debian's own takes it in."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import programs
from tests.certificates import self_signed

# What Debian 13's own nginx.conf says before it takes in ours: nothing may be said there twice.
DEBIANS = (
    "sendfile on; tcp_nopush on; types_hash_max_size 2048; server_tokens off; gzip on;"
    " ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers off;"
)
KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def serving_nginx(folder: Path, conf: str) -> Iterator[Path]:
    """Run nginx while the block runs; yield the file of the certificate that takes ours' place.

    Without nginx the test is skipped, or fails in CI.
    """
    try:
        program = programs.find("nginx")
    except programs.NotInstalled as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"tests may not be skipped here: {error}")
        pytest.skip(str(error))
    pem = self_signed(folder)
    conf = re.sub(r"/etc/nginx/tls/\w+\.(crt|key)", str(pem), conf)
    temps = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in KINDS)
    file = folder / "nginx.conf"
    file.write_text(
        f"pid {folder}/pid; error_log stderr; daemon off; user root;\n"
        f"events {{}}\nhttp {{ access_log off; {DEBIANS} {temps}\n{conf}\n}}\n"
    )
    words = [program, "-c", str(file)]
    checked = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as running:
        try:
            yield pem
        finally:
            running.terminate()
