"""Which settings there are, read off the model: a tree of sections with leaves."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from supplier_api.settings.model import AdapterOptions, Settings
from supplier_api.settings.section import ConfigFile, HoldsPassword

# The name that stands for any name, where a section is a table of clients or parties.
ANY = "*"
# Not settings of a file: they say where the files are.
PLACES = frozenset({"profile", "config_dirs", "data_dir"})

# The key of the sections in which an adapter has options of its own.
OPTIONS = "options"

Path = tuple[str, ...]


@dataclass(frozen=True)
class Leaf:
    """One setting: how its text is read and whether it may be shown."""

    is_list: bool = False
    is_optional: bool = False
    is_file: bool = False
    is_secret: bool = False
    holds_password: bool = False

    @property
    def may_stand_in_a_file(self) -> bool:
        """Tell whether NAME_FILE may name a file that holds the value."""
        return self.is_secret or self.holds_password


Tree = Mapping[str, "Tree | Leaf"]


def _leaf(annotation: Any, metadata: list[Any]) -> Leaf:
    is_union = get_origin(annotation) in (Union, types.UnionType)
    options = get_args(annotation) if is_union else (annotation,)
    # Of `Annotated[X, mark] | None` the union keeps the marks, not the field.
    marked = [get_args(option) for option in options if get_origin(option) is Annotated]
    options = (*options, *(option for option, *_ in marked))
    metadata = [*metadata, *(mark for _, *marks in marked for mark in marks)]
    return Leaf(
        is_list=get_origin(annotation) is tuple,
        is_optional=type(None) in options,
        is_file=any(isinstance(mark, ConfigFile) for mark in metadata),
        is_secret=SecretStr in options,
        holds_password=any(isinstance(mark, HoldsPassword) for mark in metadata),
    )


def _node(annotation: Any, metadata: list[Any]) -> Tree | Leaf:
    if annotation == AdapterOptions | None:
        # What is in there depends on the adapter: settings/options.py.
        return {}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return tree_of(annotation)
    if get_origin(annotation) is Mapping:
        return {ANY: _node(get_args(annotation)[1], [])}
    return _leaf(annotation, metadata)


def tree_of(model: type[BaseModel]) -> Tree:
    """Return the settings of a section."""
    return {
        name: _node(field.annotation, field.metadata) for name, field in model.model_fields.items()
    }


TREE: Tree = {name: node for name, node in tree_of(Settings).items() if name not in PLACES}


def leaf_at(path: Path, tree: Tree = TREE) -> Leaf:
    """Return the setting at a path that is known to exist. Raises KeyError for any other."""
    node: Tree | Leaf = tree
    for name in path:
        if isinstance(node, Leaf):
            raise KeyError(path)
        node = node[name] if name in node else node[ANY]
    if not isinstance(node, Leaf):
        raise KeyError(path)
    return node


def is_option(path: Path) -> bool:
    """Tell whether a setting is an adapter's own."""
    return path[1:2] == (OPTIONS,)


def dotted(path: Path) -> str:
    """Write a path as it is spoken of: `server.port`."""
    return ".".join(path)


def variable(path: Path) -> str:
    """Write a path as the name of its environment variable: `SUPPLIER_API__SERVER__PORT`."""
    return "__".join(("SUPPLIER_API", *path)).upper().replace("-", "_")
