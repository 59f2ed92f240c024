"""The journal on the page: what was sent and answered, masked, with remarks."""

import re

from supplier_api.contract.personal import PLACEHOLDER
from tests.integration.sandbox.console.conftest import SandboxPages
from tests.samples import problem_request
from tests.supplier import Supplier

SECRET = "Her name is Mrs Smith."


def test_calls_are_listed_with_what_was_off_the_contract(
    supplier: Supplier, pages: SandboxPages
) -> None:
    supplier.create(problem_request(id=23, problemText=SECRET, unheardOf=1))

    page = pages.get("journal?id=23")

    assert "the supplier is called: POST service-problems 201" in page
    assert f'"problemText": "{PLACEHOLDER}"' in page
    assert "Off the contract: unheardOf: expected no such field: it is ignored" in page
    assert SECRET not in page
    assert "No call that these filters let through" in pages.get("journal?id=24")


def test_one_call_says_why_it_was_refused(supplier: Supplier, pages: SandboxPages) -> None:
    supplier.create(problem_request(id=23, problemType="NONE", problemText=SECRET))
    address = re.search(r'/console/sandbox/(journal/\d+)"', pages.html("journal?id=23"))
    assert address

    page = pages.get(address[1])

    assert "Why it was refused" in page
    assert "problemType: " in page
    assert "Authorization: Bearer ***" in page
    assert SECRET not in page
    assert "the journal has no call 999999" in pages.get("journal/999999", 404)


def test_it_is_paged_from_the_newest_back(supplier: Supplier, pages: SandboxPages) -> None:
    for number in range(1, 31):
        supplier.create(problem_request(id=number, serviceId=f"SI{number:013}"))

    newest = pages.html("journal?operation=service-problems")
    older = re.search(r'/console/sandbox/(journal\?[^"]*before=\d+[^"]*)"', newest)
    assert older
    oldest = pages.html(older[1].replace("&amp;", "&"))

    numbers = [
        int(each) for page in (newest, oldest) for each in re.findall(r"journal/(\d+)", page)
    ]
    assert len(numbers) == 30
    assert numbers == sorted(numbers, reverse=True)
    assert "Older" not in oldest
    assert len(newest) < 100_000


def test_what_is_no_json_is_not_shown(supplier: Supplier, pages: SandboxPages) -> None:
    headers = {**supplier.headers(), "Content-Type": "application/json"}
    supplier.client.post("/service-problems", data=SECRET, headers=headers)

    page = pages.get("journal")

    assert f"({len(SECRET)} bytes that are no JSON" in page
    assert SECRET not in page
