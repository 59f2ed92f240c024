"""KCIs off the contract: each is a copy of a real one with one thing about it that is not right.

A copy keeps the real one's id and number wherever these are not the point, so that a gateway that
takes it by mistake knows the real one for a repeat, and the numbers go on without a gap.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from supplier_api.contract.codes import ErrorCode, ProblemCode, ReasonCode, Status
from supplier_api.contract.limits import ID_MAX, TEXT_MAX
from supplier_api.sandbox.catalogue import Parameter
from supplier_api.sandbox.fault_injection.model import (
    ContractBreach,
    FaultKind,
    Values,
    whole,
    word,
)

Document = dict[str, Any]
KCIS = "Supplier Updates API 1.8, POST /kcis"
REQUIRED = ("reasonCode", "id", "sequenceNumber", "issuedOn", "serviceProblem")
FINAL = frozenset({Status.REJECTED, Status.CANCELLED, Status.COMPLETED})
LONG_BODY = 300_000  # bytes
# Signs what no gateway has signed.
NO_KEY = "a key that is nobody's: tokens signed with it open nothing"
PAST, FUTURE = 946_684_800, 4_102_444_800  # seconds since 1970: the years 2000 and 2100
ChangeDocument = Callable[[Document, Values], Document]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation(FaultKind):
    """A kind of copy, and how it is made.

    `change` makes its document of the real one's, `token` its token of ours (None for none). It is
    sent before the real one, or `after` it. `fits` tells whether it can be made of a KCI; with
    `after_201` only where the problem itself was answered 201.
    """

    change: ChangeDocument
    token: Callable[[str], str | None] = str
    fits: Callable[[Document, Values], bool] = lambda _document, _values: True
    after: bool = False
    after_201: bool = False


def changed(document: Document, name: str, change: Callable[[Any], object]) -> Document:
    """Return the document with one of its fields changed."""
    return document | {name: change(document[name])}


def without(document: Document, name: object) -> Document:
    """Return the document without that field."""
    return {each: value for each, value in document.items() if each != name}


def _in_problem(document: Document, **fields: object) -> Document:
    return changed(document, "serviceProblem", lambda problem: problem | fields)


def _new_id(document: Document, kind: str) -> Document:
    """Give the copy an id of its own, the same in every run."""
    return changed(document, "id", lambda real: str(uuid5(UUID(real), kind)))


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


def _of_another(document: Document, values: Values) -> Document:
    return _in_problem(_new_id(document, "foreign-problem"), id=values["serviceProblemId"])


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
    import jwt  # noqa: PLC0415 - 9 MB; the worker, whose faults stand here too, issues no token

    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return f"{token}-expired"
    return jwt.encode(claims | {"exp": PAST}, NO_KEY, "HS256")


def _foreign(_token: str) -> str:
    import jwt  # noqa: PLC0415 - as above

    claims = {"iss": "https://another.example", "sub": "another", "exp": FUTURE}
    return jwt.encode(claims, NO_KEY, "HS256")


def _malformed(clause: str) -> ContractBreach:
    return ContractBreach(f"{KCIS}, {clause}", (400,), ErrorCode.MALFORMED_REQUEST)


def _invalid(clause: str, code: ErrorCode = ErrorCode.INVALID_REQUEST) -> ContractBreach:
    return ContractBreach(f"{KCIS}, {clause}", (422,), code)


def _unauthorised(clause: str) -> ContractBreach:
    return ContractBreach(f"{KCIS}, {clause}", (401,), ErrorCode.NOT_AUTHORISED)


def _same(document: Document, _values: Values) -> Document:
    return document


def _mutation(
    name: str,
    description: str,
    breach: ContractBreach,
    change: ChangeDocument = _same,
    *parameters: Parameter,
    **more: Any,
) -> Mutation:
    return Mutation(name, description, parameters, breach=breach, change=change, **more)


MUTATIONS = (
    _mutation(
        "missing-field",
        "A required field is missing.",
        _malformed("the field: required"),
        lambda document, values: without(document, values["field"]),
        word("field", REQUIRED, "Which one."),
    ),
    _mutation(
        "wrong-type",
        "`sequenceNumber` is a string.",
        _malformed("sequenceNumber: a number"),
        lambda document, _: changed(document, "sequenceNumber", str),
    ),
    _mutation(
        "null",
        "A field is null.",
        _malformed("the field: null is no value of any type"),
        lambda document, values: document | {str(values["field"]): None},
        word("field", ("text", "problemCode", *REQUIRED), "Which one."),
    ),
    _mutation(
        "lower-case-enum",
        "`reasonCode` is written in lower case.",
        _invalid("reasonCode: one of the published words"),
        lambda document, _: changed(document, "reasonCode", str.lower),
    ),
    _mutation(
        "unknown-enum",
        "`reasonCode` is a word that is not published.",
        _invalid("reasonCode: one of the published words"),
        lambda document, _: document | {"reasonCode": "TELEPATHY"},
    ),
    _mutation(
        "bad-uuid",
        "`id` is no UUID.",
        _invalid("id: a UUID"),
        lambda document, _: document | {"id": "not-a-uuid"},
    ),
    _mutation(
        "date-without-zone",
        "`issuedOn` has no offset.",
        _invalid("issuedOn: a date-time with an offset (RFC 3339)"),
        lambda document, _: changed(document, "issuedOn", lambda date: date.removesuffix("Z")),
    ),
    _mutation(
        "number-zero",
        "`sequenceNumber` is 0.",
        _invalid("sequenceNumber: from 1"),
        lambda document, _: document | {"sequenceNumber": 0},
    ),
    _mutation(
        "used-number",
        "Behind the real one: its number once more, under a new id.",
        _invalid("sequenceNumber: each once within a problem"),
        lambda document, _: _new_id(document, "used-number"),
        after=True,
    ),
    _mutation(
        "illegal-jump",
        "A problem that is not RESOLVED is COMPLETED; one that is, is REJECTED.",
        _invalid(
            "serviceProblem.status: COMPLETED only from RESOLVED, REJECTED only before"
            " acknowledgement"
        ),
        _jump,
    ),
    _mutation(
        "after-terminal",
        "Behind a KCI that ends its problem: one more, with the next number.",
        _invalid("serviceProblem: none after one that ends the problem"),
        _after_the_end,
        fits=_is_final,
        after=True,
    ),
    _mutation(
        "foreign-problem",
        "Behind the real one: `serviceProblem.id` is not this problem's: nobody's, or another"
        " tenant's if its id is given.",
        _invalid(
            "serviceProblem: one that was sent to this supplier, under our reference of it",
            ErrorCode.NOT_FOUND,
        ),
        _of_another,
        whole("serviceProblemId", ID_MAX, 1, ID_MAX, "The id; by default one that nobody has."),
        fits=_is_of_another,
        # A gateway that has the real one knows the reference, and so that the copy is wrong.
        after=True,
    ),
    _mutation(
        "acknowledged-after-201",
        "ACKNOWLEDGED, although the answer 201 said so and the gateway has told its tenant; no"
        " KCI of a problem that was answered 202 is struck.",
        _invalid("reasonCode: no ACKNOWLEDGED after a 201, the gateway makes that update"),
        _acknowledged,
        fits=_is_acknowledged,
        after_201=True,
    ),
    _mutation(
        "no-token",
        "Without `Authorization`.",
        _unauthorised("Authorization: required"),
        token=_no_token,
    ),
    _mutation(
        "expired-token",
        "With a token like ours whose `exp` has passed (its signature is not the gateway's).",
        _unauthorised("Authorization: a token that has not ended"),
        token=_expired,
    ),
    _mutation(
        "foreign-token",
        "With a token of another issuer.",
        _unauthorised("Authorization: a token of this gateway"),
        token=_foreign,
    ),
    _mutation(
        "over-long-body",
        "`text` is far too long, and so is the body.",
        ContractBreach(f"{KCIS}, text: at most 1000 characters", (400, 413, 422)),
        lambda document, values: document | {"text": "x" * int(str(values["bytes"]))},
        whole("bytes", LONG_BODY, TEXT_MAX + 1, 10_000_000, "How long the text is that is put in."),
    ),
)
