"""The facts of a decision as they are stored with it: all that was known, without what is personal.

They are kept by the attributes of `Facts`, so that a draft of a rule book can decide on them again.
What is not there was unknown, or is not stored; an attribute of the service or the problem that was
known to be absent is there as null.
"""

from collections.abc import Mapping
from typing import Any

from supplier_api.clock import from_wire, to_wire
from supplier_api.contract.personal import PERSONAL_FIELDS
from supplier_api.rules.fact_kinds import FactKind, shape_of_class
from supplier_api.rules.facts import UNKNOWN, Facts, Path, ProblemFacts, Service

_SERVICE = shape_of_class(Service)
_PROBLEM = shape_of_class(ProblemFacts)
_INSTANTS = {name for name, kind in _SERVICE.items() if kind is FactKind.INSTANT}
# A service's attribute, and its name in a rule, where that is another.
_NAMES = {"service_id": "id"}


def to_stored(facts: Facts) -> dict[str, Any]:
    """Return the facts as JSON values. The tenant stands in the record itself."""
    request = facts.request
    stored: dict[str, Any] = {
        "request": {name: request[name] for name in request if name not in PERSONAL_FIELDS},
        "now": to_wire(facts.now),
    }
    if facts.service is not UNKNOWN:
        stored["service"] = facts.service and service_document(facts.service)
    if facts.open_problems is not UNKNOWN:
        stored["open_problems"] = facts.open_problems
    if facts.incidents is not UNKNOWN:
        stored["incidents"] = facts.incidents
    if facts.problem is not UNKNOWN:
        stored["problem"] = _attributes(facts.problem, _PROBLEM)
    return stored


def from_stored(tenant: str, stored: Mapping[str, Any]) -> Facts:
    """Return the facts that were stored; the fields of the request that are personal are absent."""
    service, problem = stored.get("service", UNKNOWN), stored.get("problem", UNKNOWN)
    return Facts(
        request=stored["request"],
        tenant=tenant,
        now=from_wire(stored["now"]),
        service=Service(**_read(service, _SERVICE)) if isinstance(service, Mapping) else service,
        open_problems=stored.get("open_problems", UNKNOWN),
        incidents=stored.get("incidents", UNKNOWN),
        problem=ProblemFacts(**_read(problem, _PROBLEM)) if problem is not UNKNOWN else UNKNOWN,
    )


def service_document(service: Service) -> dict[str, Any]:
    """Return the attributes of a service as JSON values, those that are absent as null."""
    return _attributes(service, _SERVICE)


def not_stored(stored: Mapping[str, Any]) -> frozenset[Path]:
    """Return the paths of attributes that this release has and the one that stored had not."""
    missing: set[Path] = set()
    for group, shape in (("service", _SERVICE), ("problem", _PROBLEM)):
        known = stored.get(group)
        if known:
            missing |= {(group, _NAMES.get(name, name)) for name in shape.keys() - known.keys()}
    return frozenset(missing)


def _attributes(source: Service | ProblemFacts, shape: Mapping[str, FactKind]) -> dict[str, Any]:
    plain = {name: getattr(source, name) for name in shape}
    for name in _INSTANTS & plain.keys():
        plain[name] = plain[name] and to_wire(plain[name])
    return plain


def _read(stored: Mapping[str, Any], shape: Mapping[str, FactKind]) -> dict[str, Any]:
    """Return the attributes that are stored and still exist, in their types."""
    return {name: _value(kind, stored[name]) for name, kind in shape.items() if name in stored}


def _value(kind: FactKind, value: Any) -> Any:
    if value is None:
        return None
    if kind is FactKind.INSTANT:
        return from_wire(value)
    return tuple(value) if kind is FactKind.TEXTS else value
