"""What a tester asks for: by header, by the service's name, or by a default that was set."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from supplier_api.contract.codes import ProblemCode
from supplier_api.rules.model import Operation
from supplier_api.sandbox.catalogue import ParameterValue, WrongChoice, find, one_of
from supplier_api.sandbox.scenarios.catalogue import BY_NAME, DEFAULT, OF_ORDERS
from supplier_api.sandbox.scenarios.model import (
    DELAY_TYPE,
    Play,
    read_delay,
    read_problem_code,
)

SCENARIO = "X-Scenario"
PROBLEM_CODE = "X-Problem-Code"
KCI_DELAY = "X-Kci-Delay"
HEADERS = (SCENARIO, PROBLEM_CODE, KCI_DELAY)
# Seconds, as in the gateway's own test system, where X-Scenario chose and nothing else is said.
HEADER_DELAY = 30.0
ONE_OF_CODES = one_of(ProblemCode)
# A service of this name chooses, followed by a scenario's name and perhaps a hyphen and more.
SERVICE = "SCENARIO_"


@dataclass(frozen=True, slots=True)
class Choice:
    """What one request chose: by header, by its service, and for whatever is chosen elsewhere."""

    header: Play | None = None
    service: Play | None = None
    problem_code: ParameterValue | None = None
    delay: ParameterValue | None = None

    def play(self, kind: Operation, *otherwise: Play | None) -> Play | None:
        """Return what is to be played for `kind`: the header's, the service's, or `otherwise`."""
        for play in (self.header, self.service, *otherwise):
            if play is not None and play.scenario.kind is kind:
                return self._completed(play)
        if kind is Operation.PROBLEM and self.delay is not None:
            return Play(DEFAULT, {"delay": self.delay}, named=False)
        return None

    def _completed(self, play: Play) -> Play:
        """Return it with what the other headers say, where its own parameters leave that open."""
        headers = {"problemCode": self.problem_code, "delay": self.delay}
        said = {name: value for name, value in headers.items() if value is not None}
        values = {**play.values, **said}
        if play is self.header:
            values = {"delay": HEADER_DELAY, **said, **play.values}
        known = {parameter.name for parameter in play.scenario.parameters}
        return replace(play, values={k: v for k, v in values.items() if k in known})


NOTHING = Choice()
# What the request chooses that is being answered in this context.
CHOSEN: ContextVar[Choice] = ContextVar("chosen", default=NOTHING)


def read_choice(headers: Mapping[str, str], service_id: str = "") -> Choice:
    """Return what a request with these headers, on this service, chose; raises WrongChoice."""
    wrong: list[str] = []

    def read(name: str, given: str, reader: Callable[[str], Any], expected: str) -> Any:
        try:
            return reader(given) if given else None
        except ValueError:
            wrong.append(f"{name}: expected {expected}")
        except WrongChoice as error:
            wrong.extend(f"{name}: {message}" for message in error.messages)
        return None

    def read_header(name: str, reader: Callable[[str], Any], expected: str) -> Any:
        # Blanks alone are taken off: what else a text may call white is not ASCII.
        given = headers.get(name, "").strip(" \t")
        if given.isascii():
            return read(name, given, reader, expected)
        wrong.append(f"{name}: expected ASCII characters")
        return None

    choice = Choice(
        header=read_header(SCENARIO, read_scenario, "UTF-8"),
        problem_code=read_header(PROBLEM_CODE, read_problem_code, ONE_OF_CODES),
        delay=read_header(KCI_DELAY, read_delay, DELAY_TYPE),
        service=read("serviceId", service_id, _read_service, "text"),
    )
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
    scenario = find(BY_NAME, name, "unknown scenario")
    try:
        given = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), errors="strict"
        )
    except ValueError:
        raise WrongChoice([f"{name}: expected param=value&param=value"]) from None
    return Play(scenario, scenario.read(given, f"{name}: ", lambda _: f"{name}: unknown parameter"))


def is_scenario_service(service_id: str) -> bool:
    """Tell whether the service is one that chooses a scenario by its name."""
    return service_id.startswith(SERVICE)


def _read_service(service_id: str) -> Play | None:
    if not is_scenario_service(service_id):
        return None
    return read_scenario(service_id.removeprefix(SERVICE).partition("-")[0])
