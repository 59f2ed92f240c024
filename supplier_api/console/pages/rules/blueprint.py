"""The blueprint of the page Rules."""

from flask import Blueprint

blueprint = Blueprint("rules", __name__, url_prefix="/rules")
