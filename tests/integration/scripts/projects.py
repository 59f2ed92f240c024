"""A project folder for scripts/setup.py, with a stand-in that plays a Python and its pip."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

INTERPRETER = """#!/bin/sh
# Plays a Python; inside a .venv it is called by its path there and plays pip. A pip that is told to
# fail does so from then on, in the .venv too.
echo "$0 $*" >> "{calls}"
case "$*" in
  *version_info*) echo {version} ;;
  *ensurepip*) exit {ensurepip} ;;
  *"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *--require-hashes*) cat "{output}"; exit {pip} ;;
  *--requirement*) cat "{plugins}"; exit {plugins_exit} ;;
  *--editable*) {project}; touch "$(dirname "$0")/supplier-api" ;;
esac
"""

AS_USER = """
import os, pathlib, runpy
os.geteuid = lambda: {uid}
really = pathlib.Path.open
def opened(path, *mode, **more):
    if path.name == {refused!r}:
        raise OSError({errno}, os.strerror({errno}), str(path))
    return really(path, *mode, **more)
pathlib.Path.open = opened
runpy.run_path("scripts/setup.py", run_name="__main__")
"""

# What pip 23 to 25 say when there is no index, cut to the lines that matter.
UNREACHABLE = """\
Looking in indexes: https://user:word@index.example/simple
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('Failed to
establish a new connection: [Errno 111] Connection refused')': /simple/alembic/
ERROR: Could not find a version that satisfies the requirement alembic==1.20.1 (from versions: none)
ERROR: No matching distribution found for alembic==1.20.1
"""


@dataclass
class Project:
    """A copy of the files that setup works from, and a search path with one interpreter."""

    root: Path
    path: Path
    calls: Path
    uid: int = 1000
    # The name of a file that the system does not open, and the number of the error.
    refused: str = ""
    errno: int = 0

    def python(
        self,
        name: str = "python3.11",
        version: str = "3.11.9",
        *,
        ensurepip: int = 0,
        pip: str | None = None,
        project: str = ":",
        plugins: str | None = None,
    ) -> Path:
        """Put an interpreter on the search path; `pip` is what its pip says when it fails.

        `project` is what its pip does before it installs the project, `plugins` what it says when
        it fails with those.
        """
        output, of_plugins = self.path / f"{name}.output", self.path / f"{name}.plugins"
        output.write_text(pip or "")
        of_plugins.write_text(plugins or "")
        text = INTERPRETER.format(
            calls=self.calls,
            version=version,
            ensurepip=ensurepip,
            output=output,
            pip=int(bool(pip)),
            plugins=of_plugins,
            plugins_exit=int(bool(plugins)),
            project=project,
        )
        file = self.path / name
        file.write_text(text)
        file.chmod(0o755)
        inside = self.root / ".venv/bin/python"
        if inside.exists():
            shutil.copy(file, inside)
        return file

    def setup(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the script with the interpreter of the tests, as if it were the user `uid`."""
        return subprocess.run(
            [sys.executable, "-c", AS_USER.format(**vars(self)), *words],
            cwd=self.root,
            env={"PATH": f"{self.path}", **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def system_refuses(self, name: str, errno: int) -> None:
        """Let the system refuse to open files of that name, with this error."""
        self.refused, self.errno = name, errno

    def installed(self) -> int:
        """Return how often packages were installed."""
        return self._count("--require-hashes")

    def installed_itself(self) -> int:
        """Return how often the project was installed."""
        return self._count("--editable")

    def made(self) -> int:
        """Return how often .venv was made from nothing."""
        return self._count("-m venv")

    def pip_calls(self) -> list[str]:
        """Return what pip was told about plugins and packages that went, without its options."""
        told = self.calls.read_text().splitlines()
        words = [line.partition("--no-input ")[2] for line in told]
        return [
            f"{line.split()[0]} {line.split()[-1]}"
            for line in words
            if "--requirement" in line or line.startswith("uninstall")
        ]

    def name_plugins(self, text: str, folder: str = "config") -> Path:
        """Write plugins.txt; return it."""
        file = self.root / folder / "plugins.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    def change(self, name: str, line: str = "") -> None:
        """Add a line to one of the files."""
        with (self.root / name).open("a") as file:
            file.write(f"{line}\n")

    def put(self, *packages: str) -> None:
        """Let packages stand in .venv, under the folders' names: a_name-1.0."""
        for package in packages:
            place = self.root / ".venv/lib/python3.11/site-packages"
            (place / f"{package}.dist-info").mkdir(parents=True)

    def _count(self, words: str) -> int:
        return self.calls.read_text().count(words)
