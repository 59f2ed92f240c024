"""Where servers listen: how it is written, what two of them cannot share, who needs which."""

from pathlib import Path

import pytest

from supplier_api.settings import Settings, SettingsError, load_settings
from supplier_api.settings.doors import Door, Listener, listeners
from supplier_api.settings.listen import EXPECTED, ListenAddress

from .test_refusals import PRODUCTION, findings

SETTINGS = (
    "SUPPLIER_API__BACKOFFICE__LISTEN",
    "SUPPLIER_API__CONSOLE__LISTEN",
    "SUPPLIER_API__OPERATIONS__LISTEN",
)
WORKER = "SUPPLIER_API__WORKER__OPERATIONS_LISTEN"
BACK_OFFICE = SETTINGS[0]


def places(settings: Settings, *doors: Door) -> list[str]:
    """Return where which doors are, each as `127.0.0.1:8080 gateway`."""
    return [f"{one.address} {' '.join(one.doors)}" for one in found(settings, *doors)]


def found(settings: Settings, *doors: Door) -> list[Listener]:
    return listeners(settings, doors or tuple(Door))


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8081", "127.0.0.1", 8081),
        ("supplier.example:1", "supplier.example", 1),
        ("[::1]:65535", "::1", 65535),
        ("[fe80::1%eth0]:8081", "fe80::1%eth0", 8081),
        ("0.0.0.0:8081\n", "0.0.0.0", 8081),
    ],
)
@pytest.mark.parametrize("name", [*SETTINGS, WORKER])
def test_an_address_is_a_host_and_a_port(
    folder: Path, name: str, text: str, host: str, port: int
) -> None:
    settings = load_settings({name: text, "SUPPLIER_API_DATA_DIR": str(folder)}, folder)
    section, key = name.lower().split("__")[1:]
    address = getattr(getattr(settings, section), key)
    assert address == ListenAddress(host, port)
    assert str(address) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "8081", ":8081", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
        "127.0.0.1:http", "::1:8081", "[127.0.0.1]:8081", "[::1]", "[]:8081", "a b:1",
        "http://127.0.0.1:8081", "127.0.0.1:8081/", "unix:/run/x", "127.0.0.1:٨٠٨١",
    ],
)  # fmt: skip
def test_anything_else_is_told_what_is_expected(folder: Path, text: str) -> None:
    (finding,) = findings(folder, **{BACK_OFFICE: text})
    assert finding.name == "backoffice.listen"
    assert finding.message == f"{EXPECTED}, not {text!r}"


def test_no_number_is_an_address(folder: Path) -> None:
    (folder / "default.toml").write_text("[operations]\nlisten = 8081\n")
    (finding,) = findings(folder)
    assert finding.message == f"{EXPECTED}, not 8081"


@pytest.mark.parametrize(
    ("host", "other"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("192.0.2.1", "[::]"),
    ],
)
def test_two_at_one_address_are_named_in_one_line(folder: Path, host: str, other: str) -> None:
    given = {"SUPPLIER_API__SERVER__HOST": host, BACK_OFFICE: f"{other}:8080"}
    (finding,) = findings(folder, **given)
    assert str(finding) == (
        f"backoffice.listen (environment {BACK_OFFICE}): is the address of server.port too:"
        " expected one of its own"
    )


def test_so_are_two_beside_the_server(folder: Path) -> None:
    same = dict.fromkeys(SETTINGS, "127.0.0.1:8081")
    told = [(each.name, each.message.split()[4]) for each in findings(folder, **same)]
    assert told == [
        ("console.listen", "backoffice.listen"),
        ("operations.listen", "backoffice.listen"),
        ("operations.listen", "console.listen"),
    ]


def test_the_same_port_of_another_address_is_another_one(folder: Path) -> None:
    load_settings({BACK_OFFICE: "127.0.0.2:8080"}, folder)
    # A worker runs in another container, where all ports are its own.
    load_settings({BACK_OFFICE: "127.0.0.1:8081", WORKER: "127.0.0.1:8081"}, folder)


def test_in_the_sandbox_all_share_the_servers_port() -> None:
    settings = load_settings({BACK_OFFICE: ""})
    assert places(settings) == ["127.0.0.1:8080 gateway back-office console operations"]
    assert places(settings, Door.BACK_OFFICE) == ["127.0.0.1:8080 back-office"]


def test_those_that_have_an_address_are_there() -> None:
    settings = load_settings({BACK_OFFICE: "[::1]:8081"})
    assert places(settings) == [
        "127.0.0.1:8080 gateway console operations",
        "[::1]:8081 back-office",
    ]
    assert places(settings, Door.BACK_OFFICE, Door.GATEWAY) == [
        "127.0.0.1:8080 gateway",
        "[::1]:8081 back-office",
    ]
    (first, second) = found(settings)
    assert (first.setting, second.setting) == (("server", "port"), ("backoffice", "listen"))


def test_in_production_those_without_one_are_off() -> None:
    assert places(load_settings(PRODUCTION)) == ["127.0.0.1:8080 gateway"]
    assert places(load_settings(PRODUCTION), Door.BACK_OFFICE) == []
    both = load_settings({**PRODUCTION, SETTINGS[2]: "127.0.0.1:9080"})
    assert places(both) == ["127.0.0.1:8080 gateway", "127.0.0.1:9080 operations"]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("ADAPTER", "pull", "its orders are fetched"),
        ("HOOK_SECRET", "whsec_c29tZS1sb25nLXNlY3JldA==", "webhooks come in"),
        ("HOOK_TOKEN", "a-long-token-of-hooks", "webhooks come in"),
    ],
)
def test_production_refuses_what_would_come_in_by_a_door_that_is_off(
    name: str, value: str, why: str
) -> None:
    given = {**PRODUCTION, f"SUPPLIER_API__BACKOFFICE__{name}": value}
    with pytest.raises(SettingsError) as caught:
        load_settings(given)
    (finding,) = caught.value.findings
    assert finding.name == f"backoffice.{name.lower()}"
    door = "by the back office's door" if "webhooks" in why else "at the back office's door"
    assert finding.message == f"{why} {door}, which is off: set {BACK_OFFICE}"
    load_settings({**given, BACK_OFFICE: "127.0.0.1:8081"})


@pytest.mark.parametrize("name", SETTINGS)
def test_a_door_beyond_loopback_has_a_sandbox_make_its_own_secrets(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"SUPPLIER_API_DATA_DIR": str(folder / "data")}
    settings = load_settings({name: "192.0.2.7:8081", **data}, folder)
    secret = settings.access.clients["back-office"].secret.get_secret_value()
    assert secret != "back-office-secret"
    assert secret in capsys.readouterr().err
