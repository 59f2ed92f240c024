"""Secrets: those that everybody knows, those in files, a sandbox's own, and how they are masked.

The sandbox's secrets are printed in its documentation, so they guard nothing. On loopback that is
as it should be. Beyond it each known secret is replaced by one that is made once, told once, and
kept in the data folder for every process that works there.
"""

import fcntl
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from pydantic import SecretStr

from supplier_api.files import make_folder, open_to
from supplier_api.ids import SystemIdSource
from supplier_api.settings.addresses import is_loopback, own_listeners
from supplier_api.settings.layers import SettingsError, SettingsFinding, Value, trimmed
from supplier_api.settings.model import Settings
from supplier_api.settings.schema import TREE, Leaf, Path, Tree, dotted, is_option, leaf_at

# Printed in config/sandbox.toml and the README: known to everybody.
KNOWN_SECRETS = frozenset(
    {
        "admin-secret",
        "back-office-secret",
        "gateway-secret",
        "supplier-secret",
        "tenant-secret",
        "tenant2-secret",
    }
)
MASK = "********"
# What stands between the name and the host: up to the last @, for a password may hold any sign.
_USER_INFO = re.compile(r"(://[^/?#:@]*):.*@")
# Drivers and services take it behind the question mark as well.
_PARAMETER = re.compile(r"(?i)([?&;][^=&;]*(?:password|passwd|pwd|secret|token|key)=)[^&;#]*")
FILE = "secrets.json"
NOTICE = (
    "This sandbox can be called from other machines, so its secrets are its own. They are kept in\n"
    "{file}; SUPPLIER_API__SANDBOX__ALLOW_DEFAULT_SECRETS=true keeps those of the documentation."
)


def without_password(text: str) -> str:
    """Return a text; if it is a URL, with asterisks for the passwords in it."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(rf"\1{MASK}", _USER_INFO.sub(rf"\1:{MASK}@", text))


def shown(value: object) -> str:
    """Write a checked value for people: a secret as asterisks, a URL without its password."""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, re.Pattern):
        return str(value.pattern)
    if isinstance(value, tuple):
        return ", ".join(map(shown, value))
    return "(not set)" if value is None else without_password(str(value))


# -- files that secrets are read from


def secret_files(values: Mapping[Path, Value], tree: Tree = TREE) -> dict[FilePath, str]:
    """Return each file that a secret was read from, with the setting (the first of several)."""
    found: dict[FilePath, str] = {}
    for path, value in values.items():
        if value.file is not None and _is_secret(leaf_at(path, tree), str(value.raw)):
            found.setdefault(value.file, dotted(path))
    return found


def world_writable_findings(
    values: Mapping[Path, Value], tree: Tree = TREE
) -> list[SettingsFinding]:
    """Return one finding for each file from which anybody could make us take another secret."""
    return [
        SettingsFinding(setting, str(file), f"everybody may write the file: chmod o-w {file}")
        for file, setting in secret_files(values, tree).items()
        if _open_to(file)[1]
    ]


def read_by_others(files: Mapping[FilePath, str]) -> Iterator[str]:
    """Yield a sentence that names those of these files that others than their owner may read.

    Where containers get their secrets as files, that is so on purpose.
    """
    found = [f"{file} ({setting})" for file, setting in files.items() if _open_to(file)[0]]
    if found:
        yield (
            "secrets can be read by others than their owner: chmod 600 these files, unless"
            f" containers read them as another user: {', '.join(found)}"
        )


def _open_to(file: FilePath) -> tuple[bool, bool]:
    try:
        return open_to(file)
    except OSError:  # gone since it was read
        return False, False


def _is_secret(leaf: Leaf, raw: str) -> bool:
    """Tell whether a value is a secret that not everybody knows."""
    if leaf.is_secret:
        return raw not in KNOWN_SECRETS
    return leaf.holds_password and "@" in urlsplit(raw).netloc


# -- secrets that are made for a sandbox


def generated_secrets(
    settings: Settings, values: Mapping[Path, Value], tell: Callable[[str], None] | None = None
) -> dict[Path, Value]:
    """Return the secrets that replace known ones, by the settings' paths; none where none need be.

    Those that are made now are told, by `tell` or on standard error.
    """
    hosts = [settings.server.host, settings.sandbox.host]
    hosts += [address.host for address in own_listeners(settings).values()]
    if settings.sandbox.allow_default_secrets or all(is_loopback(host) for host in hosts):
        return {}
    known = {
        path: str(value.raw)
        for path, value in values.items()
        if not is_option(path)
        if leaf_at(path).is_secret and value.raw in KNOWN_SECRETS
    }
    if not known:
        return {}
    file = settings.data_dir / FILE
    kept, made = _kept(file, sorted(set(known.values())))
    if made:
        lines = [f"  {dotted(path)} = {kept[old]}" for path, old in known.items() if old in made]
        (tell or _print_notice)("\n".join([NOTICE.format(file=file), *lines]))
    return {path: Value(kept[old], f"made for this sandbox, {file}") for path, old in known.items()}


def _kept(file: FilePath, wanted: Iterable[str]) -> tuple[Mapping[str, str], set[str]]:
    """Return what replaces each known secret, and for which of them it was made just now.

    The file is locked meanwhile: processes that start together agree.
    """
    make_folder(file.parent)
    file.touch(0o600)
    with file.open("r+", encoding="utf-8") as handle:
        if os.fstat(handle.fileno()).st_uid == os.geteuid():
            file.chmod(0o600)  # whatever it was
        fcntl.flock(handle, fcntl.LOCK_EX)
        kept = _read(handle.read() or "{}", file)
        made = {old: SystemIdSource().uuid("").hex for old in wanted if old not in kept}
        if made:
            handle.seek(0)
            json.dump(kept | made, handle)
        return kept | made, set(made)


def _read(text: str, file: FilePath) -> dict[str, str]:
    """Return the secrets that were kept; raises SettingsError for a file that is damaged."""
    try:
        kept = json.loads(trimmed(text))
    except ValueError:
        kept = None
    if not isinstance(kept, dict):
        message = "is no JSON object: remove it, then new secrets are made and told"
        raise SettingsError([SettingsFinding(FILE, str(file), message)])
    return kept


def _print_notice(text: str) -> None:
    sys.stderr.write(f"{text}\n")
