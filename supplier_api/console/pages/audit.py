"""The audit trail: who did what, when, from where and why."""

from flask import Blueprint, render_template, request

from supplier_api.console.context import here
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.http.request_parsing import whole_number
from supplier_api.problems.repository import ProblemRepository

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

SHOWN = 50


@blueprint.get("/")
def show() -> str:
    """Show what was done, the latest first; `before` is the number of the last one shown."""
    who, action = (request.args.get(name, "").strip() for name in ("who", "action"))
    before = whole_number(request.args.get("before", ""))

    def read(uow: UnitOfWork) -> tuple[list[tuple[int, Action]], dict[int, str]]:
        found = OperatorActionRepository(uow).recent(
            who=who or None, action=action or None, before_id=before, limit=SHOWN + 1
        )
        problems = {each.problem_id for _, each in found if each.problem_id is not None}
        return found, ProblemRepository(uow).references(problems)

    found, references = here().services.store.read(read)
    return render_template(
        "audit/page.html",
        actions=[each for _, each in found[:SHOWN]],
        older=found[SHOWN - 1][0] if len(found) > SHOWN else None,
        references=references,
        who=who,
        action=action,
    )
