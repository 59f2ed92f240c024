"""The words that only the gateway uses, in the order in which *tenant-get 1.17* prints them."""

from enum import StrEnum

from supplier_api.problems.codes import ResolutionCode, Status


class GatewayStatus(StrEnum):
    """What a problem is before, or instead of, what its supplier says of it."""

    RECEIVED_BY_GATEWAY = "RECEIVED_BY_GATEWAY"
    SENT_TO_SUPPLIER = "SENT_TO_SUPPLIER"
    FAILED_TO_SEND = "FAILED_TO_SEND"


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


class UpdateType(StrEnum):
    """What an update wants of the tenant."""

    ACTION_REQUIRED = "ACTION_REQUIRED"
    INFORMATIONAL = "INFORMATIONAL"
    ERROR = "ERROR"


class ActionType(StrEnum):
    """What the tenant has to do; only those to which a reason code leads."""

    INFORMATION_REQUIRED = "INFORMATION_REQUIRED"
    REAPPOINT = "REAPPOINT"
    RESUBMIT = "RESUBMIT"
    CONFIRM = "CONFIRM"


FINAL = frozenset({Status.REJECTED, Status.CANCELLED, Status.COMPLETED})

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
