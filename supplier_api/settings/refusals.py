"""What the production profile does not allow: the sandbox's switches and its known secrets."""

from collections.abc import Iterator, Mapping

from supplier_api.settings.errors import Finding
from supplier_api.settings.layers import Value
from supplier_api.settings.model import Settings
from supplier_api.settings.schema import Path, dotted, leaf_at

# Printed in config/sandbox.toml and the README: known to everybody.
KNOWN_SECRETS = frozenset(
    {
        "admin-secret",
        "back-office-secret",
        "gateway-secret",
        "supplier-secret",
        "tenant-secret",
        "tenant2-secret",
    }
)


def production_findings(settings: Settings, values: Mapping[Path, Value]) -> list[Finding]:
    """Return one finding for each setting that must not be so in production."""
    return [
        Finding(dotted(path), values[path].source if path in values else "nowhere", message)
        for path, message in _refused(settings, values)
    ]


def _refused(settings: Settings, values: Mapping[Path, Value]) -> Iterator[tuple[Path, str]]:
    for path, value in values.items():
        if leaf_at(path).is_secret and value.raw in KNOWN_SECRETS:
            yield path, "is the sandbox's own secret, which everybody knows: set another"
    for name, client in settings.access.clients.items():
        if "admin" in client.scopes:
            yield (
                ("access", "clients", name, "scopes"),
                'opens the testers\' door, which only the sandbox has: leave out "admin"',
            )
    yield from _switches(settings)
    if settings.inventory.any_live:
        yield (
            ("inventory", "any_live"),
            "makes up services, which only the sandbox may: set it to false",
        )
    if settings.backoffice.adapter == "simulated" and settings.backoffice.pace != "manual":
        yield (
            ("backoffice", "pace"),
            'would play a fault desk to real customers: set it to "manual"',
        )


def _switches(settings: Settings) -> Iterator[tuple[Path, str]]:
    if settings.sandbox.allow_default_secrets:
        yield (
            ("sandbox", "allow_default_secrets"),
            "lets everybody in, which only the sandbox may: set it to false",
        )
    if settings.sandbox.adopt:
        yield (
            ("sandbox", "adopt"),
            "takes problems in that no gateway sent, which only the sandbox may: set it to false",
        )
