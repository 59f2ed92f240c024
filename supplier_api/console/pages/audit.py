"""The page Audit."""

from flask import Blueprint, render_template

blueprint = Blueprint("audit", __name__, url_prefix="/audit")


@blueprint.get("/")
def show() -> str:
    """Show the page."""
    return render_template("audit/page.html")
