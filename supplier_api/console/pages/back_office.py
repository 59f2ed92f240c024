"""The page Back office."""

from flask import Blueprint, render_template

blueprint = Blueprint("back_office", __name__, url_prefix="/back-office")


@blueprint.get("/")
def show() -> str:
    """Show the page."""
    return render_template("back_office/page.html")
