"""`supplier-api new-adapter`: write a package for an adapter of one's own. No database."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template

import click

from supplier_api.backoffice.port import published_adapters
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.settings.model import ADAPTER_MAX

KINDS = ("http", "rest", "sql")
ENDING = ".tmpl"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@click.command(
    "new-adapter", epilog=example("supplier-api new-adapter my-desk --into adapters --like rest")
)
@click.argument("name")
@click.option(
    "--into",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that the package's own folder is made in.",
)
@click.option(
    "--like",
    type=click.Choice(KINDS),
    default="rest",
    show_default=True,
    help="http: a mapping only; rest: a client of an API; sql: tables.",
)
def new_adapter(name: str, folder: Path, like: str) -> None:
    """Write a small package for an adapter NAME: mapping, sample, contract test, Dockerfile.

    It can be installed and tested at once, and works with the sample desk until it is yours.
    """
    if not NAME.fullmatch(name) or len(name) > ADAPTER_MAX:
        raise click.UsageError(
            f"NAME: expected at most {ADAPTER_MAX} lower case letters, digits and single hyphens,"
            f" a letter first, as in my-desk; not {name}"
        )
    if name in published_adapters():
        raise CommandRefused(f"an adapter {name} is installed already: choose another name")
    package = _words(name)["package"]
    if iskeyword(package) or find_spec(package):
        raise CommandRefused(f"{package} is a word or a module of Python: choose another name")
    target = folder / name
    if target.exists():
        raise CommandRefused(f"{target} exists already: nothing was written")
    written = _write(files("supplier_api.backoffice") / "templates" / like, target, _words(name))
    written += _like_the_sample_desk(like, target, _words(name))
    click.echo(f"{target}: {written} files. Next:")
    click.echo(f"  cd {target} && pip install --no-build-isolation --editable . && pytest")


def _words(name: str) -> dict[str, str]:
    parts = name.split("-")
    class_name = "".join(part.capitalize() for part in parts)
    return {"name": name, "package": "_".join(parts), "class_name": class_name}


def _write(source: Traversable, target: Path, words: dict[str, str]) -> int:
    """Write a folder of templates; return how many files that made."""
    # The image of ours leaves out every folder that is called tests.
    folders = {"package": words["package"], "contract_tests": "tests"}
    target.mkdir(parents=True)
    written = 0
    for each in source.iterdir():
        if each.is_dir():
            written += _write(each, target / folders.get(each.name, each.name), words)
        elif each.name.endswith(ENDING):
            text = Template(each.read_text("utf-8")).substitute(words)
            (target / each.name.removesuffix(ENDING)).write_text(text, "utf-8")
            written += 1
    return written


def _like_the_sample_desk(like: str, target: Path, words: dict[str, str]) -> int:
    """Write what is the sample desk's own under the names of the new adapter; return how much."""
    desk = files("supplier_api.sandbox.sample_desk")
    names = ["mapping.yaml", "samples/done.json"] if like != "sql" else []
    if like == "rest":
        names.append("adapter.py")
        target /= words["package"]
    for name in names:
        text = (desk / name).read_text("utf-8")
        for ours in ("SampleDeskAdapter", "SampleDesk"):
            text = text.replace(ours, words["class_name"])
        file = target / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("sample-desk", words["name"]), "utf-8")
    return len(names)
