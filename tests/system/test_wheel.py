"""The wheel holds everything that the package needs when there is no checkout around it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PARTS = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def test_every_file_of_the_package_travels(tmp_path: Path) -> None:
    source = tmp_path / "source"
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "supplier_api", source / "supplier_api", symlinks=True, ignore=leave)
    shutil.copytree(ROOT / "config", source / "config")
    for name in PARTS:
        shutil.copy(ROOT / name, source / name)
    here = {str(file.relative_to(source)) for file in (source / "supplier_api").rglob("*.*")}
    config = {
        f"supplier_api/_config/{file.relative_to(source / 'config')}"
        for file in (source / "config").rglob("*")
        if file.is_file()
    }

    words = ["wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", "pip", *words, "--wheel-dir", tmp_path, source], check=True
    )

    (wheel,) = tmp_path.glob("*.whl")
    packed = {
        name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("supplier_api/")
    }
    assert packed == here | config
