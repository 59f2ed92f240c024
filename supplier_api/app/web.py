"""The web application: the doors, and what is behind them."""

from dataclasses import dataclass

from flask import Flask, Response, g, jsonify

from supplier_api import admin_api, backoffice_api, gateway_api
from supplier_api.access import ClientCredentials, Gate, KeyRing, Tokens, new_key
from supplier_api.admin_api.faulty_answers import spoil_answers
from supplier_api.admin_api.recording import keep_requests, record_calls
from supplier_api.app.office import Clocks, build_judge, build_office, closed_on_error, heartbeat_of
from supplier_api.app.sandbox import admin_parts
from supplier_api.delivery.heartbeat import Heartbeat
from supplier_api.desk.facts import INVENTORY_DOWN, Judge
from supplier_api.desk.intake import Intake
from supplier_api.desk.model import Office
from supplier_api.desk.pausing import stands_still
from supplier_api.desk.presence import REQUEST, REQUEST_TIMES, Pulse, Self
from supplier_api.desk.progress import Progress
from supplier_api.http.checks import check_requests
from supplier_api.http.request_times import TimeSummary
from supplier_api.http.server import HttpServer, Limits
from supplier_api.settings import Settings
from supplier_api.store import UnitOfWork
from supplier_api.store.pauses import Pause
from supplier_api.store.processes import Kind
from supplier_api.store.signing_keys import SigningKey
from supplier_api.wire import CONTRACT

# Paths that are answered while every thread for requests is busy.
RESERVED = {"health": ("/health/", "/metrics"), "token": ("/oauth2/",)}
TIMES = "times"


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """The token issuer's keys in the database, so that a token holds at every process."""

    office: Office

    def all(self) -> list[SigningKey]:
        """Return the keys, the one to sign with last; the first is made when there is none."""
        keys = self.office.store.read(lambda uow: uow.signing_keys.all())
        if keys:
            return keys
        made = new_key()
        first = SigningKey(made.kid, made.private_pem, self.office.machine.now())
        self.office.store.write(lambda uow: uow.signing_keys.add_first(first))
        return self.office.store.read(lambda uow: uow.signing_keys.all())


def create_app(settings: Settings, clocks: Clocks | None = None) -> Flask:
    """Return the supplier's web application.

    Raises what build_office and build_judge raise.
    """
    office = build_office(settings, clocks)
    with closed_on_error(office):
        return _wire(settings, office)


def _wire(settings: Settings, office: Office) -> Flask:
    app = Flask("supplier_api", static_folder=None)
    ring = KeyRing(StoredKeys(office), office.machine)
    tokens = Tokens(settings.access, ring, office.machine, office.chance)
    gate = Gate(tokens)
    judge = build_judge(settings, office)
    api = gateway_api.register(
        app,
        gateway_api.Parts(
            desk=Intake(office, judge),
            gate=gate,
            credentials=ClientCredentials(settings.access, tokens),
            ring=ring,
            server=settings.server,
            machine=office.machine,
            chance=office.chance,
            scenarios=settings.in_sandbox,
        ),
    )
    backoffice_api.register(api, gate, Progress(office), settings.server.max_body)
    if settings.in_sandbox:
        parts = admin_parts(settings, office, gate)
        admin_api.register(api, parts)
        keep_requests(app)
        spoil_answers(app, parts)
        record_calls(app, parts.recorder, office.machine)
        app.extensions["recorder"] = parts.recorder
    check_requests(app)
    _add_health(app, office, judge)
    app.extensions["office"] = office
    app.extensions["self"] = Self(Kind.WEB, _felt_by(app, office, judge), judge.book_version)
    return app


def _felt_by(app: Flask, office: Office, judge: Judge) -> Pulse:
    """Return the pulse of a web server, which feels every call of the gateway."""
    pulse = Pulse(office.machine)
    pulse.watch(INVENTORY_DOWN, lambda: judge.watch.down_since)
    times = app.extensions[TIMES] = TimeSummary()
    pulse.tell(REQUEST_TIMES, times.plain)

    @app.after_request
    def feel(response: Response) -> Response:
        if "operation" in g:
            pulse.note(REQUEST)
        return response

    return pulse


def build_server(app: Flask, settings: Settings) -> HttpServer:
    """Return what listens for the supplier's web application; raises OSError if it cannot."""
    server = settings.server
    limits = Limits(
        threads=server.threads,
        room=server.queue,
        patience=server.answer_budget,
        # One byte more than is allowed, as the application reads it.
        max_body=server.max_body + 1,
        reserved=RESERVED,
    )
    return HttpServer(app, limits, server.host, server.port, app.extensions[TIMES])


def build_heartbeat(app: Flask, settings: Settings) -> Heartbeat:
    """Return the sign of life of a web server's process."""
    return heartbeat_of(settings, app.extensions["office"], app.extensions["self"])


def _add_health(app: Flask, office: Office, judge: Judge) -> None:
    contract = {
        "supplierApi": CONTRACT.supplier_api,
        "supplierUpdatesApi": CONTRACT.supplier_updates,
    }

    @app.get("/health/live")
    def live() -> Response:
        """Answer as long as the process can answer at all."""
        return jsonify(status="live", contract=contract)

    @app.get("/health/ready")
    def ready() -> Response:
        """Answer 200 when the database can be worked with; StoreUnavailable becomes a 503.

        Neither what holds delivery up nor decisions that are put off are a reason to be sent no
        more requests: they are told.
        """
        now = office.machine.now()

        def work(uow: UnitOfWork) -> list[Pause]:
            uow.problems.any()
            return uow.pauses.active(now)

        held_up = stands_still(office.store.read(work), now)
        put_off = judge.why_put_off()
        told = {"decisionsPutOff": put_off} if put_off else {}
        return jsonify(status="ready", contract=contract, delivery=held_up, **told)
