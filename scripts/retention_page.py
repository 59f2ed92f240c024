"""Writes into docs/operations.md which personal data go when: `python -m scripts.retention_page`.

The tables between the two marks are made of `supplier_api.contract.personal`.
"""

from pathlib import Path
from textwrap import fill

from supplier_api.contract.personal import FIELDS, STORED

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations.md"
BEGIN = "<!-- personal data: written by `python -m scripts.retention_page` -->\n"
WIDTH = 118
END = "<!-- end of personal data -->\n"


def page() -> str:
    """Return the page as it should be."""
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    return f"{head}{BEGIN}{_tables()}{END}{tail}"


def _tables() -> str:
    named = ", ".join(f"`{name}` ({what})" for name, what in FIELDS.items())
    rows = [f"| `{it.column}` | {it.holds} | {it.goes} | {it.after} |" for it in STORED]
    head = "| column | holds | what goes | after |\n|---|---|---|---|\n"
    said = fill(f"Personal, or free text, are: {named}.", WIDTH, break_on_hyphens=False)
    return f"{said}\n\n{head}" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
