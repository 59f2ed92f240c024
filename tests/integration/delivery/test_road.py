"""The road to the gateway, walked against real servers on loopback."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from supplier_api.app.sessions import build_sessions
from supplier_api.backoffice.simulated import SimulatedBackOffice
from supplier_api.clock import SystemMachineClock
from supplier_api.delivery.hops import Step
from supplier_api.delivery.road import Road
from supplier_api.settings import load_settings
from tests.certificates import self_signed
from tests.integration.delivery.proxy import proxying
from tests.integration.delivery.sink import Sink, answer, grant, serving

CLOCK = SystemMachineClock()


class StandingClock(SystemMachineClock):
    """Shows one instant, whatever time it is."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


class Walk:
    """A walk to where the settings say; by its steps' names."""

    def __init__(self, clock: SystemMachineClock = CLOCK, /, **settings: object) -> None:
        environ = {f"SUPPLIER_API__GATEWAY__{name}": str(set_) for name, set_ in settings.items()}
        made = load_settings({"SUPPLIER_API_PROFILE": "sandbox", **environ})
        road = Road(made, build_sessions(made), clock)
        self.steps: list[Step] = list(road.walk())
        self.not_checked = road.not_checked
        assert all(step.made for step in self.steps[:-1])

    @property
    def last(self) -> Step:
        return self.steps[-1]

    def names(self) -> list[str]:
        """Return the steps' names without hosts and ports."""
        return [re.sub(r" (127\.0\.0\.1\S*|localhost\S*).*", "", step.name) for step in self.steps]


def to(sink: Sink, **settings: object) -> Walk:
    """Walk to the sink."""
    return Walk(**{**addresses(sink.url), **settings})


def addresses(url: str) -> dict[str, object]:
    return {"KCI_URL": f"{url}/kcis", "TOKEN_URL": f"{url}/auth/supplier/access-token"}


@pytest.fixture
def sink() -> Iterator[Sink]:
    with serving() as sink:
        yield sink


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
    assert to(sink).last == Step("back office (simulated)", "played here")

    def lost(_: object) -> str:
        raise ConnectionError

    monkeypatch.setattr(SimulatedBackOffice, "ping", lost)
    walk = to(sink)
    assert walk.last.text == "ConnectionError"
    assert "adapter" in (walk.last.cause or "")


# -- where it ends


def broken(walk: Walk, step: str, text: str, cause: str) -> None:
    """Check where the walk ended, and what is said of it."""
    assert walk.names()[-1] == step, walk.steps
    assert text in walk.last.text
    assert cause in (walk.last.cause or ""), walk.last


def test_a_name_that_nobody_knows() -> None:
    walk = Walk(**addresses("https://gateway.invalid"))
    assert [step.name for step in walk.steps] == ["name gateway.invalid"]
    assert "look at the URL" in (walk.last.cause or "")
    assert "the token: the road ends before" in walk.not_checked
    assert "the KCI endpoint: the road ends before" in walk.not_checked


def test_a_port_at_which_nobody_listens() -> None:
    walk = Walk(**addresses(f"http://127.0.0.1:{free_port()}"))
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
    # The certificate names only loopback; as far as that the road is open.
    broken(walk, "TLS with gateway.example", "for 127.0.0.1", "for another name")
    assert [step.name for step in walk.steps[:3]] == [
        "name 127.0.0.1",
        f"connection to 127.0.0.1:{port} (the proxy)",
        "the proxy's way to gateway.example:443",
    ]
    assert asked[0].startswith(b"CONNECT gateway.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXM6c2VjcmV0\r\n" in asked[0]


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
    broken(walk, "the proxy's way to gateway.example:443", "ConnectionError", "no HTTP proxy")


def test_the_secret_is_never_told(sink: Sink) -> None:
    sink.token_reactions.append(grant("a-token"))
    walk = to(sink, CLIENT_SECRET="hush")
    said = repr(walk.steps) + repr(walk.not_checked)
    assert "hush" not in said
    assert "a-token" not in said
