"""`supplier-api problem`: one problem at a glance, and events for it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import click

from supplier_api.app.services import changing, reading
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.messages import check_tenant
from supplier_api.cli.options import (
    MAX_ROWS,
    WholeNumberParam,
    age,
    operator,
    some_words,
    with_json,
)
from supplier_api.cli.output import print_either, print_json, print_rows
from supplier_api.contract import MessageError
from supplier_api.contract.codes import ProblemCode, ResolutionCode, Status
from supplier_api.db.operator_actions import Operator
from supplier_api.http.backoffice.schemas import read_event
from supplier_api.operations.status_messages import silent_after
from supplier_api.problems import view
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.disclosure import record_search
from supplier_api.problems.lifecycle import BACK_OFFICE_EVENTS, Event
from supplier_api.problems.model import Base, ServiceProblem
from supplier_api.problems.problem_search import WORDS_MAX, WantedProblems, newest
from supplier_api.problems.services import Services
from supplier_api.problems.silent import SilentProblems
from supplier_api.settings import Settings, load_settings

# As words: click would offer the names of an enumeration's members.
STATES = [Base.UNDECIDED.value, *(status.value for status in Status)]
EVENTS = [event.value for event in Event if event in BACK_OFFICE_EVENTS]
PROBLEM_CODES = [code.value for code in ProblemCode]
RESOLUTION_CODES = [code.value for code in ResolutionCode]


# By the event's field, as messages name it.
OPTIONS = {
    "id": "--id",
    "problemCode": "--problem-code",
    "text": "--text",
    "supplierCodes": "--supplier-code",
    "note": "--note",
    "commit": "--commit",
    "changeReference": "--change",
    "resolution": "--resolution-code",
    "resolution.resolutionCode": "--resolution-code",
    "resolution.resolutionText": "--resolution-text",
    "backOfficeId": "--ticket",
}


@click.group(epilog=example("supplier-api problem show SP_0000000001"))
def problem() -> None:
    """Look at problems, and say what happened to them."""


@problem.command(
    "list", epilog=example("supplier-api problem list --state UNDECIDED --older-than 12h")
)
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--tenant", help="Only those of this tenant.")
@click.option("--older-than", metavar="AGE", help="Only those older than this: 30m, 12h, 3d.")
@click.option(
    "--silent", is_flag=True, help="Only open ones that are silent: as `status` counts them."
)
@click.option(
    "--text",
    metavar="WORDS",
    help="Only those whose description, notes, hazards and restrictions have all these words."
    " They are personal: who searched, why, and what was found is recorded.",
)
@click.option(
    "--reason", callback=some_words, help="Why you look for --text; recorded with who did it."
)
@click.option(
    "--limit",
    type=WholeNumberParam(1, MAX_ROWS),
    default=50,
    show_default=True,
    help="At most so many, the newest first.",
)
@with_json
def list_problems(
    state: str | None,
    tenant: str | None,
    older_than: str | None,
    silent: bool,
    text: str | None,
    reason: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List problems, the newest first; silent ones the longest first."""
    oldest = age(older_than, "--older-than") if older_than else None
    if silent and (state or tenant or older_than or text):
        raise click.UsageError("--silent goes with --limit only")
    if bool(text) != bool(reason):
        raise click.UsageError("--text goes with --reason, and that with --text only")
    words = _words(text)
    settings = load_settings()
    with (changing if words else reading)(settings) as services:
        before = services.business.now(tenant or "") - oldest if oldest else None
        if silent:
            now, after = services.business.now(""), silent_after(settings.status)
            found = services.store.read(lambda uow: SilentProblems(uow, now, after).listed(limit))
        else:
            wanted = WantedProblems(state, tenant, before=before, words=words)
            found = newest(services.store, wanted, limit)
        if words:
            record_search(services, found, Operator(operator(), reason or ""))
        if not found and tenant:
            services.store.read(lambda uow: check_tenant(uow, tenant))
    rows = [view.summary(each) for each in found]
    if as_json:
        print_json(rows)
        return
    names = ("reference", "status", "tenant", "gatewayId", "serviceId", "created")
    narrowed = state or tenant or older_than or silent or text
    none = "no problem fits these options" if narrowed else "there are no problems"
    print_rows([[str(row[name]) for name in names] for row in rows], none)


def _words(text: str | None) -> list[str]:
    words = (text or "").split()
    if text is not None and not 0 < len(words) <= WORDS_MAX:
        raise click.BadParameter(f"expected 1 to {WORDS_MAX} words", param_hint="--text")
    return words


@problem.command(epilog=example("supplier-api problem show SP_0000000001"))
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the rules' traces.")
def show(name: str, as_json: bool) -> None:
    """Show one problem.

    NAME is our reference, the gateway's id, a service, a conversation, the back office's ticket, or
    the reference of an amendment, cancellation or resolution. The gateway's id of a request that
    was refused finds that.
    """
    try:
        seen = problem_view(load_settings(), name)
    except RequestsRefused as refused:
        if not as_json:
            raise
        print_json({"refused": refused.requests})
        return
    print_either(seen, _lines(seen), as_json=as_json)


@problem.command(
    epilog=example(
        "supplier-api problem event SP_0000000001 start",
        "supplier-api problem event SP_0000000001 resolve --resolution-code OTHER",
    )
)
@click.argument("reference")
@click.argument("name", metavar="EVENT", type=click.Choice(EVENTS))
@click.option("--id", "event_id", help="The event's own id; a new one if absent.")
@click.option(
    "--problem-code",
    type=click.Choice(PROBLEM_CODES),
    metavar="CODE",
    help="What is wrong, as the tenant is told.",
)
@click.option("--text", help="What the tenant is told.")
@click.option("--supplier-code", "supplier_codes", multiple=True, help="May be given repeatedly.")
@click.option("--note", help="A note for the tenant.")
@click.option("--commit", is_flag=True, help="With accept: work starts at once.")
@click.option("--change", "change_reference", help="The amendment or cancellation decided upon.")
@click.option(
    "--resolution-code",
    type=click.Choice(RESOLUTION_CODES),
    metavar="CODE",
    help="With resolve: what it was.",
)
@click.option("--resolution-text", help="With resolve: what was found and done.")
@click.option("--ticket", "back_office_id", help="The back office's own ticket.")
@click.option("--reason", default="", help="Why; recorded with who did it.")
def event(reference: str, name: str, event_id: str | None, reason: str, **given: Any) -> None:
    """Say what happened to a problem, as the back office would."""
    document = {"id": event_id or str(uuid4()), "event": name, **_document(given)}
    try:
        happened = read_event(document)
    except MessageError as error:
        raise click.UsageError("; ".join(_by_option(name, error.messages))) from None
    with changing(load_settings()) as services:
        answer = BackOfficeEvents(services).event(
            reference, happened, by=Operator(operator(), reason)
        )
    if answer.status != 200:
        hint = [f"possible now: {', '.join(answer.body.get('legalEvents', []))}"]
        told = _by_option(name, answer.body["messages"])
        raise CommandRefused("; ".join(told), hint if answer.status == 409 else [])
    click.echo(f"{answer.body['reference']} {answer.body['status']}")


class RequestsRefused(CommandRefused):
    """There is no such problem, but there are requests of that id that none came of."""

    def __init__(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep the requests, with the rules' traces and the facts that they decided on."""
        super().__init__(f"there is no problem {name}", [_refused(row) for row in rows])
        self.requests = rows


def problem_view(settings: Settings, name: str, tenant: str | None = None) -> dict[str, Any]:
    """Return the one problem that `name` stands for, of `tenant` if that is named.

    Raises CommandRefused for none and for several.
    """
    with reading(settings) as services:
        found = one_problem(services, name, tenant)
        now = services.machine.now()
        return services.store.read(lambda uow: view.with_holds(uow, found, now))


def one_problem(services: Services, name: str, tenant: str | None = None) -> ServiceProblem:
    """Return the one problem that `name` stands for, of `tenant` if that is named.

    Raises CommandRefused for none and for several.
    """
    found = [
        problem
        for problem in services.store.read(lambda uow: view.find(uow, name))
        if tenant in {None, problem.tenant}
    ]
    if not found:
        refused = services.store.read(lambda uow: view.refused(uow, name))
        mine = [row for row in refused if tenant in {None, row["tenant"]}]
        if mine:
            raise RequestsRefused(name, mine)
        raise CommandRefused(f"there is no problem {name}")
    if len(found) > 1:
        each = [f"{one.reference}  {one.tenant}  {one.gateway_id}" for one in found]
        raise CommandRefused(f"{name} stands for {len(found)} problems:", each)
    return found[0]


def _refused(request: Mapping[str, Any]) -> str:
    """Tell of a request that no problem came of."""
    codes = [f"{each['code']} (rule: {each['rule']})" for each in request["reasons"]]
    why = ", ".join(codes) or request["code"]
    told = f"{request['operation']} was answered {request['answer']} {why}".rstrip()
    return f"{request['at']}  {request['tenant']}: {told}"


def _by_option(event_name: str, messages: Sequence[str]) -> Iterator[str]:
    """Yield the messages about an event's fields as messages about the options that fill them."""
    for message in messages:
        field, _, about = message.partition(": ")
        option = OPTIONS.get(field)
        if option is None:
            yield message
        elif about.startswith("missing"):
            yield f"{event_name} needs {option}"
        else:
            yield f"{option}: {about}"


def _document(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as the event's fields."""
    names = {
        "problem_code": "problemCode",
        "text": "text",
        "note": "note",
        "commit": "commit",
        "change_reference": "changeReference",
        "back_office_id": "backOfficeId",
    }
    document = {wire: given[name] for name, wire in names.items() if given[name]}
    if given["supplier_codes"]:
        document["supplierCodes"] = list(given["supplier_codes"])
    resolution = {
        "resolutionCode": given["resolution_code"],
        "resolutionText": given["resolution_text"],
    }
    if any(resolution.values()):
        document["resolution"] = {name: value for name, value in resolution.items() if value}
    return document


def _lines(seen: Mapping[str, Any]) -> Iterator[str]:
    yield f"{seen['reference']}  {seen['status']}"
    yield from _facts(seen)
    yield "time line"
    for entry in seen["timeline"]:
        yield from _entry(entry)
    if seen["timers"]:
        yield "timers"
        for timer in seen["timers"]:
            yield f"  {timer['dueAt']}  {timer['kind']}  {timer['subject'] or ''}".rstrip()
    for sentence in seen["heldUp"]:
        yield f"held up    {sentence}"
    if seen["waitsFor"]:
        yield f"waits for  {seen['waitsFor']}"
    if seen["mustCarry"]:
        yield f"possible   {', '.join(_possible(seen['mustCarry']))}"


def _possible(must_carry: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield each event that is possible, with the fields that it must carry."""
    for event, fields in must_carry.items():
        yield f"{event} ({', '.join(fields)})" if fields else event


def _facts(seen: Mapping[str, Any]) -> Iterator[str]:
    for label, key in (
        ("tenant", "tenant"),
        ("gateway id", "gatewayId"),
        ("service", "serviceId"),
        ("conversation", "conversationId"),
        ("area", "area"),
        ("exchange", "exchange"),
        ("parent", "parent"),
        ("parent", "parentUnknown"),
        ("incident", "incident"),
        ("ticket", "backOfficeId"),
        ("ticket URL", "backOfficeUrl"),
        ("linked to", "linkedTo"),
    ):
        if seen[key]:
            yield f"  {label:13} {seen[key]}"
    for reference in seen["escalations"]:
        yield f"  escalation    asked for by amendment {reference}"
    if seen["backOfficeUntold"]:
        yield "  back office   not told: a work order was skipped"
    for sentence in seen["leftOut"]:
        yield f"  left out      {sentence}; the next update says so"


def _entry(entry: Mapping[str, Any]) -> Iterator[str]:
    at, what = entry["at"], entry["what"]
    if what == "request":
        yield f"  {at}  {entry['operation']} {entry['id']}  answered {entry['answer']}" + (
            f"  {entry['outcome']} (rule: {entry['rule']})" if entry["outcome"] else ""
        )
        for reason in entry["reasons"]:
            yield f"{'':28}{reason['rule']}: {reason['code']}"
        for trace in entry["trace"]:
            if "why" in trace:
                yield f"{'':28}{trace['rule']} could not be judged: {trace['why']}"
    elif what == "event":
        by = f" by an {entry['by']}" if entry["by"] else ""
        yield f"  {at}  event {entry['event']}{by}  answered {entry['answer']}"
    elif what == "action":
        yield f"  {at}  operator: {entry['action']}"
    else:
        about = f"KCI {entry['number']}" if what == "kci" else "work order"
        status = f" {entry['status']}" if "status" in entry else ""
        mended = f" ({entry['mended']})" if entry["mended"] else ""
        yield f"  {at}  {about} {entry['kind']}{status}  {entry['state']}{mended}"
        for attempt in entry["attempts"]:
            answer = attempt["status"] or attempt["detail"]
            yield f"{'':28}{attempt['at']}  {attempt['outcome']}  {answer}  {attempt['ms']} ms"
