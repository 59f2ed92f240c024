"""Network incidents that the inventory names: each lasts as long as the inventory names it.

The inventory is asked when a problem is raised and, every minute, by the worker for services with
linked problems. While it gives no answer, the incidents that it named last.
"""

from supplier_api.db import UnitOfWork
from supplier_api.logging import get_logger
from supplier_api.problems.incident_repository import IncidentRepository, Link
from supplier_api.problems.incidents import lift
from supplier_api.problems.rule_evaluation import RuleEvaluator
from supplier_api.problems.service_repository import Known
from supplier_api.problems.services import Services
from supplier_api.rules.facts import UNKNOWN, Service, Unknown

LOOK_EVERY = 60.0  # seconds
BATCH = 100  # services that are looked up in one turn
SECONDS = 1.0  # limit of one lookup, and of one turn
log = get_logger(__name__)


def known_incidents(
    services: Services,
    uow: UnitOfWork,
    known: Known,
    service_id: str,
    service: Service | Unknown | None,
) -> list[str]:
    """Return the incidents on a service: those declared here, and the one that the inventory names.

    `service` is the inventory's current answer. An incident that it named before and no longer
    names is over on this service; an incident that people ended stays over.
    """
    if isinstance(service, Unknown):
        return known.incidents
    code = service.incident if service else None
    over = [each for each in known.from_inventory if each != code]
    for each in over:
        lift(services, uow, each, service_id)
    last = [each for each in known.incidents if each not in over]
    if code is None or code in last or IncidentRepository(uow).ended(code):
        return last
    IncidentRepository(uow).note(code, service_id, services.machine.now())
    return [*last, code]


class InventoryIncidents:
    """Asks the inventory whether the incidents with linked problems still last.

    A batch at a time, so that a slow inventory does not block the worker's other chores.
    """

    def __init__(self, services: Services, rule_evaluator: RuleEvaluator) -> None:
        """Use the inventory of `rule_evaluator`, for the first time a minute from now."""
        self._services = services
        self._rule_evaluator = rule_evaluator
        self._next = services.machine.monotonic() + LOOK_EVERY
        self._after: Link | None = None

    def turn(self) -> float:
        """Look up the next services if that is due; return the seconds until the next turn."""
        now = self._services.machine.monotonic()
        if now < self._next:
            return self._next - now
        links = self._services.store.read(
            lambda uow: IncidentRepository(uow).links(self._after, BATCH)
        )
        seen = self._look(list(links), now + SECONDS)
        if seen is not None and (len(links) == BATCH or seen != links[-1]):
            self._after = seen
            return 0.0
        self._after, self._next = None, now + LOOK_EVERY
        return LOOK_EVERY

    def _look(self, links: list[Link], ends: float) -> Link | None:
        """Look up services until `ends`; return the last one, None if there is no answer."""
        seen = None
        for link in links:
            service = self._rule_evaluator.service(link.tenant, link.service_id, SECONDS)
            if service is UNKNOWN:
                return None
            code = service.incident if isinstance(service, Service) else None
            if code != link.code:
                self._over(link, code)
            seen = link
            if self._services.machine.monotonic() > ends:
                return seen
        return seen

    def _over(self, link: Link, code: str | None) -> None:
        def work(uow: UnitOfWork) -> None:
            IncidentRepository(uow).lock(shared=True)
            if code is not None and not IncidentRepository(uow).ended(code):
                IncidentRepository(uow).note(code, link.service_id, self._services.machine.now())
            lift(self._services, uow, link.code, link.service_id)

        self._services.store.write(work)
        log.info("incident.lifted", incident=link.code, service_id=link.service_id)
