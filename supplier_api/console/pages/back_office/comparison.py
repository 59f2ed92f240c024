"""Open problems beside their tickets: the last comparison, and one of a part of them now."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, render_template, url_for

from supplier_api.backoffice.reconcile import (
    CannotReconcile,
    ComparedPart,
    Drift,
    NothingToLookAt,
    Reconciler,
)
from supplier_api.console import live
from supplier_api.console.acts import ActRefused, by, field
from supplier_api.console.context import here
from supplier_api.console.pages.back_office.adapter import loaded
from supplier_api.console.pages.back_office.blueprint import blueprint, row_id
from supplier_api.db import StoreUnavailable
from supplier_api.operations.processes import RECONCILED, ProcessRepository
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.snapshots import Snapshots

MOST = 100  # problems that are compared at once
SECONDS = 15.0  # in which that must be done


@blueprint.get("/comparison")
def comparison() -> str:
    """Show the last comparison by a worker, and the form for one now."""
    return _page(None, fixed=False)


@blueprint.get("/comparison/news")
def comparison_news() -> Response:
    """Answer what changed about the last comparison."""
    return live.answer("last", url_for(".comparison_news"), _last)


@blueprint.post("/comparison")
def compare() -> str:
    """Compare the next problems with their tickets; with `fix` apply what tickets say."""
    who = by() if field("do") == "fix" else None
    with refusals():
        part = reconciler().run_part(row_id("after") or 0, MOST, SECONDS, who)
    return _page(part, fixed=who is not None)


def reconciler() -> Reconciler:
    """Return what compares by the adapter; raises ActRefused if it cannot be loaded."""
    services = here().services
    return Reconciler(services, Snapshots(services, BackOfficeEvents(services)), loaded())


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what comparing refuses, and what an adapter raises, into ActRefused."""
    try:
        yield
    except (CannotReconcile, NothingToLookAt) as error:
        raise ActRefused(str(error)) from None
    except (ActRefused, StoreUnavailable):
        raise
    except Exception as error:
        # The text of an adapter's error may hold what is in a ticket.
        why = f"the adapter {here().services.adapter} raised {type(error).__name__}"
        raise ActRefused(why, status=502) from error


def _page(part: ComparedPart | None, *, fixed: bool) -> str:
    return render_template(
        "back_office/comparison.html",
        last=live.region("last", url_for(".comparison_news"), _last),
        part=part,
        fixed=fixed,
        applied=Drift.APPLIED,
        most=MOST,
        every=here().settings.polling.reconcile_every,
    )


def _last() -> str:
    found = here().services.store.read(lambda uow: ProcessRepository(uow).all())
    reports = [each.detail[RECONCILED] for each in found if each.detail.get(RECONCILED)]
    last = max(reports, key=lambda each: str(each["at"]), default=None)
    return render_template("back_office/last.html", last=last)
