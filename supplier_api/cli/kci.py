"""`supplier-api kci`: updates to the gateway, and what can be done with those that went wrong."""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from supplier_api.app.services import changing
from supplier_api.cli import example, messages
from supplier_api.cli.options import with_json, with_reason
from supplier_api.contract import MessageError, read_json
from supplier_api.contract.codes import ReasonCode
from supplier_api.delivery.kci_rewrite import KciChange, whole_body
from supplier_api.delivery.message_admin import MessageAdmin
from supplier_api.problems.services import GATEWAY
from supplier_api.settings import load_settings

_STEP = re.compile(r"([A-Za-z]+)((?:\[[0-9]{1,4}\])*)")
BodyPath = tuple[str | int, ...]
REASON_CODES = [code.value for code in ReasonCode]


@click.group(epilog=example("supplier-api kci list"))
def kci() -> None:
    """Look at updates to the gateway (KCIs), and mend those that were refused.

    A KCI is named by its UUID or by REFERENCE#NUMBER.
    """


@kci.command("list", epilog=example("supplier-api kci list --state dead --since 12h"))
@messages.list_options
@click.option(
    "--reason-code",
    type=click.Choice(REASON_CODES),
    metavar="CODE",
    help="Only those of this reason.",
)
def list_kcis(reason_code: str | None, **given: Any) -> None:
    """List KCIs: dead letters and what is parked behind them, unless a state is asked for."""
    messages.list_messages(GATEWAY, given, reason_code)


@kci.command(epilog=example("supplier-api kci show SP_0000000001#2"))
@click.argument("name")
@with_json
def show(name: str, as_json: bool) -> None:
    """Show a KCI with its body, every attempt, and what the gateway said. May name people."""
    messages.show_message(GATEWAY, name, as_json=as_json)


@kci.command(
    epilog=example(
        'supplier-api kci replay SP_0000000001#2 --reason "they mended it"',
        "supplier-api kci replay --since 3h --dry-run",
    )
)
@messages.replay_options
def replay(name: str | None, reason: str | None, **given: Any) -> None:
    """Send a KCI again; or all of a window over when they were made.

    A window finds the dead letters in it, and what was never tried. A KCI that later ones have
    passed goes as ADDITIONAL, with the problem as it is today.
    """
    messages.replay_messages(GATEWAY, name, given, reason)


@kci.command(
    epilog=example(
        'supplier-api kci edit SP_0000000001#2 --set text="No entry." --reason "a wrong text"'
    )
)
@click.argument("name")
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The whole new body, as JSON.",
)
@click.option(
    "--set",
    "changes",
    metavar="PATH=TEXT",
    multiple=True,
    help="A text in the body, as in supplierNotes[0].note=...; PATH:=JSON for anything else.",
)
@click.option("--unset", "removed", metavar="PATH", multiple=True, help="Leave this out.")
@click.option(
    "--and-record",
    is_flag=True,
    help="Mend the record alike: the problem, change or resolution that the KCI shows.",
)
@with_reason
def edit(
    name: str,
    file: Path | None,
    changes: tuple[str, ...],
    removed: tuple[str, ...],
    and_record: bool,
    reason: str,
) -> None:
    """Change what a KCI says, and send it: its id, number and date stay.

    The next KCI shows the record again: --and-record mends that too. Updates that are queued
    already stay as they are.
    """
    by = messages.given_by(reason)
    if (file is None) is not bool(changes or removed):
        raise click.UsageError("expected either --file or --set and --unset")
    with changing(load_settings()) as services, messages.refusals():
        done = MessageAdmin(services).edit(
            name, _change(file, changes, removed), by, and_record=and_record
        )
    messages.print_result(done)
    for field in done.mended:
        click.echo(f"record  {field}")


@kci.command(epilog=example('supplier-api kci skip SP_0000000001#2 --reason "sent by hand"'))
@click.argument("name")
@with_reason
def skip(name: str, reason: str) -> None:
    """Withdraw a KCI: the tenant is told so under its number, WITH THE REASON."""
    messages.skip_message(GATEWAY, name, reason)


def _change(file: Path | None, changes: Sequence[str], removed: Sequence[str]) -> KciChange:
    return PathChanges.read(changes, removed) if file is None else whole_body(file.read_bytes())


# -- changes to a body as they are given on a command line: `a.b[0].c=text`, `a.b:=JSON`


@dataclass(frozen=True, slots=True)
class PathChanges:
    """Values to be set and values to be left out, in this order."""

    values: Sequence[tuple[BodyPath, Any]]
    removed: Sequence[BodyPath]

    @classmethod
    def read(cls, values: Sequence[str], removed: Sequence[str]) -> "PathChanges":
        """Read what was given; raises click.BadParameter."""
        return cls([_assignment(each) for each in values], [_path(each) for each in removed])

    def __call__(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the changed document; raises click.BadParameter for a place that is not there."""
        changed = copy.deepcopy(document)
        for path, value in self.values:
            holder = _holder(changed, path)
            if isinstance(holder, list) and path[-1] == len(holder):
                holder.append(value)
            else:
                _check(holder, path)
                holder[path[-1]] = value
        for path in self.removed:
            holder = _holder(changed, path)
            _check(holder, path)
            if isinstance(holder, dict) and path[-1] not in holder:
                raise _nowhere(path)
            del holder[path[-1]]
        return changed


def _assignment(text: str) -> tuple[BodyPath, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r}: expected PATH=TEXT", param_hint="--set")
    if not name.endswith(":"):
        return _path(name), value
    try:
        return _path(name[:-1]), read_json(value.encode())
    except MessageError as error:
        said = "; ".join(error.messages).replace("body", name[:-1])
        raise click.BadParameter(said, param_hint="--set") from None


def _path(text: str) -> BodyPath:
    steps: list[str | int] = []
    for part in text.split("."):
        found = _STEP.fullmatch(part)
        if not found:
            expected = f"{text!r}: expected names with dots, as in supplierNotes[0].note"
            raise click.BadParameter(expected)
        steps.append(found[1])
        steps.extend(int(index) for index in re.findall(r"[0-9]+", found[2]))
    return tuple(steps)


def _holder(document: Any, path: BodyPath) -> Any:
    """Return what the last step of `path` leads into."""
    holder = document
    for step in path[:-1]:
        try:
            holder = holder[step]
        except (KeyError, IndexError, TypeError):
            raise _nowhere(path) from None
    return holder


def _check(holder: Any, path: BodyPath) -> None:
    step = path[-1]
    if isinstance(holder, dict) and isinstance(step, str):
        return
    if isinstance(holder, list) and isinstance(step, int) and step < len(holder):
        return
    raise _nowhere(path)


def _nowhere(path: BodyPath) -> click.BadParameter:
    told = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return click.BadParameter(f"{told.lstrip('.')}: there is no such place in the body")
