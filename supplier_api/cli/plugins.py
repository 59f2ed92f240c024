"""`supplier-api plugins`: what is installed under our entry points, and what the settings load."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint, entry_points

import click

from supplier_api.backoffice.port import GROUP as BACK_OFFICE
from supplier_api.backoffice.port import declared_kinds
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import with_json
from supplier_api.cli.output import columns, counted, print_either
from supplier_api.rules.inventory import CSV
from supplier_api.rules.inventory import ENTRY_POINTS as INVENTORY
from supplier_api.rules.model import BookError
from supplier_api.rules.plugins import ENTRY_POINTS as RULES
from supplier_api.rules.plugins import Plugins, load_rule
from supplier_api.settings import named_adapters

# The groups of which the settings name one, with their section and what needs no entry point.
CHOSEN = {BACK_OFFICE: ("backoffice", "simulated"), INVENTORY: ("inventory", CSV)}


@dataclass(frozen=True)
class FoundPlugin:
    """One name of a group: the package that publishes it, whether it is loaded, and why or why not.

    `wrong` says that it should be loaded, and cannot be.
    """

    group: str
    name: str
    package: str
    version: str
    loaded: bool
    why: str
    wrong: bool = False

    def cells(self) -> tuple[str, ...]:
        """Return the cells of its row."""
        state = "loaded" if self.loaded else "not loaded"
        kind = self.group.rpartition(".")[2]
        return (kind, self.name, f"{self.package} {self.version}".strip() or "-", state, self.why)


@click.command(epilog=example("supplier-api plugins"))
@with_json
def plugins(as_json: bool) -> None:
    """Tell which adapters and rules are installed, by which package, and whether they are loaded.

    Of adapters of the back office and of the inventory the one is loaded that the settings name;
    of rules written in Python, all. One that should be loaded and cannot be exits with 1. Nothing
    is asked of the database, nor are the other settings.
    """
    found = list(find_plugins(named_adapters()))
    document = [
        {name: value for name, value in asdict(each).items() if name != "wrong"} for each in found
    ]
    head = ("GROUP", "NAME", "PACKAGE", "STATE", "WHY")
    lines = columns([head, *(each.cells() for each in found)])
    print_either(document, lines, as_json=as_json)
    if wrong := [each for each in found if each.wrong]:
        findings = [f"{each.group} {each.name}: {each.why}" for each in wrong]
        raise CommandRefused(f"{counted(len(wrong), 'plugin')} cannot be loaded", findings)


def find_plugins(named: Mapping[str, str]) -> Iterator[FoundPlugin]:
    """Yield what is published under our groups; `named` are the adapters of the settings."""
    for group, (section, built_in) in CHOSEN.items():
        yield from _adapters(group, f"{section}.adapter", named.get(section, ""), built_in)
    for point in _published(RULES):
        yield _tried(point, "every rule is", _load_rule)


def _adapters(group: str, setting: str, wanted: str, built_in: str) -> Iterator[FoundPlugin]:
    seen = set[str]()
    for point in _published(group):
        if point.name != wanted:
            yield _row(point, loaded=False, why=f"{setting} is {wanted or 'not set'}")
        elif point.name in seen:
            yield _row(point, loaded=False, why="another package publishes this name too")
        else:
            load = _load_back_office if group == BACK_OFFICE else EntryPoint.load
            yield _tried(point, f"{setting} names it", load)
        seen.add(point.name)
    if wanted == built_in:
        yield FoundPlugin(group, wanted, "", "", loaded=True, why=f"{setting} names it; built in")
    elif wanted and wanted not in seen:
        names = ", ".join(sorted({*seen, built_in}))
        why = f"{setting} names it, nothing publishes it; expected one of: {names}"
        yield FoundPlugin(group, wanted, "", "", loaded=False, why=why, wrong=True)


def _published(group: str) -> list[EntryPoint]:
    """Return what is published, by name; of two of one name that one first which is loaded."""
    return sorted(entry_points(group=group), key=lambda point: point.name)


def _tried(point: EntryPoint, why: str, load: Callable[[EntryPoint], object]) -> FoundPlugin:
    """Load it, and tell what came of it."""
    try:
        load(point)
    except BookError as error:
        return _row(point, loaded=False, why=_in_a_line(map(str, error.findings)), wrong=True)
    except Exception as error:  # noqa: BLE001 - a supplier's module may raise anything
        why = f"raised {type(error).__name__}: {error}"
        return _row(point, loaded=False, why=_in_a_line([why]), wrong=True)
    return _row(point, loaded=True, why=why)


def _load_back_office(point: EntryPoint) -> None:
    declared_kinds(point.name, point.load())


def _load_rule(point: EntryPoint) -> None:
    Plugins([load_rule(point)])


def _in_a_line(texts: Iterable[str]) -> str:
    return " ".join("; ".join(texts).split())


def _row(point: EntryPoint, *, loaded: bool, why: str, wrong: bool = False) -> FoundPlugin:
    package, version = (point.dist.name, point.dist.version) if point.dist else ("", "")
    return FoundPlugin(point.group, point.name, package, version, loaded, why, wrong)
