"""What `supplier-api run` says of the place where it is."""

from pathlib import Path

import pytest

from supplier_api.cli.local import data_location
from supplier_api.settings import Settings, load_settings


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Makefile").write_text("run:\n\trun\n\nclean-data:\n\trm -rf var\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(**names: str) -> Settings:
    return load_settings(
        {
            "SUPPLIER_API_PROFILE": "sandbox",
            **{f"SUPPLIER_API_{name}": value for name, value in names.items()},
        }
    )


def test_what_removes_the_data_is_named_where_it_does(here: Path) -> None:
    assert data_location(settings()) == "var/ (`make clean-data` removes it)"
    (here / "Makefile").unlink()
    assert data_location(settings()) == "var/"


@pytest.mark.parametrize(
    ("names", "where"),
    [
        ({"DATA_DIR": "/srv/data"}, "/srv/data/"),
        (
            {"_DATABASE__URL": "postgresql://me:hidden@db/supplier"},
            "var/ and in the database postgresql+psycopg://me:********@db/supplier",
        ),
        (
            {"_DATABASE__URL": "sqlite:////srv/supplier.db"},
            "var/ and in /srv/supplier.db",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_it_is_not_named_where_it_would_leave_some(names: dict[str, str], where: str) -> None:
    assert data_location(settings(**names)) == where
