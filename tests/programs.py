"""Programs of the system that tests need: found, or installed where that can be done."""

import os
import shutil
import subprocess


class NotInstalled(Exception):
    """A program is not there and cannot be installed; the text is the command that would."""


def find(name: str) -> str:
    """Return the path of a program whose Debian package has its name; root installs it.

    Raises NotInstalled.
    """
    install = ["apt-get", "install", "-y", "--no-install-recommends", name]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    if shutil.which(name, path=path) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update"], capture_output=True, check=False)
        # A server that is only tried is not to be started by its package.
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        subprocess.run(install, capture_output=True, check=False, env=quiet)
    found = shutil.which(name, path=path)
    if found is None:
        raise NotInstalled(f"no {name}: sudo {' '.join(install)}")
    return found
