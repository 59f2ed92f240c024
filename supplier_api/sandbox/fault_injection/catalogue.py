"""The list of faults."""

from collections.abc import Mapping, Sequence
from typing import Any

from supplier_api.sandbox.fault_injection.answers import WAYS, operations_for
from supplier_api.sandbox.fault_injection.model import (
    CALLS,
    REASONS,
    TOKEN,
    ContractBreach,
    Direction,
    FaultKind,
    FaultParameter,
    Findings,
    Place,
    Value,
    no_findings,
)
from supplier_api.sandbox.fault_injection.mutations import KCIS, MUTATIONS
from supplier_api.sandbox.fault_injection.parameters import When, one_of, seconds, text, when, whole

HANG_MAX = 300.0
# Holding a lane's others back, or letting them pass, has to fit into the time of one sending.
OVERTAKE_MAX = 20.0
DELAY_MAX = 86_400.0
EVERYWHERE = (*CALLS, TOKEN)


OURS = "Supplier API 1.15"
# How long a text may be that a tester wants answered.
BODY_MAX = 10_000
NO_BODY = (204, 205, 304)


def _answer(
    name: str,
    description: str,
    clause: str,
    *parameters: FaultParameter,
    operations: tuple[str, ...] = EVERYWHERE,
    findings: Findings = no_findings,
) -> FaultKind:
    return FaultKind(
        name,
        Direction.IN,
        description,
        operations,
        parameters,
        ContractBreach(clause),
        Place.WEB,
        findings,
    )


def _how_findings(values: Mapping[str, Value], operations: Sequence[str]) -> list[str]:
    """Say of which operations the answer cannot be spoilt in the way that is chosen."""
    how = str(values["how"])
    possible = operations_for(how)
    return [
        f"operations[{place}]: with how={how} expected one of {', '.join(possible)}"
        for place, operation in enumerate(operations)
        if operation not in possible
    ]


def _status_findings(values: Mapping[str, Value], _operations: Sequence[str]) -> list[str]:
    """Say that an answer of such a status has no body."""
    if values["code"] in NO_BODY and values["body"]:
        return [f"parameters.body: expected none with code {values['code']} (RFC 9110)"]
    return []


def _delivery(
    name: str, description: str, *parameters: FaultParameter, breach: ContractBreach | None = None
) -> FaultKind:
    return FaultKind(name, Direction.OUT, description, REASONS, parameters, breach)


ANSWERS = (
    _answer(
        "latency",
        "The answer comes late.",
        f"{OURS}, every call: an answer in time, else the tenant is told SUPPLIER_TIMED_OUT",
        seconds(2.0, 60.0, "How late."),
        when(When.AFTER),
    ),
    _answer(
        "hang",
        "No answer comes; in the end the connection is closed.",
        f"{OURS}, every call: an answer in time, else the tenant is told SUPPLIER_TIMED_OUT",
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
        findings=_status_findings,
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
        one_of("how", tuple(WAYS), "What is wrong with it; the table below."),
        operations=CALLS,
        findings=_how_findings,
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
        breach=ContractBreach(f"{KCIS}, id: the same on every attempt", (204,)),
    ),
    _delivery(
        "reorder",
        "The next one of its problem overtakes it.",
        seconds(5.0, OVERTAKE_MAX, "How long the next one is waited for, if there is none yet."),
        breach=ContractBreach(f"{KCIS}, sequenceNumber: the order of a problem's KCIs", (204,)),
    ),
    _delivery(
        "drop-then-resend",
        "Lost at first: all that come after it overtake it, until it is sent again.",
        seconds(2.0, OVERTAKE_MAX, "When it is sent again."),
        breach=ContractBreach(f"{KCIS}, sequenceNumber: the order of a problem's KCIs", (204,)),
    ),
    _delivery(
        "stale-sequence",
        "Behind it, the one before it is sent once more.",
        breach=ContractBreach(f"{KCIS}, id: the same on every attempt", (204,)),
    ),
    _delivery(
        "answer-lost",
        "The gateway takes it and its answer is lost: it is tried again later, the same.",
        breach=ContractBreach(f"{KCIS}, id: the same on every attempt", (204,)),
    ),
    _delivery(
        "gap",
        "Never sent; those behind it are.",
        breach=ContractBreach(f"{KCIS}, sequenceNumber: without gaps", (204,)),
    ),
    FaultKind(
        "before-201",
        Direction.OUT,
        "The answer 201 to a new problem is held back until the problem's first KCI was sent; any"
        " other answer is not struck.",
        ("service-problems",),
        (seconds(8.0, 60.0, "How long it is held back at most."),),
        ContractBreach(
            "Supplier API 1.15, POST /service-problems: answered before its KCIs", (204,)
        ),
        Place.WEB,
    ),
    _delivery(
        "burst",
        "Behind it, many repeats at once.",
        whole("count", 1_000, 1, 10_000, "How many."),
        breach=ContractBreach(f"{KCIS}, id: the same on every attempt", (204, 429)),
    ),
)
KINDS = (*ANSWERS, *DELIVERY, *(mutation.kind for mutation in MUTATIONS))
BY_NAME: Mapping[tuple[str, str], FaultKind] = {(kind.direction, kind.name): kind for kind in KINDS}


class WrongFault(Exception):
    """There is no such fault. `messages` say what there is."""

    def __init__(self, messages: list[str]) -> None:
        """Keep at least one message, each with the field that it is about."""
        self.messages = messages
        super().__init__("; ".join(messages))


def find_kind(direction: str, name: str) -> FaultKind:
    """Return the kind of that name; raises WrongFault."""
    kind = BY_NAME.get((direction, name))
    if kind is None:
        known = ", ".join(each.name for each in KINDS if each.direction == direction)
        raise WrongFault([f"kind: unknown; expected one of {known}"])
    return kind


def check_operations(kind: FaultKind, operations: list[str]) -> None:
    """Raise WrongFault unless the kind can strike each of these."""
    expected = f"expected one of {', '.join(kind.operations)}"
    wrong = [
        f"operations[{place}]: {expected}"
        for place, operation in enumerate(operations)
        if operation not in kind.operations
    ]
    if wrong:
        raise WrongFault(wrong)


def check_together(kind: FaultKind, values: Mapping[str, Value], operations: Sequence[str]) -> None:
    """Raise WrongFault unless parameters and operations that were chosen go together."""
    if wrong := kind.findings(values, operations):
        raise WrongFault(wrong)


def read_parameters(kind: FaultKind, given: Mapping[str, Any]) -> dict[str, Value]:
    """Return all parameters of a kind, the given ones checked; raises WrongFault."""
    known = {parameter.name: parameter for parameter in kind.parameters}
    values = {name: parameter.default for name, parameter in known.items()}
    wrong: list[str] = []
    for name, value in given.items():
        if name not in known:
            expected = f"one of {', '.join(known)}" if known else "none"
            wrong.append(f"parameters.{name}: unknown; expected {expected}")
            continue
        try:
            values[name] = known[name].read(value)
        except ValueError:
            wrong.append(f"parameters.{name}: expected {known[name].type}")
    if wrong:
        raise WrongFault(wrong)
    return values
