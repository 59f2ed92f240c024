"""The status report: one line for each thing that an operator on duty, or a monitor, asks about.

A line is one function: its name, its query, when it warns or is bad, its text, and the command that
looks deeper. `LINES` has them in the order in which they are shown. Those about requests, messages
and pauses are in status_messages; here are those about the installation and its processes.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from supplier_api.clock import from_wire
from supplier_api.db import Store, StoreUnavailable, UnitOfWork, migrate
from supplier_api.db.operator_actions import SwitchRepository
from supplier_api.operations.installation import MEND, InstallationRepository, stamp_of
from supplier_api.operations.processes import (
    DOORS,
    RECONCILED,
    REQUEST_TIMES,
    ProcessKind,
    ProcessRepository,
    inventory_down,
    not_loaded,
    rules_off,
)
from supplier_api.operations.status_line import (
    SHOWN,
    StatusLevel,
    StatusLine,
    StatusReading,
    level_by_age,
    line,
    plain,
)
from supplier_api.operations.status_messages import MESSAGE_LINES, PAUSE_LINES
from supplier_api.problems.inbox_repository import count_failed, waiting
from supplier_api.problems.services import Services
from supplier_api.problems.ticket_repository import PollRepository, TicketRepository, count_apart
from supplier_api.settings import Settings
from supplier_api.settings.doors import Door, listeners

WRITE_SECONDS = 2.0  # for the trial write
LOOKS = 20  # at the back office's system in a row that brought nothing: that is bad
CHECK = "supplier-api rules check"
DOCTOR = "supplier-api doctor"
STATUS = "supplier-api status --json"


def gather(services: Services, settings: Settings) -> list[StatusLine]:
    """Return all lines; whether the database can be written is tried. Raises StoreUnavailable."""
    return _lines(services, settings, _tried)


def observed(services: Services, settings: Settings) -> list[StatusLine]:
    """Return the same lines without writing anything, for who asks often.

    The database counts as usable unless this process could not write to it in the last seconds.
    """
    return _lines(services, settings, _observed)


def _lines(
    services: Services, settings: Settings, database: Callable[[Services], StatusLine]
) -> list[StatusLine]:
    """Return the database's line, and all others from one snapshot of it."""

    def work(uow: UnitOfWork) -> list[StatusLine]:
        now, business = services.machine.now(), services.business.now("")
        known = ProcessRepository(uow).all()
        here = StatusReading(uow, settings, now, business, known, services.policy)
        return [each for make in LINES for each in make(here)]

    lines = services.store.read(work)
    return [database(services), *lines]


def _tried(services: Services) -> StatusLine:
    """Check by writing whether the database can be written: reading seldom is the difficulty."""
    store, name = services.store, f"status/{services.process}"
    try:
        store.require_room()
        store.write(
            lambda uow: ProcessRepository(uow).try_out(name, services.machine.now()),
            deadline=services.machine.monotonic() + WRITE_SECONDS,
        )
    except StoreUnavailable as error:
        return unusable(error)
    return _usable(store)


def _observed(services: Services) -> StatusLine:
    try:
        services.store.require_room()
    except StoreUnavailable as error:
        return unusable(error)
    failure = services.store.recent_failure()
    return unusable(StoreUnavailable(failure)) if failure else _usable(services.store)


def _usable(store: Store) -> StatusLine:
    return line("database", StatusLevel.OK, store.dialect, engine=store.dialect)


def unusable(error: StoreUnavailable) -> StatusLine:
    """Return the line that says what is wrong with the database."""
    reason = str(error).splitlines()[0]
    return line("database", StatusLevel.BAD, reason, "supplier-api config show")


# -- the installation and its processes


def schema(here: StatusReading) -> Iterator[StatusLine]:
    """Show the schema that there is, and the one that is needed."""
    has, needs = migrate.current(here.uow.connection), migrate.head()
    yield line("schema", StatusLevel.OK, f"{has}, needed: {needs}", has=has, needs=needs)


def environment(here: StatusReading) -> Iterator[StatusLine]:
    """Check that the database is the one of these settings."""
    ours, found = stamp_of(here.settings), InstallationRepository(here.uow).get()
    level, text, look = StatusLevel.OK, str(ours), MEND
    if found is None:
        level, text = StatusLevel.WARN, "no stamp yet: never started"
        look = "supplier-api db upgrade"
    elif found != ours:
        level, text = StatusLevel.BAD, f"the database belongs to {found}, not to {ours}"
    stamp = str(found) if found else None
    yield line("environment", level, text, look, ours=str(ours), stamp=stamp)


def processes(here: StatusReading) -> Iterator[StatusLine]:
    """Count the web servers and the workers: alive, silent, and dead."""
    yield _of_kind(here, ProcessKind.WEB, "web servers", "supplier-api serve")
    yield _of_kind(here, ProcessKind.WORKER, "workers", "supplier-api worker")


def doors(here: StatusReading) -> Iterator[StatusLine]:
    """Check that a web server serves each door that the settings have."""
    web = [each for each in here.living if each.kind == ProcessKind.WEB]
    served = Counter(door for each in web for door in each.detail.get(DOORS, {}))
    wanted = [door for listener in listeners(here.settings) for door in listener.doors]
    level, look = StatusLevel.OK, "supplier-api serve"
    text = ", ".join(f"{door} {served[door]}" for door in Door if door in served) or "none known"
    # Without any web server the line of those is bad; one of an older version does not tell.
    told = web and all(DOORS in each.detail for each in web)
    if told and (missing := [door for door in wanted if door not in served]):
        level, text = StatusLevel.BAD, f"{text}; nobody serves: {', '.join(missing)}"
        look = f"supplier-api serve --door {missing[0]}"
    yield line("doors", level, text, look, served=dict(served))


def _of_kind(here: StatusReading, kind: ProcessKind, name: str, start: str) -> StatusLine:
    known = [each for each in here.processes if each.kind == kind]
    living = [each for each in here.living if each.kind == kind]
    died = [each for each in known if each.died]
    silent = [each for each in known if each.ended is None and each not in living]
    seen = known[0].seen if known else None
    level, text, look = StatusLevel.OK, f"{len(living)} alive", start
    if not living:
        last = f", the last was seen {here.since(seen)} ago" if seen else ""
        level, text = StatusLevel.BAD, f"none is alive{last}"
    elif silent or died:
        level, text = (
            StatusLevel.WARN,
            f"{text}, {len(silent)} silent, {len(died)} died within a day",
        )
        # The doctor knows which answers a dead web server may not have sent.
        look = DOCTOR if died and kind is ProcessKind.WEB else start
    names = [each.name for each in living]
    counts = {"alive": len(living), "silent": len(silent), "diedLately": len(died)}
    return line(name, level, text, look, **counts, lastSeen=seen, names=names)


def versions(here: StatusReading) -> Iterator[StatusLine]:
    """Warn when different releases or rule books are at work."""
    living = here.living
    releases = sorted({each.version for each in living})
    books = sorted({each.book_version for each in living if each.book_version})
    level, look = StatusLevel.OK, CHECK
    text = f"{', '.join(releases) or 'none runs'}, rule book {', '.join(books) or '(none)'}"
    if len(releases) > 1 or len(books) > 1:
        level = StatusLevel.WARN
        text = f"mixed: versions {', '.join(releases)}; rule books {', '.join(books)}"
    if len(releases) > 1:
        oldest = min(living, key=lambda each: (each.started, each.name))
        text += f"; the oldest to be started again: {oldest.name}"
        look = f"supplier-api {'serve' if oldest.kind == ProcessKind.WEB else 'worker'}"
    yield line("versions", level, text, look, versions=releases, ruleBooks=books)


def request_times(here: StatusReading) -> Iterator[StatusLine]:
    """Report how long the last requests took, from the web server with the longest times."""
    reported = {
        each.name: each.detail[REQUEST_TIMES]
        for each in here.living
        if REQUEST_TIMES in each.detail
    }
    level, text = StatusLevel.OK, "none known"
    if reported:
        answered = max(each["answered"]["p99"] for each in reported.values())
        queued = max(each["queued"]["p99"] for each in reported.values())
        refused = sum(sum(each["refused"].values()) for each in reported.values())
        text = f"99 % of the last are answered within {answered:.0f} ms of their headers"
        text += f", and queued for {queued:.0f} ms"
        text += f"; {refused} refused unread" if refused else ""
        if queued > here.settings.server.answer_budget * 1000 / 2:
            level = StatusLevel.WARN
    yield line("request times", level, text, STATUS, webServers=reported)


# -- what decisions depend on


def maintenance(here: StatusReading) -> Iterator[StatusLine]:
    """Warn while nothing is decided."""
    on = SwitchRepository(here.uow).get("maintenance")
    if on is None:
        yield line("maintenance", StatusLevel.OK, "off", on=False)
        return
    text = f"on for {here.since(on.since)}, by {on.who}: {on.reason}"
    look = 'supplier-api maintenance off --reason "..."'
    values = {"on": True, "since": on.since, "who": on.who, "reason": on.reason}
    yield line("maintenance", StatusLevel.WARN, text, look, **values)


def rules(here: StatusReading) -> Iterator[StatusLine]:
    """Check that all rules are in use, and that they are those of the file."""
    off = [
        (name, rule, since)
        for name, found in rules_off(here.living).items()
        for rule, since in found.items()
    ]
    texts = [
        f"{rule} switched off for {here.since(since)} in {name}:"
        " what it might decide is answered 202"
        for name, rule, since in off
    ]
    refused, kept = _not_loaded(here, "rules")
    bad = [*texts[:SHOWN], *refused]
    level = StatusLevel.BAD if bad else StatusLevel.OK
    text = "; ".join(bad) or "all are asked, as the file has them"
    values = [plain(process=name, rule=rule, since=since) for name, rule, since in off]
    look = DOCTOR if texts else CHECK
    yield line("rules", level, text, look, off=values, notLoaded=kept)


def inventory(here: StatusReading) -> Iterator[StatusLine]:
    """Check that the inventory answers, and that its data is that of the file."""
    silent = inventory_down(here.living)
    refused, kept = _not_loaded(here, "inventory")
    level, text, look = StatusLevel.OK, "not known to be down", DOCTOR
    if silent:
        level = StatusLevel.BAD
        text = f"down for {here.since(min(silent.values()))}: decisions are put off"
    elif refused:
        level, text, look = StatusLevel.BAD, "; ".join(refused), CHECK
    down = [plain(process=name, since=since) for name, since in silent.items()]
    yield line("inventory", level, text, look, down=down, notLoaded=kept)


def _not_loaded(here: StatusReading, what: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Return a text about an unused new file, if any, and what each process reports."""
    reported = not_loaded(here.living, what)
    kept = [{"process": name, **each} for name, each in reported.items()]
    if not kept:
        return [], []
    first = min(kept, key=lambda each: str(each["since"]))
    since = here.since(from_wire(first["since"]))
    text = f"the new file is not used (for {since} now) and would stop a start: {first['why']}"
    return [text], kept


def tickets_apart(here: StatusReading) -> Iterator[StatusLine]:
    """Warn of tickets of the back office that say what cannot be followed."""
    number = count_apart(here.uow)
    name = here.settings.backoffice.adapter
    apart = TicketRepository(here.uow, name).all_apart(SHOWN) if number else []
    level, text = StatusLevel.OK, "none"
    if number:
        level = StatusLevel.WARN
        each = "; ".join(f"{one.ticket}: {one.reason}" for one in apart)
        text = f"{number}, the first: {each}" if each else str(number)
    oldest = [plain(ticket=one.ticket, cause=one.cause, since=one.since) for one in apart]
    yield line("tickets apart", level, text, STATUS, number=number, oldest=oldest)


def inbox(here: StatusReading) -> Iterator[StatusLine]:
    """Warn of webhooks that wait for long; those that could not be applied are bad."""
    (number, oldest), failed = waiting(here.uow), count_failed(here.uow)
    level = level_by_age(oldest, here.now, here.settings.status.undelivered)
    level = StatusLevel.BAD if failed else level
    text = f"{number} waiting, {failed} failed"
    text += f", the oldest for {here.since(oldest)}" if oldest else ""
    look = "supplier-api inbox list"
    yield line("inbox", level, text, look, waiting=number, failed=failed, oldest=oldest)


def polled(here: StatusReading) -> Iterator[StatusLine]:
    """Warn when it is long unknown what has changed in the back office's system."""
    cursor = PollRepository(here.uow, here.settings.backoffice.adapter).get()
    level, text = StatusLevel.OK, "not polled"
    if cursor:
        text = f"all is known until {here.since(cursor.since)} ago"
        level = level_by_age(cursor.since, here.now, LOOKS * here.settings.polling.every)
    since = cursor.since if cursor else None
    yield line("tickets polled", level, text, "supplier-api reconcile", since=since)


def reconciled(here: StatusReading) -> Iterator[StatusLine]:
    """Warn of problems that differ from their tickets, as the last comparison found them."""
    reports = [each.detail[RECONCILED] for each in here.processes if RECONCILED in each.detail]
    last = max(reports, key=lambda each: str(each["at"]), default=None)
    level, text = StatusLevel.OK, "not compared"
    if last:
        ago = here.since(from_wire(last["at"]))
        text = f"{last['left']} differ, {last['applied']} were mended, {ago} ago"
        level = StatusLevel.WARN if last["left"] else StatusLevel.OK
    yield line("tickets compared", level, text, "supplier-api reconcile", last=last)


LINES = (
    schema,
    environment,
    processes,
    doors,
    versions,
    *MESSAGE_LINES,
    request_times,
    *PAUSE_LINES,
    tickets_apart,
    inbox,
    polled,
    reconciled,
    maintenance,
    rules,
    inventory,
)
