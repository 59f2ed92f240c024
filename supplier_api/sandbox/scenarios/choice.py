"""What a tester asks for: by header, by the service's name, or by a default that was set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from supplier_api.contract.codes import ProblemCode
from supplier_api.sandbox.scenarios.catalogue import BY_NAME, DEFAULT, OF_ORDERS
from supplier_api.sandbox.scenarios.model import Play, Scenario, ScenarioKind, Value
from supplier_api.sandbox.scenarios.parameters import DELAY_TYPE, read_delay, read_problem_code

SCENARIO = "X-Scenario"
PROBLEM_CODE = "X-Problem-Code"
KCI_DELAY = "X-Kci-Delay"
HEADERS = (SCENARIO, PROBLEM_CODE, KCI_DELAY)
# Seconds, as in the gateway's own test system, where X-Scenario chose and nothing else is said.
HEADER_DELAY = 30.0
# A service of this name chooses, followed by a scenario's name and perhaps a hyphen and more.
SERVICE = "SCENARIO_"
_CODES = f"one of {', '.join(ProblemCode)}"


class WrongChoice(Exception):
    """There is no such choice. `messages` say what there is."""

    def __init__(self, messages: list[str]) -> None:
        """Keep at least one message, each with where the choice stood."""
        self.messages = messages
        super().__init__("; ".join(messages))


@dataclass(frozen=True, slots=True)
class Choice:
    """What one request chose: by header, by its service, and for whatever is chosen elsewhere."""

    header: Play | None
    service: Play | None
    problem_code: Value | None
    delay: Value | None

    def play(self, kind: ScenarioKind, *otherwise: Play | None) -> Play | None:
        """Return what is to be played for `kind`: the header's, the service's, or `otherwise`."""
        for play in (self.header, self.service, *otherwise):
            if play is not None and play.scenario.kind is kind:
                return self._told(play)
        if kind is ScenarioKind.PROBLEM and self.delay is not None:
            return Play(DEFAULT, {"delay": self.delay}, named=False)
        return None

    def _told(self, play: Play) -> Play:
        """Return it with what the other headers say, where its own parameters leave that open."""
        headers = {"problemCode": self.problem_code, "delay": self.delay}
        said = {name: value for name, value in headers.items() if value is not None}
        values = {**play.values, **said}
        if play is self.header:
            values = {"delay": HEADER_DELAY, **said, **play.values}
        known = {parameter.name for parameter in play.scenario.parameters}
        return replace(play, values={k: v for k, v in values.items() if k in known})


NOTHING = Choice(header=None, service=None, problem_code=None, delay=None)


def read_choice(headers: Mapping[str, str], service_id: str = "") -> Choice:
    """Return what a request with these headers, on this service, chose; raises WrongChoice."""
    wrong: list[str] = []

    def read(name: str, reader: Callable[[str], Any], expected: str) -> Any:
        # Blanks alone are taken off: what else a text may call white is not ASCII.
        text = headers.get(name, "").strip(" \t")
        if not text.isascii():
            wrong.append(f"{name}: expected ASCII characters")
            return None
        try:
            return reader(text) if text else None
        except ValueError:
            wrong.append(f"{name}: expected {expected}")
        except WrongChoice as error:
            wrong.extend(f"{name}: {message}" for message in error.messages)
        return None

    choice = Choice(
        header=read(SCENARIO, read_scenario, "UTF-8"),
        service=None,
        problem_code=read(PROBLEM_CODE, read_problem_code, _CODES),
        delay=read(KCI_DELAY, read_delay, DELAY_TYPE),
    )
    try:
        choice = replace(choice, service=_of_service(service_id))
    except WrongChoice as error:
        wrong.extend(f"serviceId: {message}" for message in error.messages)
    if wrong:
        raise WrongChoice(wrong)
    return choice


def read_scenario(text: str) -> Play | None:
    """Read `NAME?param=value&...`, percent-encoded as in a URL; None for one about orders.

    Raises WrongChoice.
    """
    name, _, query = text.partition("?")
    if name.startswith(OF_ORDERS):
        return None
    scenario = BY_NAME.get(name)
    if scenario is None:
        raise WrongChoice([f"unknown scenario; expected one of {', '.join(BY_NAME)}"])
    return Play(scenario, _parameters(scenario, query))


def is_scenario_service(service_id: str) -> bool:
    """Tell whether the service is one that chooses a scenario by its name."""
    return service_id.startswith(SERVICE)


def _of_service(service_id: str) -> Play | None:
    if not is_scenario_service(service_id):
        return None
    return read_scenario(service_id.removeprefix(SERVICE).partition("-")[0])


def _parameters(scenario: Scenario, query: str) -> dict[str, Value]:
    known = {parameter.name: parameter for parameter in scenario.parameters}
    try:
        given = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), errors="strict"
        )
    except ValueError:
        raise WrongChoice([f"{scenario.name}: expected param=value&param=value"]) from None
    values: dict[str, Value] = {}
    wrong: list[str] = []
    for name, text in given:
        if name not in known:
            wrong.append(f"{scenario.name}: unknown parameter; expected {_listed(known)}")
        elif name in values:
            wrong.append(f"{scenario.name}: {name}: given twice")
        else:
            try:
                values[name] = known[name].read(text)
            except ValueError:
                wrong.append(f"{scenario.name}: {name}: expected {known[name].type}")
    if wrong:
        raise WrongChoice(list(dict.fromkeys(wrong)))
    return values


def _listed(known: Mapping[str, object]) -> str:
    return f"one of {', '.join(known)}" if known else "none"
