"""How a wrong setting is reported: its name, where it stands, and what is allowed."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

NOT_SET = "not set"  # the source of what is set nowhere


@dataclass(frozen=True)
class SettingsFinding:
    """One thing wrong with one setting."""

    name: str
    source: str
    message: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.name} ({self.source}): {self.message}"


class SettingsError(Exception):
    """The settings do not allow a start. `findings` holds everything that is wrong."""

    def __init__(self, findings: Iterable[SettingsFinding]) -> None:
        """Keep the findings; the text of the error is one line for each."""
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


def unknown(word: str, allowed: Iterable[str], similar: Iterable[str] = ()) -> str:
    """Say that a word is not known, what it may have been meant to be, and what there is.

    What was meant is looked for among `similar`, or else among what is allowed.
    """
    choices = sorted(allowed)
    close = get_close_matches(word, list(similar) or choices, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"unknown.{meant} Allowed: {', '.join(choices)}"
