"""A package for an adapter of one's own: written, installed, and green at once."""

import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from click.testing import CliRunner

from supplier_api.cli.new_adapter import KINDS, new_adapter
from tests.commands import run_command

ROOT = Path(__file__).parents[3]
# The most that is promised for the sample desk.
OWN_LINES = 40


def write(folder: Path, like: str, name: str = "my-desk") -> Path:
    """Write a package and return its folder."""
    said = CliRunner().invoke(new_adapter, [name, "--into", str(folder), "--like", like])
    assert said.exit_code == 0, said.output
    return folder / name


def run(*command: str, at: Path) -> str:
    """Run a module there, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=at,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("like", KINDS)
def test_it_is_green_at_once(tmp_path: Path, like: str) -> None:
    package = write(tmp_path, like)

    said = run("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", at=package)

    assert "passed" in said
    assert "failed" not in said


@pytest.mark.parametrize("like", KINDS)
def test_it_installs_and_is_published(tmp_path: Path, like: str) -> None:
    package, installed = write(tmp_path, like), tmp_path / "installed"

    run(
        *("pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"),
        *("--target", str(installed), str(package)),
        at=tmp_path,
    )

    found = [each for each in distributions(path=[str(installed)]) if each.name == "my-desk"]
    assert [list(each.entry_points.names) for each in found] == (
        [[]] if like == "http" else [["my-desk"]]
    )


@pytest.mark.parametrize("like", KINDS)
def test_its_mapping_is_good(tmp_path: Path, like: str) -> None:
    package = write(tmp_path, like)
    [mapping] = package.rglob("mapping.yaml")

    said = run_command(("backoffice", "check", str(mapping)), {})

    assert "good, 1 sample, 1 warning" in said.stdout


@pytest.mark.parametrize("like", KINDS)
def test_its_image_has_all_of_it_for_the_images_user(tmp_path: Path, like: str) -> None:
    package = write(tmp_path, like)
    lines = (package / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY ")]
    (user,) = re.findall(r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    needed = {"mapping.yaml", "samples"} if like == "http" else {"pyproject.toml", "my_desk"}
    assert set(copied) == needed
    assert all((package / name).exists() for name in copied)
    assert [line for line in lines if line.startswith("USER ")][-1] == f"USER {user}"
    # What `new-adapter` writes is its owner's alone; pip gives it to all.
    assert [line for line in lines if line.startswith("RUN ")] == [
        "RUN chmod -R a+rX /adapters"
        if like == "http"
        else "RUN pip install --no-cache-dir /adapters/my-desk"
    ]


def test_the_sample_desk_needs_few_lines_of_ones_own(tmp_path: Path) -> None:
    source = (write(tmp_path, "rest") / "my_desk" / "adapter.py").read_text()
    client = source.partition("class MyDeskClient")[2].partition("\nclass MyDesk(")[0]

    own = [line for line in client.splitlines()[1:] if line.strip() and '"""' not in line]

    assert len(own) < OWN_LINES


def test_what_exists_is_left_alone(tmp_path: Path) -> None:
    package = write(tmp_path, "rest")
    (package / "README.md").write_text("mine")

    said = CliRunner().invoke(new_adapter, ["my-desk", "--into", str(tmp_path)])

    assert said.exit_code == 1
    assert "exists already: nothing was written" in said.output
    assert (package / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("My Desk", "lower case"),
        ("2nd-desk", "a letter first"),
        ("x" * 65, "at most 64"),
        ("manual", "installed"),
        ("class", "a word or a module of Python"),
        ("json", "a word or a module of Python"),
    ],
)
def test_names_that_cannot_be_used(tmp_path: Path, name: str, why: str) -> None:
    said = CliRunner().invoke(new_adapter, [name, "--into", str(tmp_path)])

    assert said.exit_code in (1, 2)
    assert why in said.output
    assert not list(tmp_path.iterdir())
