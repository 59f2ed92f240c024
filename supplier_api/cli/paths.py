"""Changes to a document as they are given on a command line: `a.b[0].c=text`, `a.b:=JSON`."""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from supplier_api.contract import MessageError, read_json

_STEP = re.compile(r"([A-Za-z]+)((?:\[[0-9]{1,4}\])*)")
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class PathChanges:
    """Values to be set and values to be left out, in this order."""

    values: Sequence[tuple[Path, Any]]
    removed: Sequence[Path]

    @classmethod
    def read(cls, values: Sequence[str], removed: Sequence[str]) -> "PathChanges":
        """Read what was given; raises click.BadParameter."""
        return cls([_assignment(each) for each in values], [_path(each) for each in removed])

    def __call__(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the changed document; raises click.BadParameter for a place that is not there."""
        changed = copy.deepcopy(document)
        for path, value in self.values:
            holder = _holder(changed, path)
            if isinstance(holder, list) and path[-1] == len(holder):
                holder.append(value)
            else:
                _check(holder, path)
                holder[path[-1]] = value
        for path in self.removed:
            holder = _holder(changed, path)
            _check(holder, path)
            if isinstance(holder, dict) and path[-1] not in holder:
                raise _nowhere(path)
            del holder[path[-1]]
        return changed


def _assignment(text: str) -> tuple[Path, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r}: expected PATH=TEXT", param_hint="--set")
    if not name.endswith(":"):
        return _path(name), value
    try:
        return _path(name[:-1]), read_json(value.encode())
    except MessageError as error:
        said = "; ".join(error.messages).replace("body", name[:-1])
        raise click.BadParameter(said, param_hint="--set") from None


def _path(text: str) -> Path:
    steps: list[str | int] = []
    for part in text.split("."):
        found = _STEP.fullmatch(part)
        if not found:
            expected = f"{text!r}: expected names with dots, as in supplierNotes[0].note"
            raise click.BadParameter(expected)
        steps.append(found[1])
        steps.extend(int(index) for index in re.findall(r"[0-9]+", found[2]))
    return tuple(steps)


def _holder(document: Any, path: Path) -> Any:
    """Return what the last step of `path` leads into."""
    holder = document
    for step in path[:-1]:
        try:
            holder = holder[step]
        except (KeyError, IndexError, TypeError):
            raise _nowhere(path) from None
    return holder


def _check(holder: Any, path: Path) -> None:
    step = path[-1]
    if isinstance(holder, dict) and isinstance(step, str):
        return
    if isinstance(holder, list) and isinstance(step, int) and step < len(holder):
        return
    raise _nowhere(path)


def _nowhere(path: Path) -> click.BadParameter:
    told = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return click.BadParameter(f"{told.lstrip('.')}: there is no such place in the body")
