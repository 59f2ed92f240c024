"""The `supplier-api` command. Each sub-command is loaded when it is asked for.

Exit codes: 0 done, 1 a finding or a refusal, 2 wrong use; 141 when nobody reads on.
"""

import gc
import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import click

from supplier_api.cli.errors import READER_GONE, drop_output, refusal
from supplier_api.files import made_for_owner_only


class LazyCommand(NamedTuple):
    """A command that is imported when it is run: where it is, and what the list says of it."""

    location: str
    summary: str


# In the order in which a newcomer meets them.
COMMANDS = {
    "run": LazyCommand("run:run", "Start the whole chain here, and follow a sample problem."),
    "serve": LazyCommand("serve:serve", "Serve the supplier's API until Ctrl-C."),
    "worker": LazyCommand("worker:worker", "Deliver messages and run timers until Ctrl-C."),
    "sandbox": LazyCommand("sandbox:sandbox", "Serve the sandbox gateway, or be a tenant of it."),
    "status": LazyCommand("status:status", "Say how it stands."),
    "doctor": LazyCommand("doctor:doctor", "Find what may have been lost, and how to mend it."),
    "problem": LazyCommand("problem:problem", "Look at problems, and say what happened to them."),
    "undecided": LazyCommand("undecided:undecided", "List what waits for a decision."),
    "kci": LazyCommand("kci:kci", "Look at updates to the gateway, and mend refused ones."),
    "work-order": LazyCommand("work_order:work_order", "Look at orders to the back office."),
    "inbox": LazyCommand("inbox:inbox", "Look at webhooks of the back office."),
    "incident": LazyCommand("incident:incident", "Declare network incidents, and end them."),
    "delivery": LazyCommand("delivery:delivery", "Hold delivery up, and let it go on."),
    "rules": LazyCommand("rules:rules", "Check, test and explain the rule book."),
    "inventory": LazyCommand("inventory:inventory", "Look at the services."),
    "backoffice": LazyCommand(
        "backoffice:backoffice", "Check how the supplier's ticket system is understood."
    ),
    "plugins": LazyCommand("plugins:plugins", "Tell which adapters and rules are installed."),
    "reconcile": LazyCommand(
        "reconcile:reconcile", "Compare open problems with the back office's tickets."
    ),
    "new-adapter": LazyCommand(
        "new_adapter:new_adapter", "Write a package for an adapter of your own."
    ),
    "maintenance": LazyCommand(
        "maintenance:maintenance", "Take everything, decide nothing meanwhile."
    ),
    "privacy": LazyCommand("privacy:privacy", "Find, export and erase what is personal."),
    "user": LazyCommand("user:user", "Say who may sign in to the console."),
    "db": LazyCommand("db:db", "Look after the database."),
    "token": LazyCommand("token:token", "Print a bearer token."),
    "config": LazyCommand("config:config", "Look at the settings."),
}


class LazyGroup(click.Group):
    """A group that imports a sub-command's module only to run it or to print its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None, which click reports with what is close."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = COMMANDS[cmd_name].location.partition(":")
        # Nothing that is imported is garbage: to look for some takes a tenth of the time.
        gc.disable()
        loaded = importlib.import_module(f"supplier_api.cli.{module}")
        gc.enable()
        command: click.Command = getattr(loaded, attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands, without a look at any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the command line; --help and the like are printed here."""
        with _plain_endings():
            _only_text(args)
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it makes is for its user alone."""
        with _plain_endings(), made_for_owner_only():
            return super().invoke(ctx)


def _only_text(words: Sequence[str]) -> None:
    """Raise UsageError for a word, or a variable of ours, that is not UTF-8.

    Neither a database nor a terminal takes it. What it says is not repeated: it may be a secret.
    """
    given = {f"argument {place}": word for place, word in enumerate(words, 1)}
    ours = {name: value for name, value in os.environ.items() if name.startswith("SUPPLIER_API_")}
    for what, value in (given | ours).items():
        # The system's bytes that are no text come as surrogates, which nothing can encode.
        if any("\ud800" <= letter <= "\udfff" for letter in what + value):
            raise click.UsageError(f"{ascii(what)[1:-1]} is not UTF-8 text")


@contextmanager
def _plain_endings() -> Iterator[None]:
    """Turn what fails around us into a refusal; a fault of our own keeps its trace.

    Who stops reading what we print ends us without a word, as any program.
    """
    try:
        yield
    except BrokenPipeError:
        drop_output()
        raise SystemExit(READER_GONE) from None
    except Exception as error:
        refused = refusal(error)
        if refused is None:
            raise
        drop_output()
        raise refused from None


def example(*lines: str) -> str:
    """Return the end of a command's help: how it is typed, line by line."""
    # The sign \b keeps click from filling the lines.
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("supplier-api run", "supplier-api status"),
)
@click.version_option(package_name="supplier_api")
@click.pass_context
def main(ctx: click.Context) -> None:
    """The supplier's side of a broadband wholesale gateway: trouble tickets and their updates."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False
