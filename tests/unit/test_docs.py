"""What the pages say of the code is there: files, tests, packages, tables, links."""

import re
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from supplier_api.db.tables import metadata
from supplier_api.problems.lifecycle import BACK_OFFICE_EVENTS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *DOCS.glob("decisions/*.md")])
# A path of the repository, as `supplier_api/rules/facts.py` or `tests/documents/`.
PATH = re.compile(
    r"`((?:supplier_api|tests|scripts|config|deploy|docs)/[\w./-]*|[A-Z]+\.md|setup\.cfg)`"
)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
NAMED = re.compile(r"`([^`]+)`")
# What a page of promises leaves out of its paths.
SHORT = ("problems/", "db/", "delivery/")
# The head of each recipe, in the order of the page.
RECIPES = [
    "a field",
    "a rule fact",
    "an adapter",
    "a KCI reason",
    "an error cause",
    "a route to /admin",
    "a page to the console",
    "a metric",
]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_recipe_is_there() -> None:
    assert re.findall(r"^## Add (.+)$", page("contributing.md"), re.MULTILINE) == RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_files_of_a_recipe_exist(recipe: str) -> None:
    section = page("contributing.md").partition(f"## Add {recipe}\n")[2].partition("\n## ")[0]
    named = PATH.findall(section)
    assert len(named) > 3
    assert [path for path in named if not (ROOT / path).exists()] == []


def promised_tests() -> Iterator[tuple[Path, str | None]]:
    """Yield each file that a promise names, and each test in it."""
    for line in page("promises.md").splitlines():
        if not line.startswith("| "):
            continue
        file = Path()
        for name in NAMED.findall(line.rstrip("| ").rpartition(" | ")[2]):
            if name.startswith("test_") and not name.endswith(".py"):
                yield file, name
            else:
                path = f"integration/{name}" if name.startswith(SHORT) else name
                file = ROOT / "tests" / path if "/" in path else file.with_name(path)
                yield file, None


def test_every_promise_names_a_test_that_exists() -> None:
    found = list(promised_tests())
    assert len(found) > 100
    assert [str(file) for file, name in found if name is None and not file.is_file()] == []
    assert [
        f"{file}::{name}" for file, name in found if name and f"def {name}(" not in file.read_text()
    ] == []


def test_the_packages_are_listed_as_they_are_layered() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    layers = re.findall(r"\w+", setup["importlinter:contract:layers"]["layers"])
    section = page("architecture.md").partition("## The packages\n")[2].partition("\n## ")[0]
    listed = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| `[^|]+", section, re.MULTILINE)))
    assert [name.removesuffix("/").removesuffix(".py") for name in listed] == layers


def test_every_table_is_told() -> None:
    section = page("architecture.md").partition("## What is stored\n")[2].partition("\n## ")[0]
    listed = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| `[^|]+", section, re.MULTILINE)))
    assert sorted(listed) == sorted(metadata.tables)


def test_every_event_of_the_back_office_is_told() -> None:
    table = page("adapting.md").partition("| event | from |")[2].partition("\n\n")[0]
    names = [name for line in table.splitlines() for name in NAMED.findall(line.split(" | ")[0])]
    assert set(names) - {"commit"} == BACK_OFFICE_EVENTS


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(file: Path) -> None:
    links = LINK.findall(file.read_text(encoding="utf-8"))
    assert [link for link in links if not (file.parent / link).exists()] == []


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", page("adapting.md"), re.DOTALL))
def test_the_code_for_adapters_can_be_loaded(code: str) -> None:
    """Define what stands there; that it takes the place of ours is the business of its port."""
    found: dict[str, object] = {}
    exec(compile(code, "adapting.md", "exec"), found)
    assert [name for name in found if name in {"Network", "Tickets"}]
