"""What a tester can write, what it means, and what is said of anything else."""

from typing import Any

import pytest

from supplier_api.rules.model import Operation
from supplier_api.sandbox.catalogue import WrongChoice
from supplier_api.sandbox.scenarios.catalogue import BY_NAME, SCENARIOS, recall
from supplier_api.sandbox.scenarios.choice import Choice, read_choice, read_scenario
from supplier_api.sandbox.scenarios.model import Play, Scenario


def header(text: str, **more: str) -> Choice:
    """Read what a request with this X-Scenario chooses; `more` are X-Problem-Code and so on."""
    names = {"code": "X-Problem-Code", "delay": "X-Kci-Delay"}
    return read_choice({"X-Scenario": text, **{names[name]: said for name, said in more.items()}})


def played(choice: Choice, kind: Operation = Operation.PROBLEM, *otherwise: Play | None) -> Play:
    """Return what is played for `kind`, which has to be something."""
    play = choice.play(kind, *otherwise)
    assert play is not None
    return play


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_each_can_be_chosen_by_header_and_by_the_services_name(scenario: Scenario) -> None:
    by_header = header(scenario.name)
    by_name = read_choice({}, f"SCENARIO_{scenario.name}")
    by_longer_name = read_choice({}, f"SCENARIO_{scenario.name}-17")

    for choice in (by_header, by_name, by_longer_name):
        assert played(choice, scenario.kind).scenario is scenario
        others = set(Operation) - {scenario.kind}
        assert [choice.play(kind) for kind in others] == [None, None]
    assert len(f"SCENARIO_{scenario.name}") <= 50


def test_nothing_is_chosen_by_nothing() -> None:
    choice = read_choice({"X-Scenario": " "}, "SI0000000000123")

    assert [choice.play(kind) for kind in Operation] == [None, None, None]


def test_names_of_orders_are_ignored() -> None:
    choice = read_choice(
        {"X-Scenario": "ORDER_REAPPOINT?delay=x"}, "SCENARIO_SERVICE_PROBLEM_DELAYED"
    )

    assert played(choice).scenario.name == "SERVICE_PROBLEM_DELAYED"


def test_a_header_beats_the_services_name_and_that_what_was_set_elsewhere() -> None:
    kept, default = read_scenario("AMENDMENT_REJECTED"), read_scenario("SERVICE_PROBLEM_CANCELLED")
    both = read_choice(
        {"X-Scenario": "SERVICE_PROBLEM_PENDING"}, "SCENARIO_SERVICE_PROBLEM_DELAYED"
    )
    neither = read_choice({})

    assert played(both, Operation.PROBLEM, default).scenario.name == "SERVICE_PROBLEM_PENDING"
    assert (
        played(neither, Operation.PROBLEM, None, default).scenario.name
        == "SERVICE_PROBLEM_CANCELLED"
    )
    assert played(both, Operation.AMENDMENT, kept, default).scenario.name == "AMENDMENT_REJECTED"


def test_parameters_are_read_as_in_a_url() -> None:
    play = played(
        header(
            "SERVICE_PROBLEM_SUCCESSFUL?also=WARNING,UPDATE&steps=3&delay=0.5"
            "&text=Gr%C3%BCezi+wohl%26more&problemCode=SITE_UNSAFE&resolutionCode=OTHER"
        )
    )

    assert play.values == {
        "also": ["WARNING", "UPDATE"],
        "steps": 3,
        "delay": 0.5,
        "text": "Grüezi wohl&more",
        "problemCode": "SITE_UNSAFE",
        "resolutionCode": "OTHER",
    }
    assert play.get("resolutionText")  # the default


def test_no_updates_on_the_way_can_be_asked_for() -> None:
    assert played(header("SERVICE_PROBLEM_SUCCESSFUL?also=")).get("also") == []


@pytest.mark.parametrize(
    ("headers", "service", "delay"),
    [
        ({"X-Scenario": "SERVICE_PROBLEM_DELAYED"}, "", 30.0),
        ({"X-Scenario": "SERVICE_PROBLEM_DELAYED", "X-Kci-Delay": "7"}, "", 7.0),
        ({"X-Scenario": "SERVICE_PROBLEM_DELAYED?delay=3", "X-Kci-Delay": "7"}, "", 3.0),
        ({}, "SCENARIO_SERVICE_PROBLEM_DELAYED", None),
        ({"X-Kci-Delay": "0"}, "SCENARIO_SERVICE_PROBLEM_DELAYED", 0.0),
        ({"X-Scenario": "AMENDMENT_PENDING"}, "SCENARIO_SERVICE_PROBLEM_DELAYED", None),
    ],
)
def test_the_delay_is_thirty_seconds_only_where_the_header_chose(
    headers: dict[str, str], service: str, delay: float | None
) -> None:
    assert played(read_choice(headers, service)).delay == delay


def test_the_code_is_the_parameters_then_the_headers_then_unknown() -> None:
    name = "SERVICE_PROBLEM_CANCELLED"

    assert played(header(name)).get("problemCode") == "UNKNOWN_FAULT"
    assert played(header(name, code="COST_ISSUE")).get("problemCode") == "COST_ISSUE"
    both = header(f"{name}?problemCode=OTHER", code="COST_ISSUE")
    assert played(both).get("problemCode") == "OTHER"


def test_headers_of_a_request_beat_what_was_kept_for_it() -> None:
    kept = read_scenario("AMENDMENT_PENDING_REJECTED?delay=9&problemCode=OTHER&text=No")
    choice = read_choice({"X-Kci-Delay": "1", "X-Problem-Code": "COST_ISSUE"})

    values = played(choice, Operation.AMENDMENT, kept).values
    assert values == {"delay": 1.0, "problemCode": "COST_ISSUE", "text": "No"}


def test_a_delay_alone_sets_the_pace_and_chooses_no_answer() -> None:
    choice = read_choice({"X-Kci-Delay": "4"})
    play = played(choice)

    assert (play.scenario.name, play.delay) == ("SERVICE_PROBLEM_SUCCESSFUL", 4.0)
    assert not play.named
    assert choice.play(Operation.AMENDMENT) is None


def test_what_is_stored_can_be_read_back() -> None:
    play = played(header("SERVICE_PROBLEM_SUCCESSFUL?also=WARNING", delay="4"))

    assert recall(play.plain()) == play
    assert recall(None) is None
    assert recall({"name": "SERVICE_PROBLEM_OF_OLD", "values": {}}) is None


@pytest.mark.parametrize(
    ("headers", "service", "messages"),
    [
        (
            {"X-Scenario": "NO_SUCH"},
            "",
            ["X-Scenario: unknown scenario; expected one of SERVICE_P"],
        ),
        ({"X-Scenario": "service_problem_pending"}, "", ["X-Scenario: unknown scenario"]),
        ({}, "SCENARIO_", ["serviceId: unknown scenario; expected one of SERVICE_P"]),
        (
            {"X-Scenario": "SERVICE_PROBLEM_DELAYED?seconds=1"},
            "",
            ["X-Scenario: SERVICE_PROBLEM_DELAYED: unknown parameter; expected one of delay"],
        ),
        (
            {"X-Scenario": "AMENDMENT_ACCEPTED?delay=1"},
            "",
            ["X-Scenario: AMENDMENT_ACCEPTED: unknown parameter; expected none"],
        ),
        (
            {"X-Scenario": "SERVICE_PROBLEM_DELAYED?delay=-1&steps=0&problemCode=x&text="},
            "",
            [
                "X-Scenario: SERVICE_PROBLEM_DELAYED: delay: expected seconds, 0 to 604800",
                "X-Scenario: SERVICE_PROBLEM_DELAYED: steps: expected a number, 1 to 100",
                "X-Scenario: SERVICE_PROBLEM_DELAYED: problemCode: expected a problemCode",
                "X-Scenario: SERVICE_PROBLEM_DELAYED: text: expected 1 to 1000 characters",
            ],
        ),
        (
            {"X-Scenario": "SERVICE_PROBLEM_DELAYED?steps=1&steps=2"},
            "",
            ["X-Scenario: SERVICE_PROBLEM_DELAYED: steps: given twice"],
        ),
        (
            {"X-Scenario": "SERVICE_PROBLEM_DELAYED?steps"},
            "",
            ["X-Scenario: SERVICE_PROBLEM_DELAYED: expected param=value&param=value"],
        ),
        (
            {"X-Scenario": "SERVICE_PROBLEM_DELAYED?text=%FF"},
            "",
            ["X-Scenario: SERVICE_PROBLEM_DELAYED: expected param=value&param=value"],
        ),
        (
            {"X-Scenario": "SERVICE_PROBLEM_SUCCESSFUL?also=RESUMED"},
            "",
            ["X-Scenario: SERVICE_PROBLEM_SUCCESSFUL: also: expected any of UPDATE, ADDITIONAL"],
        ),
        (
            {"X-Scenario": "NO_SUCH", "X-Problem-Code": "BAD", "X-Kci-Delay": "1e3"},
            "SCENARIO_NO_SUCH",
            [
                "X-Scenario: unknown scenario",
                "X-Problem-Code: expected one of ACCESS_ISSUE",
                "X-Kci-Delay: expected seconds, 0 to 604800",
                "serviceId: unknown scenario",
            ],
        ),
    ],
)
def test_what_is_wrong_is_said_all_at_once_with_what_there_is(
    headers: dict[str, str], service: str, messages: list[str]
) -> None:
    with pytest.raises(WrongChoice) as caught:
        read_choice(headers, service)

    said = caught.value.messages
    assert len(said) == len(messages)
    assert all(one.startswith(start) for one, start in zip(said, messages, strict=True))
    assert all(len(one) <= 1000 for one in said)


def test_every_parameter_takes_its_own_default() -> None:
    def written(default: Any) -> str:
        return ",".join(default) if isinstance(default, list) else str(default)

    for scenario in BY_NAME.values():
        for parameter in scenario.parameters:
            if parameter.default is not None:
                assert parameter.read(written(parameter.default)) == parameter.default
