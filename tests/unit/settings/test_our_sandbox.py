"""Which gateway is a sandbox of ours, and so may be told what nobody else is."""

import pytest

from supplier_api.settings import load_settings
from supplier_api.settings.addresses import goes_to_our_sandbox

ELSEWHERE = "http://gateway.example:8090"


@pytest.mark.parametrize(
    ("environ", "ours"),
    [
        ({}, True),
        ({"SANDBOX__PORT": "9090"}, True),
        ({"SANDBOX__HOST": "0.0.0.0"}, True),
        ({"GATEWAY__KCI_URL": "http://localhost:8090/kcis"}, True),
        ({"GATEWAY__KCI_URL": f"{ELSEWHERE}/kcis"}, False),
        ({"GATEWAY__KCI_URL": f"{ELSEWHERE}/kcis", "SANDBOX__URL": f"{ELSEWHERE}/"}, True),
        ({"GATEWAY__KCI_URL": "http://127.0.0.1:8091/kcis"}, False),
        ({"GATEWAY__KCI_URL": "http://127.0.0.1:8090/other/kcis"}, False),
        ({"GATEWAY__KCI_URL": "https://127.0.0.1:8090/kcis"}, False),
    ],
)
def test_only_the_one_that_is_named_as_a_sandbox(environ: dict[str, str], *, ours: bool) -> None:
    named = {f"SUPPLIER_API__{name}": value for name, value in environ.items()}
    settings = load_settings({"SUPPLIER_API_PROFILE": "sandbox", **named})

    assert goes_to_our_sandbox(settings) is ours
