"""The codes that only the gateway uses, and the refusal that carries one.

They are in the order in which *tenant-get 1.17* prints them.
"""

from collections.abc import Sequence
from enum import StrEnum

from supplier_api.contract.codes import ResolutionCode


class CallKind(StrEnum):
    """What a tenant can ask of a supplier through the gateway."""

    PROBLEM = "problem"
    AMENDMENT = "amendment"
    CANCELLATION = "cancellation"
    RESOLUTION = "resolution"


class ProblemStatus(StrEnum):
    """The status of a tenant's service problem: the gateway's and the supplier's.

    The gateway's come first: what a problem is before, or instead of, what its supplier says of it.
    """

    RECEIVED_BY_GATEWAY = "RECEIVED_BY_GATEWAY"
    SENT_TO_SUPPLIER = "SENT_TO_SUPPLIER"
    FAILED_TO_SEND = "FAILED_TO_SEND"
    REJECTED = "REJECTED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    IN_PROGRESS = "IN_PROGRESS"
    PENDING = "PENDING"
    HELD = "HELD"
    NETWORK_INCIDENT = "NETWORK_INCIDENT"
    PENDING_AMENDMENT = "PENDING_AMENDMENT"
    PENDING_CANCELLATION = "PENDING_CANCELLATION"
    CANCELLED = "CANCELLED"
    RESOLVED = "RESOLVED"
    COMPLETED = "COMPLETED"


class ChangeState(StrEnum):
    """What became of an amendment or a cancellation."""

    RECEIVED_BY_GATEWAY = "RECEIVED_BY_GATEWAY"
    PENDING = "PENDING"
    FAILED_TO_SEND = "FAILED_TO_SEND"
    REJECTED = "REJECTED"
    COMPLETED = "COMPLETED"


class DeliveryStatus(StrEnum):
    """Whether an update reached the tenant's own URL."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"


class GatewayErrorCode(StrEnum):
    """What went wrong, in an answer of the gateway or in an ERROR update."""

    GATEWAY_FAULT = "GATEWAY_FAULT"
    INVALID_REQUEST = "INVALID_REQUEST"
    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    NOT_AUTHORISED = "NOT_AUTHORISED"
    NOT_FOUND = "NOT_FOUND"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    SUPPLIER_FAULT = "SUPPLIER_FAULT"
    SUPPLIER_TIMED_OUT = "SUPPLIER_TIMED_OUT"
    TENANT_FAULT = "TENANT_FAULT"


class UpdateType(StrEnum):
    """What an update wants of the tenant."""

    ACTION_REQUIRED = "ACTION_REQUIRED"
    INFORMATIONAL = "INFORMATIONAL"
    ERROR = "ERROR"


# The published text names the field `resolutionCategory` and one example of it. This table is ours.
RESOLUTION_CATEGORY = {
    ResolutionCode.ACCESS_ISSUE: "ACCESS",
    ResolutionCode.BACKHAUL_CORE_NETWORK: "NETWORK",
    ResolutionCode.CUSTOMER_FAULT: "CUSTOMER",
    ResolutionCode.CUSTOMER_FAULT_B_END: "CUSTOMER",
    ResolutionCode.CUSTOMER_FAULT_EQUIPMENT: "FAULTY_EQUIPMENT",
    ResolutionCode.CUSTOMER_FAULT_MODEM: "FAULTY_EQUIPMENT",
    ResolutionCode.CUSTOMER_FAULT_WIRING: "CUSTOMER",
    ResolutionCode.EXTERNAL_REIN: "INTERFERENCE",
    ResolutionCode.INTERNAL_REIN: "INTERFERENCE",
    ResolutionCode.LINE_TEST_NORMAL: "NO_FAULT",
    ResolutionCode.NETWORK_CABLING: "NETWORK",
    ResolutionCode.NETWORK_ISSUE: "NETWORK",
    ResolutionCode.NETWORK_UPLIFT: "NETWORK",
    ResolutionCode.NO_FAULT_FOUND: "NO_FAULT",
    ResolutionCode.NOT_REPRODUCIBLE: "NO_FAULT",
    ResolutionCode.OTHER: "OTHER",
    ResolutionCode.PLANNED_ENGINEERING_WORKS: "NETWORK",
    ResolutionCode.PROBLEM_CANCELLED: "OTHER",
    ResolutionCode.SERVICE_RESTRICTION: "NETWORK",
    ResolutionCode.SUPPLIER_CPE_ISSUE: "FAULTY_EQUIPMENT",
}


class GatewayRefusal(Exception):
    """An error answer in the published envelope."""

    def __init__(
        self,
        status: int,
        code: GatewayErrorCode,
        messages: Sequence[str],
        uuid: str | None = None,
    ) -> None:
        """Make one of an HTTP status, a published code and at least one message.

        `uuid` is what it is traced by, any by default.
        """
        super().__init__(code)
        self.uuid = uuid
        self.status = status
        self.code = code
        self.messages = list(messages)


def invalid(*messages: str) -> GatewayRefusal:
    """Return the 422 for a well-formed request that cannot be taken."""
    return GatewayRefusal(422, GatewayErrorCode.INVALID_REQUEST, messages)


def not_found(status: int, message: str) -> GatewayRefusal:
    """Return the answer for something that is not known, or not the caller's."""
    return GatewayRefusal(status, GatewayErrorCode.NOT_FOUND, [message])
