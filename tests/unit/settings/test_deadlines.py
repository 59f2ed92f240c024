"""The deadlines of decisions: none by default, and what is wrong is named."""

from pathlib import Path
from typing import get_args

import pytest

from supplier_api.contract.codes import ProblemCode
from supplier_api.contract.limits import TEXT_MAX
from supplier_api.settings import SettingsError, load_settings
from supplier_api.settings.deadlines import ProblemCodeName

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
        ('problem_code = "LATE"', "problem_code", "should be 'ACCESS_ISSUE', 'ACTIVATION_"),
        (REJECTS + 'problem_code = "LATE"', "problem_code", "should be 'ACCESS_ISSUE', "),
        ('hours = 0\nremind_hours = 1\nfallback = "accept"', "hours", "should be greater than 0"),
        (f'text = "{"x" * (TEXT_MAX + 1)}"', "text", "should have at most 1000 characters"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, lines: str, name: str, message: str) -> None:
    (folder / "default.toml").write_text(SECTION + lines + "\n")
    with pytest.raises(SettingsError) as caught:
        load_settings({}, folder)

    (finding,) = caught.value.findings
    assert finding.name == f"lifecycle.decision_deadline.amendment.{name}"
    assert finding.message.startswith(message)


def test_code_and_text_are_those_that_a_tenant_may_read(folder: Path) -> None:
    longest = "x" * TEXT_MAX
    for code in ProblemCode:
        lines = f'hours = 8\nproblem_code = "{code}"\ntext = "{longest}"\nfallback = "reject"\n'
        (folder / "default.toml").write_text(SECTION + lines)
        given = load_settings({}, folder).lifecycle.decision_deadline.amendment
        assert (given.problem_code, given.text) == (code, longest)
    assert set(get_args(ProblemCodeName)) == set(ProblemCode)
