"""What commands print: JSON, rows in columns, counts, and a sentence where nothing is to list."""

import json
from collections.abc import Iterable, Iterator, Sequence

import click


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a line for each row; all rows have the same number of cells. The last is not padded."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        padded = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def counted(number: int, noun: str) -> str:
    """Return a number of things in words, as in `1 problem` and `2 problems`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def print_rows(rows: Sequence[Sequence[str]], none: str) -> None:
    """Print the rows in columns. Without rows say `none`, on standard error: it is no row."""
    if not rows:
        click.echo(none, err=True)
    for line in columns(rows):
        click.echo(line)


def print_either(document: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Print a document for a program, or its lines for people."""
    if as_json:
        print_json(document)
    else:
        click.echo("\n".join(lines))


def print_json(document: object) -> None:
    """Print a document for a program, indented."""
    click.echo(json.dumps(document, indent=2))
