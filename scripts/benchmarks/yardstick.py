"""What both yardsticks are made of, without the supplier's code: rules, services, a server.

A yardstick lives in the folder of an installation: it reads the rules and services there, and
writes to the database there, so that tables and indexes are those that the supplier has.
"""

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cel_expr_python import cel
from granian.constants import Interfaces
from granian.server import Server

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-32000",
    "busy_timeout=5000",
)
THREADS = 16
FOLDER = "YARDSTICK_FOLDER"  # in the environment of the process that granian starts
_PATH = re.compile(r"(?<![\w\".])(?:request|service|open_problems|incidents)(?:\.\w+)*")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about a new problem: its condition, the facts that it reads, what it answers."""

    name: str
    program: cel.Expression
    reads: Sequence[str]
    outcome: str
    message: str


class Rules:
    """The rules of config/rules.yaml about a new problem, over facts that are plain JSON."""

    def __init__(self, folder: Path) -> None:
        """Compile the rules of the installation in `folder`."""
        document, texts = (
            cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
            cel.Type.List(cel.Type.STRING),
        )
        kinds = {
            "request": document,
            "service": document,
            "open_problems": texts,
            "incidents": texts,
        }
        self._environment = cel.NewEnv(variables=kinds)
        with (folder / "config" / "rules.yaml").open(encoding="utf-8") as file:
            given = yaml.safe_load(file)["rules"]
        self.rules = [
            Rule(
                each["id"],
                self._environment.compile(each["when"]),
                list(dict.fromkeys(_PATH.findall(each["when"]))),
                each["then"],
                each.get("message", ""),
            )
            for each in given
            if "problem" in each["applies_to"]
        ]

    def bind(self, facts: Mapping[str, Any]) -> cel.Activation:
        """Return the facts of one request as the conditions take them."""
        return self._environment.Activation(facts)


def facts_of(document: Mapping[str, Any], service: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the facts of a request, without those that only the database has."""
    by_name = {each["name"]: each["value"] for each in document["characteristics"]}
    return {
        "request": {**document, "characteristicsByName": by_name},
        "service": service or {"known": False},
        "open_problems": [],
        "incidents": [],
    }


def services(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the services of config/services.csv by their id, without what is empty."""
    with (folder / "config" / "services.csv").open(encoding="utf-8", newline="") as file:
        return {row["service_id"]: _service(row) for row in csv.DictReader(file)}


def _service(row: Mapping[str, str]) -> dict[str, Any]:
    known = {name: text for name, text in row.items() if text}
    flag = known.pop("appointment_needed") == "true"
    return {"known": True, "id": known.pop("service_id"), **known, "appointment_needed": flag}


def serve(target: str, folder: str, port: str) -> None:
    """Serve a WSGI application with granian: one process, as many threads as the supplier has."""
    os.environ[FOLDER] = folder
    Server(
        target,
        address="127.0.0.1",
        port=int(port),
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        log_access=False,
        factory=True,
    ).serve()
