"""The list of scenarios: complete and true."""

from scripts.made_pages import scenarios
from supplier_api.contract.codes import ReasonCode, Status
from supplier_api.sandbox.scenarios.catalogue import SCENARIOS
from supplier_api.sandbox.scenarios.listing import listed, results
from supplier_api.sandbox.scenarios.model import ALSO

PUBLISHED = {
    *(
        f"{kind}_{end}"
        for kind in ("AMENDMENT", "CANCELLATION")
        for end in ("ACCEPTED", "REJECTED")
    ),
    "AMENDMENT_PENDING",
    "CANCELLATION_PENDING",
}


def test_the_published_names_are_there() -> None:
    assert {scenario.name for scenario in SCENARIOS} >= PUBLISHED


def test_every_state_is_reached() -> None:
    told = [results(scenario) for scenario in SCENARIOS]
    reached = {str(each.status) for each in told if each.status}
    reached |= {update.split("/")[1] for each in told for update in (*each.updates, *each.onward)}

    assert reached == set(Status)


def test_every_reason_but_created_is_told() -> None:
    told = [results(scenario) for scenario in SCENARIOS]
    reasons = {update.split("/")[0] for each in told for update in (*each.updates, *each.onward)}

    assert reasons | set(ALSO) == set(ReasonCode) - {ReasonCode.CREATED}


def test_each_scenario_says_what_it_does_in_one_line() -> None:
    text = scenarios()

    for entry in listed():
        assert entry["description"].endswith(".")
        assert "\n" not in entry["description"]
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{entry['name']}` |")]
        assert all(f"`{each['name']}`" in row for each in entry["parameters"])
        assert all(f"`{update}`" in row for update in entry["updates"])
