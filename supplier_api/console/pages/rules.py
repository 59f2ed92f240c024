"""The page Rules."""

from flask import Blueprint, render_template

blueprint = Blueprint("rules", __name__, url_prefix="/rules")


@blueprint.get("/")
def show() -> str:
    """Show the page."""
    return render_template("rules/page.html")
