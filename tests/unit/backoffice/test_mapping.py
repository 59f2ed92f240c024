"""What a mapping makes of a ticket."""

import json
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supplier_api.backoffice.mapping import TicketMapping
from supplier_api.backoffice.mapping_values import MappingFailed
from supplier_api.contract.codes import ProblemCode, ProblemType
from supplier_api.problems.model import Awaits
from supplier_api.problems.snapshot import ChangeDecision, Snapshot, TicketState, Wanted
from tests.unit.backoffice.mappings import GOOD, load, ticket

SECRET = "Mrs. Jones"


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> TicketMapping:
    return load(tmp_path_factory.mktemp("mapping"))


def snapshot(mapping: TicketMapping, **changes: Any) -> Snapshot:
    found = mapping.snapshot(ticket(**changes))
    assert found is not None
    return found


def test_a_ticket_that_is_done_is_a_resolution(mapping: TicketMapping) -> None:
    assert snapshot(mapping) == Snapshot(
        "T-1",
        7,
        "Done",
        Wanted(
            TicketState.RESOLVED,
            resolution={
                "resolutionCode": "NETWORK_CABLING",
                "resolutionText": "It was the cable.",
            },
        ),
        reference="SP_00001",
    )


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("Open", Wanted(TicketState.ACKNOWLEDGED)),
        ("Working", Wanted(TicketState.IN_PROGRESS)),
        ("Waiting", Wanted(TicketState.HELD, ProblemCode.ADDITIONAL_WORK)),
        (
            "Asked",
            Wanted(TicketState.PENDING, ProblemCode.INFORMATION_REQUIRED, "It was the cable."),
        ),
        (
            "Visit",
            Wanted(TicketState.PENDING, ProblemCode.ACCESS_ISSUE, awaits=Awaits.APPOINTMENT),
        ),
        ("Gone", Wanted(TicketState.CANCELLED, ProblemCode.OTHER)),
    ],
)
def test_a_status_means_a_state(mapping: TicketMapping, status: str, wanted: Wanted) -> None:
    found = snapshot(mapping, status=status)
    assert (found.wanted, found.decision, found.trouble) == (wanted, None, None)


def test_a_status_decides_a_change(mapping: TicketMapping) -> None:
    assert snapshot(mapping, status="Yes").decision == ChangeDecision(accept=True)
    assert snapshot(mapping, status="No").decision == ChangeDecision(
        accept=False, problem_code=ProblemCode.OTHER, text="It was the cable."
    )
    assert snapshot(mapping, status="No").wanted is None


def test_what_concerns_others_is_left_out(mapping: TicketMapping) -> None:
    assert mapping.snapshot({"kind": "lunch"}) is None
    assert mapping.parse(b'{"kind": "lunch"}') == []


def test_a_body_is_read_strictly(mapping: TicketMapping) -> None:
    assert mapping.parse(json.dumps(ticket()).encode()) == [snapshot(mapping)]
    with pytest.raises(ValueError, match=r"^body: [^:]+$"):
        mapping.parse(b'{"kind": "fault", "kind": "lunch"}')


def test_a_value_that_no_map_has_gets_the_default_or_is_told(mapping: TicketMapping) -> None:
    strange = {"cause": {"name": SECRET}}
    waiting = snapshot(mapping, status="Waiting", **strange).wanted
    assert waiting == Wanted(TicketState.HELD, ProblemCode.OTHER)
    found = snapshot(mapping, **strange)
    assert found.trouble == "causes: the field cause has a value that is not in the map"
    assert (found.ticket, found.version, found.status, found.wanted) == ("T-1", 7, "Done", None)
    assert snapshot(mapping, cause=None).trouble == "causes: the field cause is empty"


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        ({"status": SECRET}, "states: the ticket's status is not in the mapping"),
        ({"status": ""}, "status: is empty"),
        ({"status": True}, "status: gives no text"),
        ({"ours": [SECRET]}, "reference: gives no text"),
        ({"note": {"by": SECRET}}, "fields.note: gives no text"),
        ({"cause": SECRET}, "fields.cause: a name is read from what is no object"),
        ({"cause": {"title": SECRET}}, "fields.cause: there is no name"),
    ],
)
def test_what_cannot_be_mapped_is_the_snapshots_trouble(
    mapping: TicketMapping, changes: dict[str, Any], trouble: str
) -> None:
    found = snapshot(mapping, **changes)
    assert found.trouble == trouble
    assert (found.wanted, found.decision) == (None, None)
    assert SECRET not in trouble


def test_a_field_that_a_status_does_not_use_is_not_looked_at(mapping: TicketMapping) -> None:
    assert snapshot(mapping, status="Open", note=["?"], cause="?").trouble is None


@pytest.mark.parametrize(
    ("document", "key"),
    [
        (ticket(id=""), "ticket"),
        (ticket(id=[SECRET]), "ticket"),
        (ticket(changed=SECRET), "snapshot_version"),
        (ticket(changed=-1), "snapshot_version"),
        (ticket(changed=2**70), "snapshot_version"),
        (ticket(changed=True), "snapshot_version"),
        (ticket(changed=Decimal("1e400")), "snapshot_version"),
        ({"kind": "fault"}, "ticket"),
        ({"sort": "fault"}, "when"),
        ([SECRET], "when"),
    ],
)
def test_without_ticket_and_version_there_is_no_snapshot(
    mapping: TicketMapping, document: object, key: str
) -> None:
    with pytest.raises(MappingFailed) as raised:
        mapping.snapshot(document)
    assert raised.value.key == key
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("changed", "version"),
    [
        (7, 7),
        ("7", 7),
        (Decimal("1.5"), 1_500_000),
        ("1970-01-01T00:00:02.000+0000", 2_000_000),
    ],
)
def test_a_version_is_a_number_or_a_time(
    mapping: TicketMapping, changed: object, version: int
) -> None:
    assert snapshot(mapping, changed=changed).version == version


def test_null_counts_as_absent(mapping: TicketMapping) -> None:
    found = snapshot(mapping, ours=None, note=None, status="Asked")
    assert found.reference is None
    assert found.wanted == Wanted(TicketState.PENDING, ProblemCode.INFORMATION_REQUIRED)


def test_a_text_is_cut_to_what_the_contract_allows(mapping: TicketMapping) -> None:
    wanted = snapshot(mapping, status="Asked", note=f" {'x' * 2000} ").wanted
    assert wanted is not None
    assert wanted.text == "x" * 999 + "…"
    resolved = snapshot(mapping, note="x" * 256).wanted
    assert resolved is not None
    assert resolved.resolution == {
        "resolutionCode": "NETWORK_CABLING",
        "resolutionText": "x" * 254 + "…",
    }


def test_numbers_are_texts_where_texts_are_needed(mapping: TicketMapping) -> None:
    found = snapshot(mapping, id=5158, note=2**70, status="Asked")
    assert found.ticket == "5158"
    assert found.wanted is not None
    assert found.wanted.text == str(2**70)


def test_an_adapter_asks_what_to_write_back(mapping: TicketMapping) -> None:
    assert mapping.outbound.status(TicketState.IN_PROGRESS) == "Working"
    assert mapping.outbound.status(TicketState.HELD) is None
    assert mapping.outbound.priority(ProblemType.OUTAGE) == "1"
    assert mapping.outbound.priority(ProblemType.CPE) == "3"


def test_a_mapping_need_not_say_what_to_write_back(tmp_path: Path) -> None:
    outbound = load(tmp_path, GOOD.partition("outbound:")[0]).outbound
    assert outbound.status(TicketState.IN_PROGRESS) is None
    assert outbound.priority(ProblemType.OUTAGE) is None


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)


@given(
    name=st.sampled_from(["id", "ours", "status", "changed", "note", "cause"]),
    value=JSON,
    status=st.sampled_from(["Open", "Waiting", "Asked", "Done", "No", "Strange"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_ticket_holds_is_mapped_or_told(
    mapping: TicketMapping, name: str, value: object, status: str
) -> None:
    if name in {"id", "changed"}:
        with suppress(MappingFailed):
            mapping.snapshot(ticket(**{"status": status, name: value}))
        return
    found = snapshot(mapping, **{"status": status, name: value})
    assert (found.trouble is None) is not (found.wanted is None and found.decision is None)
    assert Snapshot.from_body(found.to_body()) == found


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_characters_that_cannot_be_stored_are_left_out(mapping: TicketMapping, text: str) -> None:
    found = snapshot(mapping, id=text, note=text, other=text, status="Asked")
    assert found.ticket == "ab"
    assert found.wanted is not None
    assert found.wanted.text == "ab"
