"""The gateway transport against a real server on loopback."""

import base64
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs

import pytest

from supplier_api.clock import MachineClock, ManualMachineClock, SystemMachineClock
from supplier_api.delivery.answers import AnswerTerms
from supplier_api.delivery.model import Meaning
from supplier_api.delivery.transports import GatewayAddress, GatewayTransport
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.tokens import BY_FORM, TokenTerms
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.ids import SystemIdSource
from supplier_api.outbox.model import Message
from tests.certificates import self_signed
from tests.integration.delivery.conftest import ALREADY, PATIENCE
from tests.integration.delivery.sink import (
    Handler,
    Reaction,
    Sink,
    answer,
    break_off,
    cut_body,
    drip,
    hang,
    refusal,
    serving,
)

BODY = '{"id": "b", "text": "Ŵyn, 😀", "n": 9007199254740993 }'
MESSAGE = Message(
    id=1,
    lane_id=1,
    problem_id=1,
    tenant="TENANT1",
    destination="gateway",
    number=1,
    uuid="b",
    kind="UPDATE",
    subject=None,
    conversation_id="conversation-1",
    gateway_id=1,
    reference="SP_7K2M9QX4TD",
    body=BODY,
    body_version=1,
    not_before=None,
    attempts=0,
    first_attempt=None,
    unknown=False,
    log=[],
)
NO_TOKEN = "token endpoint: no token in its answer"
# Short where the sink hangs on purpose.
SOON = 0.3
HANDLES = Path("/proc/self/fd")


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog(SystemMachineClock())
    watchdog.start()
    yield watchdog
    watchdog.stop()


def transport_to(
    url: str,
    watchdog: Watchdog,
    *,
    token_url: str = "",
    sessions: Sessions | None = None,
    terms: TokenTerms = BY_FORM,
    clock: MachineClock | None = None,
) -> GatewayTransport:
    address = GatewayAddress(
        kci_url=f"{url}/kcis",
        token_url=token_url or f"{url}/auth/supplier/access-token",
        client_id="supplier",
        client_secret="secret & more",
        answers=AnswerTerms(ALREADY),
        token_terms=terms,
    )
    clock = clock or SystemMachineClock()
    return GatewayTransport(address, sessions or Sessions(), watchdog, clock, SystemIdSource())


@pytest.fixture
def transport(sink: Sink, watchdog: Watchdog) -> GatewayTransport:
    return transport_to(sink.url, watchdog)


def test_a_kci_is_sent_as_it_is_stored(transport: GatewayTransport, sink: Sink) -> None:
    reply = transport.send(MESSAGE, PATIENCE)

    assert (reply.meaning, reply.status) == (Meaning.ACCEPTED, 204)
    (request,) = sink.kcis
    assert request.body == BODY.encode()
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer token-1"
    assert request.headers["x-conversation-id"] == "conversation-1"


def test_each_call_has_a_request_id_of_its_own(transport: GatewayTransport, sink: Sink) -> None:
    sink.kci_reactions.append(answer(401))
    transport.send(MESSAGE, PATIENCE)
    transport.send(MESSAGE, PATIENCE)

    assert len({request.headers["x-request-id"] for request in sink.kcis}) == 3


def test_the_token_is_asked_for_with_client_credentials_once(
    transport: GatewayTransport, sink: Sink
) -> None:
    for _ in range(3):
        transport.send(MESSAGE, PATIENCE)

    (request,) = sink.tokens
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["supplier"],
        "client_secret": ["secret & more"],
    }


def test_threads_share_one_token(transport: GatewayTransport, sink: Sink) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: transport.send(MESSAGE, PATIENCE), range(16)))

    assert len(sink.tokens) == 1
    assert len(sink.kcis) == 16


@pytest.mark.parametrize("reaction", [answer(204), refusal(422, "INVALID_REQUEST", "no")])
def test_the_connection_stays_open_between_calls(
    transport: GatewayTransport, sink: Sink, reaction: Reaction
) -> None:
    for _ in range(3):
        sink.kci_reactions.append(reaction)
        transport.send(MESSAGE, PATIENCE)

    assert len({request.connection for request in [*sink.kcis, *sink.tokens]}) == 1


def test_a_401_is_answered_with_a_new_token_at_once(
    transport: GatewayTransport, sink: Sink
) -> None:
    sink.kci_reactions.append(answer(401))

    assert transport.send(MESSAGE, PATIENCE).meaning is Meaning.ACCEPTED
    assert [request.headers["authorization"] for request in sink.kcis] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


def test_a_second_401_is_a_failure_without_a_third_try(
    transport: GatewayTransport, sink: Sink
) -> None:
    sink.kci_reactions.extend([answer(401), answer(401)])
    reply = transport.send(MESSAGE, PATIENCE)

    assert (reply.meaning, reply.status, reply.unknown) == (Meaning.FAILED, 401, False)
    assert len(sink.kcis) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(transport: GatewayTransport, sink: Sink, status: int) -> None:
    sink.kci_reactions.append(answer(status, Location=f"{sink.url}/elsewhere"))
    reply = transport.send(MESSAGE, PATIENCE)

    assert (reply.meaning, reply.status) == (Meaning.FAILED, status)
    assert sink.others == []
    assert len(sink.kcis) == 1


def test_retry_after_and_the_published_envelope_are_read(
    transport: GatewayTransport, sink: Sink
) -> None:
    sink.kci_reactions.append(answer(503, Retry_After="90"))
    assert transport.send(MESSAGE, PATIENCE).retry_after == 90
    sink.kci_reactions.append(refusal(404, "NOT_FOUND", "no such problem"))
    assert transport.send(MESSAGE, PATIENCE).meaning is Meaning.NOT_FOUND
    sink.kci_reactions.append(refusal(422, "INVALID_REQUEST", "already received"))
    assert transport.send(MESSAGE, PATIENCE).repeat


def test_the_deadline_ends_a_call_that_is_not_answered(
    transport: GatewayTransport, sink: Sink
) -> None:
    sink.kci_reactions.append(hang)
    reply = transport.send(MESSAGE, SOON)

    assert (reply.meaning, reply.unknown) == (Meaning.FAILED, True)
    assert reply.detail == "no answer in time"


@pytest.mark.parametrize("kept_alive", [True, False])
def test_the_deadline_holds_for_the_whole_call_and_not_for_each_read(
    transport: GatewayTransport, sink: Sink, *, kept_alive: bool
) -> None:
    (sink.kci_reactions if kept_alive else sink.token_reactions).append(drip)
    reply = transport.send(MESSAGE, SOON)

    assert reply.detail.endswith("no answer in time")
    assert sink.cut_off.wait(PATIENCE)
    assert transport.send(MESSAGE, PATIENCE).meaning is Meaning.ACCEPTED


def test_a_lost_answer_is_of_unknown_outcome(transport: GatewayTransport, sink: Sink) -> None:
    sink.kci_reactions.append(break_off)
    reply = transport.send(MESSAGE, PATIENCE)

    assert (reply.meaning, reply.status, reply.unknown) == (Meaning.FAILED, None, True)
    assert reply.detail == "connection closed without an answer"


def test_a_success_whose_body_breaks_off_is_of_unknown_outcome(
    transport: GatewayTransport, sink: Sink
) -> None:
    sink.kci_reactions.append(cut_body)
    reply = transport.send(MESSAGE, PATIENCE)

    assert (reply.meaning, reply.status, reply.unknown) == (Meaning.FAILED, 200, True)


def test_a_page_of_what_stands_before_the_gateway_is_not_delivery(
    transport: GatewayTransport, sink: Sink
) -> None:
    page = b"<html><head><title>Request Rejected</title></head></html>"
    sink.kci_reactions.append(answer(200, page, Content_Type="text/html"))
    reply = transport.send(MESSAGE, PATIENCE)

    assert (reply.meaning, reply.unknown) == (Meaning.FAILED, True)
    assert reply.reason == '200 with a page of HTML: not accepted "Request Rejected"'
    assert "Rejected" not in reply.detail  # which is logged


def test_nobody_listening_is_a_failure(sink: Sink, watchdog: Watchdog) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        token_url = f"{sink.url}/auth/supplier/access-token"
        transport = transport_to(f"http://127.0.0.1:{port}", watchdog, token_url=token_url)
        reply = transport.send(MESSAGE, PATIENCE)

    assert reply.meaning is Meaning.FAILED
    assert reply.detail == "connection refused"


@pytest.mark.parametrize(
    ("reaction", "detail"),
    [
        (answer(503), "token endpoint: 503"),
        (answer(401), "token endpoint: 401"),
        (answer(302, Location="/elsewhere"), "token endpoint: 302"),
        (answer(401, b'{"error": "invalid_client"}'), "token endpoint: 401 invalid_client"),
        (answer(400, b'{"error": "Mr Smith"}'), "token endpoint: 400"),
        (answer(200, b"<html>"), f"{NO_TOKEN} (it is no JSON object)"),
        (answer(200), f"{NO_TOKEN} (it is empty)"),
        (answer(200, b"[]"), f"{NO_TOKEN} (it is no JSON object)"),
        (answer(200, b"{}"), f"{NO_TOKEN} (it has no access_token)"),
        (answer(200, b'{"access_token": 7}'), f"{NO_TOKEN} (its access_token is no such text)"),
        (
            answer(200, b'{"access_token": "a\\nb"}'),
            f"{NO_TOKEN} (its access_token is no such text)",
        ),
        (
            answer(200, b'{"access_token": "%b"}' % (b"x" * 300_000)),
            f"{NO_TOKEN} (it is longer than 262144 bytes)",
        ),
        (
            answer(200, b'{"access_token": "x", "token_type": "DPoP"}'),
            "token endpoint: its token_type is DPoP, expected Bearer",
        ),
        (cut_body, "token endpoint: its answer broke off"),
        (break_off, "token endpoint: connection closed without an answer"),
    ],
)
def test_without_a_token_nothing_is_sent(
    transport: GatewayTransport, sink: Sink, reaction: Reaction, detail: str
) -> None:
    sink.token_reactions.append(reaction)
    reply = transport.send(MESSAGE, PATIENCE)

    assert (reply.meaning, reply.unknown, reply.detail) == (Meaning.FAILED, False, detail)
    assert sink.kcis == []


def test_a_token_endpoint_that_hangs_does_not_hold_a_thread(
    transport: GatewayTransport, sink: Sink
) -> None:
    sink.token_reactions.append(hang)

    assert transport.send(MESSAGE, SOON).detail == "token endpoint: no answer in time"


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [
        ("", 3600),
        (', "expires_in": null', 3600),
        (', "expires_in": "3600"', 3600),
        (', "expires_in": 0', 60),
        (', "expires_in": -1', 60),
        (', "expires_in": "soon"', 60),
        (', "expires_in": "NaN"', 60),
        (', "expires_in": "inf"', 60),
        (', "expires_in": true', 60),
    ],
)
def test_a_token_is_kept_for_as_long_as_can_be_made_of_what_is_said(
    sink: Sink, watchdog: Watchdog, lifetime: str, seconds: float
) -> None:
    clock = ManualMachineClock()
    transport = transport_to(sink.url, watchdog, clock=clock)
    sink.token_reactions.append(answer(200, b'{"access_token": "x"%b}' % lifetime.encode()))
    for share, tokens in ((0, 1), (0.8, 1), (0.2, 2)):
        clock.advance(share * seconds)
        transport.send(MESSAGE, PATIENCE)
        assert len(sink.tokens) == tokens


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (200, '{"access_token": "taken", "token_type": "Bearer", "expires_in": null}'),
        (200, '{"access_token": "taken", "token_type": "bearer", "expires_in": 0}'),
        (200, '{"access_token": "taken", "token_type": "BEARER", "expires_in": -1}'),
        (201, '{"access_token": "taken", "expires_in": "3600"}'),
        (200, '{"access_token": "taken", "expires_in": "soon"}'),
        (200, '{"access_token": "taken", "expires_in": "NaN"}'),
        (200, '{"access_token": "taken", "expires_in": true}'),
        (200, '{"access_token": "taken", "expires_in": [1], "scope": "", "x": {}}'),
        (200, '\ufeff{"access_token": "taken", "expires_in": 3600}'),
        (200, '{"access_token": "taken", "padding": "%s"}' % ("x" * 70_000)),
    ],
)
def test_what_the_standard_leaves_open_is_taken(
    transport: GatewayTransport, sink: Sink, status: int, text: str
) -> None:
    sink.token_reactions.append(answer(status, text.encode()))
    for _ in range(2):
        assert transport.send(MESSAGE, PATIENCE).meaning is Meaning.ACCEPTED

    assert {request.headers["authorization"] for request in sink.kcis} == {"Bearer taken"}
    assert len(sink.tokens) == 1


def test_a_token_longer_than_64_kb_is_taken(transport: GatewayTransport, sink: Sink) -> None:
    sink.token_reactions.append(answer(200, b'{"access_token": "%b"}' % (b"x" * 70_000)))
    reply = transport.send(MESSAGE, PATIENCE)

    # What the gateway thinks of such a header is its own affair.
    assert not reply.detail.startswith("token endpoint")
    assert len(sink.tokens) == 1


def test_a_403_to_an_old_token_is_answered_with_a_new_one_once(
    transport: GatewayTransport, sink: Sink
) -> None:
    transport.send(MESSAGE, PATIENCE)
    sink.kci_reactions.append(answer(403))
    assert transport.send(MESSAGE, PATIENCE).meaning is Meaning.ACCEPTED
    sink.kci_reactions.extend([answer(403), answer(403)])
    reply = transport.send(MESSAGE, PATIENCE)

    assert (reply.meaning, reply.status) == (Meaning.FAILED, 403)
    assert (len(sink.kcis), len(sink.tokens)) == (5, 3)


def test_a_403_to_a_new_token_is_believed(transport: GatewayTransport, sink: Sink) -> None:
    sink.kci_reactions.append(answer(403))

    assert transport.send(MESSAGE, PATIENCE).status == 403
    assert (len(sink.kcis), len(sink.tokens)) == (1, 1)


def test_a_second_401_to_what_another_thread_got_is_answered_with_a_new_one(
    transport: GatewayTransport, sink: Sink
) -> None:
    transport.send(MESSAGE, PATIENCE)

    def meanwhile(handler: Handler) -> None:
        # Another thread is refused too, and has replaced the token before we hear of it.
        sink.kci_reactions.extendleft([answer(204), answer(401)])
        with ThreadPoolExecutor(1) as other:
            assert other.submit(transport.send, MESSAGE, PATIENCE).result().status == 204
        answer(401)(handler)

    # Then the gateway forgets that one as well.
    sink.kci_reactions.extend([meanwhile, answer(401)])
    assert transport.send(MESSAGE, PATIENCE).status == 204
    assert [each.headers["authorization"][-1] for each in sink.kcis] == list("111223")


@pytest.mark.parametrize("auth", ["form", "basic"])
def test_the_token_endpoint_is_asked_as_it_wants_to_be(
    sink: Sink, watchdog: Watchdog, auth: Literal["form", "basic"]
) -> None:
    terms = TokenTerms(auth, (("scope", "kcis more"), ("audience", "https://g.example/")))
    transport_to(sink.url, watchdog, terms=terms).send(MESSAGE, PATIENCE)

    (request,) = sink.tokens
    form = parse_qs(request.body.decode())
    assert form["scope"] == ["kcis more"]
    assert form["audience"] == ["https://g.example/"]
    if auth == "basic":
        # Encoded before they are joined: RFC 6749, section 2.3.1.
        named = base64.b64encode(b"supplier:secret+%26+more").decode()
        assert request.headers["authorization"] == f"Basic {named}"
        assert "client_secret" not in form
    else:
        assert "authorization" not in request.headers
        assert form["client_secret"] == ["secret & more"]


def test_nothing_of_the_environment_is_used(
    sink: Sink, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    transport = transport_to(sink.url, watchdog)

    assert transport.send(MESSAGE, PATIENCE).meaning is Meaning.ACCEPTED


def test_a_netrc_does_not_replace_the_bearer_token(
    transport: GatewayTransport, sink: Sink, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    transport.send(MESSAGE, PATIENCE)

    assert sink.kcis[0].headers["authorization"] == "Bearer token-1"


def test_a_proxy_is_used_but_for_loopback_and_the_hosts_that_need_none(
    sink: Sink, watchdog: Watchdog
) -> None:
    sessions = Sessions(proxy=sink.url, no_proxy=("127.0.0.1", ".internal"))
    transport = transport_to("http://gateway.example", watchdog, sessions=sessions)
    transport.send(MESSAGE, PATIENCE)
    assert sink.kcis[0].path == "http://gateway.example/kcis"

    direct = transport_to("http://gateway.internal", watchdog, sessions=sessions)
    assert direct.send(MESSAGE, PATIENCE).meaning is Meaning.FAILED
    assert len(sink.kcis) == 1


@pytest.mark.skipif(not HANDLES.exists(), reason="this system does not list open handles")
def test_many_messages_leave_no_open_handles(transport: GatewayTransport) -> None:
    transport.send(MESSAGE, PATIENCE)
    before = open_handles()
    for _ in range(20):
        transport.send(MESSAGE, PATIENCE)

    # Servers of earlier tests may still close theirs, a few; one for each message would show.
    assert open_handles() <= before


def test_tls_is_checked_against_the_given_authorities_and_watched_too(
    watchdog: Watchdog, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path)
    with serving(tls=certificate) as sink:
        trusting = transport_to(sink.url, watchdog, sessions=Sessions(ca_file=certificate))
        assert trusting.send(MESSAGE, PATIENCE).meaning is Meaning.ACCEPTED
        sink.kci_reactions.append(hang)
        assert trusting.send(MESSAGE, SOON).detail == "no answer in time"
        reply = transport_to(sink.url, watchdog).send(MESSAGE, PATIENCE)

    assert (reply.meaning, reply.unknown) == (Meaning.FAILED, False)
    assert reply.detail == "token endpoint: certificate not trusted, not from a known authority"


def open_handles() -> int:
    return len(list(HANDLES.iterdir()))
