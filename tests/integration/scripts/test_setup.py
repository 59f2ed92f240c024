"""scripts/setup.py: what it does once, what it leaves alone, and the two lines when it cannot.

It runs for real in a project folder of its own; the interpreter it finds is a stand-in that plays
a Python and its pip, so that each failure can be had at once and offline.
"""

import ast
import errno
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.integration.scripts.projects import UNREACHABLE, Project

ROOT = Path(__file__).resolve().parents[3]

# What pip 23 to 25 say, cut to the lines that matter.
RESIGNED = """\
WARNING: Retrying (Retry(total=0)) after connection broken by 'SSLError(SSLCertVerificationError(1,
'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate'))'
Could not fetch URL https://pypi.org/simple/alembic/: Max retries exceeded
"""
NO_WHEEL = """\
ERROR: Could not find a version that satisfies the requirement granian==2.8.7 (from versions: none)
ERROR: No matching distribution found for granian==2.8.7
"""
OTHER_FILES = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n"


def test_the_second_time_nothing_is_done(project: Project) -> None:
    project.python()

    first, second = project.setup(), project.setup()

    assert (first.returncode, second.returncode) == (0, 0)
    assert "Python 3.11.9, .venv new" in first.stdout
    assert "Python 3.11.9, .venv up to date" in second.stdout
    assert project.installed() == 1
    assert json.loads((project.root / ".venv/setup.json").read_text())["new"] is False


def test_what_is_imported_is_compiled_once_for_all_processes(project: Project) -> None:
    project.python()

    project.setup()

    [compiling] = [line for line in project.calls.read_text().splitlines() if "compileall" in line]
    assert f"{project.root}/.venv/lib" in compiling
    assert f"{project.root}/supplier_api" in compiling


def test_quiet_says_nothing_when_there_is_nothing_to_do(project: Project) -> None:
    project.python()
    project.setup()

    again = project.setup("--quiet")

    assert (again.stdout, again.stderr) == ("", "")


@pytest.mark.parametrize("name", ["setup.cfg", "pyproject.toml"])
def test_other_metadata_install_only_the_project(project: Project, name: str) -> None:
    project.python()
    project.setup()
    project.change(name)

    done = project.setup()

    assert ".venv updated (project), " in done.stdout
    assert done.stderr == "setup: updating .venv: project\n"
    assert (project.made(), project.installed(), project.installed_itself()) == (1, 1, 2)
    assert "up to date" in project.setup().stdout


def test_another_lock_file_is_installed_into_what_is_there(project: Project) -> None:
    project.python()
    project.setup()
    project.put("PyYAML-6.0", "a_new.one-1.0", "gone_since-2.1", "pip-25.0", "supplier_api-0.1")
    project.change("requirements-dev.lock", "a-new-one==1.0 \\")

    done = project.setup()

    assert ".venv updated (packages, project), " in done.stdout
    assert (project.made(), project.installed(), project.installed_itself()) == (1, 2, 2)
    [removing] = [line for line in project.calls.read_text().splitlines() if "uninstall" in line]
    assert removing.endswith("uninstall --yes gone-since")
    assert "up to date" in project.setup().stdout


def test_a_lock_file_that_names_all_that_is_there_removes_nothing(project: Project) -> None:
    project.python()
    project.setup()
    project.put("PyYAML-6.0")
    project.change("requirements-dev.lock")

    project.setup()

    assert "uninstall" not in project.calls.read_text()


def test_a_change_of_the_script_that_makes_nothing_else_does_nothing(project: Project) -> None:
    project.python()
    project.setup()
    project.change("scripts/setup.py", "# said better")

    assert "up to date" in project.setup().stdout


def test_another_way_of_making_it_makes_it_anew(project: Project) -> None:
    project.python()
    project.setup()
    script = project.root / "scripts/setup.py"
    script.write_text(re.sub('(?m)^MAKING = ".*"', 'MAKING = "of tomorrow"', script.read_text()))

    assert ".venv new" in project.setup().stdout


@pytest.mark.parametrize("what", ["fails", "is killed"])
def test_packages_that_are_half_changed_are_not_taken_for_current(
    project: Project, what: str
) -> None:
    project.python()
    project.setup()
    project.change("requirements-dev.lock")
    if what == "fails":
        project.python(pip=UNREACHABLE)
    else:
        (project.root / ".venv/bin/python").write_text("#!/bin/sh\nkill -9 $PPID\n")
    assert project.setup().returncode not in {0, 2}
    project.python()

    assert ".venv new" in project.setup().stdout


@pytest.mark.parametrize("what", ["exit 1", "kill -9 $PPID"])
def test_a_project_that_could_not_be_installed_leaves_the_packages(
    project: Project, what: str
) -> None:
    project.python()
    project.setup()
    project.change("setup.cfg")
    project.python(project=what)
    assert project.setup().returncode not in {0, 2}
    project.python()

    assert ".venv updated (project), " in project.setup().stdout
    assert (project.made(), project.installed()) == (1, 1)


def test_the_projects_command_is_put_back(project: Project) -> None:
    project.python()
    project.setup()
    (project.root / ".venv/bin/supplier-api").unlink()

    assert ".venv updated (project), " in project.setup().stdout


def test_an_interpreter_that_is_gone(project: Project) -> None:
    project.python()
    project.setup()
    (project.root / ".venv/bin/python").unlink()

    assert ".venv new" in project.setup().stdout


def test_another_python(project: Project) -> None:
    project.python()
    project.setup()
    project.python("python3.13", "3.13.1")

    assert "Python 3.13.1, .venv new" in project.setup().stdout


def test_a_half_made_environment_is_made_anew(project: Project) -> None:
    project.python()
    project.setup()
    (project.root / ".venv/setup.json").unlink()
    left = project.root / ".venv/left-over"
    left.touch()

    assert ".venv new" in project.setup().stdout
    assert not left.exists()


def test_the_newest_python_is_taken_unless_one_is_named(project: Project) -> None:
    project.python("python3.11", "3.11.9")
    project.python("python3.14", "3.14.0")

    assert "Python 3.14.0" in project.setup().stdout
    assert "Python 3.11.9" in project.setup(PYTHON="python3.11").stdout


def test_a_shim_without_its_python_is_passed_over(project: Project) -> None:
    project.python("python3.14", "command not found")
    project.python("python3.11", "3.11.9")

    assert "Python 3.11.9" in project.setup().stdout


def refused(project: Project, **environ: str) -> tuple[str, str]:
    """Run the setup, which must fail, and return its two lines."""
    done = project.setup(**environ)
    assert done.returncode == 1
    assert not (project.root / ".venv").exists()
    told = [line for line in done.stderr.splitlines() if "making .venv" not in line]
    what, remedy = told
    return what.removeprefix("setup: "), remedy.strip()


@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [
        (errno.EACCES, 'take a copy that is yours: cp -R "{}" '),
        (errno.EROFS, 'take a copy that is yours: cp -R "{}" '),
        (errno.ENOSPC, "make room there; "),
        (errno.ENOENT, 'git -C "{}" status '),
    ],
)
def test_a_folder_that_cannot_be_written(project: Project, refusal: int, remedy: str) -> None:
    project.python()
    project.system_refuses(".setup.lock", refusal)

    what, mended = refused(project)

    assert what == f"{project.root}/.setup.lock: {os.strerror(refusal)}"
    assert mended.startswith(remedy.format(project.root))


@pytest.mark.parametrize("version", ["3.9.6", "3.10.13"])
def test_a_python_that_is_too_old(project: Project, version: str) -> None:
    named = project.python("python3", version)

    what, remedy = refused(project, PYTHON=str(named))

    assert what == f"needs Python 3.11 or later; found {version} at {named}"
    assert remedy.startswith("set PYTHON=/path/to/python3.11")


def test_the_line_for_the_systems_package_tool(project: Project) -> None:
    named = project.python("python3", "3.10.1")
    project.python("brew")

    _, remedy = refused(project, PYTHON=str(named))

    assert remedy.endswith("or install one: brew install python@3.13")


def test_a_python_that_is_not_there(project: Project) -> None:
    what, _ = refused(project, PYTHON="/no/python")

    assert what == "needs Python 3.11 or later; PYTHON=/no/python cannot be run"


def test_debian_without_its_venv_package(project: Project) -> None:
    python = project.python(ensurepip=1)

    what, remedy = refused(project)

    assert what == f"Python 3.11.9 at {python} cannot make a .venv: python3.11-venv is missing"
    assert remedy == "sudo apt-get install -y python3.11-venv"


def test_root_on_debian_installs_the_package(project: Project) -> None:
    project.python(ensurepip=1)
    apt = project.path / "apt-get"
    mended = f"[ $1 = update ] || sed -i s/'exit 1 ;;'/'exit 0 ;;'/ {project.path}/python3.11"
    apt.write_text(f"#!/bin/sh\n{mended}\n")
    apt.chmod(0o755)
    (project.path / "sed").symlink_to(str(shutil.which("sed")))

    project.uid = 0
    done = project.setup()

    assert "setup: apt-get install -y python3.11-venv" in done.stderr
    assert done.returncode == 0


def test_an_index_that_cannot_be_reached(project: Project) -> None:
    project.python(pip=UNREACHABLE)

    what, remedy = refused(project)

    assert what == "the package index https://index.example/simple cannot be reached"
    assert "HTTPS_PROXY" in remedy
    assert "PIP_INDEX_URL" in remedy


def test_a_certificate_of_a_proxy(project: Project) -> None:
    project.python(pip=RESIGNED)

    what, remedy = refused(project, PIP_INDEX_URL="https://me:word@pypi.example/simple")

    assert what == "the certificate of the package index https://pypi.example/simple is not trusted"
    assert remedy.startswith("set PIP_CERT=")


def test_a_platform_without_wheels(project: Project) -> None:
    project.python(pip=NO_WHEEL)

    what, remedy = refused(project)

    assert what.startswith(
        "https://pypi.org/simple has no ready-made granian==2.8.7 for this machine"
    )
    assert remedy.startswith("docker run ")


def test_other_files_than_the_locked_ones(project: Project) -> None:
    project.python(pip=OTHER_FILES)

    what, remedy = refused(project)

    assert "hands out other files than the lock file names" in what
    assert "PIP_INDEX_URL=https://pypi.org/simple" in remedy


def test_anything_else_names_the_log(project: Project) -> None:
    project.python(pip="ERROR: [Errno 28] No space left on device\n")

    what, remedy = refused(project)

    assert what == "pip failed: ERROR: [Errno 28] No space left on device"
    assert remedy == f'cat "{project.root / ".setup.log"}"'
    assert (project.root / ".setup.log").exists()


@pytest.mark.parametrize("name", ["setup.py", "setup_failures.py"])
def test_it_can_be_read_by_an_old_python(name: str) -> None:
    # What Python 3.8 cannot parse would hide the message that 3.8 is too old.
    ast.parse((ROOT / "scripts" / name).read_text(), feature_version=(3, 8))
