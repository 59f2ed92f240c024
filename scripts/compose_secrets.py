#!/usr/bin/env python3
"""Makes the secrets of compose.yaml that are missing: one file each in secrets/, random.

    python3 scripts/compose_secrets.py

A file that is there is left as it is, so that your own may lie there. Compose hands a file over
with the mode that it has here, to users that this machine does not know: so everybody may read the
files, and nobody but their owner may enter the folder. Needs only the standard library.
"""

from __future__ import annotations

import secrets
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "secrets"
NAMES = (
    "postgres_password",
    "supplier_secret",
    "gateway_secret",
    "back_office_secret",
    "admin_secret",
    "tenant_secret",
    "tenant2_secret",
)
DATABASE_URL = "postgresql://supplier_api:{password}@postgres/supplier_api"


def main(folder: Path = FOLDER) -> list[str]:
    """Make what is missing in `folder`; return the names of what was made."""
    folder.mkdir(mode=0o700, exist_ok=True)
    made = [name for name in NAMES if _made(folder / name, secrets.token_hex(24))]
    password = (folder / "postgres_password").read_text(encoding="utf-8").strip()
    if _made(folder / "database_url", DATABASE_URL.format(password=password)):
        made.append("database_url")
    return made


def _made(file: Path, text: str) -> bool:
    """Write a file that is not there; tell whether it was not."""
    try:
        with file.open("x", encoding="utf-8") as handle:
            handle.write(text + "\n")
    except FileExistsError:
        return False
    file.chmod(0o644)
    return True


if __name__ == "__main__":
    if new := main():
        print(f"secrets/: made {', '.join(new)}")
