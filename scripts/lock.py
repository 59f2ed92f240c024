"""Makes the lock files from setup.cfg: every package with its version and its hashes.

    python3 scripts/lock.py [--upgrade]

requirements.lock holds what the software needs, requirements-dev.lock what its development needs
besides, requirements-build.lock what builds it (named in pyproject.toml). All hold for Python 3.11
to 3.14 on Linux and macOS. Without --upgrade the versions that are there stay as long as setup.cfg
allows them. Needs the package index, and about ten seconds.
"""

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = "uv==0.13.9"  # resolves for all platforms at once, which pip's own lock does not
HEADER = "# Made by scripts/lock.py from setup.cfg: do not edit.\n"


def main() -> None:
    """Write the lock files."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", UV], check=True)
        lock(python, "requirements.lock", ["setup.cfg"])
        lock(python, "requirements-dev.lock", ["setup.cfg", "--extra", "dev"])
        with (ROOT / "pyproject.toml").open("rb") as file:
            wanted = Path(folder) / "build.in"
            wanted.write_text("\n".join(tomllib.load(file)["build-system"]["requires"]))
        lock(python, "requirements-build.lock", [str(wanted)])


def lock(python: Path, name: str, sources: list[str]) -> None:
    """Resolve what `sources` ask for into the file of that name."""
    target = ROOT / name
    words = [str(python), "-m", "uv", "pip", "compile", *sources, *sys.argv[1:]]
    words += ["--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"]
    words += ["--no-header", "--no-annotate", "--output-file", name]
    subprocess.run(words, cwd=ROOT, check=True)
    target.write_text(HEADER + target.read_text(encoding="utf-8"), encoding="utf-8")


if __name__ == "__main__":
    main()
