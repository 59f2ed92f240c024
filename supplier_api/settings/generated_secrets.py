"""Secrets of its own for a sandbox that can be called from other machines.

The sandbox's secrets are printed in its documentation, so they guard nothing. On loopback that is
as it should be. Beyond it each known secret is replaced by one that is made once, told once, and
kept in the data folder for every process that works there.
"""

import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path as FilePath

from supplier_api.files import make_folder
from supplier_api.ids import SystemChance
from supplier_api.settings.addresses import is_loopback
from supplier_api.settings.errors import SettingsError, SettingsFinding
from supplier_api.settings.layers import Value
from supplier_api.settings.model import Settings
from supplier_api.settings.production_checks import KNOWN_SECRETS
from supplier_api.settings.schema import Path, dotted, leaf_at
from supplier_api.settings.texts import trimmed

FILE = "secrets.json"
TOLD = (
    "This sandbox can be called from other machines, so its secrets are its own. They are kept in\n"
    "{file}; SUPPLIER_API__SANDBOX__ALLOW_DEFAULT_SECRETS=true keeps those of the documentation."
)


def own_secrets(
    settings: Settings, values: Mapping[Path, Value], tell: Callable[[str], None] | None = None
) -> dict[Path, Value]:
    """Return the secrets that replace known ones, by the settings' paths; none where none need be.

    Those that are made now are told, by `tell` or on standard error.
    """
    hosts = (settings.server.host, settings.sandbox.host)
    if settings.sandbox.allow_default_secrets or all(is_loopback(host) for host in hosts):
        return {}
    known = {
        path: str(value.raw)
        for path, value in values.items()
        if leaf_at(path).is_secret and value.raw in KNOWN_SECRETS
    }
    if not known:
        return {}
    file = settings.data_dir / FILE
    kept, made = _kept(file, sorted(set(known.values())))
    if made:
        lines = [f"  {dotted(path)} = {kept[old]}" for path, old in known.items() if old in made]
        (tell or _tell)("\n".join([TOLD.format(file=file), *lines]))
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
        made = {old: SystemChance().uuid("").hex for old in wanted if old not in kept}
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


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
