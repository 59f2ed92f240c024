"""Where messages go: the gateway and the back office, each with its transport and its rules."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from supplier_api.app.sessions import answer_terms, build_sessions
from supplier_api.backoffice.port import BackOffice, load_adapter
from supplier_api.db import Store, UnitOfWork
from supplier_api.delivery.circuit_breaker import BreakerRules
from supplier_api.delivery.kci_rewrite import tells_reference
from supplier_api.delivery.message_admin import MessageAdmin
from supplier_api.delivery.model import Destination, Reply, RetryPolicy, Transport
from supplier_api.delivery.transports import (
    BackOfficeTransport,
    GatewayAddress,
    GatewayTransport,
    token_terms,
)
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.operations.heartbeat import Activity
from supplier_api.outbox.model import Message
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.delivered_kcis import DeliveredKci, concerned, kci_delivered
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import BACK_OFFICE, GATEWAY, Services
from supplier_api.problems.ticket_repository import tickets_of_order
from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.settings import Settings

# Threads for the back office: an adapter limits its own calls.
BACK_OFFICE_THREADS = 4


def to_gateway(
    settings: Settings, services: Services, watchdog: Watchdog, activity: Activity
) -> Destination:
    """Return the gateway: what happens to a problem when a KCI is taken, or is not.

    In a sandbox testers may have told where KCIs go, and faults to show; what leaves is recorded.
    """
    sessions = build_sessions(settings)
    admin = MessageAdmin(services)

    def concerns(uow: UnitOfWork, messages: Sequence[Message]) -> set[int]:
        activity.note(GATEWAY)
        return concerned(uow, [_taken(message) for message in messages])

    return Destination(
        name=GATEWAY,
        transport=_gateway_transport(settings, services, sessions, watchdog),
        policy=_retry_policy(settings),
        threads=settings.delivery.threads,
        deadline=settings.gateway.deadline,
        rules=_breaker_rules(settings),
        pass_dead_letters=settings.delivery.pass_dead_letters,
        on_delivered=lambda uow, message, _: kci_delivered(services, uow, _taken(message)),
        on_left_out=lambda uow, message, _: admin.left_out(uow, message),
        # The gateway does not know the problem: our answer may have been lost.
        on_not_found=lambda uow, message, _: ProblemRepository(uow).mark_doubtful(
            message.problem_id
        ),
        concerns=concerns,
        before_probe=sessions.renew,
        on_completed=partial(activity.metrics.attempted, GATEWAY),
    )


def _gateway_transport(
    settings: Settings, services: Services, sessions: Sessions, watchdog: Watchdog
) -> Transport:
    gateway = settings.gateway
    address = GatewayAddress(
        kci_url=gateway.kci_url,
        token_url=gateway.token_url,
        client_id=gateway.client_id,
        client_secret=gateway.client_secret.get_secret_value(),
        answers=answer_terms(settings),
        token_terms=token_terms(gateway),
    )
    if settings.in_sandbox:
        from supplier_api.app import sandbox

        return sandbox.gateway_transport(settings, services, address, sessions, watchdog)
    return GatewayTransport(address, sessions, watchdog, services.machine, services.id_source)


def _taken(message: Message) -> DeliveredKci:
    reference = tells_reference(message.body) if message.mended else None
    return DeliveredKci(message.problem_id, message.kind, message.subject, reference)


def to_back_office(
    settings: Settings,
    services: Services,
    progress: BackOfficeEvents,
    activity: Activity,
    adapter: BackOffice | None = None,
) -> Destination:
    """Return the back office: what happens to a problem when an order is taken.

    `adapter` is that of the settings, made here if it is not given. Raises
    backoffice.port.UnknownAdapter.
    """
    admin, store = MessageAdmin(services), services.store

    def tickets(message: Message) -> tuple[str | None, str | None]:
        about = message.problem_id, message.subject
        return store.read(lambda uow: tickets_of_order(uow, *about))

    def answered(uow: UnitOfWork, message: Message, reply: Reply) -> None:
        activity.note(BACK_OFFICE)
        admin.order_taken(uow, message)
        if isinstance(reply.answer, OrderAnswer):
            order = WorkOrder.from_body(message.uuid, message.body)
            progress.order_answered(uow, message.problem_id, order, reply.answer)

    return Destination(
        name=BACK_OFFICE,
        transport=BackOfficeTransport(
            adapter or load_back_office(settings, store), tickets, services.machine
        ),
        policy=_retry_policy(settings),
        threads=BACK_OFFICE_THREADS,
        deadline=settings.gateway.deadline,
        rules=_breaker_rules(settings),
        on_delivered=answered,
        on_completed=partial(activity.metrics.attempted, BACK_OFFICE),
    )


def load_back_office(settings: Settings, store: Store | None = None) -> BackOffice:
    """Return the adapter that the settings name; the sandbox has one of its own.

    `store` is where that finds the scenarios that testers choose. Raises UnknownAdapter.
    """
    if settings.in_sandbox:
        from supplier_api.app import sandbox

        return load_adapter(settings.backoffice, sandbox.adapters(store))
    return load_adapter(settings.backoffice)


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
        tenants_apart=settings.in_sandbox,
    )
