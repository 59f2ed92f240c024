"""`supplier-api config`: what is set, and by whom."""

from collections.abc import Iterator
from typing import Any

import click

from supplier_api.cli import example
from supplier_api.cli.output import print_json
from supplier_api.settings import Resolved, resolve_settings
from supplier_api.settings.layers import NOT_SET
from supplier_api.settings.schema import Leaf, Path, Tree, dotted
from supplier_api.settings.secrets import shown


@click.group(epilog=example("supplier-api config show"))
def config() -> None:
    """Look at the settings."""


@config.command(epilog=example("supplier-api config show --json"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(as_json: bool) -> None:
    """Print each setting with where it came from. Secrets are masked."""
    resolved = resolve_settings()
    settings = resolved.settings
    rows = [
        ("profile", settings.profile, "SUPPLIER_API_PROFILE"),
        ("config_dirs", ", ".join(map(str, settings.config_dirs)), "SUPPLIER_API_CONFIG_DIR"),
        ("data_dir", str(settings.data_dir), "SUPPLIER_API_DATA_DIR"),
        *_rows(resolved),
    ]
    if as_json:
        table = {name: {"value": value, "source": source} for name, value, source in rows}
        print_json(table)
        return
    name_width = max(len(name) for name, _, _ in rows)
    value_width = min(44, max(len(value) for _, value, _ in rows))
    for name, value, source in rows:
        click.echo(f"{name:{name_width}}  {value:{value_width}}  {source}")


def _rows(resolved: Resolved) -> Iterator[tuple[str, str, str]]:
    for path, value in _walk(resolved.tree, resolved.settings, ()):
        yield dotted(path), shown(value), resolved.origins.get(path, NOT_SET)


def _walk(tree: Tree, values: Any, path: Path) -> Iterator[tuple[Path, object]]:
    """Yield each setting with its checked value, in the order of the model."""
    for name, node in _named(tree, values):
        value = values[name] if isinstance(values, dict) else getattr(values, name)
        here = (*path, name)
        if isinstance(node, Leaf):
            yield here, value
        else:
            yield from _walk(node, value, here)


def _named(tree: Tree, values: Any) -> list[tuple[str, Tree | Leaf]]:
    if isinstance(values, dict):
        return [(name, node) for name in values for node in tree.values()]
    return list(tree.items())
