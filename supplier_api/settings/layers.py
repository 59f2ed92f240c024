"""Reads one layer of settings, a file or the environment, into flat values with their source.

A wrong setting becomes a finding: its name, where it stands, and what is allowed.
"""

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path as FilePath

from supplier_api.settings.schema import (
    ANY,
    OPTIONS,
    TREE,
    Leaf,
    Path,
    Tree,
    dotted,
    leaf_at,
    variable,
)

PREFIX = "SUPPLIER_API_"
NO_OPTIONS = (
    "unknown: the adapter declares no options, or is not installed here or cannot be loaded:"
    " `supplier-api plugins` says which"
)
NOT_SET = "not set"  # the source of what is set nowhere
# The source of what follows from other settings.
WORKED_OUT = "worked out from other settings"
LINE_ENDS = "\r\n"
BYTE_ORDER_MARK = "\ufeff"
# Kubernetes sets NAME_PORT to this for each service of a namespace, whatever it is called.
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://\S+")
PLACE_VARIABLES = ("SUPPLIER_API_PROFILE", "SUPPLIER_API_CONFIG_DIR", "SUPPLIER_API_DATA_DIR")


@dataclass(frozen=True)
class SettingsFinding:
    """One thing wrong with one setting."""

    name: str
    source: str
    message: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.name} ({self.source}): {self.message}"


class SettingsError(Exception):
    """The settings do not allow a start. `findings` holds everything that is wrong."""

    def __init__(self, findings: Iterable[SettingsFinding]) -> None:
        """Keep the findings; the text of the error is one line for each."""
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


def unknown(word: str, allowed: Iterable[str], similar: Iterable[str] = ()) -> str:
    """Say that a word is not known, what it may have been meant to be, and what there is.

    What was meant is looked for among `similar`, or else among what is allowed.
    """
    choices = sorted(allowed)
    close = get_close_matches(word, list(similar) or choices, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"unknown.{meant} Allowed: {', '.join(choices)}"


def trimmed(text: str) -> str:
    """Return a text without what editors and shells put around it unseen.

    That is a byte order mark before it, and line ends behind it.
    """
    return text.removeprefix(BYTE_ORDER_MARK).rstrip(LINE_ENDS)


def is_service_link(text: str) -> bool:
    """Tell whether the value of a variable is the address that Kubernetes gives a service."""
    return _SERVICE_LINK.fullmatch(text) is not None


@dataclass(frozen=True)
class Value:
    """A value as it was found. A file name in the environment counts from the working directory.

    `file` is where the value itself was read, if it came from a file.
    """

    raw: object
    source: str
    from_environment: bool = False
    file: FilePath | None = None


@dataclass
class Layer:
    """The values of one source, and what is wrong with it."""

    values: dict[Path, Value] = field(default_factory=dict)
    findings: list[SettingsFinding] = field(default_factory=list)


def read_toml(file: FilePath, tree: Tree = TREE) -> Layer:
    """Read a configuration file. A file that is not there is an empty layer."""
    layer = Layer()
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return layer
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        layer.findings.append(SettingsFinding(file.name, str(file), f"cannot be read: {error}"))
        return layer
    _read_table(table, tree, (), str(file), layer)
    return layer


def _read_table(
    table: Mapping[str, object], tree: Tree, path: Path, source: str, layer: Layer
) -> None:
    for name, raw in table.items():
        here = (*path, name)
        node = tree.get(name, tree.get(ANY))
        secret = _secret_of(name, tree)
        if isinstance(node, Leaf):
            tidy = trimmed(raw) if isinstance(raw, str) else raw
            layer.values[here] = Value(tidy, source, file=FilePath(source))
        elif secret:
            _read_secret((*path, secret), str(raw), Value(raw, source), layer)
        elif node is None:
            message = unknown(name, tree) if tree else NO_OPTIONS
            layer.findings.append(SettingsFinding(dotted(here), source, message))
        elif isinstance(raw, dict):
            _read_table(raw, node, here, source, layer)
        else:
            layer.findings.append(
                SettingsFinding(dotted(here), source, f"is a section: [{dotted(here)}]")
            )


def _secret_of(name: str, tree: Tree) -> str | None:
    """Return `client_secret` for `client_secret_file`, or None if that is no such name."""
    base = name.removesuffix("_file")
    node = tree.get(base)
    return base if base != name and isinstance(node, Leaf) and node.may_stand_in_a_file else None


def _read_secret(path: Path, file: str, named: Value, layer: Layer) -> None:
    """Take a secret from the file that is named for it.

    A last line end is not part of it, nor a byte order mark before it.
    """
    if path in layer.values:
        message = f"{dotted(path)} and {dotted(path)}_file are both set: keep one"
        layer.findings.append(SettingsFinding(dotted(path), named.source, message))
        return
    try:
        raw = trimmed(FilePath(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        message = f"the file {file} cannot be read: {reason}"
        layer.findings.append(SettingsFinding(dotted(path), named.source, message))
        return
    source = f"{named.source}, file {file}"
    layer.values[path] = Value(raw, source, named.from_environment, FilePath(file).absolute())


def read_environment(
    environ: Mapping[str, str], known: Collection[Path], tree: Tree = TREE
) -> Layer:
    """Read the variables SUPPLIER_API__SECTION__KEY.

    `known` are the paths of the layers below: clients and parties are named in files, and the
    environment may only change the ones that are there.
    """
    layer = Layer()
    paths = {variable(path): path for path in _concrete(tree, (), known)}
    # Values before the names of files, so that a setting given both ways is seen.
    for name in sorted(environ, key=lambda name: (name.endswith("_FILE"), name)):
        if name.startswith(PREFIX) and name not in PLACE_VARIABLES:
            _read_variable(name, environ[name], paths, tree, layer)
    return layer


def _read_variable(
    name: str, text: str, paths: Mapping[str, Path], tree: Tree, layer: Layer
) -> None:
    value = Value(text, f"environment {name}", from_environment=True)
    path = paths.get(name)
    secret = paths.get(name.removesuffix("_FILE"))
    if path is not None:
        _read_text(path, leaf_at(path, tree), value, text, layer)
    elif secret is not None and leaf_at(secret, tree).may_stand_in_a_file:
        _read_secret(secret, text, value, layer)
    elif "__" in name and not is_service_link(text):
        similar = [*PLACE_VARIABLES, *paths]
        none = _of_no_options(name, tree)
        message = NO_OPTIONS if none else unknown(name, _siblings(name, paths), similar)
        layer.findings.append(SettingsFinding(name, "environment", message))
    elif not is_service_link(text) and (meant := _meant(name, paths)):
        layer.findings.append(
            SettingsFinding(name, "environment", f"unknown. Did you mean {meant}?")
        )


def _of_no_options(name: str, tree: Tree) -> bool:
    """Tell whether a variable is an option of an adapter that has none, as far as is known."""
    return any(
        not isinstance(node, Leaf)
        and node.get(OPTIONS) == {}
        and name.startswith(f"{variable((section, OPTIONS))}__")
        for section, node in tree.items()
    )


def _meant(name: str, paths: Mapping[str, Path]) -> str | None:
    """Return which of our names one without a double underscore was meant to be, if any.

    Others may use our prefix (Kubernetes sets SUPPLIER_API_SANDBOX_PORT=tcp://... for a service
    supplier-api-sandbox), but a profile that is not applied because of a typing error is worse
    than no start.
    """
    written_so = {known.replace("__", "_"): known for known in paths}
    close = get_close_matches(name, PLACE_VARIABLES, n=1, cutoff=0.9)
    return written_so.get(name) or next(iter(close), None)


def _read_text(path: Path, leaf: Leaf, value: Value, text: str, layer: Layer) -> None:
    if leaf.is_optional and not text:
        layer.values[path] = Value(None, value.source, from_environment=True)
    elif leaf.is_list:
        layer.values[path] = Value(_list(text), value.source, from_environment=True)
    else:
        layer.values[path] = value


def _list(text: str) -> object:
    """Read `a, b` or `["a", "b"]`. JSON that cannot be read is left to the type's own check."""
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return [part.strip() for part in text.split(",") if part.strip()]


def _concrete(tree: Tree, path: Path, known: Collection[Path]) -> Iterator[Path]:
    """Yield every path there is, the tables of clients and parties filled from the known ones."""
    for name, node in tree.items():
        depth = len(path)
        names = {at[depth] for at in known if at[:depth] == path} if name == ANY else {name}
        for each in names:
            here = (*path, each)
            if isinstance(node, Leaf):
                yield here
            else:
                yield from _concrete(node, here, known)


def _siblings(name: str, paths: Mapping[str, Path]) -> list[str]:
    """Return the variables of the section that the name begins with, or else the sections."""
    section = "__".join(name.split("__")[:2])
    names = [known for known in paths if known.startswith(f"{section}__")]
    return names or sorted({"__".join(known.split("__")[:2]) for known in paths})
