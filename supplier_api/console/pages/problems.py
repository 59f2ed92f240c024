"""The problems: search, list, and one of them with its story."""

from flask import Blueprint, render_template, request

from supplier_api.console.context import here
from supplier_api.problems import view
from supplier_api.problems.repository import ProblemRepository

blueprint = Blueprint("problems", __name__, url_prefix="/problems")


@blueprint.get("/")
def listed() -> str:
    """Show problems, the newest first."""
    found = here().services.store.read(
        lambda uow: ProblemRepository(uow).listed(
            state=request.args.get("state") or None, tenant=None, before=None, limit=50
        )
    )
    return render_template("problems/list.html", problems=[view.summary(each) for each in found])
