"""Prints the list of faults in Markdown, or puts it between the markers of a file.

python -m supplier_api.sandbox.fault_injection [docs/conformance-target.md]
"""

import sys
from pathlib import Path

from supplier_api.sandbox.fault_injection.listing import SECTIONS, inserted, markdown

if len(sys.argv) > 1:
    page = Path(sys.argv[1])
    page.write_text(inserted(page.read_text(encoding="utf-8")), encoding="utf-8")
else:
    print("\n\n".join(map(markdown, SECTIONS)))  # noqa: T201 - printing it is what this does
