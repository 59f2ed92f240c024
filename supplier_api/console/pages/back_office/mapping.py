"""The mapping: what the statuses of the supplier's own ticket system mean here."""

from pathlib import Path

from flask import render_template

from supplier_api.backoffice.mapping_check import check_mapping
from supplier_api.backoffice.mapping_file import FILE, configured_mapping, load_mapping
from supplier_api.backoffice.mapping_ways import STATES, way_in_words
from supplier_api.console.context import here
from supplier_api.console.pages.back_office.blueprint import blueprint
from supplier_api.rules.model import BookError

TEXT_MAX = 40_000  # characters of the file that are shown


@blueprint.get("/mapping")
def mapping() -> str:
    """Hold each status against each state of a problem, and show the file."""
    settings = here().settings
    file = configured_mapping(settings)
    found: dict[str, object] = {"mapping": None, "report": None, "findings": (), "text": ""}
    if file is not None:
        found |= _checked(file)
    return render_template(
        "back_office/mapping.html",
        file=file,
        folders=settings.config_dirs,
        name=FILE,
        states=STATES,
        in_words=way_in_words,
        **found,
    )


def _checked(file: Path) -> dict[str, object]:
    try:
        loaded = load_mapping(file)
    except BookError as error:
        return {"findings": error.findings, "text": _text(file)}
    return {"mapping": loaded, "report": check_mapping(loaded), "text": _text(file)}


def _text(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError):
        return ""  # the findings say so
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}\n…"
