"""The rule book and the inventory of a process, and the thread that keeps them current."""

from supplier_api.clock import to_wire
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery.threads import Loop
from supplier_api.operations.heartbeat import Activity
from supplier_api.operations.processes import INVENTORY_DOWN, NOT_LOADED, RULES_OFF
from supplier_api.problems.rule_evaluation import RuleEvaluator
from supplier_api.problems.services import Services
from supplier_api.rules.plugins import OutageLimits
from supplier_api.rules.reloading import Reloading
from supplier_api.settings import Settings

LOOK_EVERY = 1.0  # seconds between two looks at the files, and at what is down


class RuleUpkeep:
    """The rule book and the inventory of a process, kept current while it works."""

    def __init__(self, settings: Settings, services: Services) -> None:
        """Load the rule book and the inventory; raises BookError or InventoryError."""
        self._reloading = Reloading(settings, services.machine)
        of = settings.inventory
        limits = OutageLimits(of.down_after_failures, of.down_after, of.probe_every)
        self.rule_evaluator = RuleEvaluator(services, lambda: self._reloading.current, limits)
        self._at_once = False
        self._loop = Loop("upkeep", self.turn, WakeEvent(), services.machine)

    def show_in(self, activity: Activity) -> None:
        """Tell with every sign of life what cannot be asked, and which new file is not used."""
        plugins, reloading = self._reloading.plugins, self._reloading
        activity.watch(INVENTORY_DOWN, lambda: self.rule_evaluator.watch.down_since)
        activity.report(
            RULES_OFF, lambda: {rule: to_wire(since) for rule, since in plugins.off().items()}
        )
        activity.report(
            NOT_LOADED,
            lambda: {
                name: {"since": to_wire(each.since), "why": each.why}
                for name, each in reloading.not_loaded().items()
            },
        )

    def start(self) -> None:
        """Begin to look after files that change, and after what is down."""
        self._loop.start()

    def stop(self, seconds: float) -> None:
        """Look no more; returns when a look is over, or after `seconds`."""
        self._loop.stop(seconds)

    def reload(self, *_signal: object) -> None:
        """Have the files loaded within a second, changed or not. May be called by a signal."""
        # Nothing that takes a lock: a signal may come while this very thread holds it.
        self._at_once = True

    def turn(self) -> float:
        """Look once; return the seconds until the next time."""
        at_once, self._at_once = self._at_once, False
        self._reloading.look(at_once=at_once)
        self.rule_evaluator.probe()
        self._reloading.plugins.probe()
        return LOOK_EVERY
