"""What is installed under our entry points, and what of it the settings load."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from supplier_api.backoffice.port import GROUP as BACK_OFFICE
from supplier_api.backoffice.port import declared_kinds
from supplier_api.rules.inventory import CSV
from supplier_api.rules.inventory import ENTRY_POINTS as INVENTORY
from supplier_api.rules.model import BookError
from supplier_api.rules.plugins import ENTRY_POINTS as RULES
from supplier_api.rules.plugins import Plugins, load_rule

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

    @property
    def published_by(self) -> str:
        """The package with its version; empty for what is built in or published by none."""
        return f"{self.package} {self.version}".strip()


def find_plugins(named: Mapping[str, str]) -> Iterator[FoundPlugin]:
    """Yield what is published under our groups; `named` are the adapters of the settings."""
    for group, (section, _) in CHOSEN.items():
        yield from find_adapters(group, named.get(section, ""))
    for point in _published(RULES):
        yield _tried(point, "every rule is", _load_rule)


def find_adapters(group: str, wanted: str) -> Iterator[FoundPlugin]:
    """Yield the adapters that are published under a group; the settings name the one `wanted`."""
    section, built_in = CHOSEN[group]
    setting, seen = f"{section}.adapter", set[str]()
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
