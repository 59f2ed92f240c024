"""Every cause for which a request of the gateway, or of the back office, is refused.

A new cause is an entry here, and the place that raises it, as in
`raise refusals.UNKNOWN_PROBLEM.error()`. Status, error code, OpenAPI and a tester's explanation
follow from the entry.

A text that names a field begins with the field's path. It says what was expected and repeats no
value of the request but an id: the gateway passes it on to the tenant.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from supplier_api.contract.errors import (
    ErrorAnswer,
    Invalid,
    Malformed,
    RequestRefused,
    Structural,
)

# The operations, by their ids in OpenAPI; the first four are also scopes of tokens, and settings.
PROBLEMS = "service-problems"
AMENDMENTS = "service-problem-amendments"
CANCELLATIONS = "service-problem-cancellations"
RESOLUTIONS = "service-problem-resolutions"
EVENT = "back-office-event"
DECLARE_INCIDENT = "back-office-declare-incident"
END_INCIDENT = "back-office-end-incident"
LIST_INCIDENTS = "back-office-incidents"
SHOW_PROBLEM = "back-office-problem"
LIST_PROBLEMS = "back-office-problems"
SNAPSHOT = "back-office-snapshot"
HOOK = "back-office-hook"
LEASE_ORDERS = "back-office-work-orders"
ANSWER_ORDER = "back-office-answer"

CHANGES = frozenset({AMENDMENTS, CANCELLATIONS})
DECIDED = CHANGES | {PROBLEMS}
GATEWAY = DECIDED | {RESOLUTIONS}
WITH_BODY = GATEWAY | {EVENT, DECLARE_INCIDENT, SNAPSHOT, ANSWER_ORDER}
WITH_FIELDS = WITH_BODY | {LIST_PROBLEMS, LEASE_ORDERS}
EVERY = WITH_FIELDS | {END_INCIDENT, LIST_INCIDENTS, SHOW_PROBLEM, HOOK}
# No operation is reached.
NONE: frozenset[str] = frozenset()

_PATH = "{path}: "


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a tester is told of an answer whose messages do not say it: kind, field, what to do."""

    kind: str
    field: str
    expected: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A cause: how it is answered, its text, where that is written, which operations it can meet.

    `text` has the places of str.format. `source` names a document and its section, or only the
    section in the document of the operation.
    """

    answer: ErrorAnswer
    text: str
    source: str
    operations: frozenset[str]
    explained: Explanation | None = None

    def message(self, **values: object) -> str:
        """Return the text with `values` in it."""
        return self.text.format(**values)

    def error(self, **values: object) -> RequestRefused:
        """Return the exception to raise."""
        return self.errors([values])

    def errors(self, each: Iterable[Mapping[str, object]]) -> RequestRefused:
        """Return the exception for the same cause at several places, with the values of each."""
        messages = [self.message(**values) for values in each]
        if self.answer is ErrorAnswer.MALFORMED:
            return Malformed(messages)
        if self.answer is ErrorAnswer.INVALID:
            return Invalid(messages)
        return RequestRefused(messages, self.answer)

    def for_field(self, **values: object) -> str:
        """Return the text behind the path, which `contract.load` puts before it."""
        text = self.text.removeprefix(_PATH).format(**values)
        return Structural(text) if self.answer is ErrorAnswer.MALFORMED else text


def _malformed(
    text: str, source: str = "Response 400", operations: frozenset[str] = WITH_BODY
) -> Refusal:
    return Refusal(ErrorAnswer.MALFORMED, text, source, operations)


def _invalid(
    text: str, source: str = "Response 422", operations: frozenset[str] = WITH_BODY
) -> Refusal:
    return Refusal(ErrorAnswer.INVALID, text, source, operations)


def _not_found(text: str, operations: frozenset[str]) -> Refusal:
    return Refusal(ErrorAnswer.NOT_FOUND, text, "Response 404", operations)


def _conflict(text: str, operations: frozenset[str]) -> Refusal:
    return Refusal(ErrorAnswer.CONFLICT, text, "Response 409", operations)


# Paths, methods, access.
UNKNOWN_PATH = Refusal(
    ErrorAnswer.NOT_FOUND,
    "there is nothing at this path",
    "/openapi.json, paths",
    NONE,
    Explanation("path", "path", "a published path"),
)
WRONG_METHOD = Refusal(
    ErrorAnswer.WRONG_METHOD,
    "this path does not know this method",
    "/openapi.json, paths",
    NONE,
    Explanation("path", "method", "the published method of this path"),
)
NOT_AUTHORISED = Refusal(
    ErrorAnswer.NOT_AUTHORISED,
    "{why}",  # by auth
    "RFC 6750, section 3",
    EVERY,
    Explanation("access", "Authorization", "a token of our own issuer that holds"),
)
FORBIDDEN = Refusal(
    ErrorAnswer.FORBIDDEN,
    "",
    "RFC 6750, section 3.1",
    EVERY - {HOOK},
    Explanation("access", "Authorization", "a token with the scope of this call"),
)
SWITCHED_OFF = Refusal(
    ErrorAnswer.SWITCHED_OFF,
    "this operation is not offered by this supplier",
    "Response 501",
    GATEWAY,
    Explanation("settings", "-", "an operation in the setting server.operations"),
)

# The request as a whole, and its headers.
UNREADABLE = _malformed("the request cannot be read", "RFC 9110, section 15.5.1")
HEADER_TWICE = _malformed("{name}: expected once, not twice", "RFC 9110, section 5.3", EVERY)
HEADER_INVALID = _invalid(
    "{name}: expected 1 to {maximum} visible ASCII characters", "Header parameters", GATEWAY
)
WRONG_CONTENT_TYPE = _malformed("Content-Type: expected {expected}", "RFC 9110, section 8.3")
BODY_CUT_SHORT = _malformed(
    "body: shorter than its Content-Length", "RFC 9112, section 8", WITH_BODY | {HOOK}
)
BODY_TOO_LONG = _malformed("body: expected at most {limit} bytes", "RFC 9110, section 15.5.14")

# The body as JSON.
NOT_JSON = _malformed("body: not JSON ({why}, line {line} column {column})", "RFC 8259, section 2")
EMPTY = _malformed("body: empty, expected a JSON object", "RFC 8259, section 2")
NOT_UTF8 = _malformed("body: not UTF-8 (at byte {at})", "RFC 8259, section 8.1")
BYTE_ORDER_MARK = _malformed(
    "body: begins with a byte order mark, expected JSON without one", "RFC 8259, section 8.1"
)
NOT_A_NUMBER = _malformed("body: {name} is not a JSON number", "RFC 8259, section 6")
KEY_TWICE = _malformed("body: a key stands twice in the same object", "RFC 8259, section 4")
TOO_DEEP = _malformed("body: nested deeper than {maximum} levels", "RFC 8259, section 9")
HOLDS_NUL = _malformed("body: holds a NUL character", "RFC 8259, section 9")
HALF_SURROGATE = _malformed("body: holds half of a surrogate pair", "RFC 8259, section 8.2")

# The fields of a document, and its headers where they are missing.
MISSING = _malformed("{path}: missing", "Request fields")
NULL = _malformed("{path}: expected {expected}, not null", "Request fields")
WRONG_TYPE = _malformed("{path}: expected {expected}", "Request fields")
WRONG_LENGTH = _invalid(
    "{path}: expected {minimum} to {maximum} characters", "Request fields", WITH_FIELDS
)
WRONG_PATTERN = _invalid("{path}: expected to match {pattern}", "Request fields")
UNKNOWN_CODE = _invalid("{path}: expected one of {codes}", "Request fields", WITH_FIELDS)
NO_DATE_TIME = _invalid(
    "{path}: expected a date-time with an offset, as in 2026-01-05T12:00:00.000Z",
    "Request fields",
    WITH_FIELDS,
)
NO_UUID = _invalid("{path}: expected a UUID", "Request fields")
NOT_WHOLE = _invalid(
    "{path}: expected a whole number from {minimum} to {maximum}", "Request fields", WITH_FIELDS
)
OUT_OF_RANGE = _invalid(
    "{path}: expected a number from {minimum:.15g} to {maximum:.15g}", "Request fields"
)
TOO_FEW_ITEMS = _invalid("{path}: expected at least {minimum} item", "Request fields")
TOO_MANY_ITEMS = _invalid("{path}: expected at most {maximum} items", "Request fields")
NOTHING_TO_AMEND = _invalid(
    "{path}: expected at least one of {fields} to amend",
    "supplier-amend, Request fields",
    frozenset({AMENDMENTS}),
)

# Decisions: stored, and answered again to a repeat.
RULE = _invalid("{message}", "the rule book", DECIDED)  # of a rule
CHANGE_UNDECIDED = _invalid(
    "serviceProblemId: {kind} {id} is not decided yet; expected one request at a time",
    operations=CHANGES,
)
CHANGE_IMPOSSIBLE = _invalid(
    "serviceProblemId: no {kind} is possible while the problem is {state}", operations=CHANGES
)
TOO_MANY_CHARACTERISTICS = _invalid(
    "characteristics: the problem would have more than {maximum} of them",
    "supplier-create, Request fields",
    frozenset({AMENDMENTS}),
)

# A request that does not fit what is stored: not kept, a later one is decided anew.
UNKNOWN_PROBLEM = Refusal(
    ErrorAnswer.UNKNOWN_SUBJECT,
    "serviceProblemId: no such service problem",
    "Response 422",
    CHANGES,
)
WRONG_REFERENCE = Refusal(
    ErrorAnswer.UNKNOWN_SUBJECT,
    "supplierServiceProblemReference: not the reference of this service problem",
    "Response 422",
    CHANGES,
)
UNKNOWN_RESOLUTION = Refusal(
    ErrorAnswer.UNKNOWN_SUBJECT,
    "id: no such service problem resolution",
    "Response 422",
    frozenset({RESOLUTIONS}),
)
RESOLUTION_REPLACED = _invalid(
    "id: this resolution was replaced by {reference}", operations=frozenset({RESOLUTIONS})
)
RESOLUTION_WITHDRAWN = _invalid(
    "id: this resolution was withdrawn on {when}; expected no answer until the service problem is"
    " resolved again",
    operations=frozenset({RESOLUTIONS}),
)
RESOLUTION_ANSWERED = _invalid(
    "status: already {status} on {when}", operations=frozenset({RESOLUTIONS})
)
PROBLEM_CLOSED = _invalid(
    "status: the service problem was closed on {when}; expected a new service problem",
    operations=frozenset({RESOLUTIONS}),
)
ID_USED = _invalid(
    "id: {id} was used for another {operation} on {when};"
    " expected a new id, or the same request again",
    operations=DECIDED,
)
ANSWER_NOT_KEPT = _invalid(
    "{path}: already answered on {when} with {status}{reference}", operations=GATEWAY
)

# Events and incidents of the back office.
UNKNOWN_REFERENCE = _not_found(
    "reference: no such problem", frozenset({EVENT, SHOW_PROBLEM, SNAPSHOT})
)
AMBIGUOUS_REFERENCE = _invalid(
    "reference: stands for {count} problems; expected our own reference: {references}",
    operations=frozenset({EVENT}),
)
SEVERAL_PROBLEMS = _conflict(
    "reference: {count} problems are called that; expected our own reference: {references}",
    frozenset({SHOW_PROBLEM, SNAPSHOT}),
)
SNAPSHOT_OF_NOTHING = _invalid(
    "state: expected a state, or a decision in decision", "Request fields", frozenset({SNAPSHOT})
)
TICKET_VERSION = _invalid(
    "version: expected a whole number, or a date-time",
    "Request fields",
    frozenset({SNAPSHOT, ANSWER_ORDER}),
)
SNAPSHOT_OF_ANOTHER = _invalid(
    "ticket: is that of another problem; expected one of this problem",
    operations=frozenset({SNAPSHOT}),
)
SNAPSHOT_WAITS = _conflict(
    "version: an order about the problem is under way; expected the ticket again when that is done",
    frozenset({SNAPSHOT}),
)
SNAPSHOT_APART = _conflict(
    "state: cannot be followed, and the ticket is apart: {reason}", frozenset({SNAPSHOT})
)
PROBLEM_CHANGED = Refusal(
    ErrorAnswer.PRECONDITION,
    "If-Match: the problem has changed; expected its version {version}, in which it is {state}",
    "RFC 9110, section 13.1.1",
    frozenset({EVENT, SNAPSHOT}),
)
UNKNOWN_CURSOR = _invalid(
    "cursor: expected the cursor of an earlier page", operations=frozenset({LIST_PROBLEMS})
)
EVENT_ID_USED = _invalid(
    "id: {id} was used for another event; expected a new id", operations=frozenset({EVENT})
)
EVENT_INCOMPLETE = _invalid(
    "{path}: missing; {event} must carry it", "Request fields", frozenset({EVENT})
)
EVENT_IMPOSSIBLE = _conflict(
    "{event} is not possible while the problem is {state}", frozenset({EVENT})
)
INCIDENT_OF_NOTHING = _invalid(
    "services: expected a service, a problem in problems, or a scope in scopes",
    "Request fields",
    frozenset({DECLARE_INCIDENT}),
)
INCIDENT_PROBLEM_UNKNOWN = _invalid(
    "problems[{at}]: no such problem; expected our reference",
    operations=frozenset({DECLARE_INCIDENT}),
)
INCIDENT_DECLARED = _invalid(
    "id: {id} was declared on {when}; expected a new id",
    operations=frozenset({DECLARE_INCIDENT}),
)
INCIDENT_OF_INVENTORY = _invalid(
    "id: {id} is an incident of the inventory; expected a new id",
    operations=frozenset({DECLARE_INCIDENT}),
)
UNKNOWN_INCIDENT = _not_found("id: no such incident", frozenset({END_INCIDENT}))

# Webhooks of the back office.
UNKNOWN_HOOK = _not_found("name: no such hook", frozenset({HOOK}))
HOOK_TOO_LARGE = Refusal(
    ErrorAnswer.TOO_LARGE,
    "body: expected at most {limit} bytes of a webhook",
    "RFC 9110, section 15.5.14",
    frozenset({HOOK}),
)

# Work orders that the back office fetches.
NOT_FETCHED = Refusal(
    ErrorAnswer.CONFLICT,
    "adapter: work orders are not fetched here; expected backoffice.adapter to be pull",
    "docs/back-office.md, Pull mode",
    frozenset({LEASE_ORDERS, ANSWER_ORDER}),
)
UNKNOWN_ORDER = _not_found("orderId: no such work order", frozenset({ANSWER_ORDER}))
ORDER_GIVEN_OUT = _conflict(
    "claim: {claim} is over, the order was given out again; expected the number that came with it",
    frozenset({ANSWER_ORDER}),
)
ORDER_NOT_GIVEN_OUT = _conflict(
    "orderId: this order waits for one of its problem before it", frozenset({ANSWER_ORDER})
)
ORDER_SETTLED = _conflict("orderId: this order is {state} already", frozenset({ANSWER_ORDER}))

# Nothing is wrong with the request.
FAULT = Refusal(
    ErrorAnswer.FAULT,
    "an error of the supplier; please quote the uuid",
    "Response 500",
    EVERY,
    Explanation("fault", "-", "our log has the trace, under the answer's uuid"),
)
UNAVAILABLE = Refusal(
    ErrorAnswer.UNAVAILABLE,
    "",
    "Response 503",
    EVERY,
    Explanation("time", "-", "another try after Retry-After"),
)

ALL: Mapping[str, Refusal] = {
    name: value for name, value in dict(globals()).items() if isinstance(value, Refusal)
}


def answers_of(operation: str) -> list[ErrorAnswer]:
    """Return the error answers that an operation can give, in the order of their statuses."""
    found = {each.answer for each in ALL.values() if operation in each.operations}
    return sorted(found, key=lambda answer: answer.status)
