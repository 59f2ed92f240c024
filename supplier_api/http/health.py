"""/health of a web server: the same at every listener, for whoever balances or watches it."""

from collections.abc import Callable

from flask import Flask, Response, jsonify

from supplier_api.operations import readiness
from supplier_api.operations.readiness import OK, RETRY_AFTER, HealthAnswer
from supplier_api.problems.services import Services


def add_health(app: Flask, services: Services, why_postponed: Callable[[], str | None]) -> None:
    """Add /health/live and /health/ready to `app`.

    `why_postponed` says why decisions are put off, if they are: that is told, and no reason to be
    sent no more requests.
    """

    @app.get("/health/live")
    def live() -> Response:
        """Answer as long as the process can answer at all."""
        return _respond(readiness.live())

    @app.get("/health/ready")
    def ready() -> Response:
        """Answer 200 when the database can be read and written, else 503 with the cause."""
        answer = readiness.ready(services)
        if answer.status == OK and (put_off := why_postponed()):
            answer.body["decisionsPutOff"] = put_off
        return _respond(answer)


def _respond(answer: HealthAnswer) -> Response:
    response = jsonify(answer.body)
    response.status_code = answer.status
    if answer.status != OK:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response
