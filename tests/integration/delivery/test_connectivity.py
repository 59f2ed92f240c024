"""The connectivity check, against real servers on loopback."""

import re
import socket
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from supplier_api.app.destinations import load_back_office
from supplier_api.app.sessions import build_sessions
from supplier_api.clock import SystemMachineClock
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.operations.connectivity import ConnectivityCheck
from supplier_api.operations.probes import ProbeStep
from supplier_api.sandbox.simulated_backoffice import SimulatedBackOffice
from supplier_api.settings import load_settings
from tests.certificates import issued, self_signed
from tests.integration.delivery.proxy import proxying
from tests.integration.delivery.sink import Sink, answer, grant, nobody, serving
from tests.integration.delivery.test_gateway import MESSAGE, transport_to

CLOCK = SystemMachineClock()


class StandingClock(SystemMachineClock):
    """A clock that always shows one instant."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


class Walk:
    """A connectivity check with these settings; its steps by name."""

    def __init__(self, clock: SystemMachineClock = CLOCK, /, **settings: object) -> None:
        environ = {f"SUPPLIER_API__GATEWAY__{name}": str(set_) for name, set_ in settings.items()}
        made = load_settings({"SUPPLIER_API_PROFILE": "sandbox", **environ})
        connectivity = ConnectivityCheck(made, build_sessions(made), clock, load_back_office)
        self.steps: list[ProbeStep] = list(connectivity.walk())
        self.not_checked = connectivity.not_checked
        assert all(step.made for step in self.steps[:-1])

    @property
    def last(self) -> ProbeStep:
        return self.steps[-1]

    def names(self) -> list[str]:
        """Return the steps' names without hosts and ports."""
        return [re.sub(r" (127\.0\.0\.1\S*|localhost\S*).*", "", step.name) for step in self.steps]


def to(sink: Sink, **settings: object) -> Walk:
    """Check the connectivity to the sink."""
    return Walk(**{**addresses(sink.url), **settings})


def addresses(url: str) -> dict[str, object]:
    return {"KCI_URL": f"{url}/kcis", "TOKEN_URL": f"{url}/auth/supplier/access-token"}


# -- the whole way


def test_the_whole_way_and_no_kci(sink: Sink) -> None:
    walk = to(sink)

    assert walk.last.made
    assert walk.names() == ["name", "connection to", "clocks", "token", "KCI endpoint"]
    assert "from our address 127.0.0.1" in walk.steps[1].text
    assert walk.last.text == "answers 405 to OPTIONS"
    assert sink.kcis == []
    [asked] = sink.others
    assert asked.headers["authorization"] == "Bearer token-1"
    assert any("none is sent" in check for check in walk.not_checked)
    assert any("`ping`" in check for check in walk.not_checked)


def test_by_tls_with_the_days_left(tmp_path: Path) -> None:
    file = self_signed(tmp_path, days=20.5)
    with serving(tls=file) as sink:
        walk = to(sink, CA_FILE=file)

    assert walk.last.made
    assert walk.names()[:3] == ["name", "connection to", "TLS with"]
    assert walk.steps[2].text == "a certificate for 127.0.0.1; 20 days left"


def test_two_hosts_are_two_ways(sink: Sink) -> None:
    with serving() as tokens:
        walk = to(sink, TOKEN_URL=f"{tokens.url}/access-token")

    way = ["name", "connection to"]
    assert walk.names() == [*way, "clocks", "token", *way, "KCI endpoint"]


def test_a_back_office_that_can_be_pinged(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedBackOffice, "ping", lambda _: "played here", raising=False)
    assert to(sink).last == ProbeStep("back office (simulated)", "played here")

    def lost(_: object) -> str:
        raise ConnectionError

    monkeypatch.setattr(SimulatedBackOffice, "ping", lost)
    walk = to(sink)
    assert walk.last.text == "connection error"
    assert "adapter" in (walk.last.cause or "")


# -- where it ends


def broken(walk: Walk, step: str, text: str, cause: str) -> None:
    """Check at which step it ended, and the cause it names."""
    assert walk.names()[-1] == step, walk.steps
    assert text in walk.last.text
    assert cause in (walk.last.cause or ""), walk.last


def test_a_name_that_nobody_knows() -> None:
    walk = Walk(**addresses("https://gateway.invalid"))
    assert [step.name for step in walk.steps] == ["name gateway.invalid"]
    assert "look at the URL" in (walk.last.cause or "")
    assert "the token: a step before it failed" in walk.not_checked
    assert "the KCI endpoint: a step before it failed" in walk.not_checked


def test_a_port_at_which_nobody_listens() -> None:
    with nobody() as url:
        walk = Walk(**addresses(url))
    broken(walk, "connection to", "refused", "nothing listens")


def test_a_firewall_that_drops_everything() -> None:
    # A queue of one that is full takes no more connections, and says nothing.
    with closing(socket.socket()) as full, closing(socket.socket()) as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.settimeout(0)
        first.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        walk = Walk(**addresses(url), CONNECT_TIMEOUT=0.1)
    broken(walk, "connection to", "no answer within 0.1 s", "firewall")


def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    file = self_signed(tmp_path, days=-2.5)
    with serving(tls=file) as sink:
        walk = to(sink, CA_FILE=file)
    broken(walk, "TLS with", "expired 3 days ago", "has expired")


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    file = self_signed(tmp_path, "192.0.2.7")
    with serving(tls=file) as sink:
        walk = to(sink, CA_FILE=file)
    broken(walk, "TLS with", "for 192.0.2.7", "for another name")


def test_an_authority_that_is_not_trusted(tmp_path: Path) -> None:
    with serving(tls=self_signed(tmp_path)) as sink:
        walk = to(sink)
    broken(walk, "TLS with", "for 127.0.0.1; 89 days left", "gateway.ca_file")


def test_no_tls_at_all(sink: Sink) -> None:
    walk = Walk(**addresses(sink.url.replace("http:", "https:")))
    broken(walk, "TLS with", "no certificate", "is the port one of TLS")


@pytest.mark.parametrize(
    ("status", "cause"),
    [(401, "client_secret"), (404, "gateway.token_url"), (302, "moved"), (503, "in trouble")],
)
def test_no_token(sink: Sink, status: int, cause: str) -> None:
    sink.token_reactions.append(answer(status))
    walk = to(sink)
    broken(walk, "token", f"token endpoint: {status}", cause)
    assert sink.others == []


def test_something_else_than_a_token_endpoint(sink: Sink) -> None:
    sink.token_reactions.append(answer(200, b"welcome"))
    broken(to(sink), "token", "no token in its answer", "no token endpoint")


@pytest.mark.parametrize(
    ("second", "apart"), [("00.001", 0), ("00.999", 0), ("01.600", 1), ("59.000", 58)]
)
def test_clocks_that_agree_as_far_as_a_date_can_tell(sink: Sink, second: str, apart: int) -> None:
    sink.date = "Mon, 05 Jan 2026 12:00:00 GMT"
    clock = StandingClock(datetime.fromisoformat(f"2026-01-05T12:00:{second}+00:00"))
    steps = {step.name: step for step in Walk(clock, **addresses(sink.url)).steps}
    assert steps["clocks"].text == f"{apart} s apart"


def test_clocks_that_differ(sink: Sink) -> None:
    sink.date = "Mon, 05 Jan 2026 12:00:00 GMT"
    broken(to(sink), "clocks", "ahead of the gateway's", "time server")


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (301, "moved"),
        (401, "of one gateway"),
        (403, "may not send KCIs"),
        (404, "gateway.kci_url"),
        (502, "in trouble"),
    ],
)
def test_a_kci_endpoint_that_will_not(sink: Sink, status: int, cause: str) -> None:
    sink.options_reactions.append(answer(status))
    broken(to(sink), "KCI endpoint", f"answers {status} to OPTIONS", cause)


# -- what a token endpoint says


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (401, "invalid_client", "gateway.token_auth"),
        (400, "invalid_scope", "gateway.scope"),
        (400, "invalid_target", "gateway.audience"),
        (400, "unauthorized_client", "client_credentials"),
        (400, "invalid_request", "token_fields"),
    ],
)
def test_why_a_token_endpoint_gives_none(sink: Sink, status: int, code: str, cause: str) -> None:
    sink.token_reactions.append(answer(status, f'{{"error": "{code}"}}'.encode()))
    broken(to(sink), "token", f"token endpoint: {status} {code}", cause)


def test_a_token_that_cannot_be_used(sink: Sink) -> None:
    sink.token_reactions.append(answer(200, b'{"access_token": "x", "token_type": "mac"}'))
    broken(to(sink), "token", "its token_type is mac, expected Bearer", "not one of OAuth 2.0")


@pytest.mark.parametrize(
    ("expires_in", "note"),
    [("null", "does not say for how long"), ("0", "no number of seconds"), ('"60"', "is a text")],
)
def test_what_was_taken_of_a_token_that_is_not_as_it_should_be(
    sink: Sink, expires_in: str, note: str
) -> None:
    said = f'{{"access_token": "x", "expires_in": {expires_in}}}'.encode()
    sink.token_reactions.append(answer(200, said))
    walk = to(sink)
    assert walk.last.made
    [token] = [step.text for step in walk.steps if step.name == "token"]
    assert note in token


def test_how_the_token_endpoint_wants_to_be_asked_is_a_setting(sink: Sink) -> None:
    walk = to(
        sink,
        TOKEN_AUTH="basic",
        SCOPE="kcis",
        AUDIENCE="theirs",
        RESOURCE="https://gateway.example/kcis",
        TOKEN_FIELDS="one=1, two=a=b",
    )
    assert walk.last.made
    assert sink.tokens[0].headers["authorization"].startswith("Basic ")
    assert parse_qs(sink.tokens[0].body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["kcis"],
        "audience": ["theirs"],
        "resource": ["https://gateway.example/kcis"],
        "one": ["1"],
        "two": ["a=b"],
    }


@pytest.mark.parametrize("date", ["Mon, 05 Jan 9999999 12:00:00 GMT", "Mon, 05 Jan 2026 +99999999"])
def test_an_absurd_date_is_as_none(sink: Sink, date: str) -> None:
    sink.date = date
    walk = to(sink)
    assert walk.last.made
    assert any("sends no date" in check for check in walk.not_checked)


# -- certificates of authorities of one's own


@pytest.mark.parametrize("trusted", ["root", "issuer", "server"])
def test_any_certificate_of_the_chain_may_be_the_one_that_is_trusted(
    tmp_path: Path, trusted: str
) -> None:
    # The extensions are not marked as critical: RFC 5280 wants that, and many do without.
    chain = issued(tmp_path)
    with serving(tls=chain.served) as sink:
        walk = to(sink, CA_FILE=chain.files[trusted])
        assert walk.last.made, walk.last
        [sent] = kcis_sent(sink, chain.files[trusted])
    assert sent.meaning is Meaning.ACCEPTED


@pytest.mark.parametrize(
    ("flaw", "cause"),
    [
        ("common name only", "issued again with a subjectAltName"),
        ("issuer is no authority", "its issuer may not issue certificates"),
        ("not for servers", "not made for servers"),
        ("issuer not sent", "does not send those between"),
    ],
)
def test_why_a_certificate_is_not_trusted_in_words_and_by_both_who_call(
    tmp_path: Path, flaw: str, cause: str
) -> None:
    chain = issued(tmp_path, flaw)
    with serving(tls=chain.served) as sink:
        walk = to(sink, CA_FILE=chain.files["root"])
        [sent] = kcis_sent(sink, chain.files["root"])
    assert walk.last.name.startswith("TLS with"), walk.steps
    assert cause in (walk.last.cause or ""), walk.last
    # What the doctor says is so is so when a KCI is sent.
    assert sent.meaning is Meaning.FAILED
    assert "certificate not trusted, " in sent.detail
    assert "OpenSSL" not in sent.detail


def kcis_sent(sink: Sink, ca_file: Path) -> list[Reply]:
    """Send a KCI as the worker does."""
    watchdog = Watchdog(CLOCK)
    watchdog.start()
    try:
        transport = transport_to(sink.url, watchdog, sessions=Sessions(ca_file=ca_file))
        return [transport.send(MESSAGE, 20.0)]
    finally:
        watchdog.stop()


# -- through a proxy


AWAY = addresses("https://gateway.example")


def test_a_proxy_that_lets_us_through(tmp_path: Path) -> None:
    file = self_signed(tmp_path)
    with (
        serving(tls=file) as sink,
        proxying(b"HTTP/1.1 200 OK\r\n\r\n", sink.port) as proxy,
    ):
        url = f"http://us:secret@127.0.0.1:{proxy.port}"
        walk = Walk(**AWAY, PROXY=url, CA_FILE=file)
        port, asked = proxy.port, proxy.asked
    # The certificate names only loopback; the steps before succeed.
    broken(walk, "TLS with gateway.example", "for 127.0.0.1", "for another name")
    assert [step.name for step in walk.steps[:3]] == [
        "name 127.0.0.1",
        f"connection to 127.0.0.1:{port} (the proxy)",
        "the proxy's way to gateway.example:443",
    ]
    assert asked[0].startswith(b"CONNECT gateway.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXM6c2VjcmV0\r\n" in asked[0]


def test_a_proxy_that_says_something_before_its_answer() -> None:
    with proxying(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 No\r\n\r\n") as proxy:
        walk = Walk(**AWAY, PROXY=f"http://127.0.0.1:{proxy.port}")
    broken(walk, "the proxy's way to gateway.example:443", "403", "does not let us there")


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"HTTP/1.1 407 Who?", "wants a name and password"),
        (b"HTTP/1.1 403 No", "does not let us there"),
        (b"HTTP/1.1 502 Bad", "does not reach the gateway"),
    ],
)
def test_a_proxy_that_does_not(line: bytes, cause: str) -> None:
    with proxying(line + b"\r\n\r\n") as proxy:
        walk = Walk(**AWAY, PROXY=f"http://127.0.0.1:{proxy.port}")
    broken(walk, "the proxy's way to gateway.example:443", line[9:12].decode(), cause)


def test_something_else_than_a_proxy() -> None:
    with proxying(b"SSH-2.0-OpenSSH\r\n\r\n") as proxy:
        walk = Walk(**AWAY, PROXY=f"http://127.0.0.1:{proxy.port}")
    broken(walk, "the proxy's way to gateway.example:443", "Protocol error", "no HTTP proxy")


def test_the_secret_is_never_shown(sink: Sink) -> None:
    sink.token_reactions.append(grant("a-token"))
    walk = to(sink, CLIENT_SECRET="hush")
    said = repr(walk.steps) + repr(walk.not_checked)
    assert "hush" not in said
    assert "a-token" not in said
