"""Prints the list of scenarios in Markdown, or puts it between the markers of a file.

python -m supplier_api.sandbox.scenarios [docs/conformance-target.md]
"""

import sys
from pathlib import Path

from supplier_api.sandbox.scenarios.listing import inserted, markdown

if len(sys.argv) > 1:
    page = Path(sys.argv[1])
    page.write_text(inserted(page.read_text(encoding="utf-8")), encoding="utf-8")
else:
    print(markdown())  # noqa: T201 - printing it is what this does
