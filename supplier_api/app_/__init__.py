"""Wires the parts together: the one place that knows them all."""

import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask, Response, g, jsonify

from supplier_api import admin_api, backoffice_api, gateway_api
from supplier_api.access import ClientCredentials, Gate, KeyRing, Tokens, new_key
from supplier_api.admin_api.faulty_answers import spoil_answers
from supplier_api.admin_api.outgoing import Outgoing
from supplier_api.admin_api.recording import keep_requests, record_calls
from supplier_api.backoffice.port import load_adapter
from supplier_api.chance import Chance, SystemChance
from supplier_api.clock import BusinessClock, MachineClock, SystemBusinessClock, SystemMachineClock
from supplier_api.decisions.adapters import limits, load_inventory
from supplier_api.decisions.book import RuleBook
from supplier_api.decisions.model import Outcome
from supplier_api.decisions.plugins import Plugins
from supplier_api.delivery.backoffice import BackOfficeCourier
from supplier_api.delivery.breaker import Rules as BreakerRules
from supplier_api.delivery.clock_guard import ClockGuard
from supplier_api.delivery.deliberate import Deliberate
from supplier_api.delivery.destinations import Destinations, try_token
from supplier_api.delivery.dispatch import Dispatcher
from supplier_api.delivery.follower import ClockDoor, FollowingGateway
from supplier_api.delivery.gateway import GatewayAddress, GatewayCourier
from supplier_api.delivery.heartbeat import Heartbeat
from supplier_api.delivery.model import Destination
from supplier_api.delivery.reply import Reply
from supplier_api.delivery.retry import Policy as RetryPolicy
from supplier_api.delivery.scheduler import Chore, Scheduler
from supplier_api.delivery.sessions import Sessions
from supplier_api.delivery.watchdog import Watchdog
from supplier_api.delivery.worker import Worker
from supplier_api.desk.clockwork import Clockwork, DueTimers, SteppedTimers
from supplier_api.desk.deciding import Deciding
from supplier_api.desk.facts import Judge
from supplier_api.desk.incidents import Incidents
from supplier_api.desk.intake import Intake
from supplier_api.desk.model import BACK_OFFICE, GATEWAY, Office, Policy
from supplier_api.desk.pausing import stands_still
from supplier_api.desk.presence import MISSED, REQUEST, Deaths, Presence, Pulse, Self
from supplier_api.desk.progress import Progress, Taken
from supplier_api.desk.repair import Repair
from supplier_api.desk.replacing import tells_reference
from supplier_api.desk.retention import Keep, Retaining
from supplier_api.desk.stamping import claim, stamp_of
from supplier_api.desk.timers import Timers
from supplier_api.journal.recorder import Bounds, Recorder
from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.settings import Settings
from supplier_api.store import Store, UnitOfWork, migrate
from supplier_api.store.claims import Message
from supplier_api.store.clock import DatabaseClock
from supplier_api.store.pauses import Pause
from supplier_api.store.processes import Kind
from supplier_api.store.sandbox import StoredBusinessClock, StoredChance
from supplier_api.store.signing_keys import SigningKey
from supplier_api.store.wakeup import Wakeup
from supplier_api.wire import CONTRACT

# Threads for the back office: an adapter limits its own calls.
BACK_OFFICE_THREADS = 4
LONGEST_NAME = 100  # of a process, as the column has it


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time and chance come from; tests and sandboxes hold them in their hands."""

    machine: MachineClock
    business: BusinessClock
    chance: Chance


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """The token issuer's keys in the database, so that a token holds at every process."""

    office: Office

    def all(self) -> list[SigningKey]:
        """Return the keys, the one to sign with last; the first is made when there is none."""
        keys = self.office.store.read(lambda uow: uow.signing_keys.all())
        if keys:
            return keys
        made = new_key()
        first = SigningKey(made.kid, made.private_pem, self.office.machine.now())
        self.office.store.write(lambda uow: uow.signing_keys.add_first(first))
        return self.office.store.read(lambda uow: uow.signing_keys.all())


def build_office(settings: Settings, clocks: Clocks | None = None) -> Office:
    """Return what every use case works with; connects to the database.

    Raises store.SchemaTooOld when the database must be upgraded first, and
    desk.stamping.ForeignDatabase when it belongs to another installation.
    """
    office = open_office(settings, clocks)
    try:
        claim_database(settings, office)
    except BaseException:
        office.store.close()
        raise
    return office


def claim_database(settings: Settings, office: Office) -> None:
    """Put our stamp on an unused database; raises desk.stamping.ForeignDatabase."""
    claim(office.store, stamp_of(settings), office.machine.now())


def open_office(settings: Settings, clocks: Clocks | None = None) -> Office:
    """Return the same, for those who only look, of whosever database.

    Raises store.SchemaTooOld when the database must be upgraded first.
    """
    host = clocks.machine if clocks else SystemMachineClock()
    store = Store(settings.database.url, host)
    try:
        migrate.require(store.engine)
    except Exception:
        store.close()
        raise
    machine = host
    if clocks is None and store.dialect == "postgresql":
        machine = DatabaseClock(store.engine, host)
    given = clocks or _clocks(settings, store, machine)
    lifecycle = settings.lifecycle
    return Office(
        store=store,
        machine=machine,
        business=given.business,
        chance=given.chance,
        policy=Policy(
            reference_prefix=lifecycle.reference_prefix,
            closure=timedelta(days=lifecycle.closure_days),
            notice=timedelta(hours=lifecycle.notice_hours),
            answer_budget=settings.server.answer_budget,
            settling=timedelta(milliseconds=settings.delivery.not_before_ms),
        ),
        contract=CONTRACT.supplier_api,
        process=f"{socket.gethostname()}/{os.getpid()}"[-LONGEST_NAME:],
    )


def _clocks(settings: Settings, store: Store, machine: MachineClock) -> Clocks:
    """Return time and chance: where testers set them, as they have."""
    if settings.in_sandbox:
        return Clocks(
            machine, StoredBusinessClock(store, machine), StoredChance(store, SystemChance())
        )
    return Clocks(machine, SystemBusinessClock(machine), SystemChance())


def build_judge(settings: Settings, office: Office) -> Judge:
    """Return the rule book with its facts; raises BookError or InventoryError."""
    plugins = Plugins.discover(settings.rules.python_time_limit)
    book = RuleBook.load(
        settings.rules.file, settings.profile, plugins, Outcome(settings.rules.fallback)
    )
    return Judge(office, book, load_inventory(settings.inventory), limits(settings.inventory))


def create_app(settings: Settings, clocks: Clocks | None = None) -> Flask:
    """Return the supplier's web application.

    Raises what build_office and build_judge raise.
    """
    office = build_office(settings, clocks)
    try:
        return _wire(settings, office)
    except BaseException:
        office.store.close()
        raise


def _wire(settings: Settings, office: Office) -> Flask:
    app = Flask("supplier_api", static_folder=None)
    ring = KeyRing(StoredKeys(office), office.machine)
    tokens = Tokens(settings.access, ring, office.machine, office.chance)
    gate = Gate(tokens)
    judge = build_judge(settings, office)
    api = gateway_api.register(
        app,
        gateway_api.Parts(
            desk=Intake(office, judge),
            gate=gate,
            credentials=ClientCredentials(settings.access, tokens),
            ring=ring,
            server=settings.server,
            machine=office.machine,
            chance=office.chance,
            scenarios=settings.in_sandbox,
        ),
    )
    backoffice_api.register(api, gate, Progress(office), settings.server.max_body)
    if settings.in_sandbox:
        parts = _admin_parts(settings, office, gate)
        admin_api.register(api, parts)
        keep_requests(app)
        spoil_answers(app, parts)
        record_calls(app, parts.recorder, office.machine)
        app.extensions["recorder"] = parts.recorder
    _add_health(app, office, judge)
    app.extensions["office"] = office
    app.extensions["self"] = Self(Kind.WEB, _felt_by(app, office), judge.book_version)
    return app


def _felt_by(app: Flask, office: Office) -> Pulse:
    """Return the pulse of a web server, which feels every call of the gateway."""
    pulse = Pulse(office.machine)

    @app.after_request
    def feel(response: Response) -> Response:
        if "operation" in g:
            pulse.note(REQUEST)
        return response

    return pulse


def build_worker(settings: Settings, clocks: Clocks | None = None) -> Worker:
    """Return the worker: couriers, timers and what wakes them.

    Raises what build_office and build_judge raise, and backoffice.port.UnknownAdapter.
    """
    office = build_office(settings, clocks)
    try:
        return _wire_worker(settings, office)
    except BaseException:
        office.store.close()
        raise


def _wire_worker(settings: Settings, office: Office) -> Worker:
    wakeup = Wakeup(office.store.url, office.machine)
    watchdog = Watchdog(office.machine)
    pulse = Pulse(office.machine)
    progress = Progress(office)
    dispatchers = [
        Dispatcher(
            destination,
            office.store,
            office.machine,
            office.chance,
            wakeup.bell(),
            office.process,
            settings.delivery.lease,
        )
        for destination in (
            _gateway(settings, office, progress, watchdog, pulse),
            _back_office(settings, office, progress, pulse),
        )
    ]
    deciding = Deciding(office, build_judge(settings, office))
    timers: DueTimers = Timers(office, progress, Incidents(office), deciding)
    if settings.in_sandbox:
        clockwork = Clockwork(office, _follower(settings, office))
        timers = SteppedTimers(timers, clockwork, office.machine)
    scheduler = Scheduler(
        timers,
        office.store,
        office.machine,
        wakeup.bell(),
        settings.delivery.sweep,
        _chores(settings, office, office.process),
    )
    heartbeat = _heartbeat(settings, office, Self(Kind.WORKER, pulse))
    return Worker(dispatchers, scheduler, wakeup, watchdog, office.machine, heartbeat)


def build_heartbeat(app: Flask, settings: Settings) -> Heartbeat:
    """Return the sign of life of a web server's process."""
    return _heartbeat(settings, app.extensions["office"], app.extensions["self"])


def _heartbeat(settings: Settings, office: Office, me: Self) -> Heartbeat:
    every = settings.status.heartbeat
    presence = Presence(office, me, stamp_of(settings), every)
    deaths = Deaths(office, timedelta(seconds=MISSED * every)) if me.kind is Kind.WORKER else None
    return Heartbeat(presence, office.machine, every, deaths)


def _chores(settings: Settings, office: Office, owner: str) -> list[Chore]:
    chores: list[Chore] = [build_retaining(settings, office)]
    if office.store.dialect == "sqlite":
        # First: what follows in the same turn goes by the times that it may have to mend.
        chores.insert(0, ClockGuard(office.store, office.machine, owner))
    return chores


def build_retaining(settings: Settings, office: Office) -> Retaining:
    """Return what takes away what is older than the settings want it kept."""
    retention = settings.retention
    keep = Keep(
        bodies=timedelta(days=retention.thin_after_days),
        problems=timedelta(days=retention.prune_after_days),
        actions=timedelta(days=retention.actions_days),
        journal=timedelta(days=settings.sandbox.journal_days),
        batch=retention.batch,
        every=retention.every,
    )
    return Retaining(office, keep)


def _gateway(
    settings: Settings, office: Office, progress: Progress, watchdog: Watchdog, pulse: Pulse
) -> Destination:
    gateway = settings.gateway
    address = GatewayAddress(
        kci_url=gateway.kci_url,
        token_url=gateway.token_url,
        client_id=gateway.client_id,
        client_secret=gateway.client_secret.get_secret_value(),
        already_received=re.compile(gateway.already_received),
    )
    own = Destinations(office.store, gateway.already_received) if settings.in_sandbox else None

    courier = GatewayCourier(
        address,
        build_sessions(settings),
        watchdog,
        office.machine,
        office.chance,
        own.of if own else None,
        Outgoing(_recorder(settings, office), office.machine) if own else None,
    )

    repair = Repair(office)

    def taken(uow: UnitOfWork, message: Message, _reply: Reply) -> None:
        progress.kci_taken(uow, _taken(message))

    def concerns(uow: UnitOfWork, messages: Sequence[Message]) -> set[int]:
        pulse.note(GATEWAY)
        return progress.concerned(uow, [_taken(message) for message in messages])

    def left_out(uow: UnitOfWork, message: Message, _reply: Reply) -> None:
        repair.left_out(uow, message)

    def not_found(uow: UnitOfWork, message: Message, _reply: Reply) -> None:
        progress.kci_unknown(uow, message.problem_id)

    return Destination(
        name=GATEWAY,
        courier=Deliberate(courier, office.store, office.machine) if own else courier,
        policy=_retry_policy(settings),
        threads=settings.delivery.threads,
        deadline=gateway.deadline,
        rules=_breaker_rules(settings),
        pass_dead_letters=settings.delivery.pass_dead_letters,
        on_delivered=taken,
        on_left_out=left_out,
        on_not_found=not_found,
        concerns=concerns,
    )


def _taken(message: Message) -> Taken:
    reference = tells_reference(message.body) if message.mended else None
    return Taken(message.problem_id, message.kind, message.subject, reference)


def build_sessions(settings: Settings) -> Sessions:
    """Return sessions for calls to the gateway, on the road that the settings describe."""
    gateway = settings.gateway
    return Sessions(
        connect_timeout=gateway.connect_timeout,
        ca_file=gateway.ca_file,
        proxy=gateway.proxy,
        no_proxy=gateway.no_proxy,
    )


def _follower(settings: Settings, office: Office) -> FollowingGateway:
    """Return the sandbox gateway, whose time goes with ours; testers are the same there."""
    gateway = settings.gateway.kci_url.removesuffix("/kcis")
    client = settings.access.clients.get("admin")
    door = ClockDoor(
        clock_url=f"{gateway}/admin/clock",
        token_url=f"{gateway}/auth/admin/access-token",
        client_id="admin",
        client_secret=client.secret.get_secret_value() if client else "",
    )
    return FollowingGateway(door, build_sessions(settings), office.machine)


def _recorder(settings: Settings, office: Office) -> Recorder:
    sandbox = settings.sandbox
    bounds = Bounds(sandbox.journal_calls, sandbox.journal_bytes)
    return Recorder(office.store, office.business, bounds)


def _admin_parts(settings: Settings, office: Office, gate: Gate) -> admin_api.AdminParts:
    sessions, follower = build_sessions(settings), _follower(settings, office)
    return admin_api.AdminParts(
        office=office,
        settings=settings,
        gate=gate,
        clockwork=Clockwork(office, follower),
        follower=follower,
        recorder=_recorder(settings, office),
        try_token=lambda address: try_token(address, sessions, office.machine),
    )


def _back_office(
    settings: Settings, office: Office, progress: Progress, pulse: Pulse
) -> Destination:
    repair = Repair(office)

    def answered(uow: UnitOfWork, message: Message, reply: Reply) -> None:
        pulse.note(BACK_OFFICE)
        repair.order_taken(uow, message)
        if isinstance(reply.answer, OrderAnswer):
            order = WorkOrder.from_body(message.uuid, message.body)
            progress.order_answered(uow, message.problem_id, order, reply.answer)

    return Destination(
        name=BACK_OFFICE,
        courier=BackOfficeCourier(load_adapter(settings.backoffice)),
        policy=_retry_policy(settings),
        threads=BACK_OFFICE_THREADS,
        deadline=settings.gateway.deadline,
        rules=_breaker_rules(settings),
        on_delivered=answered,
    )


def _retry_policy(settings: Settings) -> RetryPolicy:
    delivery = settings.delivery
    return RetryPolicy(
        waits=tuple(timedelta(seconds=wait) for wait in delivery.retry_waits),
        jitter=delivery.jitter,
        retry_after_max=timedelta(seconds=delivery.retry_after_max),
        max_age=timedelta(hours=delivery.max_age_hours),
    )


def _breaker_rules(settings: Settings) -> BreakerRules:
    breaker = settings.delivery.breaker
    return BreakerRules(
        window=breaker.window,
        calls=breaker.calls,
        lanes=breaker.lanes,
        open_at=breaker.open_at,
        warn_at=breaker.warn_at,
        probe_after=breaker.probe_after,
        probe_after_max=breaker.probe_after_max,
        spread=settings.delivery.spread,
    )


def _add_health(app: Flask, office: Office, judge: Judge) -> None:
    contract = {
        "supplierApi": CONTRACT.supplier_api,
        "supplierUpdatesApi": CONTRACT.supplier_updates,
    }

    @app.get("/health/live")
    def live() -> Response:
        """Answer as long as the process can answer at all."""
        return jsonify(status="live", contract=contract)

    @app.get("/health/ready")
    def ready() -> Response:
        """Answer 200 when the database can be worked with; StoreUnavailable becomes a 503.

        Neither what holds delivery up nor decisions that are put off are a reason to be sent no
        more requests: they are told.
        """
        now = office.machine.now()

        def work(uow: UnitOfWork) -> list[Pause]:
            uow.problems.any()
            return uow.pauses.active(now)

        held_up = stands_still(office.store.read(work), now)
        put_off = judge.why_put_off()
        told = {"decisionsPutOff": put_off} if put_off else {}
        return jsonify(status="ready", contract=contract, delivery=held_up, **told)
