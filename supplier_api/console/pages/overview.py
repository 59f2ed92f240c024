"""The overview: is everything well, and where to look if it is not."""

from flask import Blueprint, Response, render_template, url_for

from supplier_api.console import live
from supplier_api.console.context import here
from supplier_api.operations import status

blueprint = Blueprint("overview", __name__, url_prefix="/overview")


@blueprint.get("/")
def show() -> str:
    """Show the page."""
    part = live.region("overview", url_for(".news"), _part)
    return render_template("overview/page.html", part=part)


@blueprint.get("/news")
def news() -> Response:
    """Answer what changed."""
    return live.answer("overview", url_for(".news"), _part)


def _part() -> str:
    lines = status.gather(here().services, here().settings)
    return render_template("overview/part.html", lines=lines)
