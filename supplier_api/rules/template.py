"""Templates of refusal messages, with facts: `service {service.id} is {service.state}`.

Messages go to the gateway and the tenant, so no personal field may be named.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.rules.fact_kinds import FactKind, Shape
from supplier_api.rules.fact_paths import Path, at, is_personal, leaves, resolve, spelled
from supplier_api.rules.findings import meant

_ABSENT = "none"


class TemplateError(Exception):
    """A template cannot be used; `hint` may help, or is empty."""

    def __init__(self, text: str, hint: str = "") -> None:
        """Keep the error and the hint."""
        self.hint = hint
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Template:
    """A checked message: literal texts, each followed by the value of a path."""

    parts: tuple[tuple[str, Path | None], ...]

    @property
    def reads(self) -> tuple[Path, ...]:
        """The paths that the message names."""
        return tuple(path for _, path in self.parts if path)

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the message, cut to the limit of the contract (1000 code points)."""
        pieces = (text + (_written(at(values, path)) if path else "") for text, path in self.parts)
        return "".join(pieces)[:MESSAGE_MAX]


def parse(text: str, groups: Shape) -> Template:
    """Return the checked template; `{{` and `}}` stand for braces. Raises TemplateError."""
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise TemplateError(f"message: {error}", "a brace itself is written {{ or }}") from None
    parts = []
    for literal, name, form, conversion in pieces:
        if form or conversion:
            raise TemplateError(f"message: {{{name}}} allows no format and no conversion")
        parts.append((literal, None if name is None else _checked(name, groups)))
    if not any(literal.strip() or path for literal, path in parts):
        raise TemplateError("message: empty")
    if sum(len(literal) for literal, _ in parts) > MESSAGE_MAX:
        raise TemplateError(f"message: longer than {MESSAGE_MAX} characters")
    return Template(tuple(parts))


def _checked(name: str, groups: Shape) -> Path:
    names = name.split(".")
    known = resolve(groups, names)
    if known is None or len(known[0]) < len(names):
        choices = [spelled(path) for path in leaves(groups) if not is_personal(path)]
        raise TemplateError(f"message: unknown fact {{{name}}}", meant(name, choices))
    path, fact = known
    if is_personal(path):
        raise TemplateError(
            f"message: {{{name}}} is personal or free text, and messages go to third parties"
        )
    if not isinstance(fact, FactKind):
        raise TemplateError(f"message: {{{name}}} is no single value")
    return path


def _written(value: Any) -> str:
    if value is None or value == []:
        return _ABSENT
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(value)
    return to_wire(value) if isinstance(value, datetime) else str(value)
