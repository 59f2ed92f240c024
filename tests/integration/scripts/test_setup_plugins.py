"""scripts/setup.py and a supplier's own packages: plugins.txt in the configuration folder."""

import json
import re

import pytest

from tests.integration.scripts.projects import UNREACHABLE, Project

CONFLICT = """\
ERROR: Cannot install tickets==1.0 because these package versions have conflicting dependencies.
The conflict is caused by:
    tickets 1.0 depends on requests<2
    The user requested (constraint) requests==2.34.2
ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/
"""
MISSING = "ERROR: No matching distribution found for tickets==1.0\n"
OTHER_FILE = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n"
UNHASHED = "ERROR: In --require-hashes mode, all requirements must have their versions pinned\n"
INSTALLED = ["install --dry-run", "install plugins.txt"]


def plugin_calls(project: Project) -> list[str]:
    """Return what pip was told, the folder of the file left out."""
    return [re.sub(r"\S*/plugins.txt", "plugins.txt", call) for call in project.pip_calls()]


def test_they_are_installed_with_what_is_locked_as_it_is(project: Project) -> None:
    project.python()
    file = project.name_plugins("tickets==1.0\n")

    first, second = project.setup(), project.setup()

    assert first.returncode == 0, first.stderr
    assert "up to date" in second.stdout
    assert plugin_calls(project) == INSTALLED
    assert f"--requirement {file}" in project.calls.read_text()
    limits = (project.root / ".venv/constraints.txt").read_text().splitlines()
    locked = (project.root / "requirements-dev.lock").read_text()
    assert len(limits) == len(re.findall("(?m)^[a-z].*==", locked, re.IGNORECASE)) + 1
    assert all(re.fullmatch(r"[\w.-]+==\S+", line) for line in limits)
    assert limits[-1].startswith("supplier_api==")


def test_a_change_of_the_file_installs_again_and_removes(project: Project) -> None:
    project.python()
    project.name_plugins("tickets==1.0\n")
    project.setup()
    project.put("PyYAML-6.0", "tickets-1.0", "needed_by_it-3.0")
    project.name_plugins("tickets==1.1\n")

    done = project.setup()

    assert ".venv updated (plugins), " in done.stdout
    removed = "uninstall tickets"  # after the other
    assert plugin_calls(project) == [*INSTALLED, INSTALLED[0], removed, INSTALLED[1]]
    assert (project.installed(), project.installed_itself()) == (1, 1)


def test_without_the_file_they_are_removed(project: Project) -> None:
    project.python()
    file = project.name_plugins("tickets==1.0\n")
    project.setup()
    project.put("PyYAML-6.0", "tickets-1.0")
    file.unlink()

    done = project.setup()

    assert "there is no plugins.txt: removing the plugins" in done.stderr
    assert plugin_calls(project) == [*INSTALLED, "uninstall tickets"]
    assert "up to date" in project.setup().stdout


def test_another_lock_file_installs_them_too(project: Project) -> None:
    project.python()
    project.name_plugins("tickets==1.0\n")
    project.setup()
    project.change("requirements-dev.lock")

    assert ".venv updated (packages, project, plugins), " in project.setup().stdout


def test_the_folder_of_the_configuration_holds_the_file(project: Project) -> None:
    project.python()
    project.name_plugins("of-config\n")
    file = project.name_plugins("tickets==1.0\n", "own")

    project.setup(SUPPLIER_API_CONFIG_DIR="own")

    assert f"--requirement {file}" in project.calls.read_text()
    assert "config/plugins.txt" not in project.calls.read_text()


def test_a_folder_that_is_not_there_removes_nothing(project: Project) -> None:
    project.python()

    done = project.setup(SUPPLIER_API_CONFIG_DIR="owm")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"setup: SUPPLIER_API_CONFIG_DIR: there is no folder {project.root}/owm",
        "       name your configuration folder, or unset it",
    ]
    assert project.made() == 0


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (CONFLICT, "a package wants another version than requests==2.34.2, which is locked"),
        (MISSING, "no index that is asked has tickets==1.0"),
        (OTHER_FILE, "a package is another file than its hash says"),
        (UNHASHED, "some have a hash, so all need one, and an exact version"),
        (UNREACHABLE, "the package index https://index.example/simple cannot be reached"),
    ],
)
def test_what_pip_cannot_have_is_told_in_two_lines(
    project: Project,
    said: str,
    what: str,
) -> None:
    project.python()
    project.setup()
    project.put("tickets-0.9")
    project.name_plugins("tickets==1.0\n")
    project.python(plugins=said)

    done = project.setup()

    assert done.returncode == 1
    assert done.stderr.splitlines()[-2] == f"setup: plugins.txt: {what}"
    assert "uninstall" not in project.calls.read_text()
    stamp = json.loads((project.root / ".venv/setup.json").read_text())
    assert stamp["parts"]["plugins"] == "unfinished"
    project.python()
    assert ".venv updated (plugins), " in project.setup().stdout
    assert project.made() == 1


def test_what_is_half_done_is_removed_with_the_file(project: Project) -> None:
    project.python(plugins=MISSING)
    file = project.name_plugins("tickets==1.0\n")
    assert project.setup().returncode == 1
    project.put("tickets-1.0")
    file.unlink()

    assert project.setup().returncode == 0
    assert plugin_calls(project)[-1] == "uninstall tickets"
