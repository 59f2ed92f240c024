#!/usr/bin/env python3
"""Makes the secrets of compose.yaml that are missing: one file each in /data, random.

    compose-secrets                  # in the service `secrets`, at every start
    compose-secrets NAME < FILE      # takes your own one; before the first start

A file that is there is left as it is. Containers read the files as users that differ from image to
image: so all may read them, on a volume that nobody but Docker and these containers can reach.
Needs only the standard library.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

FOLDER = Path("/data")
NAMES = (
    "postgres_password",
    "supplier_secret",
    "gateway_secret",
    "back_office_secret",
    "admin_secret",
    "tenant_secret",
    "tenant2_secret",
)
URL = "database_url"
DATABASE_URL = "postgresql://supplier_api:{password}@postgres/supplier_api"


def main(folder: Path = FOLDER) -> list[str]:
    """Make what is missing in `folder`; return the names of what was made."""
    folder.chmod(0o755)
    made = [name for name in NAMES if _made(folder / name, secrets.token_hex(24))]
    password = (folder / "postgres_password").read_text(encoding="utf-8").strip()
    if _made(folder / URL, DATABASE_URL.format(password=password)):
        made.append(URL)
    return made


def take(name: str, text: str, folder: Path = FOLDER) -> None:
    """Keep a secret that was given; exits with a line if there is none of that name."""
    if name not in (*NAMES, URL):
        sys.exit(f"{name}: there is no such secret; expected one of {', '.join((*NAMES, URL))}")
    if not text.strip():
        sys.exit(f"{name}: it is empty")
    (folder / name).unlink(missing_ok=True)
    _made(folder / name, text.strip())


def _made(file: Path, text: str) -> bool:
    """Write a file that is not there, in one step; tell whether it was not."""
    if file.exists():
        return False
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.chmod(0o644)
    partial.replace(file)
    return True


if __name__ == "__main__":
    if len(sys.argv) > 1:
        take(sys.argv[1], sys.stdin.read())
        print(f"secrets: took {sys.argv[1]}")
    elif new := main():
        print(f"secrets: made {', '.join(new)}")
