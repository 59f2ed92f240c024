"""Every error in a mapping is reported with file, line, column and a hint."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from supplier_api.backoffice.mapping_file import load_mapping
from supplier_api.rules.model import BookError
from tests.unit.backoffice.mappings import GOOD, SAMPLES, load, ticket


def findings(folder: Path, text: str = GOOD, samples: Mapping[str, object] = SAMPLES) -> list[str]:
    """Return the findings about a mapping, as line:column: text (hint)."""
    with pytest.raises(BookError) as raised:
        load(folder, text, samples)
    return [
        str(each).replace(str(folder / "mapping.yaml:"), "").replace(str(folder), "FOLDER")
        for each in raised.value.findings
    ]


def test_the_mapping_that_the_mistakes_are_put_into_is_good(tmp_path: Path) -> None:
    assert list(load(tmp_path).samples) == ["samples/done.json", "samples/other.json"]


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("version: 1", "version: 2", "1:10: version: unknown format (this release reads 1)"),
        ("ticket: body.ticket.id\n", "", "1:1: mapping: ticket is missing"),
        ("when: ", "wen: ", "3:1: unknown key wen (did you mean when?)"),
        ("[samples/*.json]", "[more/*.json]", "2:11: samples: no file is called more/*.json"),
        ("[samples/*.json]", "[/tmp/*.json]", "2:11: samples: no file is called /tmp/*.json"),
        ("[samples/*.json]", "samples", "2:10: samples: a list is needed here"),
        (
            "ticket: body.ticket.id",
            "ticket: body.tikket.id",
            "4:14: ticket: no sample has tikket (did you mean ticket?)",
        ),
        (
            "body.ticket.ours)",
            "body.ticket.our)",
            "5:29: reference: no sample has our (did you mean ours?)",
        ),
        (
            "body.ticket.status",
            "body.ticket.status.name",
            "6:28: status: no sample has name (no sample has an object here)",
        ),
        (
            "body.ticket.changed",
            "body.ticket.changed[0]",
            "7:39: snapshot_version: no sample has a list here",
        ),
        (
            "snapshot_version: body.ticket.changed",
            "snapshot_version: body.ticket.status",
            "7:19: snapshot_version: gives no number and no time (in",
        ),
        (
            'when: body.kind == "fault"',
            "when: body.kind",
            "3:7: when: gives neither true nor false (in samples/done.json)",
        ),
        (
            'when: body.kind == "fault"',
            "when: true",
            "3:7: when: a text is needed here",
        ),
        (
            'when: body.kind == "fault"\n',
            "",
            "3:14: ticket: there is no ticket (in samples/other.json)",
        ),
        ("ticket: body.ticket.id", "ticket: bod.ticket.id", "4:9: ticket: unknown name bod"),
        ("ticket: body.ticket.id", "ticket: body.ticket.id +", "4:25: ticket: Syntax error"),
        ("ticket: body.ticket.id", "ticket: body.ticket", "4:9: ticket: gives no text (in"),
        ("Open: ACKNOWLEDGED", "Open: ACKNOWLEDGE", "12:9: states.Open: unknown word ACKNOWLEDGE"),
        (
            "{state: HELD,",
            "{state: HELD, stat: HELD,",
            "14:26: unknown key stat (did you mean state?)",
        ),
        ("{state: HELD,", "{", "14:12: states.Waiting: state is missing"),
        (
            "INFORMATION_REQUIRED, text",
            "INFORMATION, text",
            "15:40: states.Asked.problemCode: unknown word INFORMATION (did you mean INFORMATION_",
        ),
        (
            "text: note}\n  Visit",
            "text: not}\n  Visit",
            "15:68: states.Asked.text: there is no fie",
        ),
        ("awaits: appointment", "awaits: godot", "16:35: states.Visit.awaits: unknown word godot"),
        (
            "{state: PENDING, awaits",
            "{state: HELD, awaits",
            "16:32: states.Visit: awaits is for PENDING only",
        ),
        (
            "{state: RESOLVED, ",
            "{state: HELD, ",
            "17:39: states.Done: resolutionCode is for RESOLVED and COMPLETED only",
        ),
        (
            "{from: cause, map: causes}",
            "{from: cause, map: obstacles}",
            "17:62: states.Done.resolutionCode: obstacles has no codes for resolutionCode (write",
        ),
        (
            "{from: cause, map: causes}",
            "{from: cause}",
            "17:43: states.Done.resolutionCode: map is missing",
        ),
        (
            "causes: {Cable: NETWORK_CABLING, Modem: CUSTOMER_FAULT_MODEM}\n",
            "",
            "17:62: states.Done.resolutionCode: causes is missing",
        ),
        ("Cable: NETWORK_CABLING", "Cable: CABLE", "22:17: causes.Cable: unknown word CABLE"),
        ("Yes: accept", "Yes: agree", "20:8: changes.Yes: unknown word agree (allowed: accept,"),
        ("{to: reject,", "{to: refuse,", "21:12: changes.No.to: unknown word refuse"),
        (
            "IN_PROGRESS: Working",
            "IN_PROGRESS: Workin",
            "25:25: outbound.states.IN_PROGRESS: states has no Workin (did you mean Working?)",
        ),
        (
            "IN_PROGRESS: Working",
            "IN_PROGRESS: Open",
            "25:25: outbound.states.IN_PROGRESS: Open means ACKNOWLEDGED in states",
        ),
        (
            "COMPLETED: Done",
            "RESOLVED: Gone",
            "25:44: outbound.states.RESOLVED: Gone means CANCELLED in states",
        ),
        (
            "changes:\n",
            "new: [Opne]\nchanges:\n",
            "19:7: new: states has no Opne (did you mean Open",
        ),
        ("changes:\n", "new: Open\nchanges:\n", "19:6: new: a list is needed here"),
        ("OUTAGE: 1", "OUTTAGE: 1", "26:26: unknown key OUTTAGE (did you mean OUTAGE?)"),
        ("OUTAGE: 1", "OUTAGE: [1]", "26:34: outbound.priority.OUTAGE: a text is needed here"),
    ],
)
def test_a_mistake_is_found_where_it_is(
    tmp_path: Path, right: str, wrong: str, expected: str
) -> None:
    assert GOOD.count(right) == 1
    (finding, *_) = findings(tmp_path, GOOD.replace(right, wrong))
    assert finding.startswith(expected)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("body.ticket.id", "body.ticket.idd").replace("HELD", "HOLD")
    assert findings(tmp_path, text.replace("body.ticket.changed", "body.ticket.note")) == [
        "4:21: ticket: no sample has idd (did you mean id?)",
        "7:19: snapshot_version: gives no number and no time (in samples/done.json)",
        "14:20: states.Waiting.state: unknown word HOLD (did you mean HELD?)",
    ]


def test_a_name_is_good_if_one_sample_has_it(tmp_path: Path) -> None:
    bare = {"kind": "fault", "ticket": {"id": 1, "status": "Open", "changed": 1}}
    assert load(tmp_path, samples={"bare": bare, "done": ticket()}).fields.keys() == {
        "note",
        "cause",
    }
    assert findings(tmp_path, GOOD.replace("has(body.ticket.note) ? ", "true ? ")) == [
        "9:29: fields.note: there is no note (in samples/bare.json)"
    ]


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ('{"kind": ', "2:11: samples: samples/bad.json: body: not JSON"),
        ('{"kind": 1, "kind": 2}', "2:11: samples: samples/bad.json: "),
    ],
)
def test_a_sample_is_json(tmp_path: Path, sample: str, expected: str) -> None:
    (finding,) = findings(tmp_path, samples={"bad": sample, "done": ticket()})
    assert expected in finding


def test_short_forms_are_good(tmp_path: Path) -> None:
    """Every kind of key in as few words as it needs, as somebody might begin with."""
    text = """\
version: 1
samples: [samples/done.json]
ticket: body.ticket.id
status: body.ticket.status
snapshot_version: string(body.ticket.changed)
fields: {text: body.ticket.note, code: body.ticket.cause.name}
states:
  Open: ACKNOWLEDGED
  Asked: {state: PENDING, problemCode: INFORMATION_REQUIRED, text: text}
  Done: {state: RESOLVED, resolutionCode: {from: code, map: causes}}
changes: {Approved: accept, Declined: {to: reject, problemCode: OTHER, text: text}}
causes: {}            # foreign value: a resolution code
outbound: {states: {ACKNOWLEDGED: Open}, priority: {default: P3, OUTAGE: P1}}
"""
    mapping = load(tmp_path, text)
    assert list(mapping.states) == ["Open", "Asked", "Done"]
    found = mapping.snapshot(ticket())
    assert found is not None
    assert found.trouble == "causes: the field code has a value that is not in the map"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BookError, match=r"mapping\.yaml:1:1: cannot be read"):
        load_mapping(tmp_path / "mapping.yaml")
