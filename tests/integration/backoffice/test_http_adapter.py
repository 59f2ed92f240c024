"""The adapter `http` against a server: what it sends, and what each answer means."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook

from supplier_api.backoffice.http_adapter import (
    HttpBackOffice,
    HttpOptions,
    OrderNotTaken,
    TicketNotRead,
)
from supplier_api.backoffice.mapping_values import MappingFailed
from supplier_api.backoffice.port import (
    BackOffice,
    OrderAnswer,
    OrderRefused,
    Parses,
    Pings,
    Reads,
    TryLater,
    load_adapter,
)
from supplier_api.http_client.calls import NETWORK_ERRORS
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.work import WorkOrder
from supplier_api.rules.model import Operation
from supplier_api.settings.model import BackOfficeSettings
from tests.integration.delivery.sink import Reaction, Sink, answer, cut_body, hang
from tests.unit.backoffice.mappings import GOOD, load, ticket

SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="
ORDER = WorkOrder(
    id="3456cf7d-4471-42e4-a5be-c24ed58a7aa6",
    kind=Operation.PROBLEM,
    tenant="TENANT1",
    reference="SP_0123456789",
    issued="2026-01-05T12:00:00.000Z",
    standing="IN_PROGRESS",
    decide=False,
    problem={"id": 7, "problemType": "OUTAGE"},
)
ASKED = WorkOrder(
    id="b",
    kind=Operation.AMENDMENT,
    tenant="TENANT1",
    reference="SP_0123456789",
    issued="2026-01-05T12:00:00.000Z",
    standing="IN_PROGRESS",
    decide=True,
    problem={"id": 7},
    subject={"supplierReference": "SP_A"},
)


def adapter(sink: Sink, **options: Any) -> HttpBackOffice:
    made = HttpOptions.model_validate({"url": f"{sink.url}/orders", "timeout": 5.0, **options})
    return HttpBackOffice(BackOfficeSettings(adapter="http", pace="manual", options=made))


def says(document: object, status: int = 200) -> Reaction:
    return answer(status, json.dumps(document).encode(), Content_Type="application/json")


def test_it_is_published_and_does_what_a_webhook_needs(sink: Sink) -> None:
    options = HttpOptions.model_validate({"url": sink.url})
    settings = BackOfficeSettings(adapter="http", pace="manual", options=options)
    made: BackOffice = load_adapter(settings)

    assert isinstance(made, HttpBackOffice)
    assert isinstance(made, Parses)
    assert isinstance(made, Pings)
    assert not isinstance(made, Reads)


def test_an_order_is_sent_as_json_that_the_library_verifies(sink: Sink) -> None:
    assert adapter(sink, secret=SECRET, token="desk-token").submit(ORDER) == OrderAnswer()

    (request,) = sink.kcis
    assert json.loads(request.body) == json.loads(json.dumps(ORDER.document()))
    Webhook(SECRET).verify(request.body, dict(request.headers))
    assert request.headers["webhook-id"] == ORDER.id
    assert request.headers["authorization"] == "Bearer desk-token"


def test_a_desk_with_a_user_gets_basic_and_no_signature(sink: Sink) -> None:
    adapter(sink, user="us", password="p:w").submit(ORDER)

    (request,) = sink.kcis
    assert request.headers["authorization"] == "Basic dXM6cDp3"
    assert "webhook-signature" not in request.headers


def test_the_mapping_gives_the_order_the_desks_own_words(sink: Sink, tmp_path: Path) -> None:
    load(tmp_path)
    made = adapter(sink, mapping_file=tmp_path / "mapping.yaml")
    made.submit(ORDER)

    assert json.loads(sink.kcis[0].body)["outbound"] == {"status": "Working", "priority": "1"}
    (snapshot,) = made.parse({}, json.dumps(ticket()).encode())
    assert (snapshot.ticket, snapshot.version) == ("T-1", 7)
    with pytest.raises(MappingFailed, match="mapping_file"):
        adapter(sink).parse({}, b"{}")


@pytest.mark.parametrize(
    ("version", "read"),
    [(17, 17), ("17", 17), ("1970-01-01T00:00:01Z", 1_000_000)],
)
def test_an_answer_names_the_ticket(sink: Sink, version: object, read: int) -> None:
    document = {"ticket": "FD-1", "url": "https://desk/FD-1", "version": version, "more": 1}
    sink.kci_reactions.append(says(document, 201))

    answered = adapter(sink).submit(ORDER)
    assert answered == OrderAnswer("FD-1", "https://desk/FD-1", version=read)


def test_an_answer_may_decide_what_is_asked_and_nothing_else(sink: Sink) -> None:
    refused = {"accept": False, "problemCode": "OTHER", "text": "No.", "supplierCodes": ["1"]}
    for decision in (refused, {"accept": True, "commit": True}):
        sink.kci_reactions.append(says({"decision": decision}))
    sink.kci_reactions.extend([says({"decision": {"accept": True}})])

    made = adapter(sink)
    (event,) = made.submit(ASKED).events
    assert (event.event, event.change_reference) == (Event.REJECT_CHANGE, "SP_A")
    assert (event.id, event.text, event.supplier_codes) == ("b:decision", "No.", ("1",))
    (event,) = made.submit(ASKED).events
    assert (event.event, event.commit) == (Event.ACCEPT_CHANGE, False)
    assert made.submit(ORDER).events == ()


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"ticket": 5}', b'{"error": "no"}'])
@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_order_may_be_refused_for_good(sink: Sink, status: int, body: bytes) -> None:
    sink.kci_reactions.append(answer(status, body))
    with pytest.raises(OrderRefused, match=str(status)):
        adapter(sink).submit(ORDER)


@pytest.mark.parametrize("status", [200, 422])
def test_the_answer_may_refuse_an_order_too(sink: Sink, status: int) -> None:
    sink.kci_reactions.append(says({"refused": "No such line."}, status))
    with pytest.raises(OrderRefused, match="No such line"):
        adapter(sink).submit(ORDER)


@pytest.mark.parametrize("status", [302, 401, 403, 404, 408, 425, 429, 500, 503])
def test_the_desks_own_trouble_is_for_later(sink: Sink, status: int) -> None:
    sink.kci_reactions.append(answer(status))
    with pytest.raises(OrderNotTaken, match=str(status)):
        adapter(sink).submit(ORDER)


def test_a_desk_that_is_busy_may_say_for_how_long(sink: Sink) -> None:
    sink.kci_reactions.append(answer(503, Retry_After="90"))
    with pytest.raises(TryLater) as told:
        adapter(sink).submit(ORDER)
    assert (told.value.retry_after, told.value.status) == ("90", 503)


def test_a_conflict_says_that_the_order_is_there(sink: Sink) -> None:
    sink.kci_reactions.append(says({"ticket": "FD-1"}, 409))
    assert adapter(sink).submit(ORDER) == OrderAnswer("FD-1")


@pytest.mark.parametrize(
    "reaction",
    [
        answer(200, b"<html>", Content_Type="text/html"),
        says([1]),
        says({"ticket": 5}),
        says({"ticket": "x" * 101}),
        says({"version": "soon"}),
        says({"version": [1]}),
        says({"version": None}),
        says({"decision": {}}),
        says({"decision": {"problemCode": "GOSSIP"}}),
        cut_body,
    ],
)
def test_an_answer_that_is_none_of_ours_is_for_later(sink: Sink, reaction: Reaction) -> None:
    sink.kci_reactions.append(reaction)
    with pytest.raises(OrderNotTaken):
        adapter(sink).submit(ASKED)


def test_a_silent_desk_holds_no_thread_for_longer_than_the_timeout(sink: Sink) -> None:
    sink.kci_reactions.append(hang)
    with pytest.raises(NETWORK_ERRORS):
        adapter(sink, timeout=0.2).submit(ORDER)


def test_a_ping_is_answered_by_whoever_lets_us_in(sink: Sink) -> None:
    assert adapter(sink).ping() == "answers 405 to OPTIONS"
    for status in (401, 503):
        sink.options_reactions.append(answer(status))
        with pytest.raises(OrderNotTaken, match=str(status)):
            adapter(sink).ping()


def reading(sink: Sink, folder: Path, text: str = GOOD, **options: Any) -> HttpBackOffice:
    load(folder, text, {"done": ticket()})
    read_url = f"{sink.url}/api/{{ticket}}?expand={{ticket}}"
    return adapter(sink, mapping_file=folder / "mapping.yaml", read_url=read_url, **options)


@pytest.mark.parametrize("read_as", [None, "ticket"])
def test_a_ticket_is_read_as_a_webhook_about_it(
    sink: Sink, tmp_path: Path, read_as: str | None
) -> None:
    # What a look at a ticket brings has no kind, unlike a webhook.
    text = GOOD.replace('when: body.kind == "fault"\n', "")
    made = reading(sink, tmp_path, text, token="desk-token", read_as=read_as)
    sink.get_reactions.append(says(ticket()["ticket"] if read_as else ticket()))

    assert isinstance(made, Reads)
    assert [made.read("a/ b")] == made.parse({}, json.dumps(ticket()).encode())
    (asked,) = sink.others
    assert asked.path == "/api/a%2F%20b?expand=a%2F%20b"
    assert asked.headers["authorization"] == "Bearer desk-token"


@pytest.mark.parametrize("status", [404, 410])
def test_a_ticket_that_there_is_not(sink: Sink, tmp_path: Path, status: int) -> None:
    sink.get_reactions.append(answer(status))
    assert reading(sink, tmp_path).read("T-1") is None


@pytest.mark.parametrize(
    ("reaction", "why"),
    [
        (answer(503, Retry_After="90"), "answered 503"),
        (answer(401), "answered 401"),
        (answer(302, Location="/elsewhere"), "answered 302"),
        (answer(204), "answered 204"),
        (answer(200, b"<html>"), "the answer is not JSON"),
        (cut_body, "the answer broke off"),
    ],
)
def test_an_answer_that_shows_no_ticket_says_why(
    sink: Sink, tmp_path: Path, reaction: Reaction, why: str
) -> None:
    sink.get_reactions.append(reaction)
    with pytest.raises(TicketNotRead, match=why):
        reading(sink, tmp_path).read("T-1")


def test_a_look_at_a_ticket_is_given_up_too(sink: Sink, tmp_path: Path) -> None:
    sink.get_reactions.append(hang)
    with pytest.raises(NETWORK_ERRORS):
        reading(sink, tmp_path, timeout=0.2).read("T-1")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"read_url": "https://desk.example/tickets/"}, "{ticket}"),
        ({"read_url": "https://{ticket}.example/", "mapping_file": "m.yaml"}, "{ticket}"),
        ({"read_url": "https://desk.example/{ticket}"}, "read_url needs mapping_file"),
        ({"read_as": "issue"}, "read_as needs read_url"),
    ],
)
def test_options_of_reading_that_do_not_fit_say_why(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(why)):
        HttpOptions.model_validate({"url": "https://desk.example/orders", **options})


@pytest.mark.parametrize(
    "options",
    [
        {"user": "us"},
        {"password": "pw"},
        {"user": "us", "password": "pw", "token": "t"},
        {"user": "u:s", "password": "pw"},
        {"secret": "whsec_not base64 at all"},
        {"secret": "short"},
        {"gossip": 1},
        {"timeout": 0},
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpOptions.model_validate({"url": "https://desk.example/orders", **options})


def test_the_time_of_a_signature_is_now(sink: Sink) -> None:
    before = int(datetime.now(UTC).timestamp())
    adapter(sink, secret=SECRET).submit(ORDER)
    assert int(sink.kcis[0].headers["webhook-timestamp"]) >= before
