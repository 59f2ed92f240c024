"""The page Work for people."""

from flask import Blueprint, render_template

blueprint = Blueprint("work", __name__, url_prefix="/work")


@blueprint.get("/")
def show() -> str:
    """Show the page."""
    return render_template("work/page.html")
