"""The options of an adapter: declared by it, read and checked like every other setting.

An adapter that is published under an entry point may have a class attribute `options`: a subclass
of AdapterOptions. Its fields are the keys of `[backoffice.options]` or `[inventory.options]`.
"""

import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path as FilePath
from typing import Any

from pydantic import create_model

from supplier_api.settings.model import AdapterOptions, Settings
from supplier_api.settings.schema import OPTIONS, TREE, Tree, tree_of, variable

# The sections that an adapter has options in, with its entry point group.
GROUPS = {"backoffice": "supplier_api.backoffice", "inventory": "supplier_api.inventory"}
Declared = Mapping[str, type[AdapterOptions]]


def declared_options(environ: Mapping[str, str], files: Iterable[FilePath]) -> Declared:
    """Return the options that the adapters of the settings declare, by section.

    `files` are the configuration files, the weakest first. A file that cannot be read, and an
    adapter that is not published or cannot be loaded, are reported elsewhere.
    """
    names = adapter_names(environ, files)
    found = {section: _options_of(GROUPS[section], name) for section, name in names.items()}
    return {section: options for section, options in found.items() if options}


def adapter_names(environ: Mapping[str, str], files: Iterable[FilePath]) -> Mapping[str, str]:
    """Return the adapters that are named, by section; arguments as for `declared_options`."""
    tables = [_table(file) for file in files]
    found = {
        section: environ.get(variable((section, "adapter"))) or _named(section, tables)
        for section in GROUPS
    }
    return {section: name for section, name in found.items() if name}


def with_options(declared: Declared) -> Tree:
    """Return the tree of all settings, with the options that are declared."""
    tree = dict(TREE)
    for section in GROUPS:
        node = tree[section]
        assert isinstance(node, Mapping)
        options = tree_of(declared[section]) if section in declared else {}
        tree[section] = {**node, OPTIONS: options}
    return tree


def model_with(declared: Declared) -> type[Settings]:
    """Return the model of all settings, with the options that are declared."""
    changed: dict[str, Any] = {}
    for section, options in declared.items():
        base: Any = Settings.model_fields[section].annotation
        changed[section] = (create_model(base.__name__, __base__=base, options=(options, ...)), ...)
    return create_model("Settings", __base__=Settings, **changed) if changed else Settings


def _table(file: FilePath) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _named(section: str, tables: Iterable[Mapping[str, Any]]) -> str | None:
    name = None
    for table in tables:
        of = table.get(section)
        name = of.get("adapter", name) if isinstance(of, dict) else name
    return name if isinstance(name, str) else None


def _options_of(group: str, name: str) -> type[AdapterOptions] | None:
    published = entry_points(group=group)
    if name not in published.names:
        return None
    try:
        options = getattr(published[name].load(), OPTIONS, None)
    except Exception:  # noqa: BLE001 - whoever makes the adapter reports it
        return None
    is_class = isinstance(options, type) and issubclass(options, AdapterOptions)
    return options if is_class else None
