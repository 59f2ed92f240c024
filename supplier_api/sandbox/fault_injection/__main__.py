"""Prints the list of faults in Markdown, or puts it between the markers of a file.

python -m supplier_api.sandbox.fault_injection [docs/conformance-target.md]
"""

import sys

from supplier_api.sandbox.fault_injection.catalogue import PAGE

PAGE.run(sys.argv[1:])
