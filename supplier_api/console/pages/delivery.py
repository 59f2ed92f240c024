"""The page Delivery."""

from flask import Blueprint, render_template

blueprint = Blueprint("delivery", __name__, url_prefix="/delivery")


@blueprint.get("/")
def show() -> str:
    """Show the page."""
    return render_template("delivery/page.html")
