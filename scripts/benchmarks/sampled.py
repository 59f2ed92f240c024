"""Runs a command of the supplier, and notes now and then where the running thread is.

    python -m scripts.benchmarks.sampled FILE serve

The kernel sends SIGPROF to whichever thread is using the CPU, each time the process has used some
more of it; faulthandler then writes that thread's stack into FILE, without the interpreter's help.
"""

import faulthandler
import signal
import sys
from pathlib import Path

from supplier_api.cli import main

EVERY = 0.001  # seconds of CPU; the kernel's clock may tick more slowly

if __name__ == "__main__":
    with Path(sys.argv.pop(1)).open("w", encoding="utf-8") as file:
        faulthandler.register(signal.SIGPROF, file=file, all_threads=False)
        signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
        main()
