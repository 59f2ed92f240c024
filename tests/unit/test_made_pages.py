"""The sections of the documents that are made of the code."""

import pytest

from scripts.made_pages import DOCS, SECTIONS, current, faults, off_contract
from supplier_api.sandbox.fault_injection.catalogue import KINDS


@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_is_current(name: str) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")
    assert page == current(page, SECTIONS[name]), "run: python -m scripts.made_pages"


def test_every_fault_is_in_a_table() -> None:
    made = f"{faults()}\n{off_contract()}"
    assert all(f"| `{kind.name}` |" in made for kind in KINDS)


@pytest.mark.parametrize("missing", ["begin", "end"])
def test_a_page_without_a_marker_is_refused(missing: str) -> None:
    whole = (DOCS / "operations.md").read_text(encoding="utf-8")
    marker = {
        "begin": "<!-- personal data: made by `python -m scripts.made_pages` -->",
        "end": "<!-- end of personal data -->",
    }[missing]
    with pytest.raises(ValueError, match="expected the markers"):
        current(whole.replace(marker, ""), SECTIONS["operations.md"])
