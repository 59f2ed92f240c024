"""The `supplier-api` command. Each sub-command is loaded when it is asked for.

Exit codes: 0 done, 1 a finding or a refusal, 2 wrong use.
"""

import importlib
import os
from collections.abc import Sequence
from typing import Any

import click

from supplier_api.settings import SettingsError

# In the order in which a newcomer meets them.
COMMANDS = {
    "run": "supplier_api.cli.run:run",
    "serve": "supplier_api.cli.serve:serve",
    "worker": "supplier_api.cli.worker:worker",
    "sandbox": "supplier_api.cli.sandbox:sandbox",
    "status": "supplier_api.cli.status:status",
    "doctor": "supplier_api.cli.doctor:doctor",
    "problem": "supplier_api.cli.problem:problem",
    "kci": "supplier_api.cli.kci:kci",
    "work-order": "supplier_api.cli.work_order:work_order",
    "delivery": "supplier_api.cli.delivery:delivery",
    "rules": "supplier_api.cli.rules:rules",
    "maintenance": "supplier_api.cli.maintenance:maintenance",
    "db": "supplier_api.cli.db:db",
    "token": "supplier_api.cli.token:token",
    "config": "supplier_api.cli.config:config",
}


class LazyGroup(click.Group):
    """A group that imports a sub-command's module only to run it or to print its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None, which click reports with what is close."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; wrong settings are its user's affair and are told without a trace."""
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise Refused("the settings do not allow a start", error.findings) from None


class Refused(click.ClickException):
    """The command found something wrong: a headline and what it found, exit code 1."""

    exit_code = 1

    def __init__(self, headline: str, findings: Sequence[object] = ()) -> None:
        """Write one line for the headline and one for each finding."""
        super().__init__("\n  ".join([headline, *map(str, findings)]))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="supplier_api")
@click.pass_context
def main(ctx: click.Context) -> None:
    """The supplier's side of a broadband wholesale gateway: trouble tickets and their updates."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False
