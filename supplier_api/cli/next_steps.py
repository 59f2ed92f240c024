"""What to try next: at most six lines, each a command that works as pasted."""

import json
import shlex
from pathlib import Path
from urllib.request import getproxies

from supplier_api.cli.local import Endpoints, command_name, near
from supplier_api.cli.sample import sample
from supplier_api.settings import PartySettings

# The sandbox's inventory knows this service as ceased: a problem on it is refused.
CEASED_SERVICE_TEST = 1
HEADERS = '-H "Authorization: Bearer $TOKEN" -H "X-Request-ID: 1" -H "X-Conversation-ID: 1"'


def next_steps(
    endpoints: Endpoints, tenant: PartySettings, data_dir: Path, journey: tuple[int, str] | None
) -> list[str]:
    """Return the commands; `journey` is the sample's gateway id and our reference, if any.

    Writes the body of the refused problem into the data folder, so that the command stays short.
    """
    refused = data_dir / "refused.json"
    refused.write_text(json.dumps(sample(CEASED_SERVICE_TEST), indent=2) + "\n", encoding="utf-8")
    body = shlex.quote(f"@{near(refused)}")
    secret = shlex.quote(f"{tenant.client_id}:{tenant.client_secret.get_secret_value()}")
    gateway = endpoints.sandbox
    curl = "curl -s"
    if getproxies():
        curl += " --noproxy '*'"  # on this machine nothing has to go through it
    problem_id, reference = journey or (1, "")
    look = f"show {reference}" if reference else "list"
    token = (
        f"TOKEN=$({curl} -u {secret} -d grant_type=client_credentials"
        f' {gateway}/auth/tenant/access-token | sed \'s/.*"access_token": *"//; s/".*//\')'
    )
    refusal = (
        f'{curl} {gateway}/service-problems {HEADERS} -H "Content-Type: application/json"'
        f" -d {body}  # a ceased service"
    )
    return [
        f"{command_name()} problem {look}",
        token,
        f"{curl} {gateway}/service-problems/{problem_id} {HEADERS}",
        refusal,
        f"python3 -m webbrowser {endpoints.supplier}/docs",
        f"tail -f {shlex.quote(near(data_dir / 'log'))}/*.log",
    ]
