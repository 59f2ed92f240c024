"""What the production profile does not allow, and what asks for a profile by name.

Not allowed are the sandbox's switches, its known secrets and short ones, and calls without TLS.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from supplier_api.settings.addresses import is_loopback
from supplier_api.settings.layers import NOT_SET, WORKED_OUT, SettingsFinding, Value
from supplier_api.settings.model import Settings
from supplier_api.settings.schema import Path, dotted, is_option, leaf_at, variable
from supplier_api.settings.secrets import KNOWN_SECRETS

SECRET_MIN = 16  # characters
# Adapters that play a back office.
OF_THE_SANDBOX = ("simulated", "sample-desk")
# The adapter whose work orders the back office fetches.
PULL = "pull"
GATEWAY_URLS = ("kci_url", "token_url")
# Names of an environment that the packaged files give.
PLAYGROUNDS = ("local", "sandbox")


def production_findings(settings: Settings, values: Mapping[Path, Value]) -> list[SettingsFinding]:
    """Return one finding for each setting that must not be so in production."""
    return [
        SettingsFinding(dotted(path), values[path].source if path in values else NOT_SET, message)
        for path, message in _refused(settings, values)
    ]


def unnamed_profile_findings(values: Mapping[Path, Value]) -> list[SettingsFinding]:
    """Return a finding for each setting that is production's, where no profile is named.

    Without a name the sandbox profile holds, with its known secrets and its made-up services.
    """
    return [
        SettingsFinding(
            dotted(path),
            values[path].source,
            f"{what}, and no profile is named: set SUPPLIER_API_PROFILE=production, or =sandbox",
        )
        for path, what in _like_production(values)
    ]


def _like_production(values: Mapping[Path, Value]) -> Iterator[tuple[Path, str]]:
    environment = values.get(("environment",))
    if environment and environment.raw not in PLAYGROUNDS:
        yield ("environment",), f"is {environment.raw!r}, a name of your own"
    for key in GATEWAY_URLS:
        url = values.get(("gateway", key))
        if url and url.source != WORKED_OUT and not _is_here(url.raw):
            yield ("gateway", key), "is another machine's"
    database = values.get(("database", "url"))
    if database and str(database.raw).startswith("postgresql"):
        yield ("database", "url"), "is a PostgreSQL server's"


def _refused(settings: Settings, values: Mapping[Path, Value]) -> Iterator[tuple[Path, str]]:
    yield from _weak_secrets(values)
    yield from _switches(settings)
    yield from _no_way_in(settings)
    if settings.console.listen and not settings.console.url:
        yield ("console", "url"), "must be set: the address that people use, https://HOST"
    for key in GATEWAY_URLS:
        url = str(getattr(settings.gateway, key))
        hosts = {host.lower() for host in settings.gateway.plain_http_hosts}
        excepted = urlsplit(url).hostname in hosts
        if url.startswith("http:") and not excepted and not _is_here(url):
            yield (
                ("gateway", key),
                "has no TLS: expected https, or a host that gateway.plain_http_hosts lists",
            )


def _weak_secrets(values: Mapping[Path, Value]) -> Iterator[tuple[Path, str]]:
    for path, value in values.items():
        # How long the secrets of an adapter's system are is not for us to say.
        if is_option(path) or not leaf_at(path).is_secret or value.raw is None:
            continue
        if value.raw in KNOWN_SECRETS:
            yield path, "is the sandbox's own secret, which everybody knows: set another"
        elif len(str(value.raw)) < SECRET_MIN:
            yield path, f"is too short: expected at least {SECRET_MIN} characters"


def _switches(settings: Settings) -> Iterator[tuple[Path, str]]:
    for name, client in settings.access.clients.items():
        if "admin" in client.scopes:
            yield (
                ("access", "clients", name, "scopes"),
                'opens the testers\' door, which only the sandbox has: leave out "admin"',
            )
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
    if settings.inventory.any_live:
        yield (
            ("inventory", "any_live"),
            "makes up services, which only the sandbox may: set it to false",
        )
    if settings.backoffice.adapter in OF_THE_SANDBOX:
        yield (
            ("backoffice", "adapter"),
            "is a back office of the sandbox: name your own adapter (docs/adapting.md)",
        )


def _no_way_in(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Find what comes in by the back office's door where that is off."""
    given = settings.backoffice
    if given.listen:
        return
    name = variable(("backoffice", "listen"))
    if given.adapter == PULL:
        message = f"its orders are fetched at the back office's door, which is off: set {name}"
        yield ("backoffice", "adapter"), message
    for key in ("hook_secret", "hook_token"):
        if getattr(given, key):
            message = f"webhooks come in by the back office's door, which is off: set {name}"
            yield ("backoffice", key), message


def _is_here(url: object) -> bool:
    try:
        return is_loopback(urlsplit(str(url)).hostname or "")
    except ValueError:
        return False
