#!/usr/bin/env python3
"""Puts everything that supplier_api needs into .venv; does only what is not current there.

    python3 scripts/setup.py [--quiet]

Needs only the standard library, and runs on Python 3.8, so that it can say what is missing. The
interpreter of .venv is $PYTHON if that is set, else the first of python3.14 ... python3.11 and
python3 that is new enough. The packages are those of requirements-dev.lock, checked by their
hashes. Another interpreter makes .venv anew, another lock file installs and removes what changed,
other metadata installs the project alone. Behind them come the packages of a supplier: what
plugins.txt in $SUPPLIER_API_CONFIG_DIR or config/ names. When it fails it says in two lines what
is wrong and what mends it, and what is half made is not taken for current afterwards.
"""

from __future__ import annotations

import hashlib
import json
import os
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
sys.path.insert(0, str(ROOT))

from scripts.setup_failures import (  # noqa: E402
    LOG,
    Failed,
    explain,
    explain_plugins,
    explain_system,
    last_line,
    see_log,
)

VENV = ROOT / ".venv"
STAMP = VENV / "setup.json"
LOCK = ROOT / "requirements-dev.lock"
METADATA = (ROOT / "setup.cfg", ROOT / "pyproject.toml")
# What .venv is made of, each part standing on those before it.
BASE, PACKAGES, PROJECT, PLUGINS = "interpreter", "packages", "project", "plugins"
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
    except (Failed, OSError) as error:
        failure = explain_system(error, ROOT) if isinstance(error, OSError) else error
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
    current = takewhile(lambda part: noted.get(part, "") == parts[part], parts)
    stale = list(parts)[len(list(current)) :]
    return [part for part in stale if part != PLUGINS or parts[part] or noted.get(part, "")]


def make_current(python: Python, stale: list[str], report: dict[str, object]) -> None:
    """Make these parts, the plugins last: whatever becomes of them, the others stay current."""
    parts = fingerprints(python)
    if BASE in stale:
        build(python)
    else:
        print("setup: updating .venv: " + ", ".join(stale), file=sys.stderr, flush=True)
        update(stale, dict(report, parts=dict(parts, **{PROJECT: None})))
    if PLUGINS in stale:
        write_stamp(dict(report, parts=dict(parts, **{PLUGINS: "unfinished"})))
        with LOG.open("w", encoding="utf-8") as log:
            install_plugins(log)
        LOG.unlink()


def update(stale: list[str], before_project: dict[str, object]) -> None:
    """Change packages and project. Meanwhile there is no stamp: half of that is no .venv.

    A project that cannot be installed leaves the packages as they are: they stay current.
    """
    with LOG.open("w", encoding="utf-8") as log:
        if PACKAGES in stale:
            STAMP.unlink()
            install_packages(log)
            if PLUGINS not in stale:
                remove_packages(log)
        elif PROJECT in stale:
            write_stamp(before_project)
        if PROJECT in stale:
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
    parts = {part: hashlib.sha256(content).hexdigest() for part, content in made_from.items()}
    own = plugins_file()
    parts[PLUGINS] = hashlib.sha256(bytes(own) + own.read_bytes()).hexdigest() if own else ""
    return parts


def plugins_file() -> Path | None:
    """Return the file that names the supplier's own packages, if there is one. Raises Failed."""
    folder = Path(os.environ.get("SUPPLIER_API_CONFIG_DIR") or ROOT / "config").absolute()
    if not folder.is_dir():
        raise Failed(
            f"SUPPLIER_API_CONFIG_DIR: there is no folder {folder}",
            "name your configuration folder, or unset it",
        )
    file = folder / "plugins.txt"
    return file if file.is_file() else None


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


def install_plugins(log: TextIO) -> None:
    """Install what plugins.txt names, without a change of what is locked.

    What an earlier one named is removed, but not before pip has said that it can have all of this.
    Names of files in it count from its own folder.
    """
    file = plugins_file()
    if file is None:
        print("setup: there is no plugins.txt: removing the plugins", file=sys.stderr, flush=True)
        remove_packages(log)
        return
    limits = VENV / "constraints.txt"
    itself = re.findall("(?m)^version = (.+)$", METADATA[0].read_text(encoding="utf-8"))
    lines = [*locked(), *(f"supplier_api=={version}" for version in itself)]
    limits.write_text("\n".join(lines), encoding="utf-8")
    words = ["install", "--constraint", str(limits), "--requirement", str(file)]
    try:
        pip(log, *words, "--dry-run", folder=file.parent)
        remove_packages(log)
        pip(log, *words, folder=file.parent)
    except Failed:
        raise explain_plugins(LOG.read_text(encoding="utf-8", errors="replace")) from None


def locked() -> list[str]:
    """Return what the lock file names, as in PyYAML==6.0.3."""
    return re.findall("^[A-Za-z0-9._-]+==[^ ;]+", LOCK.read_text(encoding="utf-8"), re.MULTILINE)


def remove_packages(log: TextIO) -> None:
    """Remove the packages that the lock file does not name."""
    kept = {"pip", "supplier-api", *(plain(line.partition("==")[0]) for line in locked())}
    left = sorted(name for name in map(plain, installed_packages()) if name not in kept)
    if left:
        pip(log, "uninstall", "--yes", *left)


def install_project(log: TextIO) -> None:
    """Install the project itself, from this folder and without asking the index again."""
    alone = ["--no-deps", "--no-index", "--no-build-isolation", "--editable", str(ROOT)]
    pip(log, "install", "--no-compile", *alone)


def pip(log: TextIO, command: str, *words: str, folder: Path = ROOT) -> None:
    """Run the pip of .venv in a folder. Raises Failed, with what it said in two lines."""
    python = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    if not runs([*python, "--no-input", command, *words], log, folder):
        raise explain(LOG.read_text(encoding="utf-8", errors="replace"))


def compile_all(log: TextIO) -> None:
    """Compile what is imported, on all cores: else each process does, where none may write it.

    What cannot be compiled is for another Python, or fails where it is used.
    """
    places = [str(VENV / "lib"), str(ROOT / "supplier_api")]
    runs([str(VENV / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", *places], log)


def runs(words: list[str], log: TextIO | int = subprocess.DEVNULL, folder: Path = ROOT) -> bool:
    """Run a command in a folder, what it says going to the log; tell if it worked."""
    done = subprocess.run(words, stdout=log, stderr=subprocess.STDOUT, cwd=str(folder), check=False)
    return done.returncode == 0


def installed_packages() -> list[str]:
    """Return the names of the packages that stand in .venv."""
    found = VENV.glob("lib/python*/site-packages/*.dist-info")
    return [folder.name.split("-")[0] for folder in found]


def plain(name: str) -> str:
    """Return a package's name in the one form that PyPA gives it, to compare it."""
    return re.sub("[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
