"""Delivers lanes in the calling thread, by the parts that a dispatcher has."""

import threading

from supplier_api.clock import MachineClock
from supplier_api.db import Store
from supplier_api.delivery.completer import Completer
from supplier_api.delivery.executor import Executor
from supplier_api.delivery.flow_control import FlowControl
from supplier_api.delivery.model import Destination, Lease
from supplier_api.ids import IdSource


class LaneDelivery:
    """Sends the messages of lanes to one destination."""

    def __init__(
        self,
        destination: Destination,
        store: Store,
        clock: MachineClock,
        id_source: IdSource,
        lease: float,
    ) -> None:
        flow_control = FlowControl(destination, store, clock, id_source, "")
        self._executor = Executor(destination, store, clock, lease)
        self._completer = Completer(destination, store, clock, id_source, lease, flow_control)

    def deliver_lane(self, lease: Lease) -> None:
        """Send the messages of the lane that are due, one after the other, and release the lane."""
        sent = self._executor.send(lease)
        while sent is not None:
            result = self._completer.complete([sent])
            threading.Event().wait(result.pause)
            following = result.following
            sent = (
                self._executor.send(following[0]) if following else next(iter(result.again), None)
            )
