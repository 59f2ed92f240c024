"""The status report: one line for each thing that an operator on duty, or a monitor, asks about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from supplier_api.clock import from_wire, to_wire
from supplier_api.db import StoreUnavailable, UnitOfWork, migrate
from supplier_api.operations.installation_id import MEND, stamp_of
from supplier_api.operations.installation_repository import InstallationRepository
from supplier_api.operations.process_registry import (
    REQUEST,
    REQUEST_TIMES,
    alive,
    inventory_down,
    not_loaded,
    rules_off,
)
from supplier_api.operations.process_repository import Process, ProcessKind, ProcessRepository
from supplier_api.operations.status_queries import PauseSummary, StatusQueries, WaitingSummary
from supplier_api.problems.maintenance import SwitchRepository
from supplier_api.problems.services import BACK_OFFICE, GATEWAY, Services
from supplier_api.settings import Settings
from supplier_api.settings.model import StatusSettings as Limits

LATELY = timedelta(days=1)
WRITE_SECONDS = 2.0  # for the trial write
WHAT = {GATEWAY: "KCIs", BACK_OFFICE: "work orders"}
COMMANDS = {GATEWAY: "supplier-api kci", BACK_OFFICE: "supplier-api work-order"}


class StatusLevel(StrEnum):
    """How serious a status line is."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class StatusLine:
    """One line of the report: its name, level, text, and values as plain JSON.

    `look` is the command that shows more, if something is not as it should be.
    """

    name: str
    level: StatusLevel
    text: str
    look: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def gather(services: Services, settings: Settings) -> list[StatusLine]:
    """Return all lines, from one snapshot of the database; raises StoreUnavailable."""
    lines = services.store.read(lambda uow: list(_Survey(services, settings, uow).lines()))
    return [_database(services), *lines]


def _database(services: Services) -> StatusLine:
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
    return StatusLine("database", StatusLevel.OK, store.dialect, None, _json(engine=store.dialect))


def unusable(error: StoreUnavailable) -> StatusLine:
    """Return the line that says what is wrong with the database."""
    reason = str(error).splitlines()[0]
    return StatusLine("database", StatusLevel.BAD, reason, "supplier-api config show")


def age(seconds: float) -> str:
    """Format a duration in seconds for people, as in `3 min`."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


class _Survey:
    """The lines of one snapshot."""

    def __init__(self, services: Services, settings: Settings, uow: UnitOfWork) -> None:
        self._settings = settings
        self._limits: Limits = settings.status
        self._uow = uow
        self._now = services.machine.now()
        self._business = services.business.now("")
        self._processes = ProcessRepository(uow).all()

    def lines(self) -> Iterator[StatusLine]:
        yield self._schema()
        yield self._environment()
        yield self._web()
        yield self._workers()
        yield self._versions()
        yield self._last_request()
        yield self._last_taken()
        yield from self._undelivered()
        yield from self._parked()
        yield self._undecided()
        yield self._late()
        yield self._request_times()
        yield self._breaker()
        yield self._pauses()
        yield self._maintenance()
        yield self._rules()
        yield self._inventory()

    # -- the installation

    def _schema(self) -> StatusLine:
        has, needs = migrate.current(self._uow.connection), migrate.head()
        return StatusLine(
            "schema", StatusLevel.OK, f"{has}, needed: {needs}", None, _json(has=has, needs=needs)
        )

    def _environment(self) -> StatusLine:
        ours, found = stamp_of(self._settings), InstallationRepository(self._uow).get()
        values = _json(ours=str(ours), stamp=str(found) if found else None)
        if found is None:
            text = "no stamp yet: never started"
            return StatusLine(
                "environment", StatusLevel.WARN, text, "supplier-api db upgrade", values
            )
        if found != ours:
            text = f"the database belongs to {found}, not to {ours}"
            return StatusLine("environment", StatusLevel.BAD, text, MEND, values)
        return StatusLine("environment", StatusLevel.OK, str(ours), None, values)

    def _web(self) -> StatusLine:
        return self._of_kind(ProcessKind.WEB, "web servers", "supplier-api serve")

    def _workers(self) -> StatusLine:
        return self._of_kind(ProcessKind.WORKER, "workers", "supplier-api worker")

    def _of_kind(self, kind: ProcessKind, name: str, start: str) -> StatusLine:
        known = [each for each in self._processes if each.kind == kind]
        living, died = self._alive(known), [each for each in known if each.died]
        seen = known[0].seen if known else None
        silent = [each for each in known if each.ended is None and each not in living]
        values = _json(
            alive=len(living),
            silent=len(silent),
            diedLately=len(died),
            lastSeen=seen,
            names=[each.name for each in living],
        )
        if not living:
            last = f", the last was seen {self._ago(seen)}" if seen else ""
            return StatusLine(name, StatusLevel.BAD, f"none is alive{last}", start, values)
        text = f"{len(living)} alive"
        if silent or died:
            text += f", {len(silent)} silent, {len(died)} died within a day"
            # The doctor knows which answers a dead web server may not have sent.
            look = "supplier-api doctor" if died and kind is ProcessKind.WEB else start
            return StatusLine(name, StatusLevel.WARN, text, look, values)
        return StatusLine(name, StatusLevel.OK, text, None, values)

    def _alive(self, known: Sequence[Process]) -> list[Process]:
        return alive(known, self._now, self._limits.heartbeat)

    def _versions(self) -> StatusLine:
        living = self._alive(self._processes)
        releases = sorted({each.version for each in living})
        books = sorted({each.book_version for each in living if each.book_version})
        values = _json(versions=releases, ruleBooks=books)
        if len(releases) > 1 or len(books) > 1:
            text = f"mixed: versions {', '.join(releases)}; rule books {', '.join(books)}"
            oldest = min(living, key=lambda each: (each.started, each.name))
            look = "supplier-api rules check"
            if len(releases) > 1:
                text += f"; the oldest to be started again: {oldest.name}"
                look = f"supplier-api {'serve' if oldest.kind == ProcessKind.WEB else 'worker'}"
            return StatusLine("versions", StatusLevel.WARN, text, look, values)
        text = f"{', '.join(releases) or 'none runs'}, rule book {', '.join(books) or '(none)'}"
        return StatusLine("versions", StatusLevel.OK, text, None, values)

    # -- requests and messages

    def _last_request(self) -> StatusLine:
        at = self._last(REQUEST, StatusQueries(self._uow).last_decided())
        text = f"{to_wire(at)}, {self._ago(at)}" if at else "none known"
        return StatusLine("last request", StatusLevel.OK, text, None, _json(at=at))

    def _last_taken(self) -> StatusLine:
        at = self._last(GATEWAY, StatusQueries(self._uow).last_taken(GATEWAY))
        text = f"{to_wire(at)}, {self._ago(at)}" if at else "none known"
        return StatusLine("last KCI taken", StatusLevel.OK, text, None, _json(at=at))

    def _last(self, what: str, stored: datetime | None) -> datetime | None:
        """Return the later of the stored time and the times that processes report for `what`."""
        reported = [from_wire(each.detail[what]) for each in self._processes if what in each.detail]
        return max([*reported, *([stored] if stored else [])], default=None)

    def _undelivered(self) -> Iterator[StatusLine]:
        found = StatusQueries(self._uow).undelivered()
        for destination in (GATEWAY, BACK_OFFICE):
            waiting = found.get(destination, WaitingSummary(0, None))
            level = self._by_age(waiting.oldest, self._now, self._limits.undelivered)
            yield self._waiting(
                f"undelivered {WHAT[destination]}",
                level,
                waiting,
                self._now,
                f"{COMMANDS[destination]} list --state queued",
            )

    def _parked(self) -> Iterator[StatusLine]:
        found, dead = StatusQueries(self._uow).parked(), StatusQueries(self._uow).dead_letters()
        for destination in (GATEWAY, BACK_OFFICE):
            waiting = found.get(destination, WaitingSummary(0, None))
            level = self._by_age(waiting.oldest, self._now, self._limits.parked_hours * 3600)
            if waiting.count:
                level = max(level, StatusLevel.WARN, key=LEVELS.index)
            yield self._waiting(
                f"parked {WHAT[destination]}",
                level,
                waiting,
                self._now,
                f"{COMMANDS[destination]} list",
                "problem has a dead letter"
                if waiting.count == 1
                else "problems have a dead letter",
            )
        yield self._dead_letters(dead)

    def _dead_letters(self, dead: int) -> StatusLine:
        """Count dead letters; one that says how a problem ended is bad at once."""
        ends = StatusQueries(self._uow).dead_ends(GATEWAY)
        values = _json(count=dead, ends=dict(ends))
        if not ends:
            return StatusLine("dead letters", StatusLevel.OK, str(dead), None, values)
        kinds = ", ".join(f"{count} {kind}" for kind, count in ends.items())
        text = f"{dead}; the gateway does not know how it ended: {kinds}"
        return StatusLine(
            "dead letters", StatusLevel.BAD, text, f"{COMMANDS[GATEWAY]} list --state dead", values
        )

    def _undecided(self) -> StatusLine:
        waiting = StatusQueries(self._uow).undecided()
        hours = self._limits.undecided_hours
        level = self._by_age(waiting.oldest, self._business, hours * 3600)
        look = "supplier-api problem list --state UNDECIDED"
        return self._waiting("undecided", level, waiting, self._business, look)

    def _late(self) -> StatusLine:
        late, decided = StatusQueries(self._uow).late_answers(self._now - LATELY)
        share = late / decided if decided else 0.0
        values = _json(late=late, answers=decided, share=round(share, 6))
        text = f"{late} of {decided} within a day"
        level = StatusLevel.OK
        if late:
            level = StatusLevel.BAD if share > self._limits.late_share else StatusLevel.WARN
        return StatusLine(
            "late answers", level, text, "supplier-api doctor" if late else None, values
        )

    def _request_times(self) -> StatusLine:
        """Report how long the last requests took, from the web server with the longest times."""
        reported = {
            each.name: each.detail[REQUEST_TIMES]
            for each in self._alive(self._processes)
            if REQUEST_TIMES in each.detail
        }
        values = _json(webServers=reported)
        if not reported:
            return StatusLine("request times", StatusLevel.OK, "none known", None, values)
        answered = max(each["answered"]["p99"] for each in reported.values())
        queued = max(each["queued"]["p99"] for each in reported.values())
        refused = sum(sum(each["refused"].values()) for each in reported.values())
        text = f"99 % of the last are answered within {answered:.0f} ms of their headers"
        text += f", and queued for {queued:.0f} ms"
        text += f"; {refused} refused unread" if refused else ""
        budget = self._settings.server.answer_budget * 1000
        level = StatusLevel.WARN if queued > budget / 2 else StatusLevel.OK
        look = None if level is StatusLevel.OK else "supplier-api status --json"
        return StatusLine("request times", level, text, look, values)

    # -- pauses, rules and inventory

    def _breaker(self) -> StatusLine:
        opened = [each for each in self._held() if _is_open_breaker(each)]
        if not opened:
            return StatusLine("breaker", StatusLevel.OK, "closed", None, _json(open=[]))
        text = "; ".join(
            f"{each.destination} open for {self._since(each.since)}: {each.reason}"
            for each in opened
        )
        values = _json(open=[self._plain(each) for each in opened])
        return StatusLine("breaker", StatusLevel.BAD, text, "supplier-api doctor --connect", values)

    def _pauses(self) -> StatusLine:
        held = [each for each in self._held() if not _is_open_breaker(each)]
        if not held:
            return StatusLine("pauses", StatusLevel.OK, "none", None, _json(pauses=[]))
        text = "; ".join(
            f"{_what_is_held(each)} for {self._since(each.since)}, by {each.who}: {each.reason}"
            for each in held[:SHOWN]
        )
        more = f"; and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
        values = _json(pauses=[self._plain(each) for each in held])
        return StatusLine(
            "pauses", StatusLevel.WARN, text + more, "supplier-api delivery list", values
        )

    def _maintenance(self) -> StatusLine:
        on = SwitchRepository(self._uow).get("maintenance")
        if on is None:
            return StatusLine("maintenance", StatusLevel.OK, "off", None, _json(on=False))
        text = f"on for {self._since(on.since)}, by {on.who}: {on.reason}"
        values = _json(on=True, since=on.since, who=on.who, reason=on.reason)
        look = 'supplier-api maintenance off --reason "..."'
        return StatusLine("maintenance", StatusLevel.WARN, text, look, values)

    def _rules(self) -> StatusLine:
        """Check that all rules are in use, and that they are those of the file."""
        off = rules_off(self._alive(self._processes))
        refused, kept = self._not_loaded("rules")
        texts = [
            f"{rule} switched off for {self._since(since)} in {name}:"
            " what it might decide is answered 202"
            for name, rules in off.items()
            for rule, since in rules.items()
        ]
        values = _json(
            off=[
                _json(process=name, rule=rule, since=since)
                for name, rules in off.items()
                for rule, since in rules.items()
            ],
            notLoaded=kept,
        )
        if not texts and not refused:
            return StatusLine(
                "rules", StatusLevel.OK, "all are asked, as the file has them", None, values
            )
        look = "supplier-api doctor" if texts else CHECK
        return StatusLine(
            "rules", StatusLevel.BAD, "; ".join([*texts[:SHOWN], *refused]), look, values
        )

    def _inventory(self) -> StatusLine:
        """Check that the inventory answers, and that its data is that of the file."""
        silent = inventory_down(self._alive(self._processes))
        refused, kept = self._not_loaded("inventory")
        down = [_json(process=name, since=since) for name, since in silent.items()]
        values = _json(down=down, notLoaded=kept)
        if silent:
            text = f"down for {self._since(min(silent.values()))}: decisions are put off"
            return StatusLine("inventory", StatusLevel.BAD, text, "supplier-api doctor", values)
        if refused:
            return StatusLine("inventory", StatusLevel.BAD, "; ".join(refused), CHECK, values)
        return StatusLine("inventory", StatusLevel.OK, "not known to be down", None, values)

    def _not_loaded(self, what: str) -> tuple[list[str], list[dict[str, Any]]]:
        """Return a text about an unused new file, if any, and what each process reports."""
        reported = not_loaded(self._alive(self._processes), what)
        kept = [{"process": name, **each} for name, each in reported.items()]
        if not kept:
            return [], []
        first = min(kept, key=lambda each: str(each["since"]))
        since = self._since(from_wire(first["since"]))
        text = f"the new file is not used (for {since} now) and would stop a start: {first['why']}"
        return [text], kept

    def _held(self) -> list[PauseSummary]:
        return StatusQueries(self._uow).pauses(self._now)

    # -- helpers

    def _plain(self, pause: PauseSummary) -> dict[str, Any]:
        return _json(
            cause=pause.cause,
            destination=pause.destination,
            tenant=pause.tenant,
            problem=pause.reference,
            reason=pause.reason,
            who=pause.who,
            since=pause.since,
            until=pause.until,
        )

    def _by_age(self, oldest: datetime | None, now: datetime, bad: float) -> StatusLevel:
        seconds = (now - oldest).total_seconds() if oldest else 0.0
        if seconds > bad:
            return StatusLevel.BAD
        return StatusLevel.WARN if seconds > bad / 2 else StatusLevel.OK

    def _waiting(
        self,
        name: str,
        level: StatusLevel,
        waiting: WaitingSummary,
        now: datetime,
        look: str,
        counted: str = "",
    ) -> StatusLine:
        """Tell how many wait; `counted` says of what, where the name of the line does not."""
        values = _json(count=waiting.count, oldest=waiting.oldest)
        text = f"{waiting.count}{f' {counted}' if counted and waiting.count else ''}"
        if waiting.oldest:
            text += f", the oldest for {age((now - waiting.oldest).total_seconds())}"
        return StatusLine(name, level, text, None if level is StatusLevel.OK else look, values)

    def _ago(self, at: datetime | None) -> str:
        return f"{self._since(at)} ago" if at else "never"

    def _since(self, at: datetime) -> str:
        return age((self._now - at).total_seconds())


SHOWN = 3  # pauses, and rules, named in a text
CHECK = "supplier-api rules check"
LEVELS = list(StatusLevel)


def _is_open_breaker(pause: PauseSummary) -> bool:
    """Return whether the pause is an open breaker for a whole destination, not for one tenant."""
    return pause.cause == "breaker" and pause.tenant is None


def _what_is_held(pause: PauseSummary) -> str:
    """Say which messages do not leave, as in `work orders of tenant TENANT1`."""
    what = WHAT.get(pause.destination or "", "all messages")
    if pause.reference:
        return f"{what} of problem {pause.reference}"
    return f"{what} of tenant {pause.tenant}" if pause.tenant else what


def _json(**values: Any) -> dict[str, Any]:
    return {
        name: to_wire(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
