"""Checks compose.yaml and the Dockerfile as far as this machine can, and says what it left out.

    python scripts/check_compose.py

* compose.yaml against the schema of the Compose specification (compose-spec.json here is
  schema/compose-spec.json of github.com/compose-spec/compose-spec, Apache-2.0): always.
* `docker compose config`, where there is docker with Compose.
* `hadolint Dockerfile`, where there is hadolint.

Exit code 1 if something was found. tests/unit/test_compose.py holds the rest together: that the
settings and secrets that compose.yaml names are ours.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from jsonschema_rs import validator_for

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "scripts" / "compose-spec.json"
COMPOSE = ROOT / "compose.yaml"


def main() -> int:
    """Make every check there is; return the exit code."""
    findings = schema_findings(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")))
    _tell("compose.yaml against the Compose specification", findings)
    findings += _run("docker compose config", ["docker", "compose", "config", "--quiet"])
    findings += _run("hadolint", ["hadolint", "Dockerfile"])
    return 1 if findings else 0


def schema_findings(document: object) -> list[str]:
    """Return one line for each place where the document is no Compose file."""
    checked = validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))
    return [
        f"{'.'.join(map(str, error.instance_path)) or 'the file'}: {error.message}"
        for error in checked.iter_errors(document)
    ]


def _run(name: str, words: Sequence[str]) -> list[str]:
    """Run a checker; one that this machine does not have is told, and finds nothing."""
    if shutil.which(words[0]) is None or (words[0] == "docker" and not _has_compose()):
        print(f"NOT CHECKED: {name}: it is not installed here")
        return []
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    found = (done.stdout + done.stderr).strip().splitlines() or [f"exit code {done.returncode}"]
    findings = found if done.returncode else []
    _tell(name, findings)
    return findings


def _has_compose() -> bool:
    words = ["docker", "compose", "version"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def _tell(name: str, findings: Sequence[str]) -> None:
    print("\n  ".join([f"{name}: {'' if findings else 'good'}".rstrip(), *findings]))


if __name__ == "__main__":
    sys.exit(main())
