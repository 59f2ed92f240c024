"""`supplier-api token`: a bearer token from the running supplier, for curl."""

import click
import requests

from supplier_api.cli import example, local
from supplier_api.cli.errors import CommandRefused
from supplier_api.http_client.connections import new_session
from supplier_api.http_client.errors import why
from supplier_api.settings import ClientSettings, Settings, load_settings
from supplier_api.settings.addresses import base_url

# Seconds to wait for an answer.
PATIENCE = 10


@click.command(epilog=example("supplier-api token --client gateway"))
@click.option("--client", default="gateway", show_default=True, help="Who asks for the token.")
@click.option(
    "--scope", "scopes", multiple=True, help="What for; all that the client may, if none."
)
@click.option("--url", help="Where the supplier is, if not where the settings say.")
def token(client: str, scopes: tuple[str, ...], url: str | None) -> None:
    """Print a bearer token.

    As in: curl -H "Authorization: Bearer $(supplier-api token)" ...
    """
    settings = load_settings()
    known = settings.access.clients.get(client)
    if known is None:
        raise CommandRefused(
            f"no client {client}", [f"there is {name}" for name in sorted(settings.access.clients)]
        )
    endpoint = f"{(url or _address(settings)).rstrip('/')}/oauth2/token"
    click.echo(_ask(endpoint, client, known, scopes))


def _address(settings: Settings) -> str:
    if settings.server.port:
        return base_url(settings.server.host, settings.server.port)
    return local.running(settings, "supplier").removesuffix(settings.server.prefix)


def _ask(endpoint: str, name: str, client: ClientSettings, scopes: tuple[str, ...]) -> str:
    with new_session() as session:
        try:
            answer = session.post(
                endpoint,
                data={
                    "grant_type": "client_credentials",
                    "client_id": name,
                    "client_secret": client.secret.get_secret_value(),
                    "scope": " ".join(scopes),
                },
                timeout=PATIENCE,
                allow_redirects=False,
            )
            body = answer.json()
        except requests.ConnectionError:
            raise CommandRefused(
                f"nothing answers at {endpoint}; is the supplier running?"
            ) from None
        except requests.RequestException as error:
            raise CommandRefused(f"no token from {endpoint}: {why(error)}") from None
    if answer.status_code != 200:
        raise CommandRefused(f"no token from {endpoint}", [_reason(answer.status_code, body)])
    access_token: str = body["access_token"]
    return access_token


def _reason(status: int, body: object) -> str:
    described = body.get("error_description") if isinstance(body, dict) else None
    return f"{status}: {described or 'no reason given'}"
