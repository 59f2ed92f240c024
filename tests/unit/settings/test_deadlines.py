"""The deadlines of decisions: none by default, and what is wrong is named."""

from pathlib import Path

import pytest

from supplier_api.app.services import open_services
from supplier_api.settings import SettingsError, load_settings

SECTION = "[lifecycle.decision_deadline.amendment]\n"
REJECTS = 'fallback = "reject"\ntext = "Too late."\nhours = 8\n'


def test_there_are_none_by_default(folder: Path) -> None:
    given = load_settings({}, folder).lifecycle.decision_deadline

    assert [each.hours for each in (given.problem, given.amendment, given.cancellation)] == [
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("lines", "name", "message"),
    [
        ("remind_hours = 1", "remind_hours", "should be less than hours"),
        ("hours = 1\nremind_hours = 1", "remind_hours", "should be less than hours"),
        ('fallback = "accept"', "fallback", "needs hours"),
        (REJECTS, "fallback", "needs problem_code and text"),
        ('hours = 1\nfallback = "wait"', "fallback", "should be 'accept' or 'reject'"),
        ("hours = 0", "hours", "should be greater than 0"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, lines: str, name: str, message: str) -> None:
    (folder / "default.toml").write_text(SECTION + lines + "\n")
    with pytest.raises(SettingsError) as caught:
        load_settings({}, folder)

    (finding,) = caught.value.findings
    assert finding.name == f"lifecycle.decision_deadline.amendment.{name}"
    assert finding.message.startswith(message)


@pytest.mark.parametrize(
    ("code", "text", "named"),
    [
        ("LATE", "Too late.", "problem_code (settings): should be one of: ACCESS_ISSUE, "),
        ("OTHER", "x" * 1001, "text (settings): should have at most 1000 characters"),
    ],
)
def test_what_no_kci_may_carry_stops_the_start(
    folder: Path, code: str, text: str, named: str
) -> None:
    lines = f'hours = 8\nproblem_code = "{code}"\ntext = "{text}"\nfallback = "reject"\n'
    (folder / "default.toml").write_text(SECTION + lines)
    settings = load_settings({}, folder)

    with pytest.raises(SettingsError, match=r"lifecycle\.decision_deadline\.amendment") as caught:
        open_services(settings)
    assert named in str(caught.value)
