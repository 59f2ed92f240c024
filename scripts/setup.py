#!/usr/bin/env python3
"""Puts everything that supplier_api needs into .venv; does only what is not current there.

    python3 scripts/setup.py [--quiet]

Needs only the standard library, and runs on Python 3.8, so that it can say what is missing. The
interpreter of .venv is $PYTHON if that is set, else the first of python3.14 ... python3.11 and
python3 that is new enough. The packages are those of requirements-dev.lock, checked by their
hashes. Another interpreter makes .venv anew, another lock file installs and removes what changed,
other metadata installs the project alone. When it fails it says in two lines what is wrong and what
mends it, and what is half made is not taken for current afterwards.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from itertools import takewhile
from pathlib import Path
from typing import TextIO

try:
    import fcntl
except ImportError:
    sys.exit(
        "setup: supplier_api runs on Linux and macOS\n       on Windows use WSL: wsl --install"
    )

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "setup.json"
LOG = ROOT / ".setup.log"
LOCK = ROOT / "requirements-dev.lock"
METADATA = (ROOT / "setup.cfg", ROOT / "pyproject.toml")
# What .venv is made of, each part standing on those before it.
BASE, PACKAGES, PROJECT = "interpreter", "packages", "project"
# Of how a .venv is made. Another number makes each .venv anew, after a change here that needs it.
MAKING = "1"

OLDEST = (3, 11)
NAMES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")

# Which package tool there is, and its line for a Python that is new enough.
PYTHON_LINES = {
    "apt-get": "sudo apt-get install python3.11 python3.11-venv",
    "dnf": "sudo dnf install python3.12",
    "zypper": "sudo zypper install python312",
    "pacman": "sudo pacman -S python",
    "brew": "brew install python@3.13",
}
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


class Python:
    """An interpreter: where it is and which version."""

    def __init__(self, path: str, version: tuple[int, ...]) -> None:
        """Keep what was found out."""
        self.path = path
        self.version = version

    @property
    def number(self) -> str:
        """Return the version as it is written: 3.11.2."""
        return ".".join(map(str, self.version))


def main() -> int:
    """Set up, say so, and return the exit code: 0 done, 1 it could not be done."""
    quiet = "--quiet" in sys.argv[1:]
    started = time.monotonic()
    try:
        with (ROOT / ".setup.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once: the second finds it done
            report = set_up(started)
    except Failed as failure:
        print(f"setup: {failure.what}\n       {failure.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if not quiet:
        line = "setup: Python {python}, .venv {state}, {packages} packages"
        print(line.format(state=told(report), **report))
    return 0


def told(report: dict[str, object]) -> str:
    """Say what was done: made anew, which parts were installed again, or nothing."""
    if report["new"]:
        return "new, {} s".format(report["seconds"])
    if report["updated"]:
        return "updated ({updated}), {seconds} s".format(**report)
    return "up to date"


def set_up(started: float) -> dict[str, object]:
    """Make .venv current and return what `run` shows of it."""
    python = find_python()
    parts, report = fingerprints(python), read_stamp()
    stale = find_stale(parts, report)
    if stale:
        make_current(python, stale, report)
        report = {"parts": parts, "python": python.number, "packages": len(installed_packages())}
        report["seconds"] = round(time.monotonic() - started)
    report["new"] = BASE in stale
    report["updated"] = ", ".join(stale)
    write_stamp(report)
    return report


def find_stale(parts: dict[str, str], report: dict[str, object]) -> list[str]:
    """Return the parts that have to be made: the first that is not as noted, and all behind it."""
    noted = report.get("parts")
    noted = noted if isinstance(noted, dict) else {}
    if not (VENV / "bin" / "python").exists():  # or the interpreter that it links to is gone
        noted = {}
    if not (VENV / "bin" / "supplier-api").exists():
        noted = dict(noted, **{PROJECT: None})
    current = takewhile(lambda part: noted.get(part) == parts[part], parts)
    return list(parts)[len(list(current)) :]


def make_current(python: Python, stale: list[str], report: dict[str, object]) -> None:
    """Make these parts. While packages change there is no stamp, so that half of that is no .venv.

    A project that cannot be installed leaves the packages as they are: they stay current.
    """
    if BASE in stale:
        build(python)
        return
    print("setup: updating .venv: " + ", ".join(stale), file=sys.stderr, flush=True)
    with LOG.open("w", encoding="utf-8") as log:
        if PACKAGES in stale:
            STAMP.unlink()
            install_packages(log)
            remove_packages(log)
        else:
            write_stamp(dict(report, parts=dict(fingerprints(python), **{PROJECT: None})))
        install_project(log)
    LOG.unlink()


def read_stamp() -> dict[str, object]:
    """Return what the last complete setup wrote; it is written last, so half of one has none."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(report: dict[str, object]) -> None:
    """Note this in .venv, whole or not at all."""
    partial = STAMP.with_suffix(".new")
    partial.write_text(json.dumps(report), encoding="utf-8")
    partial.replace(STAMP)


def fingerprints(python: Python) -> dict[str, str]:
    """Return a digest of what each part is made from; scripts in .venv name its place too."""
    base = "\0".join((MAKING, str(ROOT), python.path, python.number)).encode()
    metadata = b"\0".join(file.read_bytes() for file in METADATA)
    made_from = {BASE: base, PACKAGES: LOCK.read_bytes(), PROJECT: metadata}
    return {part: hashlib.sha256(content).hexdigest() for part, content in made_from.items()}


def find_python() -> Python:
    """Return the interpreter to use. Raises Failed when there is none that is new enough."""
    named = os.environ.get("PYTHON")
    too_old = None
    for name in [named] if named else [*NAMES, sys.executable]:
        python = ask_version(name)
        if python and python.version >= OLDEST:
            return python
        too_old = too_old or python
    found = f"found {too_old.number} at {too_old.path}" if too_old else "found none"
    if named and not too_old:
        found = f"PYTHON={named} cannot be run"
    line = next((line for tool, line in PYTHON_LINES.items() if shutil.which(tool)), None)
    install = f", or install one: {line}" if line else ""
    raise Failed(
        f"needs Python 3.11 or later; {found}",
        f"set PYTHON=/path/to/python3.11{install}",
    )


def ask_version(name: str) -> Python | None:
    """Return the interpreter of that name or path, or None if it is not there or does not run."""
    path = shutil.which(name)
    if path is None:
        return None
    script = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    try:
        answer = subprocess.run(
            [path, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
        version = tuple(int(part) for part in answer.stdout.decode().strip().split("."))
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None  # a shim without its Python, or no Python at all
    return Python(path, version)


def build(python: Python) -> None:
    """Make .venv from nothing. What is left of a failure is removed again."""
    line = "setup: making .venv with Python {}; this takes about a minute"
    print(line.format(python.number), file=sys.stderr, flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        ensure_venv_module(python)
        with LOG.open("w", encoding="utf-8") as log:
            make_venv(python, log)
            install_packages(log)
            install_project(log)
    except BaseException:
        shutil.rmtree(VENV, ignore_errors=True)
        raise
    LOG.unlink()


def ensure_venv_module(python: Python) -> None:
    """Make sure that the interpreter can make a .venv; Debian has that in a package of its own."""
    probe = [python.path, "-c", "import ensurepip, venv"]
    if runs(probe):
        return
    package = "python{}.{}-venv".format(*python.version[:2])
    install = ["apt-get", "install", "-y", package]
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("setup: " + " ".join(install), file=sys.stderr, flush=True)
        if runs(["apt-get", "update"]) and runs(install) and runs(probe):
            return
    raise Failed(
        f"Python {python.number} at {python.path} cannot make a .venv: {package} is missing",
        "sudo " + " ".join(install),
    )


def make_venv(python: Python, log: TextIO) -> None:
    """Make an empty .venv with pip in it."""
    if not runs([python.path, "-m", "venv", str(VENV)], log):
        raise Failed(f"{python.path} -m venv failed: {last_line()}", see_log())


def install_packages(log: TextIO) -> None:
    """Install the locked packages; pip leaves alone what stands there in the locked version."""
    retries = [] if "PIP_RETRIES" in os.environ else ["--retries", "1"]
    locked = ["--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)]
    pip(log, "install", "--no-compile", *retries, *locked)
    compile_all(log)


def remove_packages(log: TextIO) -> None:
    """Remove the packages that the lock file does not name any more."""
    named = re.findall("^([A-Za-z0-9._-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    kept = {"pip", "supplier-api", *map(plain, named)}
    left = sorted(name for name in map(plain, installed_packages()) if name not in kept)
    if left:
        pip(log, "uninstall", "--yes", *left)


def install_project(log: TextIO) -> None:
    """Install the project itself, from this folder and without asking the index again."""
    alone = ["--no-deps", "--no-index", "--no-build-isolation", "--editable", str(ROOT)]
    pip(log, "install", "--no-compile", *alone)


def pip(log: TextIO, command: str, *words: str) -> None:
    """Run the pip of .venv. Raises Failed, with what it said in two lines."""
    python = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    if not runs([*python, "--no-input", command, *words], log):
        raise explain(LOG.read_text(encoding="utf-8", errors="replace"))


def compile_all(log: TextIO) -> None:
    """Compile what is imported, on all cores: else each process does, where none may write it.

    What cannot be compiled is for another Python, or fails where it is used.
    """
    places = [str(VENV / "lib"), str(ROOT / "supplier_api")]
    runs([str(VENV / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", *places], log)


def runs(words: list[str], log: TextIO | int = subprocess.DEVNULL) -> bool:
    """Run a command in the project's folder, what it says going to the log; tell if it worked."""
    done = subprocess.run(words, stdout=log, stderr=subprocess.STDOUT, cwd=str(ROOT), check=False)
    return done.returncode == 0


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


def index_named(output: str) -> str | None:
    """Return the first index that pip says it looks in, if it is not the usual one."""
    named = re.search("Looking in indexes: ([^, \\n]+)", output)
    return named.group(1) if named else None


def without_password(url: str) -> str:
    """Return the URL without user and password."""
    return re.sub("//[^/@]*@", "//", url)


def installed_packages() -> list[str]:
    """Return the names of the packages that stand in .venv."""
    found = VENV.glob("lib/python*/site-packages/*.dist-info")
    return [folder.name.split("-")[0] for folder in found]


def plain(name: str) -> str:
    """Return a package's name in the one form that PyPA gives it, to compare it."""
    return re.sub("[-_.]+", "-", name).lower()


def last_line() -> str:
    """Return the last thing that was said in the log."""
    lines = LOG.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def see_log() -> str:
    """Return the command that shows all of it."""
    return f'cat "{LOG}"'


if __name__ == "__main__":
    sys.exit(main())
