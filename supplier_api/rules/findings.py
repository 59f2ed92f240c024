"""What is wrong with a rule book, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from supplier_api.logging import SafeToLog


@dataclass(frozen=True, slots=True, order=True)
class BookFinding:
    """One thing wrong, or doubtful, at a place of a file; lines and columns count from 1."""

    file: str
    line: int
    column: int
    text: str
    hint: str = ""

    def __str__(self) -> str:
        """Return `file:line:column: text (hint)`, which editors make a link of."""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.text}{hint}"


class BookError(SafeToLog):
    """The rule book cannot be used. `findings` holds everything that is wrong, in file order."""

    def __init__(self, findings: Iterable[BookFinding]) -> None:
        """Keep the findings; the text of the error is one line for each."""
        self.findings = tuple(sorted(set(findings)))
        super().__init__("\n".join(str(finding) for finding in self.findings))


def meant(word: str, allowed: Iterable[str]) -> str:
    """Return the hint for a word that is not allowed: what was meant, or else what there is."""
    choices = sorted(allowed)
    close = get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(choices)}"
