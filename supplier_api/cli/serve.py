"""`supplier-api serve`: the web server."""

import gc
import signal

import click

from supplier_api import health
from supplier_api.app.web import build_heartbeat, build_server, create_app
from supplier_api.cli import example, local
from supplier_api.cli.errors import CommandRefused
from supplier_api.http.server import serve as serve_http
from supplier_api.logging import configure_logging, get_logger
from supplier_api.settings import load_settings

LAST_SIGN = 0.5  # seconds for the last sign of life


@click.command(epilog=example("supplier-api serve"))
def serve() -> None:
    """Serve the supplier's API until Ctrl-C."""
    # Nothing that is imported or built is garbage.
    gc.disable()
    settings = load_settings()
    server = settings.server
    configure_logging(settings.log.level, settings.log.format)
    local.check_port(settings, "server")
    # What is loaded at the start is new anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    app = create_app(settings)
    try:
        listener = build_server(app, settings)
    except OSError as error:
        raise CommandRefused(
            f"cannot listen on {server.host}, port {server.port}: {error}"
        ) from None
    upkeep, audit = app.extensions["upkeep"], app.extensions["audit"]
    signal.signal(signal.SIGHUP, upkeep.reload)
    heartbeat = build_heartbeat(app, settings)

    def ready() -> None:
        audit.start()
        upkeep.start()
        heartbeat.start()
        get_logger(__name__).info("serving", host=server.host, port=server.port)
        # What is there now stays, and need not be looked at again and again.
        gc.freeze()
        gc.enable()

    with health.registered(settings.data_dir, "serve", [local.ready_url(server)]):
        serve_http(listener, ready)
    audit.stop()
    heartbeat.stop(LAST_SIGN)
    app.extensions["services"].store.end_notices()
