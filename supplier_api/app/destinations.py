"""Where messages go: the gateway and the back office, each with its courier and its rules."""

from collections.abc import Sequence
from datetime import timedelta

from supplier_api.admin_api.outgoing import Outgoing
from supplier_api.app.sandbox import build_recorder
from supplier_api.app.sessions import answer_terms, build_sessions
from supplier_api.backoffice.port import load_adapter
from supplier_api.delivery.backoffice import BackOfficeCourier
from supplier_api.delivery.breaker import Rules as BreakerRules
from supplier_api.delivery.deliberate import Deliberate, tenant_header
from supplier_api.delivery.destinations import Destinations
from supplier_api.delivery.gateway import GatewayAddress, GatewayCourier
from supplier_api.delivery.model import Destination
from supplier_api.delivery.reply import Reply
from supplier_api.delivery.retry import Policy as RetryPolicy
from supplier_api.delivery.token_client import token_terms
from supplier_api.delivery.watchdog import Watchdog
from supplier_api.desk.model import BACK_OFFICE, GATEWAY, Office
from supplier_api.desk.presence import Pulse
from supplier_api.desk.progress import Progress, Taken
from supplier_api.desk.repair import Repair
from supplier_api.desk.replacing import tells_reference
from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.settings import Settings
from supplier_api.store import UnitOfWork
from supplier_api.store.claims import Message

# Threads for the back office: an adapter limits its own calls.
BACK_OFFICE_THREADS = 4


def to_gateway(
    settings: Settings, office: Office, progress: Progress, watchdog: Watchdog, pulse: Pulse
) -> Destination:
    """Return the gateway: what happens to a problem when a KCI is taken, or is not.

    In a sandbox testers may have told where KCIs go, and faults to show; what leaves is recorded.
    """
    gateway = settings.gateway
    address = GatewayAddress(
        kci_url=gateway.kci_url,
        token_url=gateway.token_url,
        client_id=gateway.client_id,
        client_secret=gateway.client_secret.get_secret_value(),
        answers=answer_terms(settings),
        token_terms=token_terms(gateway),
    )
    own = Destinations(office.store, answer_terms(settings)) if settings.in_sandbox else None

    sessions = build_sessions(settings)
    courier = GatewayCourier(
        address,
        sessions,
        watchdog,
        office.machine,
        office.chance,
        own.of if own else None,
        Outgoing(build_recorder(settings, office), office.machine) if own else None,
        tenant_header if own else None,
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
        before_probe=sessions.renew,
    )


def _taken(message: Message) -> Taken:
    reference = tells_reference(message.body) if message.mended else None
    return Taken(message.problem_id, message.kind, message.subject, reference)


def to_back_office(
    settings: Settings, office: Office, progress: Progress, pulse: Pulse
) -> Destination:
    """Return the back office: what happens to a problem when an order is taken.

    Raises backoffice.port.UnknownAdapter.
    """
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
        tenants_apart=settings.in_sandbox,
    )
