"""What the commands for KCIs and for work orders have in common."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import reduce
from typing import Any

import click

from supplier_api.app.services import changing, reading
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import MAX_ROWS, WholeNumberParam, operator, some_words
from supplier_api.cli.output import print_either, print_json, print_rows
from supplier_api.contract import MessageError
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Operator
from supplier_api.delivery import message_queries, pause_admin
from supplier_api.delivery.message_actions import NotPossible, possible
from supplier_api.delivery.message_admin import MessageAdmin, Result
from supplier_api.delivery.time_window import TimeWindow, WrongWindow
from supplier_api.outbox.messages import MessageFilter, MessageRepository
from supplier_api.outbox.model import MessageState
from supplier_api.problems import view
from supplier_api.problems.services import Services
from supplier_api.settings import load_settings

STATES = [*(state.value for state in MessageState), "dead", "parked"]
Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


def list_options(command: Command) -> Command:
    """Give a command the options of a list, but for the kind."""
    options: tuple[Decorator, ...] = (
        click.option("--json", "as_json", is_flag=True, help="As JSON."),
        click.option(
            "--limit",
            type=WholeNumberParam(1, MAX_ROWS),
            default=50,
            show_default=True,
            help="At most so many, the oldest first.",
        ),
        *_window("made"),
        click.option("--problem", metavar="NAME", help="Only those of this problem."),
        click.option("--tenant", help="Only those of this tenant."),
        click.option("--state", type=click.Choice(STATES), help="Only those in this state."),
    )
    return reduce(lambda made, option: option(made), options, command)


def replay_options(command: Command) -> Command:
    """Give a command what a replay is about: a name, or a window."""
    options: tuple[Decorator, ...] = (
        click.option("--dry-run", is_flag=True, help="Only tell what would be done."),
        *_window("made"),
        click.option(
            "--reason",
            callback=some_words,
            help="Why; recorded with who did it. Not needed for --dry-run.",
        ),
        click.argument("name", required=False),
    )
    return reduce(lambda made, option: option(made), options, command)


def _window(what: str) -> tuple[Decorator, ...]:
    return (
        click.option("--until", metavar="TIME", help=f"Only those {what} before this."),
        click.option(
            "--since",
            metavar="TIME",
            help=f"Only those {what} since: 30m, 12h, 3d ago, or a date-time (RFC 3339).",
        ),
    )


def list_messages(destination: str, given: Mapping[str, Any], kind: str | None) -> None:
    """Print the messages that the options ask for."""
    with reading(load_settings()) as services:
        window = _given_window(given, services.machine.now())
        limit = given["limit"]

        def read(uow: UnitOfWork) -> list[dict[str, Any]]:
            wanted = MessageFilter(
                destination=destination,
                state=given["state"],
                tenant=given["tenant"],
                problems=_problems(uow, given["problem"]),
                kind=kind,
                since=window.since,
                until=window.until,
                limit=limit + 1,
            )
            return [
                message_queries.summary(stored) for stored in MessageRepository(uow).listed(wanted)
            ]

        rows = services.store.read(read)
        if not rows and given["tenant"]:
            services.store.read(lambda uow: check_tenant(uow, given["tenant"]))
    if given["as_json"]:
        print_json(rows[:limit])
    else:
        print_rows([_cells(row) for row in rows[:limit]], _none(destination, given, kind))
    if len(rows) > limit:
        click.echo(f"there are more than {limit}; --limit shows more", err=True)


def show_message(destination: str, name: str, *, as_json: bool) -> None:
    """Print all that is known of a message."""
    with reading(load_settings()) as services, refusals():

        def read(uow: UnitOfWork) -> dict[str, Any]:
            stored = message_queries.find(uow, name, destination)
            can = [action.value for action in possible(stored)]
            return {**message_queries.show(uow, stored), "possible": can}

        seen = services.store.read(read)
    print_either(seen, _lines(seen), as_json=as_json)


def replay_messages(
    destination: str, name: str | None, given: Mapping[str, Any], reason: str | None
) -> None:
    """Replay one message, or those of a window; print what was done.

    A rehearsal does nothing that would need a reason.
    """
    if reason is None and not given["dry_run"]:
        raise click.MissingParameter(param_hint="--reason", param_type="option")
    by = given_by("a rehearsal" if reason is None else reason)
    windowed = given["since"] is not None or given["until"] is not None
    if (name is None) is not windowed:
        raise click.UsageError("expected either NAME or a window (--since, --until)")
    if name and given["dry_run"]:
        raise click.UsageError("--dry-run is for a window; look at one with `show`")
    with changing(load_settings()) as services, refusals():
        if name:
            print_result(MessageAdmin(services).replay(destination, name, by))
            return
        _replay_window(services, destination, given, by)


def _replay_window(
    services: Services, destination: str, given: Mapping[str, Any], by: Operator
) -> None:
    repair, window = MessageAdmin(services), _given_window(given, services.machine.now())
    done, left = 0, 0
    for problem_id in repair.waiting(destination, window):
        for result in repair.replay_window(
            destination, problem_id, window, by, rehearse=given["dry_run"]
        ):
            print_result(result)
            done, left = done + result.done, left + (not result.done)
    would = "to be replayed" if given["dry_run"] else "replayed"
    click.echo(f"{done} {would}" + (f", {left} left as they were" if left else ""))
    if left:
        raise CommandRefused("not all could be replayed; the lines above say why")


def skip_message(destination: str, name: str, reason: str) -> None:
    """Withdraw a message; print what was done."""
    by = given_by(reason)
    with changing(load_settings()) as services, refusals():
        print_result(MessageAdmin(services).skip(destination, name, by))


def given_by(reason: str) -> Operator:
    """Return who gives the command and why."""
    return Operator(operator(), reason)


def print_result(result: Result) -> None:
    """Print what was done with a message."""
    click.echo(str(result))


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what is refused into exit code 1, told in plain words."""
    try:
        yield
    except (NotPossible, message_queries.NoSuchMessage) as error:
        raise CommandRefused(str(error)) from None
    except MessageError as error:
        raise CommandRefused("that is no update that may be sent:", error.messages) from None


def _given_window(given: Mapping[str, Any], now: datetime) -> TimeWindow:
    try:
        return TimeWindow.given(given["since"], given["until"], now)
    except WrongWindow as error:
        raise click.BadParameter(error.expected, param_hint=f"--{error.field}") from None


def check_tenant(uow: UnitOfWork, tenant: str) -> None:
    """Raise CommandRefused if no problem is of this tenant: its name may be mistyped."""
    try:
        pause_admin.check_tenant(uow, tenant)
    except pause_admin.NothingSuchError as error:
        raise CommandRefused(f"{error}; these have:", error.known) from None


def _problems(uow: UnitOfWork, name: str | None) -> Sequence[int] | None:
    if name is None:
        return None
    found = view.find(uow, name)
    if not found:
        raise CommandRefused(f"there is no problem {name}")
    return [problem.id for problem in found]


def _none(destination: str, given: Mapping[str, Any], kind: str | None) -> str:
    """Say that no message is as asked for."""
    word = message_queries.WORDS[destination]
    asked = [given[name] for name in ("state", "problem", "tenant", "since", "until")]
    if any(asked) or kind:
        return f"no {word} fits these options"
    return f"no {word} is a dead letter or parked; --state shows others"


def _cells(row: Mapping[str, Any]) -> list[str]:
    state = f"{row['state']}, parked" if row["parked"] else row["state"]
    mended = f"  ({row['mended']})" if row["mended"] else ""
    answer = f"{row['answer'] or 'never tried'}{mended}"
    return [
        *(row["name"], row["kind"], state, row["tenant"]),
        *(str(row["gatewayId"]), row["created"], answer),
    ]


def _lines(seen: Mapping[str, Any]) -> Iterator[str]:
    state = f"{seen['state']}, parked" if seen["parked"] else seen["state"]
    yield f"{seen['name']}  {seen['kind']}  {state}"
    for label, key in (
        ("id", "id"),
        ("tenant", "tenant"),
        ("gateway id", "gatewayId"),
        ("conversation", "conversationId"),
        ("about", "subject"),
        ("ticket", "backOfficeId"),
        ("made", "created"),
        ("settled", "settled"),
        ("due", "laneDue"),
        ("changed", "mended"),
        ("digest", "digest"),
    ):
        if seen[key]:
            yield f"  {label:13} {seen[key]}"
    if seen["mayHaveArrived"]:
        yield "  the receiver may have it: an attempt ended without an answer, or with a 5xx"
    yield from _history(seen)
    yield from _document("body", seen["body"])
    if seen["original"] is not None:
        yield from _document("body at first", seen["original"])
    yield f"possible  {', '.join(['show', *seen['possible']])}"


def _history(seen: Mapping[str, Any]) -> Iterator[str]:
    if seen["log"]:
        yield "attempts"
    for entry in seen["log"]:
        yield f"  {entry['at']}  {entry['outcome']}  {entry['detail'] or entry['status']}"
    if refusal := seen["refusal"]:
        yield "refused with"
        for name, value in refusal.items():
            for each in value if isinstance(value, list) else [value]:
                yield f"  {name:13} {each}"
    if seen["actions"]:
        yield "done by hand"
    for action in seen["actions"]:
        yield f"  {action['at']}  {action['action']} by {action['who']}: {action['reason']}"


def _document(label: str, body: object) -> Iterator[str]:
    yield label
    yield from (f"  {line}" for line in json.dumps(body, indent=2, ensure_ascii=False).splitlines())
