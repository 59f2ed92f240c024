"""A mapping and its samples, to put mistakes into."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supplier_api.backoffice.mapping import TicketMapping
from supplier_api.backoffice.mapping_file import load_mapping

GOOD = """\
version: 1
samples: [samples/*.json]
when: body.kind == "fault"
ticket: body.ticket.id
reference: 'has(body.ticket.ours) ? body.ticket.ours : ""'
status: body.ticket.status
snapshot_version: body.ticket.changed
fields:
  note: 'has(body.ticket.note) ? body.ticket.note : ""'
  cause: 'has(body.ticket.cause) ? body.ticket.cause.name : ""'
states:
  Open: ACKNOWLEDGED
  Working: IN_PROGRESS
  Waiting: {state: HELD, problemCode: {from: cause, map: obstacles}}
  Asked: {state: PENDING, problemCode: INFORMATION_REQUIRED, text: note}
  Visit: {state: PENDING, awaits: appointment, problemCode: ACCESS_ISSUE}
  Done: {state: RESOLVED, resolutionCode: {from: cause, map: causes}, resolutionText: note}
  Gone: {state: CANCELLED, problemCode: OTHER}
changes:
  Yes: accept
  No: {to: reject, problemCode: OTHER, text: note}
causes: {Cable: NETWORK_CABLING, Modem: CUSTOMER_FAULT_MODEM}
obstacles: {Cable: ADDITIONAL_WORK, default: OTHER}
outbound:
  states: {IN_PROGRESS: Working, COMPLETED: Done}
  priority: {default: 3, OUTAGE: 1}
"""


def ticket(**changes: Any) -> dict[str, Any]:
    """Return a webhook about a ticket that is done, changed as given."""
    inner = {
        "id": "T-1",
        "ours": "SP_00001",
        "status": "Done",
        "changed": 7,
        "note": "It was the cable.",
        "cause": {"name": "Cable"},
    }
    return {"kind": "fault", "ticket": inner | changes}


SAMPLES: Mapping[str, object] = {"done": ticket(), "other": {"kind": "lunch"}}


def load(folder: Path, text: str = GOOD, samples: Mapping[str, object] = SAMPLES) -> TicketMapping:
    """Write the mapping with its samples, and load it."""
    (folder / "samples").mkdir(exist_ok=True)
    for name, sample in samples.items():
        body = sample if isinstance(sample, str) else json.dumps(sample)
        (folder / "samples" / f"{name}.json").write_text(body, encoding="utf-8")
    path = folder / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    return load_mapping(path)
