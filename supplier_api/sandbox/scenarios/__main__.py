"""Prints the list of scenarios in Markdown, or puts it between the markers of a file.

python -m supplier_api.sandbox.scenarios [docs/conformance-target.md]
"""

import sys

from supplier_api.sandbox.scenarios.listing import PAGE

PAGE.run(sys.argv[1:])
