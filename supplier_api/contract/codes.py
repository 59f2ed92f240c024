"""Every published code, once, in the order of the gateway's documents; what KCI reasons mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The status of a service problem (*supplier-create*; PENDING in KCIs only)."""

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


# The statuses that a service problem never leaves.
FINAL = frozenset({Status.REJECTED, Status.CANCELLED, Status.COMPLETED})


class ChangeStatus(StrEnum):
    """The status of an amendment or a cancellation (*tenant-get 1.17*)."""

    PENDING = "PENDING"
    REJECTED = "REJECTED"
    COMPLETED = "COMPLETED"


class ResolutionStatus(StrEnum):
    """The status of a resolution: the tenant's answer to it (*tenant-get 1.17*).

    WITHDRAWN is ours, and never sent: the supplier took it back before the tenant answered.
    """

    PENDING = "PENDING"
    REJECTED = "REJECTED"
    ACCEPTED = "ACCEPTED"
    WITHDRAWN = "WITHDRAWN"


class ProblemType(StrEnum):
    """The type of the end user's problem (*supplier-create*)."""

    OUTAGE = "OUTAGE"
    PERFORMANCE = "PERFORMANCE"
    STABILITY = "STABILITY"
    SYNCHRONISATION = "SYNCHRONISATION"
    CUSTOMER = "CUSTOMER"
    CPE = "CPE"


class CancellationReason(StrEnum):
    """Why a tenant cancels (*tenant-get 1.17*)."""

    ISSUE_RESOLVED = "ISSUE_RESOLVED"
    CUSTOMER_NETWORK_ISSUE = "CUSTOMER_NETWORK_ISSUE"
    NO_LONGER_REQUIRED = "NO_LONGER_REQUIRED"
    OTHER = "OTHER"


class ReasonCode(StrEnum):
    """Why a KCI is sent (Supplier Updates API). The last two are not published."""

    CREATED = "CREATED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    COMMITTED = "COMMITTED"
    UPDATE = "UPDATE"
    ADDITIONAL = "ADDITIONAL"
    WARNING = "WARNING"
    DELAY = "DELAY"
    RESUMED = "RESUMED"
    INFORMATION_REQUIRED = "INFORMATION_REQUIRED"
    REAPPOINT = "REAPPOINT"
    REAPPOINTED = "REAPPOINTED"
    AMENDED = "AMENDED"
    AMENDMENT_REJECTED = "AMENDMENT_REJECTED"
    CANCELLED = "CANCELLED"
    CANCELLATION_REJECTED = "CANCELLATION_REJECTED"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"
    RESOLVED = "RESOLVED"


class InformationType(StrEnum):
    """The kind of an update that asks nothing of the tenant (*tenant-get 1.17*)."""

    CREATED = "CREATED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    COMMITTED = "COMMITTED"
    DELAY = "DELAY"
    RESUMED = "RESUMED"
    REAPPOINTED = "REAPPOINTED"
    RESCHEDULED = "RESCHEDULED"
    ADDITIONAL = "ADDITIONAL"
    RESUBMIT = "RESUBMIT"
    WARNING = "WARNING"
    UPDATE = "UPDATE"
    AMENDED = "AMENDED"
    CANCELLED = "CANCELLED"
    TERMINATED = "TERMINATED"
    COMPLETED = "COMPLETED"


class ActionType(StrEnum):
    """What an update asks the tenant to do (*tenant-get 1.17*)."""

    INFORMATION_REQUIRED = "INFORMATION_REQUIRED"
    REAPPOINT = "REAPPOINT"
    RESUBMIT = "RESUBMIT"
    CONFIRM = "CONFIRM"
    CONTACT_CUSTOMER = "CONTACT_CUSTOMER"
    CONTACT_REAPPOINT = "CONTACT_REAPPOINT"


@dataclass(frozen=True, slots=True)
class KciReason:
    """What a KCI of a certain reason becomes for the tenant, and what it must carry.

    `shown` is the update that a gateway makes of it. `carries` are fields of the KCI. `status` is
    the problem's, `final` if an undecided change cannot hide it. `outcome` is the status of the
    amendment or cancellation that is carried. With `reference` the problem must have ours.
    """

    shown: InformationType | ActionType
    carries: tuple[str, ...] = ()
    status: Status | None = None
    final: bool = False
    outcome: ChangeStatus | None = None
    reference: bool = False


_TEXT, _CODE = "text", "problemCode"
_AMENDMENT, _CANCELLATION = "serviceProblemAmendment", "serviceProblemCancellation"
_RESOLUTION = "serviceProblemResolution"
REASONS: Mapping[ReasonCode, KciReason] = {
    ReasonCode.CREATED: KciReason(InformationType.CREATED),
    ReasonCode.ACKNOWLEDGED: KciReason(
        InformationType.ACKNOWLEDGED, status=Status.ACKNOWLEDGED, reference=True
    ),
    ReasonCode.COMMITTED: KciReason(InformationType.COMMITTED, status=Status.IN_PROGRESS),
    ReasonCode.UPDATE: KciReason(InformationType.UPDATE),
    ReasonCode.ADDITIONAL: KciReason(InformationType.ADDITIONAL, (_TEXT,)),
    ReasonCode.WARNING: KciReason(InformationType.WARNING, (_CODE,)),
    ReasonCode.DELAY: KciReason(InformationType.DELAY, (_CODE,)),
    ReasonCode.RESUMED: KciReason(InformationType.RESUMED),
    ReasonCode.INFORMATION_REQUIRED: KciReason(ActionType.INFORMATION_REQUIRED, (_TEXT, _CODE)),
    ReasonCode.REAPPOINT: KciReason(ActionType.REAPPOINT, (_CODE,)),
    ReasonCode.REAPPOINTED: KciReason(InformationType.REAPPOINTED),
    ReasonCode.AMENDED: KciReason(
        InformationType.AMENDED, (_AMENDMENT,), outcome=ChangeStatus.COMPLETED
    ),
    ReasonCode.AMENDMENT_REJECTED: KciReason(
        ActionType.RESUBMIT, (_AMENDMENT, _TEXT, _CODE), outcome=ChangeStatus.REJECTED
    ),
    ReasonCode.CANCELLED: KciReason(
        InformationType.CANCELLED,
        (_CODE,),
        Status.CANCELLED,
        final=True,
        outcome=ChangeStatus.COMPLETED,
    ),
    ReasonCode.CANCELLATION_REJECTED: KciReason(
        ActionType.RESUBMIT, (_CANCELLATION, _TEXT, _CODE), outcome=ChangeStatus.REJECTED
    ),
    ReasonCode.COMPLETED: KciReason(InformationType.COMPLETED, (), Status.COMPLETED, final=True),
    ReasonCode.REJECTED: KciReason(
        InformationType.TERMINATED, (_TEXT, _CODE), Status.REJECTED, final=True
    ),
    ReasonCode.RESOLVED: KciReason(ActionType.CONFIRM, (_RESOLUTION,), Status.RESOLVED, final=True),
}


class ProblemCode(StrEnum):
    """What obstructs the work (*tenant-get 1.17*, `updates.information.code`)."""

    ACCESS_ISSUE = "ACCESS_ISSUE"
    ACTIVATION_FAILED = "ACTIVATION_FAILED"
    ADDITIONAL_WORK = "ADDITIONAL_WORK"
    APPOINTMENT_NOT_REQUIRED = "APPOINTMENT_NOT_REQUIRED"
    CAPACITY_ISSUE = "CAPACITY_ISSUE"
    COST_ISSUE = "COST_ISSUE"
    CUSTOMER_CHANGED_MIND = "CUSTOMER_CHANGED_MIND"
    FAULT_AT_NODE = "FAULT_AT_NODE"
    FAULT_AT_ONT = "FAULT_AT_ONT"
    FAULT_AT_POP = "FAULT_AT_POP"
    INFORMATION_REQUIRED = "INFORMATION_REQUIRED"
    INSTALL_FAILED = "INSTALL_FAILED"
    INVALID_REQUEST = "INVALID_REQUEST"
    LINKED_ORDER_ISSUE = "LINKED_ORDER_ISSUE"
    NETWORK_ISSUE = "NETWORK_ISSUE"
    NETWORK_UNAVAILABLE = "NETWORK_UNAVAILABLE"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    NO_LONGER_REQUIRED = "NO_LONGER_REQUIRED"
    OTHER = "OTHER"
    PARTIAL_INSTALL = "PARTIAL_INSTALL"
    PLANNING_ISSUE = "PLANNING_ISSUE"
    PROPERTY_UNOCCUPIED = "PROPERTY_UNOCCUPIED"
    REJECTION = "REJECTION"
    ROUTER_NOT_AVAILABLE = "ROUTER_NOT_AVAILABLE"
    SITE_UNSAFE = "SITE_UNSAFE"
    SURVEY_REQUIRED = "SURVEY_REQUIRED"
    TELECARE_ISSUE = "TELECARE_ISSUE"
    TIMED_OUT = "TIMED_OUT"
    UNABLE_TO_ATTEND = "UNABLE_TO_ATTEND"
    UNKNOWN_FAULT = "UNKNOWN_FAULT"
    WAYLEAVE_ISSUE = "WAYLEAVE_ISSUE"


class ResolutionCode(StrEnum):
    """How a problem was resolved (*tenant-get 1.17*)."""

    ACCESS_ISSUE = "ACCESS_ISSUE"
    BACKHAUL_CORE_NETWORK = "BACKHAUL_CORE_NETWORK"
    CUSTOMER_FAULT = "CUSTOMER_FAULT"
    CUSTOMER_FAULT_B_END = "CUSTOMER_FAULT_B_END"
    CUSTOMER_FAULT_EQUIPMENT = "CUSTOMER_FAULT_EQUIPMENT"
    CUSTOMER_FAULT_MODEM = "CUSTOMER_FAULT_MODEM"
    CUSTOMER_FAULT_WIRING = "CUSTOMER_FAULT_WIRING"
    EXTERNAL_REIN = "EXTERNAL_REIN"
    INTERNAL_REIN = "INTERNAL_REIN"
    LINE_TEST_NORMAL = "LINE_TEST_NORMAL"
    NETWORK_CABLING = "NETWORK_CABLING"
    NETWORK_ISSUE = "NETWORK_ISSUE"
    NETWORK_UPLIFT = "NETWORK_UPLIFT"
    NO_FAULT_FOUND = "NO_FAULT_FOUND"
    NOT_REPRODUCIBLE = "NOT_REPRODUCIBLE"
    OTHER = "OTHER"
    PLANNED_ENGINEERING_WORKS = "PLANNED_ENGINEERING_WORKS"
    PROBLEM_CANCELLED = "PROBLEM_CANCELLED"
    SERVICE_RESTRICTION = "SERVICE_RESTRICTION"
    SUPPLIER_CPE_ISSUE = "SUPPLIER_CPE_ISSUE"


class ErrorCode(StrEnum):
    """The kind of an error answer (*supplier-create*, Response 400)."""

    INVALID_REQUEST = "INVALID_REQUEST"
    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    NOT_AUTHORISED = "NOT_AUTHORISED"
    NOT_FOUND = "NOT_FOUND"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    SUPPLIER_FAULT = "SUPPLIER_FAULT"
