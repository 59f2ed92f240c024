"""The awkward but legal requests of the documents: taken, and told as they were sent."""

import re
from pathlib import Path
from typing import Any

import pytest

from supplier_api.contract import load, read_json
from supplier_api.contract.schemas import SERVICE_PROBLEM_REQUEST
from tests.supplier import Problem, Supplier

FOLDER = Path(__file__).parents[3] / "docs" / "awkward"
FILES = sorted(FOLDER.glob("*.json"))
# What the supplier adds, and what it makes of a specification that it knows.
ADDED = {"status", "supplierReference", "serviceSpecification"}


def read(file: Path) -> dict[str, Any]:
    """Return a request as the supplier reads it: its published fields."""
    return load(SERVICE_PROBLEM_REQUEST, read_json(file.read_bytes()))


def without_added(told: dict[str, Any]) -> dict[str, Any]:
    """Return what was sent of what is told."""
    return {name: value for name, value in told.items() if name not in ADDED}


def test_the_page_lists_every_file() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| \[([\w-]+\.json)\]\(\1\) \|", page, re.MULTILINE)
    listed = set(re.findall(r"\]\(([\w-]+\.json)\)", page))
    assert listed == {file.name for file in FILES}


def test_no_two_share_an_id_or_a_service() -> None:
    requests = [read(file) for file in FILES]

    assert len({each["id"] for each in requests}) == len(FILES)
    assert len({each["serviceId"] for each in requests}) == len(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_taken_and_told_as_it_was_sent(supplier: Supplier, file: Path) -> None:
    sent = read(file)
    answer = supplier.client.post(
        "/service-problems",
        data=file.read_bytes(),
        content_type="application/json",
        headers=supplier.headers(),
    )

    assert answer.status_code == 201, answer.text
    # Read strictly: a number that went through a float on its way would be another.
    told = read_json(answer.data)
    assert isinstance(told, dict)
    assert without_added(told) == without_added(sent)
    assert told["serviceSpecification"]["id"] == sent["serviceSpecification"]["id"]
    reference = told["supplierReference"]
    assert supplier.event(reference, "start").status_code == 200
    (kci,) = supplier.kcis(Problem(sent["id"], reference))
    assert without_added(kci["serviceProblem"]) == without_added(sent)
