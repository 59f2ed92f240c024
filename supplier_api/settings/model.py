"""The settings, section by section: names, types and limits.

The values themselves stand in config/default.toml and the profile's file. A field has a default
here only if "not set" is a meaning of its own.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from supplier_api.settings.deadlines import DecisionDeadlinesSettings, SilentHours
from supplier_api.settings.listen import Listen
from supplier_api.settings.section import (
    ConfigFile,
    ConsoleUrl,
    Count,
    DatabaseUrl,
    Days,
    FileUrl,
    HoldsPassword,
    Host,
    Hours,
    OneLine,
    Port,
    PostgresqlUrl,
    Seconds,
    Secret,
    SectionSettings,
    Share,
    SigningSecret,
    Url,
    of_form,
    readable_url,
)

THIRTEEN_MONTHS = 397  # days, whichever the months
DAY = 86_400  # seconds
OperationName = Literal[
    "service-problems",
    "service-problem-amendments",
    "service-problem-cancellations",
    "service-problem-resolutions",
]


class AdapterOptions(SectionSettings):
    """The options of an adapter: a subclass names them, with their types.

    A SecretStr is masked wherever it is shown, and may be read from a file (`NAME_file`,
    `..._FILE`); a Path that is Annotated with ConfigFile() is looked for in the configuration
    folders.
    """


class ServerSettings(SectionSettings):
    """The supplier's web server."""

    host: Host
    port: Port
    prefix: Annotated[
        str,
        of_form(
            r"(/[A-Za-z0-9._~-]+)*\Z", "empty, or a path as in /supplier, with no / at its end"
        ),
    ]
    max_body: Count
    answer_budget: Seconds
    operations: tuple[OperationName, ...]
    threads: Count
    docs: bool
    queue: Count


class DatabaseSettings(SectionSettings):
    """Where the supplier keeps its problems.

    `listen_url` leads to the same PostgreSQL past the connection pooler that `url` leads to.
    """

    url: DatabaseUrl
    listen_url: Annotated[PostgresqlUrl | None, HoldsPassword()] = None

    @property
    def direct_url(self) -> str:
        """The way to the database that no pooler is on."""
        return self.listen_url or self.url


class GatewaySettings(SectionSettings):
    """The gateway that our updates go to, and how it is reached."""

    kci_url: Url
    token_url: Url
    client_id: OneLine
    client_secret: Secret
    connect_timeout: Seconds
    deadline: Seconds
    connection_idle: Seconds
    connection_age: Seconds
    ca_file: Annotated[Path | None, ConfigFile()] = None
    proxy: Annotated[Annotated[str, AfterValidator(readable_url)] | None, HoldsPassword()] = None
    no_proxy: tuple[str, ...]
    already_received: re.Pattern[str]
    accept: Annotated[
        tuple[Literal["204", "empty", "json", "text", "any"], ...], Field(min_length=1)
    ]
    token_auth: Literal["form", "basic"]
    scope: OneLine | None = None
    audience: OneLine | None = None
    resource: OneLine | None = None
    token_fields: tuple[Annotated[str, of_form("[^=]+=", "NAME=VALUE")], ...] = ()
    plain_http_hosts: tuple[str, ...]


class ClientSettings(SectionSettings):
    """Somebody who may call us, and what for."""

    secret: Secret
    scopes: tuple[str, ...]


class AccessSettings(SectionSettings):
    """The built-in token issuer."""

    issuer: OneLine
    audience: OneLine
    token_lifetime: Annotated[float, Field(ge=1, le=DAY)]
    clients: Mapping[str, ClientSettings]


class RulesSettings(SectionSettings):
    """The rule book."""

    file: Annotated[Path, ConfigFile()]
    fallback: Literal["defer"]
    python_time_limit: Seconds


class InventorySettings(SectionSettings):
    """The services that the supplier provides, and when their source counts as down."""

    adapter: OneLine
    file: Annotated[Path, ConfigFile()]
    any_live: bool
    down_after_failures: Count
    down_after: Seconds
    probe_every: Seconds
    options: AdapterOptions | None = None


class LifecycleSettings(SectionSettings):
    """The course of a problem. The prefix leaves room for ten characters behind it."""

    closure_days: Days
    reference_prefix: Annotated[
        str,
        of_form(r"[A-Z0-9_]{0,15}\Z", "at most 15 capital letters, digits and underscores"),
    ]
    notice_hours: Hours
    decision_deadline: DecisionDeadlinesSettings = DecisionDeadlinesSettings()


ADAPTER_MAX = 64  # characters; the inbox has room for no more
AdapterName = Annotated[
    OneLine,
    of_form(rf".{{0,{ADAPTER_MAX}}}\Z", f"a name of at most {ADAPTER_MAX} characters"),
]


class BackOfficeSettings(SectionSettings):
    """The supplier's own systems. `pace` multiplies the simulated steps; "manual" stops them.

    `hook_secret` and `hook_token` open the hook for its webhooks. `options` are those that the
    adapter declares, None if it declares none. `listen` is where its door has a server of its own.
    """

    adapter: AdapterName
    pace: Literal["manual"] | Annotated[float, Field(gt=0)]
    hook_secret: SigningSecret | None = None
    hook_token: Secret | None = None
    listen: Listen | None = None
    options: AdapterOptions | None = None


class ConsoleSettings(SectionSettings):
    """The web pages for operators; `listen` is where they have a server of their own.

    `url` is the address that people use, `proxies` how many proxies of ours stand before it and say
    who called them (X-Forwarded-For).
    """

    listen: Listen | None = None
    url: ConsoleUrl | None = None
    proxies: Annotated[int, Field(ge=0, le=10)]


class OperationsSettings(SectionSettings):
    """Whether a web server is well; `listen` is where that has a server of its own."""

    listen: Listen | None = None


class WorkerSettings(SectionSettings):
    """The worker; `operations_listen` is where it says whether it is well."""

    operations_listen: Listen | None = None


class PollingSettings(SectionSettings):
    """How often the back office's tickets are looked at, if its adapter can show them."""

    every: Seconds
    overlap: Annotated[float, Field(ge=0)]
    reconcile_every: Seconds


class BreakerSettings(SectionSettings):
    """When a destination counts as failing, and how it is tried then."""

    window: Seconds
    calls: Count
    lanes: Count
    open_at: Share
    warn_at: tuple[Share, ...]
    probe_after: Seconds
    probe_after_max: Seconds


class DeliverySettings(SectionSettings):
    """How messages are sent."""

    threads: Count
    lease: Seconds
    retry_waits: Annotated[tuple[Seconds, ...], Field(min_length=1)]
    max_age_hours: Hours
    jitter: Annotated[float, Field(ge=0, le=1)]
    retry_after_max: Seconds
    pass_dead_letters: bool
    not_before_ms: Annotated[int, Field(ge=0)]
    sweep: Seconds
    spread: Seconds
    breaker: BreakerSettings


def _thirteen_months(days: float) -> float:
    if days < THIRTEEN_MONTHS:
        raise ValueError(
            f"must be at least {THIRTEEN_MONTHS} (13 months): until then a repeat is known as one"
        )
    return days


class RetentionSettings(SectionSettings):
    """How long what is kept of problems that are over, of webhooks, and of what operators did."""

    thin_after_days: Days
    prune_after_days: Annotated[Days, AfterValidator(_thirteen_months)]
    actions_days: Days
    inbox_days: Days
    batch: Annotated[int, Field(ge=1, le=1000)]
    every: Seconds


class StatusSettings(SectionSettings):
    """When those who watch are warned: at half of a time, and with all of it something is bad."""

    heartbeat: Annotated[float, Field(gt=0, le=5)]
    undelivered: Seconds
    undecided_hours: Hours
    parked_hours: Hours
    silent_hours: SilentHours
    late_share: Annotated[float, Field(ge=0, le=1)]


class PartySettings(SectionSettings):
    """Somebody that the sandbox gateway knows."""

    client_id: OneLine
    client_secret: Secret


class TenantPartySettings(PartySettings):
    """A tenant; its updates are delivered to `url` + "/kcis" if it has one."""

    url: Url | None = None


class SupplierPartySettings(PartySettings):
    """A supplier; what is absent is our own server's, and our server's secret goes to it alone."""

    url: Url | None = None
    token_url: Url | None = None
    gateway_client_id: OneLine | None = None
    gateway_client_secret: Secret | None = None

    @model_validator(mode="after")
    def _has_a_secret_of_its_own(self) -> Self:
        if (self.url or self.token_url) and self.gateway_client_secret is None:
            raise ValueError(
                "gateway_client_secret must be set where url or token_url is:"
                " our own supplier's secret is sent to nobody else"
            )
        return self


class SandboxSettings(SectionSettings):
    """The gateway that is shipped to try it all."""

    host: Host
    port: Port
    url: Url
    supplier_url: Url
    database: FileUrl
    adopt: bool
    allow_default_secrets: bool
    allowed_hosts: tuple[str, ...]
    journal_calls: Count
    journal_bytes: Count
    journal_days: Days
    tenants: Mapping[str, TenantPartySettings] = Field(default_factory=dict)
    suppliers: Mapping[str, SupplierPartySettings] = Field(default_factory=dict)


class LogSettings(SectionSettings):
    """What the processes say about themselves."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["json", "console"]


class Settings(SectionSettings):
    """All of it. The first three are not settings of a section but where the rest comes from."""

    profile: Literal["sandbox", "production"]
    config_dirs: tuple[Path, ...]
    data_dir: Path
    environment: OneLine
    server: ServerSettings
    database: DatabaseSettings
    gateway: GatewaySettings
    access: AccessSettings
    rules: RulesSettings
    inventory: InventorySettings
    lifecycle: LifecycleSettings
    backoffice: BackOfficeSettings
    console: ConsoleSettings
    operations: OperationsSettings
    worker: WorkerSettings
    polling: PollingSettings
    delivery: DeliverySettings
    retention: RetentionSettings
    status: StatusSettings
    sandbox: SandboxSettings
    log: LogSettings

    @property
    def in_sandbox(self) -> bool:
        """Tell whether the switches of the sandbox profile may be used."""
        return self.profile == "sandbox"
