"""Puts the layers of settings over each other and checks the whole.

From weak to strong: default.toml, the profile's file, the environment. Each file is read from the
packaged folder and then from SUPPLIER_API_CONFIG_DIR, which may hold only what differs. What
follows from other settings, such as the sandbox gateway's address, is worked out last, where
nothing was said.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath

from pydantic import ValidationError

from supplier_api.settings.addresses import clash_findings, derived_values
from supplier_api.settings.layers import (
    NOT_SET,
    PREFIX,
    WORKED_OUT,
    Layer,
    SettingsError,
    SettingsFinding,
    Value,
    read_environment,
    read_toml,
    trimmed,
    unknown,
)
from supplier_api.settings.model import Settings
from supplier_api.settings.options import (
    adapter_names,
    declared_options,
    model_with,
    with_options,
)
from supplier_api.settings.production_checks import production_findings, unnamed_profile_findings
from supplier_api.settings.schema import (
    OPTIONS,
    TREE,
    Leaf,
    Path,
    Tree,
    dotted,
    leaf_at,
    variable,
)
from supplier_api.settings.secrets import (
    generated_secrets,
    secret_files,
    without_password,
    world_writable_findings,
)

# A link to config/ in a checkout, a copy of it in a wheel.
PACKAGED = (FilePath(__file__).parent.parent / "_config").resolve()
PROFILE = "SUPPLIER_API_PROFILE"
PROFILES = ("sandbox", "production")


@dataclass(frozen=True)
class Resolved:
    """The settings, for each of them where it came from, and the files that secrets stood in.

    `tree` are all settings that there are, those of the adapters included.
    """

    settings: Settings
    origins: Mapping[Path, str]
    secret_files: Mapping[FilePath, str] = field(default_factory=dict)
    tree: Tree = field(default_factory=lambda: TREE)


def load_settings(
    environ: Mapping[str, str] | None = None, config_dir: FilePath | None = None
) -> Settings:
    """Return the settings that files and environment make together.

    `environ` is the process's own when absent; `config_dir` stands for SUPPLIER_API_CONFIG_DIR.
    Raises SettingsError with everything that is wrong.
    """
    return resolve_settings(environ, config_dir).settings


def resolve_settings(
    environ: Mapping[str, str] | None = None, config_dir: FilePath | None = None
) -> Resolved:
    """Return the settings with their origins. Arguments and errors as for `load_settings`."""
    environ = _ours(os.environ if environ is None else environ)
    profile = _profile(environ)
    folders = _folders(environ, config_dir)
    data_dir = FilePath(environ.get("SUPPLIER_API_DATA_DIR") or "var").absolute()
    declared = declared_options(environ, _files(profile, folders))
    tree = with_options(declared)
    values = _read_layers(environ, profile, folders, tree)
    if findings := world_writable_findings(values, tree):
        raise SettingsError(findings)
    for path, raw in derived_values(values, profile, data_dir).items():
        values.setdefault(path, Value(raw, WORKED_OUT))
    if not environ.get(PROFILE) and (unnamed := unnamed_profile_findings(values)):
        raise SettingsError(unnamed)
    values, missing = _find_files(values, folders, tree)
    places = {"profile": profile, "config_dirs": folders, "data_dir": data_dir}
    model = model_with(declared)
    settings = _check(values, missing, places, model, tree)
    if findings := list(clash_findings(settings, values)):
        raise SettingsError(findings)
    if profile == "production" and (findings := production_findings(settings, values)):
        raise SettingsError(findings)
    if profile == "sandbox" and (own := generated_secrets(settings, values)):
        values = values | own
        settings = _check(values, [], places, model, tree)
    origins = {path: value.source for path, value in values.items()}
    return Resolved(settings, origins, secret_files(values, tree), tree)


def named_adapters(environ: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Return the adapters that the settings name, by section, whatever else is wrong with them.

    Raises SettingsError for an unknown profile or a configuration folder that is not there.
    """
    environ = _ours(os.environ if environ is None else environ)
    return adapter_names(environ, _files(_profile(environ), _folders(environ, None)))


def _ours(environ: Mapping[str, str]) -> dict[str, str]:
    """Return our variables; what a shell or a manifest left at the end of a value is not meant."""
    return {name: trimmed(text) for name, text in environ.items() if name.startswith(PREFIX)}


def _profile(environ: Mapping[str, str]) -> str:
    profile = environ.get(PROFILE) or "sandbox"
    if profile not in PROFILES:
        raise SettingsError([SettingsFinding(PROFILE, "environment", unknown(profile, PROFILES))])
    return profile


def _folders(environ: Mapping[str, str], config_dir: FilePath | None) -> tuple[FilePath, ...]:
    """Return the folders of configuration files, the one that lies on top first."""
    named = config_dir or environ.get("SUPPLIER_API_CONFIG_DIR")
    if not named:
        return (PACKAGED,)
    folder = FilePath(named).absolute()
    if not folder.is_dir():
        message = f"there is no folder {folder}"
        raise SettingsError([SettingsFinding("SUPPLIER_API_CONFIG_DIR", "environment", message)])
    return (folder, PACKAGED)


def _files(profile: str, folders: tuple[FilePath, ...]) -> list[FilePath]:
    """Return the configuration files, the weakest first."""
    return [
        folder / f"{name}.toml" for name in ("default", profile) for folder in reversed(folders)
    ]


def _read_layers(
    environ: Mapping[str, str], profile: str, folders: tuple[FilePath, ...], tree: Tree
) -> dict[Path, Value]:
    files = [read_toml(file, tree) for file in _files(profile, folders)]
    known = {path for layer in files for path in layer.values}
    layers: list[Layer] = [*files, read_environment(environ, known, tree)]
    if findings := [finding for layer in layers for finding in layer.findings]:
        raise SettingsError(findings)
    return {path: value for layer in layers for path, value in layer.values.items()}


def _find_files(
    values: Mapping[Path, Value], folders: tuple[FilePath, ...], tree: Tree
) -> tuple[dict[Path, Value], list[SettingsFinding]]:
    """Replace the name of each file by the place where it was found; report those that are not.

    A relative name is looked for in the configuration folders; one from the environment first in
    the working directory, as on any command line.
    """
    found, missing = dict(values), list[SettingsFinding]()
    for path, value in values.items():
        if not (leaf_at(path, tree).is_file and value.raw):
            continue
        roots = (FilePath.cwd(), *folders) if value.from_environment else folders
        candidates = [root / str(value.raw) for root in roots]
        file = next((candidate for candidate in candidates if candidate.is_file()), None)
        if file is None:
            places = " or ".join(dict.fromkeys(str(candidate) for candidate in candidates))
            missing.append(
                SettingsFinding(dotted(path), value.source, f"there is no file {places}")
            )
        found[path] = replace(value, raw=file or value.raw)
    return found, missing


def _check(
    values: Mapping[Path, Value],
    missing: list[SettingsFinding],
    places: Mapping[str, object],
    model: type[Settings],
    tree: Tree,
) -> Settings:
    tables = _empty(tree)
    for path, value in values.items():
        _put(tables, path, value.raw)
    try:
        settings = model.model_validate({**tables, **places})
    except ValidationError as error:
        raise SettingsError([*_findings(error, values, tree), *missing]) from None
    if missing:
        raise SettingsError(missing)
    return settings


def _empty(tree: Tree) -> dict[str, object]:
    """Return the sections, and the options of adapters that declare some, without a value."""
    tables: dict[str, object] = {}
    for name, node in tree.items():
        if not isinstance(node, Leaf):
            tables[name] = {OPTIONS: {}} if node.get(OPTIONS) else {}
    return tables


def _put(tables: dict[str, object], path: Path, raw: object) -> None:
    for name in path[:-1]:
        table = tables.setdefault(name, {})
        assert isinstance(table, dict)
        tables = table
    tables[path[-1]] = raw


def _findings(
    error: ValidationError, values: Mapping[Path, Value], tree: Tree
) -> list[SettingsFinding]:
    """Turn pydantic's errors into ours; one for each setting, as a union reports every branch."""
    findings: dict[Path, list[str]] = {}
    for detail in error.errors(include_url=False):
        path = tuple(str(part) for part in detail["loc"])
        while len(path) > 1 and not _known(path, values) and detail["type"] != "missing":
            path = path[:-1]
        findings.setdefault(path, []).append(_message(detail["type"], detail["msg"], path, tree))
    found = [
        SettingsFinding(
            dotted(path),
            _source(path, values),
            " or ".join(dict.fromkeys(messages)) + _shown(path, values, tree),
        )
        for path, messages in findings.items()
    ]
    # What was worked out is wrong because what it was worked out from is.
    return [finding for finding in found if finding.source != WORKED_OUT] or found


def _known(path: Path, values: Mapping[Path, Value]) -> bool:
    """Tell whether a path is of a value, or of a section in which there is one."""
    return any(each[: len(path)] == path for each in values)


def _source(path: Path, values: Mapping[Path, Value]) -> str:
    """Return where a value came from, or the values of a section that do not fit each other."""
    found = dict.fromkeys(each.source for at, each in values.items() if at[: len(path)] == path)
    return "; ".join(found) or NOT_SET


# By pydantic's names of what can be wrong, where its own text is no plain English.
_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("bool_type", "bool_parsing"), "should be true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "should be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "should be a number"),
    "string_type": "should be a text",
    "string_too_short": "should not be empty",
    "tuple_type": "should be a list",
    "too_short": "should name at least one",
}


def _message(kind: str, text: str, path: Path, tree: Tree) -> str:
    if kind == "missing":
        name = variable(path)
        from_file = f" or {name}_FILE" if leaf_at(path, tree).may_stand_in_a_file else ""
        return f"set it in a configuration file or by {name}{from_file}"
    if kind in _WORDS:
        return _WORDS[kind]
    for subject in ("Input ", "String ", "Value error, "):
        text = text.removeprefix(subject)
    return text.split(", unable to")[0]


def _shown(path: Path, values: Mapping[Path, Value], tree: Tree) -> str:
    """Return the value as found, unless it is or may hold a secret."""
    if path not in values or leaf_at(path, tree).may_stand_in_a_file:
        return ""
    raw = values[path].raw
    return f", not {_as_written(raw)}"


def _as_written(raw: object) -> str:
    """Return a value as one writes it: text in quotes, the items of a list one after the other."""
    if isinstance(raw, str):
        return repr(without_password(raw))
    if isinstance(raw, list):
        return ", ".join(map(_as_written, raw)) or "an empty list"
    return str(raw).lower() if isinstance(raw, bool) else str(raw)
