"""Findings about a rule book, with their positions."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from supplier_api.logging import SafeToLog


@dataclass(frozen=True, slots=True, order=True)
class BookFinding:
    """An error or a warning at a position in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int
    text: str
    hint: str = ""

    def __str__(self) -> str:
        """Return `file:line:column: text (hint)`, which editors turn into a link."""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.text}{hint}"


class BookError(SafeToLog):
    """The rule book cannot be used. `findings` holds everything that is wrong, in file order."""

    def __init__(self, findings: Iterable[BookFinding]) -> None:
        """Keep the findings; the text of the error is one line for each."""
        self.findings = tuple(sorted(set(findings)))
        super().__init__("\n".join(str(finding) for finding in self.findings))


def meant(word: str, allowed: Iterable[str]) -> str:
    """Return the hint for a word that is not allowed: the closest allowed one, or all of them."""
    choices = sorted(allowed)
    close = get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(choices)}"
