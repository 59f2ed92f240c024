"""The files that secrets are read from: who else may read and write them."""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from supplier_api.files import open_to
from supplier_api.settings.errors import SettingsFinding
from supplier_api.settings.layers import Value
from supplier_api.settings.production_checks import KNOWN_SECRETS
from supplier_api.settings.schema import Path, dotted, leaf_at


def secret_files(values: Mapping[Path, Value]) -> dict[FilePath, str]:
    """Return each file that a secret was read from, with the setting (the first of several)."""
    found: dict[FilePath, str] = {}
    for path, value in values.items():
        if value.file is not None and _is_secret(path, str(value.raw)):
            found.setdefault(value.file, dotted(path))
    return found


def written_by_everybody(values: Mapping[Path, Value]) -> list[SettingsFinding]:
    """Return one finding for each file from which anybody could make us take another secret."""
    return [
        SettingsFinding(setting, str(file), f"everybody may write the file: chmod o-w {file}")
        for file, setting in secret_files(values).items()
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


def _is_secret(path: Path, raw: str) -> bool:
    """Tell whether a value is a secret that not everybody knows."""
    leaf = leaf_at(path)
    if leaf.is_secret:
        return raw not in KNOWN_SECRETS
    return leaf.holds_password and "@" in urlsplit(raw).netloc
