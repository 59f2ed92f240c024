"""The way of a dead letter: refused by a gateway, found, looked at, mended, and taken."""

import pytest

from tests.system.callers import BackOffice, GatewayCaller
from tests.system.conftest import Install, MakeGateway
from tests.system.gateway import REFUSAL, Arrival

pytestmark = pytest.mark.slow

PROBLEM = 7
# What the gateway takes: neither that text, nor a warning.
FORBIDDEN = "Ask for Mr Smith."


def answer(kci: Arrival) -> int:
    refused = kci.reason == "WARNING" or kci.document.get("text") == FORBIDDEN
    return 422 if refused else 204


def test_a_refused_kci_is_edited_and_another_withdrawn(
    install: Install, make_gateway: MakeGateway
) -> None:
    gateway = make_gateway(answer)
    installation = install(BACKOFFICE__PACE="manual", **gateway.settings)
    installation.start("serve", "worker")
    reference = GatewayCaller(installation).raise_problem(PROBLEM)
    back_office = BackOffice(installation)
    back_office.say(reference, "start")
    back_office.say(reference, "hold", problemCode="ACCESS_ISSUE", text=FORBIDDEN)
    back_office.say(reference, "warn", problemCode="ACCESS_ISSUE")
    back_office.say(reference, "resume")
    gateway.wait_for(lambda kcis: [kci.status for kci in kcis] == [204, 422], "the refusal")

    listed = installation.told("kci", "list").splitlines()
    assert [line.split()[0] for line in listed] == [f"{reference}#{n}" for n in (2, 3, 4)]
    shown = installation.told("kci", "show", f"{reference}#2")
    for said in (FORBIDDEN, *REFUSAL["messages"]):
        assert said in shown

    why = ("--reason", "names a person")
    installation.told("kci", "edit", f"{reference}#2", "--set", "text=No key.", *why)
    gateway.wait_for(lambda kcis: [kci.status for kci in kcis][2:] == [204, 422], "the next one")
    _, refused, edited, _ = gateway.arrivals()
    assert (edited.id, edited.number) == (refused.id, refused.number)
    assert edited.document == {**refused.document, "text": "No key."}

    installation.told("kci", "skip", f"{reference}#3", "--reason", "not for tenants")
    gateway.wait_for(lambda kcis: [kci.status for kci in kcis][4:] == [204, 204], "all of them")
    *_, warned, withdrawn, resumed = gateway.arrivals()
    assert (withdrawn.id, withdrawn.number) == (warned.id, 3)
    assert withdrawn.reason == "ADDITIONAL"
    assert withdrawn.document["text"] == "update 3 was withdrawn: not for tenants"
    assert (resumed.number, resumed.reason) == (4, "RESUMED")
    assert installation.told("kci", "list") == ""
