"""No process outlives the one that started it."""

import os
import signal

from supplier_api.cli.local import is_free
from tests.system.conftest import Install
from tests.system.installation import HOST


def test_the_web_servers_own_process_ends_when_its_parent_is_killed(install: Install) -> None:
    installation = install()
    installation.start("serve")
    serve = installation.part("serve")
    os.kill(serve.process.pid, signal.SIGKILL)
    serve.wait()
    port = int(installation.supplier.rpartition(":")[2])
    assert is_free(HOST, port)
    installation.start("serve")
