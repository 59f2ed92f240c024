"""What the tests of scripts/ have in common."""

import shutil
from pathlib import Path

import pytest

from tests.integration.scripts.projects import Project

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root, path = tmp_path / "a project", tmp_path / "bin"
    (root / "scripts").mkdir(parents=True)
    (root / "config").mkdir()
    path.mkdir()
    scripts = ("scripts/__init__.py", "scripts/setup.py", "scripts/setup_failures.py")
    for name in ("setup.cfg", "pyproject.toml", "requirements-dev.lock", *scripts):
        shutil.copy(ROOT / name, root / name)
    for tool in ("sh", "cp", "mkdir", "cat", "touch", "dirname"):
        (path / tool).symlink_to(str(shutil.which(tool)))
    calls = tmp_path / "calls"
    calls.touch()
    return Project(root, path, calls)
