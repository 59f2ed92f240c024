"""What failed while scripts/setup.py was at work, in two lines: what is wrong, and what mends it.

Standard library alone, for Python 3.8 and later, as the script itself.
"""

from __future__ import annotations

import errno
import os
import platform
import re
from pathlib import Path

LOG = Path(__file__).resolve().parent.parent / ".setup.log"
CONTAINER = (
    'docker run --rm -it -v "$PWD":/app -w /app -p 8080:8080 -p 8090:8090'
    " -e SUPPLIER_API__SERVER__HOST=0.0.0.0 python:3.13 make run"
)
INDEX = "https://pypi.org/simple"
UNREACHABLE = re.compile(
    "NewConnectionError|Failed to establish|Temporary failure in name resolution|ProxyError"
    "|Connection refused|[Tt]imed out|unreachable|ConnectTimeout|ReadTimeout|RemoteDisconnected"
    "|Max retries exceeded|Name or service not known|nodename nor servname"
)


class Failed(Exception):
    """What is wrong, and the command or setting that mends it."""

    def __init__(self, what: str, remedy: str) -> None:
        """Keep the two lines."""
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy


def explain_system(error: OSError, folder: Path) -> Failed:
    """Say in two lines what the system refused: above all, a folder that may only be read."""
    what = f"{error.filename or folder}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        mended = "~/supplier_api"
        return Failed(what, f'take a copy that is yours: cp -R "{folder}" {mended} && cd {mended}')
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed(what, f'make room there; df -h "{folder}" shows how much is left')
    return Failed(what, f'git -C "{folder}" status shows what is not as it was')


def explain(output: str) -> Failed:
    """Say in two lines what pip said in many."""
    index = without_password(os.environ.get("PIP_INDEX_URL") or index_named(output) or INDEX)
    if "CERTIFICATE_VERIFY_FAILED" in output:
        return Failed(
            f"the certificate of the package index {index} is not trusted",
            "set PIP_CERT=/path/to/your-proxy-ca.pem (PIP_INDEX_URL names another index)",
        )
    if UNREACHABLE.search(output):
        return Failed(
            f"the package index {index} cannot be reached",
            "set HTTPS_PROXY=http://proxy:3128, or PIP_INDEX_URL to an index inside your network",
        )
    missing = re.search("No matching distribution found for ([^ ;\\n]+)", output)
    if missing:
        package, machine = missing.group(1), platform.platform()
        return Failed(
            f"{index} has no ready-made {package} for this machine ({machine}); a container has",
            CONTAINER,
        )
    if "DO NOT MATCH THE HASHES" in output:
        return Failed(
            f"the package index {index} hands out other files than the lock file names",
            f"set PIP_INDEX_URL={INDEX} or make a lock of your own: scripts/lock.py",
        )
    return Failed(f"pip failed: {last_line()}", see_log())


def explain_plugins(output: str) -> Failed:
    """Say in two lines what pip said when it could not install what plugins.txt names."""
    clash = re.search("The user requested \\(constraint\\) (\\S+)", output)
    if clash:
        return Failed(
            f"plugins.txt: a package wants another version than {clash.group(1)}, which is locked",
            f"take a release of it that goes with that; {see_log()}",
        )
    missing = re.search("No matching distribution found for ([^ ;\\n]+)", output)
    if missing and not UNREACHABLE.search(output):
        return Failed(
            f"plugins.txt: no index that is asked has {missing.group(1)}",
            "name yours in it, as in --extra-index-url https://..., or set PIP_INDEX_URL",
        )
    if "--require-hashes mode" in output:
        return Failed(
            "plugins.txt: some have a hash, so all need one, and an exact version",
            f"those that have none are named at the end of the log; {see_log()}",
        )
    if "DO NOT MATCH THE HASHES" in output:
        return Failed(
            "plugins.txt: a package is another file than its hash says",
            f"find out why, before you take the new hash; {see_log()}",
        )
    failed = explain(output)
    return Failed(f"plugins.txt: {failed.what}", failed.remedy)


def index_named(output: str) -> str | None:
    """Return the first index that pip says it looks in, if it is not the usual one."""
    named = re.search("Looking in indexes: ([^, \\n]+)", output)
    return named.group(1) if named else None


def without_password(url: str) -> str:
    """Return the URL without user and password."""
    return re.sub("//[^/@]*@", "//", url)


def last_line() -> str:
    """Return the last thing that was said in the log."""
    lines = LOG.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def see_log() -> str:
    """Return the command that shows all of it."""
    return f'cat "{LOG}"'
