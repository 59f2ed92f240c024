"""Where the views of the page Delivery are."""

from flask import Blueprint

blueprint = Blueprint("delivery", __name__, url_prefix="/delivery")
