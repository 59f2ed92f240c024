"""The sample desk's HTTP side: its API, the failures that tests ask for, and its webhooks."""

import random
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any

import requests
from flask import Flask, Response, jsonify, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from supplier_api.logging import get_logger
from supplier_api.sandbox.sample_desk.desk import NoSuchTicket, SampleDesk

# Seconds.
HOOK_TIMEOUT = 5.0
LOOK_EVERY = 0.5
SLOW = 30.0
LOSE_EVERY = 10
# Work orders after which a ticket gets the status of its problem.
MOVING = ("cancellation", "resolution-answer", "closed")
log = get_logger(__name__)


def create_app(desk: SampleDesk, changed: Event) -> Flask:
    """Return the API of a desk; `changed` is set after each call, for who sends webhooks."""
    app = Flask(__name__)
    failures = Failures()
    app.before_request(failures.before)
    _add_orders_and_failures(app, desk, failures)

    @app.post("/tickets")
    def create() -> Response:
        return _answer(desk.create(_body()), 201)

    @app.get("/tickets")
    def tickets() -> Response:
        since = request.args.get("changed-since", "")
        return _answer(desk.tickets(request.args.get("reference"), since))

    @app.get("/tickets/<number>")
    def ticket(number: str) -> Response:
        return _answer(desk.ticket(number))

    @app.patch("/tickets/<number>")
    def change(number: str) -> Response:
        return _answer(desk.change(number, _body()))

    @app.post("/tickets/<number>/comments")
    def comment(number: str) -> Response:
        return _answer(desk.comment(number, str(_body().get("text", ""))), 201)

    @app.after_request
    def after(response: Response) -> Response:
        changed.set()
        return failures.after(response)

    app.register_error_handler(NoSuchTicket, lambda _: _answer({"error": "no such ticket"}, 404))
    app.register_error_handler(ValueError, lambda error: _answer({"error": str(error)}, 422))
    return app


def _add_orders_and_failures(app: Flask, desk: SampleDesk, failures: "Failures") -> None:
    @app.post("/work-orders")
    def take() -> Response:
        return _answer(take_order(desk, _body()))

    @app.put("/failure")
    def fail() -> Response:
        failures.next = str(_body().get("how", ""))
        failures.wait = str(_body().get("wait", ""))
        return _answer({})


def take_order(desk: SampleDesk, order: dict[str, Any]) -> dict[str, Any]:
    """Take a work order of the adapter `http`, whose id marks what it has done already.

    The answer names a version only where the order made it: what people do is not our echo.
    """
    found = desk.tickets(str(order["reference"]))
    if not found:
        return _made(desk, order)
    ticket = found[0]
    number, revision = ticket["number"], ticket["revision"]
    if order["kind"] == "problem":
        # The answer before was lost; what people have done since is still to be seen.
        return {"ticket": number, "version": revision - (ticket["status"] != "New")}
    answer = {"ticket": number}
    if any(order["id"] in comment for comment in ticket["comments"]):
        return answer
    status = order.get("outbound", {}).get("status")
    if order["kind"] in MOVING and not order.get("decide") and status:
        answer["version"] = desk.change(number, {"status": status})["revision"]
    # Last, as it says that the order is done: one that comes again must not undo what people did.
    notes = order.get("subject", {}).get("notes", "")
    desk.comment(number, f"{order['kind']} {notes} [{order['id']}]")
    return answer


def _made(desk: SampleDesk, order: dict[str, Any]) -> dict[str, Any]:
    problem = order.get("problem", {})
    title = f"{problem.get('problemType')} {problem.get('serviceId')}"
    text = str(problem.get("problemText", ""))
    ticket = desk.create({"reference": order["reference"], "title": title, "text": text})
    return {"ticket": ticket["number"], "version": ticket["revision"]}


class Failures:
    """The failure that the next writing call gets: a name of backoffice.contract.Failure."""

    def __init__(self) -> None:
        """Begin without one."""
        self.next = ""
        # Seconds, as Retry-After says them.
        self.wait = ""
        self.released = Event()

    def before(self) -> Response | None:
        """Return the answer of a call that fails before it does anything."""
        if request.method == "GET" or request.path == "/failure":
            return None
        how = self.next
        if how == "slow":
            self.next, slow = "", self.released
            slow.wait(SLOW)
            return _answer({"error": "too late"}, 503)
        self.released.set()
        self.released = Event()
        answers = {"refused": 422, "broken": 503, "busy": 429}
        if how not in answers:
            return None
        self.next = ""
        answer = _answer({"error": how}, answers[how])
        if how == "busy":
            answer.headers["Retry-After"] = self.wait
        return answer

    def after(self, response: Response) -> Response:
        """Replace the answer of a call that did what it was asked, as a proxy does."""
        lost = self.next == "lost-answer" and request.method != "GET" and response.status_code < 300
        if not lost or request.path == "/failure":
            return response
        self.next = ""
        return _answer({"error": "the answer was lost"}, 504)


class HookSender(Thread):
    """Sends each webhook once, in order; every tenth is lost, and so is one that is not taken."""

    def __init__(self, desk: SampleDesk, changed: Event, url: str, token: str) -> None:
        """POST to `url` with a bearer token."""
        super().__init__(daemon=True)
        self._desk, self._changed = desk, changed
        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}
        self.stopping = False

    def run(self) -> None:
        """Send until stopped."""
        while not self.stopping:
            self._changed.wait(LOOK_EVERY)
            self._changed.clear()
            for number, body in self._desk.webhooks():
                self._send(number, body)

    def _send(self, number: int, body: bytes) -> None:
        lost = number % LOSE_EVERY == 0
        self._desk.sent(number, "lost" if lost else "sent")
        if lost:
            return
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            requests.post(self._url, data=body, headers=headers, timeout=HOOK_TIMEOUT)
        except requests.RequestException:
            log.info("desk.webhook-lost", number=number)


class RunningDesk:
    """A desk that is served on loopback by threads of this process, for a `with` block."""

    def __init__(
        self, file: Path, port: int = 0, hook_url: str | None = None, hook_token: str = ""
    ) -> None:
        """Keep tickets in `file`, listen on `port` (0: any), send webhooks to `hook_url`."""
        self.desk = SampleDesk(file)
        changed = Event()
        app = create_app(self.desk, changed)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, app, threaded=True, request_handler=_QuietHandler
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._sender = HookSender(self.desk, changed, hook_url, hook_token) if hook_url else None

    def __enter__(self) -> "RunningDesk":
        """Begin to serve."""
        Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        if self._sender:
            self._sender.stopping = True
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Serve until stopped, in this thread."""
        if self._sender:
            self._sender.start()
        self._server.serve_forever(poll_interval=0.05)


class _QuietHandler(WSGIRequestHandler):
    """Logs no requests."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Leave it out."""


def seconds_to_restart(every: float) -> float:
    """Return when the desk restarts next, by chance: `every` seconds on average."""
    return random.uniform(0.2, 1.8) * every  # noqa: S311 - guards nothing


def _answer(document: object, status: int = 200) -> Response:
    response = jsonify(document)
    response.status_code = status
    return response


def _body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    return body if isinstance(body, dict) else {}
