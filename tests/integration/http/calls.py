"""The gateway's four calls, each with a request that is good where things stand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.samples import amendment_request, cancellation_request, problem_request
from tests.supplier import TENANT, Supplier

Body = dict[str, Any]
# Brings the supplier to where the call is possible; returns its path and its request.
Prepare = Callable[[Supplier, str], tuple[str, Body]]


@dataclass(frozen=True)
class Call:
    """One of the four calls. `described` is its path in OpenAPI, `document` lists its fields."""

    method: str
    described: str
    document: str
    prepare: Prepare

    @property
    def scope(self) -> str:
        return self.described.split("/")[1]

    def send(self, supplier: Supplier, tenant: str = TENANT) -> TestResponse:
        """Prepare the supplier and send a good request."""
        path, body = self.prepare(supplier, tenant)
        return supplier.call(self.method, path, body, tenant=tenant)


def _problem(_supplier: Supplier, _tenant: str) -> tuple[str, Body]:
    return "/service-problems", problem_request()


def _amendment(supplier: Supplier, tenant: str) -> tuple[str, Body]:
    problem = supplier.opened(tenant=tenant)
    return "/service-problem-amendments", problem.named(amendment_request())


def _cancellation(supplier: Supplier, tenant: str) -> tuple[str, Body]:
    problem = supplier.opened(tenant=tenant)
    return "/service-problem-cancellations", problem.named(cancellation_request())


def _resolution(supplier: Supplier, tenant: str) -> tuple[str, Body]:
    reference = supplier.resolved(supplier.opened(tenant=tenant))
    return f"/service-problem-resolutions/{reference}", {"status": "ACCEPTED"}


PROBLEM = Call("POST", "/service-problems", "supplier-create", _problem)
AMENDMENT = Call("POST", "/service-problem-amendments", "supplier-amend", _amendment)
CANCELLATION = Call("POST", "/service-problem-cancellations", "supplier-cancel", _cancellation)
RESOLUTION = Call("PATCH", "/service-problem-resolutions/{id}", "supplier-resolve", _resolution)
CALLS = (PROBLEM, AMENDMENT, CANCELLATION, RESOLUTION)

every_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.scope)
