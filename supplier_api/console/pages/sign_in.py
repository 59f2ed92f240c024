"""Signing in and out."""

from flask import Blueprint, render_template

from supplier_api.console.access import public

blueprint = Blueprint("sign_in", __name__, url_prefix="/sign-in")


@blueprint.get("/")
@public
def show() -> str:
    """Ask for name and password."""
    return render_template("sign_in.html")
