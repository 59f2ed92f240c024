"""The blueprint of the page Back office."""

from flask import Blueprint

blueprint = Blueprint("back_office", __name__, url_prefix="/back-office")
