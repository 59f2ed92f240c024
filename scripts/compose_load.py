"""Raises problems at the composed chain, kills containers meanwhile, and looks for what is lost.

    .venv/bin/python scripts/compose_load.py --kill web --kill worker

Raises as the tenant, at a steady rate. When a third is raised, one container of each service named
by --kill gets SIGKILL; when two thirds are, they are started again. Then waits until every problem
has come to its end, and holds the gateway's view against the supplier's records:

* what the supplier has answered to the gateway is stored;
* the gateway has every update of every stored problem, in order, none missing.

A call without an answer that holds (it broke with a web server, or came back 503) is no promise:
the gateway shows the problem as FAILED_TO_SEND. If the supplier has stored it all the same, its
updates have to arrive like all others.
Exit code 0, or 1 with what was found. Needs `make compose-up`; takes about a minute.
"""

import json
import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import requests

from supplier_api.cli.sample import SampleTenant
from supplier_api.ids import SystemIdSource
from supplier_api.sandbox.tenant_client import Account

ROOT = Path(__file__).resolve().parent.parent
GATEWAY = f"http://127.0.0.1:{os.environ.get('SANDBOX_PORT', '8090')}"
CALLERS = 8
UNSENT = "FAILED_TO_SEND"
Document = Mapping[str, Any]


@click.command()
@click.option("--problems", default=400, show_default=True, type=click.IntRange(min=1))
@click.option("--rate", default=20.0, show_default=True, help="Problems a second.")
@click.option("--kill", "killed", multiple=True, metavar="SERVICE", help="May be repeated.")
@click.option("--patience", default=240.0, show_default=True, help="Seconds for the last update.")
def main(problems: int, rate: float, killed: tuple[str, ...], patience: float) -> None:
    """Raise problems, kill, and check."""
    try:
        findings = _run(problems, rate, killed, patience)
    except requests.RequestException as error:
        raise click.ClickException(f"the sandbox gateway at {GATEWAY}: {error}") from None
    except subprocess.CalledProcessError as error:  # docker has said why
        raise click.ClickException(f"{shlex.join(error.cmd[1:])} failed; see above") from None
    if findings:
        raise click.ClickException("\n  ".join(["promises were broken:", *findings]))


def _run(problems: int, rate: float, killed: Sequence[str], patience: float) -> list[str]:
    """Do all of it, and return a line for each promise that was broken."""
    secret = _docker("compose", "exec", "-T", "web", "cat", "/run/secrets/tenant_secret")
    account = Account(GATEWAY, "tenant", secret)
    tenants = [SampleTenant(account, SystemIdSource()) for _ in range(CALLERS)]
    began = time.monotonic()
    raised = _raise_all(tenants, problems, rate, killed)
    click.echo(f"raised {len(raised)} problems in {time.monotonic() - began:.0f} s")
    seen = _wait_for_the_end(tenants[0], raised, patience)
    click.echo(f"at rest after {time.monotonic() - began:.0f} s")
    stored = _stored()
    findings = [line for each in seen.values() for line in broken(each, stored.get(each["id"]))]
    _tell(seen, stored)
    return findings


def broken(seen: Document, stored: Document | None) -> Iterator[str]:
    """Return a line for each promise about a problem that was not kept.

    `seen` is the problem as the gateway shows it, `stored` what the supplier lists, if anything.
    """
    name, numbers = seen["id"], numbered(seen)
    if stored is None:
        if seen["status"] != UNSENT:
            yield f"{name}: {seen['status']} at the gateway, and not stored"
        return
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"{name}: the updates arrived as {numbers}"
    if stored["status"] != "RESOLVED" or not _is_resolved(seen):
        yield f"{name}: {stored['status']} at the supplier, {seen['status']} at the gateway"


def numbered(seen: Document) -> list[int]:
    """Return the numbers of the supplier's updates, as they took effect."""
    updates = seen.get("updates", [])
    return [update["sequenceNumber"] for update in updates if "sequenceNumber" in update]


def _is_resolved(seen: Document) -> bool:
    return any("serviceProblemResolution" in update for update in seen.get("updates", []))


def _raise_all(
    tenants: Sequence[SampleTenant], problems: int, rate: float, services: Sequence[str]
) -> list[int]:
    """Return the gateway's ids of what was raised. The containers are down in between."""
    began, pause = time.monotonic(), threading.Event()

    def wait_until(number: int) -> None:
        pause.wait(max(0.0, began + number / rate - time.monotonic()))

    def call(caller: int) -> list[int]:
        ids = []
        for number in range(caller, problems, CALLERS):
            wait_until(number)
            ids.append(int(tenants[caller].raise_problem()[1]["id"]))
        return ids

    with ThreadPoolExecutor(CALLERS) as pool:
        calling = [pool.submit(call, caller) for caller in range(CALLERS)]
        wait_until(problems // 3)
        victims = [_docker("compose", "ps", "--quiet", service).split()[0] for service in services]
        if victims:
            click.echo("killed " + _docker("kill", *victims).replace("\n", " "))
            wait_until(problems * 2 // 3)
            click.echo("started " + _docker("start", *victims).replace("\n", " "))
        return [number for each in calling for number in each.result()]


def _wait_for_the_end(
    tenant: SampleTenant, raised: Sequence[int], patience: float
) -> dict[int, Document]:
    """Return every problem as the gateway shows it, when nothing more comes or patience is out."""
    seen: dict[int, Document] = {}
    until, pause = time.monotonic() + patience, threading.Event()
    while True:
        for number in raised:
            if number not in seen or not _is_resolved(seen[number]):
                seen[number] = tenant.problem(number)
        stored = _stored()
        moving = [each for each in seen.values() if not _is_resolved(each)]
        if all(each["id"] not in stored and each["status"] == UNSENT for each in moving):
            return seen
        if time.monotonic() > until:
            return seen
        pause.wait(2)


def _stored() -> dict[int, Document]:
    """Return what the supplier has stored, by the gateway's ids."""
    words = ["supplier-api", "problem", "list", "--json", "--limit", "1000000"]
    listed = json.loads(_docker("compose", "exec", "-T", "web", *words))
    return {int(each["gatewayId"]): each for each in listed}


def _tell(seen: Mapping[int, Document], stored: Mapping[int, Document]) -> None:
    failed = {number for number, each in seen.items() if each["status"] == UNSENT}
    numbers = [numbered(each) for each in seen.values()]
    ours = seen.keys() & stored.keys()
    click.echo(f"answered 2xx by the supplier: {len(seen) - len(failed)}, failed: {len(failed)}")
    click.echo(f"stored: {len(ours)}, of them {len(ours & failed)} whose call failed")
    click.echo(f"updates at the gateway: {sum(map(len, numbers))} of {sum(map(bool, numbers))}")


def _docker(*words: str) -> str:
    """Run docker in the project's folder and return what it says; its own words go through."""
    docker = shutil.which("docker")
    if docker is None:
        raise click.ClickException("docker is not installed here")
    done = subprocess.run([docker, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
