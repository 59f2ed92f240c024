"""The list of faults, also as JSON, and how a tester's choice is read."""

from collections.abc import Mapping, Sequence
from typing import Any

from supplier_api.sandbox.catalogue import (
    Parameter,
    ParameterValue,
    WrongChoice,
    find,
    one_of,
)
from supplier_api.sandbox.fault_injection.answers import WAYS, operations_for
from supplier_api.sandbox.fault_injection.model import (
    CALLS,
    TOKEN,
    ContractBreach,
    Direction,
    FaultKind,
    FindConflicts,
    Place,
    Values,
    When,
    no_conflicts,
    seconds,
    text,
    when,
    whole,
    word,
)
from supplier_api.sandbox.fault_injection.mutations import KCIS, MUTATIONS

HANG_MAX = 300.0
# Holding a lane's others back, or letting them pass, has to fit into the time of one sending.
OVERTAKE_MAX = 20.0
DELAY_MAX = 86_400.0
EVERYWHERE = (*CALLS, TOKEN)
OURS = "Supplier API 1.15"
IN_TIME = f"{OURS}, every call: an answer in time, else the tenant is told SUPPLIER_TIMED_OUT"
SAME_ID = "id: the same on every attempt"
IN_ORDER = "sequenceNumber: the order of a problem's KCIs"
# How long a text may be that a tester wants answered.
BODY_MAX = 10_000
NO_BODY = (204, 205, 304)


def _answer(
    name: str,
    description: str,
    clause: str,
    *parameters: Parameter,
    operations: tuple[str, ...] = EVERYWHERE,
    conflicts: FindConflicts = no_conflicts,
) -> FaultKind:
    return FaultKind(
        name,
        description,
        parameters,
        direction=Direction.IN,
        operations=operations,
        breach=ContractBreach(clause),
        place=Place.WEB,
        conflicts=conflicts,
    )


def _delivery(
    name: str, description: str, *parameters: Parameter, breach: ContractBreach | None = None
) -> FaultKind:
    return FaultKind(name, description, parameters, breach=breach)


def _taken(clause: str, *others: int) -> ContractBreach:
    return ContractBreach(f"{KCIS}, {clause}", (204, *others))


def _how_conflicts(values: Values, operations: Sequence[str]) -> list[str]:
    """Say of which operations the answer cannot be spoilt in the way that is chosen."""
    how = str(values["how"])
    return _not_among(operations, operations_for(how), f"with how={how} ")


def _not_among(operations: Sequence[str], known: Sequence[str], why: str = "") -> list[str]:
    return [
        f"operations[{place}]: {why}expected {one_of(known)}"
        for place, operation in enumerate(operations)
        if operation not in known
    ]


def _status_conflicts(values: Values, _operations: Sequence[str]) -> list[str]:
    """Say that an answer of such a status has no body."""
    if values["code"] in NO_BODY and values["body"]:
        return [f"parameters.body: expected none with code {values['code']} (RFC 9110)"]
    return []


ANSWERS = (
    _answer(
        "latency",
        "The answer comes late.",
        IN_TIME,
        seconds(2.0, 60.0, "How late."),
        when(When.AFTER),
    ),
    _answer(
        "hang",
        "No answer comes; in the end the connection is closed.",
        IN_TIME,
        seconds(30.0, HANG_MAX, "When it is closed."),
        when(When.AFTER),
    ),
    _answer(
        "403",
        "Answered 403 without a body, as if the token were not for this call.",
        f"{OURS}, Response 403: an answer to a token that is not for the call",
        when(When.BEFORE),
        operations=CALLS,
    ),
    _answer(
        "500",
        "Answered 500 SUPPLIER_FAULT.",
        f"{OURS}, Response 500: an answer to a fault of the supplier's",
        when(When.BEFORE),
    ),
    _answer(
        "501",
        "Answered 501 NOT_IMPLEMENTED.",
        f"{OURS}, Response 501: an answer to an operation that is switched off",
        when(When.BEFORE),
        operations=CALLS,
    ),
    _answer(
        "503",
        "Answered 503 with `Retry-After`.",
        f"{OURS}, Response 503: an answer to come again after",
        whole("retryAfter", 2, 0, 3_600, "Seconds in `Retry-After`."),
        when(When.BEFORE),
    ),
    _answer(
        "status",
        "Answered with any status and any body.",
        f"{OURS}, Responses: the published statuses of the call, each with its body",
        whole("code", 502, 200, 599, "The status."),
        text(
            "type",
            "application/json",
            r"[!-~]+/[ -~]+",
            100,
            "The `Content-Type` of a `body` that is given.",
        ),
        text(
            "body",
            "",
            ".*",
            BODY_MAX,
            "The body. Without it, with `when` after: that of the answer that would have been"
            " given; else none.",
        ),
        when(When.BEFORE),
        conflicts=_status_conflicts,
    ),
    _answer(
        "reset",
        "The connection is closed without an answer.",
        "RFC 9110, section 3.4: an answer to every request",
        when(When.AFTER),
    ),
    _answer(
        "truncated",
        "The body breaks off in the middle of its `Content-Length`, and the connection is closed."
        " It strikes answers that have a body.",
        "RFC 9112, section 8: a body as long as its Content-Length",
    ),
    _answer(
        "malformed",
        "The body is no JSON. It strikes answers that have a body.",
        "RFC 8259, section 2: a body of application/json is a JSON text",
    ),
    _answer(
        "off-contract",
        "The body is JSON and breaks the contract. It strikes answers of which that can be made.",
        f"{OURS}, the fields of the answer: each as it is published",
        word("how", tuple(WAYS), "What is wrong with it; the table below."),
        operations=CALLS,
        conflicts=_how_conflicts,
    ),
    _answer(
        "expired-token",
        "Answered 401, as if the token had expired; nothing is done.",
        "RFC 6750, section 3.1: invalid_token to a token that has ended",
        operations=CALLS,
    ),
    _answer(
        "refused-token",
        "Answered 401: a call as if the token were not ours, a request for one `invalid_client`.",
        "RFC 6750, section 3.1: invalid_token to a token that is not ours",
    ),
)
DELIVERY = (
    _delivery(
        "delay",
        "Held back for a time, and what is behind it in its problem with it.",
        seconds(5.0, DELAY_MAX, "For how long; moving the clock passes over it."),
    ),
    _delivery(
        "duplicate",
        "Sent again at once, the same to the byte.",
        whole("copies", 1, 1, 100, "How often."),
        breach=_taken(SAME_ID),
    ),
    _delivery(
        "reorder",
        "The next one of its problem overtakes it.",
        seconds(5.0, OVERTAKE_MAX, "How long the next one is waited for, if there is none yet."),
        breach=_taken(IN_ORDER),
    ),
    _delivery(
        "drop-then-resend",
        "Lost at first: all that come after it overtake it, until it is sent again.",
        seconds(2.0, OVERTAKE_MAX, "When it is sent again."),
        breach=_taken(IN_ORDER),
    ),
    _delivery(
        "stale-sequence",
        "Behind it, the one before it is sent once more.",
        breach=_taken(SAME_ID),
    ),
    _delivery(
        "answer-lost",
        "The gateway takes it and its answer is lost: it is tried again later, the same.",
        breach=_taken(SAME_ID),
    ),
    _delivery(
        "gap",
        "Never sent; those behind it are.",
        breach=_taken("sequenceNumber: without gaps"),
    ),
    FaultKind(
        "before-201",
        "The answer 201 to a new problem is held back until the problem's first KCI was sent; any"
        " other answer is not struck.",
        (seconds(8.0, 60.0, "How long it is held back at most."),),
        operations=("service-problems",),
        breach=ContractBreach(f"{OURS}, POST /service-problems: answered before its KCIs", (204,)),
        place=Place.WEB,
    ),
    _delivery(
        "burst",
        "Behind it, many repeats at once.",
        whole("count", 1_000, 1, 10_000, "How many."),
        breach=_taken(SAME_ID, 429),
    ),
)
KINDS: tuple[FaultKind, ...] = (*ANSWERS, *DELIVERY, *MUTATIONS)
BY_NAME: Mapping[tuple[str, str], FaultKind] = {(kind.direction, kind.name): kind for kind in KINDS}


def read_parameters(
    direction: str, name: str, operations: Sequence[str], given: Mapping[str, Any]
) -> dict[str, ParameterValue]:
    """Return all parameters of the kind of that name, the given ones checked.

    Raises WrongChoice if there is no such kind, if it cannot strike these operations, or if
    something is wrong with what is given.
    """
    kinds = {kind.name: kind for kind in KINDS if kind.direction == direction}
    kind = find(kinds, name, "kind: unknown")
    if wrong := _not_among(operations, kind.operations):
        raise WrongChoice(wrong)
    chosen = kind.read(given.items(), "parameters.", lambda name: f"parameters.{name}: unknown")
    values = {each.name: kind.value(chosen, each.name) for each in kind.parameters}
    if wrong := kind.conflicts(values, operations):
        raise WrongChoice(wrong)
    return values


def listed() -> list[dict[str, Any]]:
    """Return every kind of fault in plain JSON values."""
    return [_listed(kind) for kind in KINDS]


def _listed(kind: FaultKind) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kind": kind.name,
        "direction": kind.direction,
        "description": kind.description,
        "operations": list(kind.operations),
        "parameters": [each.listed() for each in kind.parameters],
    }
    return entry | (kind.breach.plain() if kind.breach else {})
