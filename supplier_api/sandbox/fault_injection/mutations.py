"""KCIs off the contract: each is a copy of a real one with one thing about it that is not right.

A copy keeps the real one's id and number wherever these are not the point, so that a gateway that
takes it by mistake knows the real one for a repeat, and the numbers go on without a gap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

import jwt

from supplier_api.contract.codes import ErrorCode, ProblemCode, ReasonCode, Status
from supplier_api.contract.limits import ID_MAX, TEXT_MAX
from supplier_api.sandbox.fault_injection.model import (
    REASONS,
    ContractBreach,
    Direction,
    FaultKind,
    FaultParameter,
    Value,
)
from supplier_api.sandbox.fault_injection.parameters import one_of, whole

Document = dict[str, Any]
Values = Mapping[str, Value]
KCIS = "Supplier Updates API 1.8, POST /kcis"
REQUIRED = ("reasonCode", "id", "sequenceNumber", "issuedOn", "serviceProblem")
FINAL = frozenset({Status.REJECTED, Status.CANCELLED, Status.COMPLETED})
LONG_BODY = 300_000  # bytes
# Signs what no gateway has signed.
NO_KEY = "a key that is nobody's: tokens signed with it open nothing"
PAST, FUTURE = 946_684_800, 4_102_444_800  # seconds since 1970: the years 2000 and 2100


def _same(document: Document, _values: Values) -> Document:
    return document


def _same_token(token: str) -> str:
    return token


def _any(_document: Document, _values: Values) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Mutation:
    """How one kind of copy is made.

    `change` makes its document of the real one's, `token` its token of ours (None for none). It is
    sent before the real one, or `after` it. `fits` tells whether it can be made of a KCI; with
    `after_201` only where the problem itself was answered 201.
    """

    kind: FaultKind
    change: Callable[[Document, Values], Document] = field(default=_same)
    token: Callable[[str], str | None] = field(default=_same_token)
    fits: Callable[[Document, Values], bool] = field(default=_any)
    after: bool = False
    after_201: bool = False


def _kind(
    name: str, description: str, breach: ContractBreach, parameters: tuple[FaultParameter, ...] = ()
) -> FaultKind:
    return FaultKind(name, Direction.OUT, description, REASONS, parameters, breach)


def _malformed(clause: str) -> ContractBreach:
    return ContractBreach(f"{KCIS}, {clause}", (400,), ErrorCode.MALFORMED_REQUEST)


def _invalid(clause: str, code: ErrorCode = ErrorCode.INVALID_REQUEST) -> ContractBreach:
    return ContractBreach(f"{KCIS}, {clause}", (422,), code)


def _unauthorised(clause: str) -> ContractBreach:
    return ContractBreach(f"{KCIS}, {clause}", (401,), ErrorCode.NOT_AUTHORISED)


def _set(**fields: object) -> Callable[[Document, Values], Document]:
    return lambda document, _values: document | fields


def _in_problem(document: Document, **fields: object) -> Document:
    return document | {"serviceProblem": document["serviceProblem"] | fields}


def _new_id(document: Document, kind: str) -> Document:
    """Give the copy an id of its own, the same in every run."""
    return document | {"id": str(uuid5(UUID(document["id"]), kind))}


def _without_field(document: Document, values: Values) -> Document:
    return {name: value for name, value in document.items() if name != values["field"]}


def _with_null(document: Document, values: Values) -> Document:
    return document | {str(values["field"]): None}


def _jump(document: Document, _values: Values) -> Document:
    """Close a problem that is not resolved, or refuse one that is."""
    resolved = document["serviceProblem"]["status"] in (Status.RESOLVED, Status.COMPLETED)
    reason = ReasonCode.REJECTED if resolved else ReasonCode.COMPLETED
    said = {"text": "Off the contract on purpose", "problemCode": str(ProblemCode.OTHER)}
    jumped = document | {"reasonCode": str(reason), **said}
    return _in_problem(jumped, status=str(Status[reason.name]))


def _after_the_end(document: Document, _values: Values) -> Document:
    later = _new_id(document, "after-terminal")
    number = document["sequenceNumber"] + 1
    return later | {"sequenceNumber": number, "reasonCode": str(ReasonCode.UPDATE)}


def _acknowledged(document: Document, _values: Values) -> Document:
    again = document | {"reasonCode": str(ReasonCode.ACKNOWLEDGED)}
    return _in_problem(again, status=str(Status.ACKNOWLEDGED))


def _is_acknowledged(document: Document, _values: Values) -> bool:
    known = "supplierReference" in document["serviceProblem"]
    return known and document["reasonCode"] != ReasonCode.ACKNOWLEDGED


def _is_final(document: Document, _values: Values) -> bool:
    # An ADDITIONAL ends nothing: it may tell of an end whose own KCI comes behind it.
    additional = document["reasonCode"] == ReasonCode.ADDITIONAL
    return document["serviceProblem"]["status"] in FINAL and not additional


def _is_of_another(document: Document, values: Values) -> bool:
    # Without a reference nothing says that the problem is not the one that the id names.
    problem = document["serviceProblem"]
    return "supplierReference" in problem and problem["id"] != values["serviceProblemId"]


def _no_token(_token: str) -> None:
    return None


def _expired(token: str) -> str:
    """Return the token as if it had ended in 2000; the signature cannot be the gateway's."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return f"{token}-expired"
    return jwt.encode(claims | {"exp": PAST}, NO_KEY, "HS256")


def _foreign(_token: str) -> str:
    claims = {"iss": "https://another.example", "sub": "another", "exp": FUTURE}
    return jwt.encode(claims, NO_KEY, "HS256")


_LENGTH = whole(
    "bytes", LONG_BODY, TEXT_MAX + 1, 10_000_000, "How long the text is that is put in."
)
_OTHER_ID = whole("serviceProblemId", ID_MAX, 1, ID_MAX, "The id; by default one that nobody has.")
_REQUIRED = one_of("field", REQUIRED, "Which one.")
_NULLABLE = one_of("field", ("text", "problemCode", *REQUIRED), "Which one.")

MUTATIONS = (
    Mutation(
        _kind(
            "missing-field",
            "A required field is missing.",
            _malformed("the field: required"),
            (_REQUIRED,),
        ),
        _without_field,
    ),
    Mutation(
        _kind(
            "wrong-type",
            "`sequenceNumber` is a string.",
            _malformed("sequenceNumber: a number"),
        ),
        lambda document, _: document | {"sequenceNumber": str(document["sequenceNumber"])},
    ),
    Mutation(
        _kind(
            "null",
            "A field is null.",
            _malformed("the field: null is no value of any type"),
            (_NULLABLE,),
        ),
        _with_null,
    ),
    Mutation(
        _kind(
            "lower-case-enum",
            "`reasonCode` is written in lower case.",
            _invalid("reasonCode: one of the published words"),
        ),
        lambda document, _: document | {"reasonCode": document["reasonCode"].lower()},
    ),
    Mutation(
        _kind(
            "unknown-enum",
            "`reasonCode` is a word that is not published.",
            _invalid("reasonCode: one of the published words"),
        ),
        _set(reasonCode="TELEPATHY"),
    ),
    Mutation(
        _kind("bad-uuid", "`id` is no UUID.", _invalid("id: a UUID")),
        _set(id="not-a-uuid"),
    ),
    Mutation(
        _kind(
            "date-without-zone",
            "`issuedOn` has no offset.",
            _invalid("issuedOn: a date-time with an offset (RFC 3339)"),
        ),
        lambda document, _: document | {"issuedOn": document["issuedOn"].removesuffix("Z")},
    ),
    Mutation(
        _kind("number-zero", "`sequenceNumber` is 0.", _invalid("sequenceNumber: from 1")),
        _set(sequenceNumber=0),
    ),
    Mutation(
        _kind(
            "used-number",
            "Behind the real one: its number once more, under a new id.",
            _invalid("sequenceNumber: each once within a problem"),
        ),
        lambda document, _: _new_id(document, "used-number"),
        after=True,
    ),
    Mutation(
        _kind(
            "illegal-jump",
            "A problem that is not RESOLVED is COMPLETED; one that is, is REJECTED.",
            _invalid(
                "serviceProblem.status: COMPLETED only from RESOLVED, REJECTED only before"
                " acknowledgement"
            ),
        ),
        _jump,
    ),
    Mutation(
        _kind(
            "after-terminal",
            "Behind a KCI that ends its problem: one more, with the next number.",
            _invalid("serviceProblem: none after one that ends the problem"),
        ),
        _after_the_end,
        fits=_is_final,
        after=True,
    ),
    Mutation(
        _kind(
            "foreign-problem",
            "Behind the real one: `serviceProblem.id` is not this problem's: nobody's, or another"
            " tenant's if its id is given.",
            _invalid(
                "serviceProblem: one that was sent to this supplier, under our reference of it",
                ErrorCode.NOT_FOUND,
            ),
            (_OTHER_ID,),
        ),
        lambda document, values: _in_problem(
            _new_id(document, "foreign-problem"), id=values["serviceProblemId"]
        ),
        fits=_is_of_another,
        # A gateway that has the real one knows the reference, and so that the copy is wrong.
        after=True,
    ),
    Mutation(
        _kind(
            "acknowledged-after-201",
            "ACKNOWLEDGED, although the answer 201 said so and the gateway has told its tenant; no"
            " KCI of a problem that was answered 202 is struck.",
            _invalid("reasonCode: no ACKNOWLEDGED after a 201, the gateway makes that update"),
        ),
        _acknowledged,
        fits=_is_acknowledged,
        after_201=True,
    ),
    Mutation(
        _kind("no-token", "Without `Authorization`.", _unauthorised("Authorization: required")),
        token=_no_token,
    ),
    Mutation(
        _kind(
            "expired-token",
            "With a token like ours whose `exp` has passed (its signature is not the gateway's).",
            _unauthorised("Authorization: a token that has not ended"),
        ),
        token=_expired,
    ),
    Mutation(
        _kind(
            "foreign-token",
            "With a token of another issuer.",
            _unauthorised("Authorization: a token of this gateway"),
        ),
        token=_foreign,
    ),
    Mutation(
        _kind(
            "over-long-body",
            "`text` is far too long, and so is the body.",
            ContractBreach(f"{KCIS}, text: at most 1000 characters", (400, 413, 422)),
            (_LENGTH,),
        ),
        lambda document, values: document | {"text": "x" * int(values["bytes"])},
    ),
)
BY_KIND: Mapping[str, Mutation] = {mutation.kind.name: mutation for mutation in MUTATIONS}
