"""A sample ticket system, to try adapters against: as unhelpful as many real ones are.

It knows no idempotency key, sends webhooks of a fixed form once and loses every tenth, and may
restart at any moment. It stands for the supplier's own system, so it knows nothing of the rest.
"""

from supplier_api.sandbox.sample_desk.contract_system import DeskSystem
from supplier_api.sandbox.sample_desk.desk import SampleDesk
from supplier_api.sandbox.sample_desk.web import RunningDesk

__all__ = ["DeskSystem", "RunningDesk", "SampleDesk"]
