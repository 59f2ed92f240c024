"""A folder of configuration that lies over the packaged one."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the data files that the settings name, and nothing else."""
    (tmp_path / "rules.yaml").touch()
    (tmp_path / "services.csv").touch()
    return tmp_path
