"""The settings, section by section: names, types and limits.

The values themselves stand in config/default.toml and the profile's file. A field has a default
here only if "not set" is a meaning of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


@dataclass(frozen=True)
class ConfigFile:
    """Marks a path that is looked for in the configuration folders."""


@dataclass(frozen=True)
class HoldsPassword:
    """Marks a URL that may hold a password: masked when shown, may be read from a file."""


Count = Annotated[int, Field(ge=1)]
Days = Annotated[float, Field(gt=0)]
THIRTEEN_MONTHS = 397  # days, whichever the months
Hours = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Text = Annotated[str, Field(min_length=1)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
# psycopg is the one driver that comes with us: it need not be named.
DatabaseUrl = Annotated[
    str,
    Field(pattern=r"^(sqlite|postgresql(\+psycopg)?)://"),
    AfterValidator(lambda url: url.replace("postgresql://", "postgresql+psycopg://", 1)),
    HoldsPassword(),
]
FileUrl = Annotated[str, Field(pattern=r"^sqlite:///"), HoldsPassword()]
OperationName = Literal[
    "service-problems",
    "service-problem-amendments",
    "service-problem-cancellations",
    "service-problem-resolutions",
]


class Section(BaseModel):
    """A group of settings that cannot change once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Server(Section):
    """The supplier's web server."""

    host: Text
    port: Port
    prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)*$")]
    max_body: Count
    answer_budget: Seconds
    operations: tuple[OperationName, ...]
    threads: Count
    queue: Count


class Database(Section):
    """Where the supplier keeps its problems."""

    url: DatabaseUrl


class Gateway(Section):
    """The gateway that our updates go to, and how it is reached."""

    kci_url: Url
    token_url: Url
    client_id: Text
    client_secret: Secret
    connect_timeout: Seconds
    deadline: Seconds
    ca_file: Annotated[Path | None, ConfigFile()] = None
    proxy: Annotated[str | None, HoldsPassword()] = None
    no_proxy: tuple[str, ...]
    already_received: re.Pattern[str]


class Client(Section):
    """Somebody who may call us, and what for."""

    secret: Secret
    scopes: tuple[str, ...]


class Access(Section):
    """The built-in token issuer."""

    issuer: Text
    audience: Text
    token_lifetime: Seconds
    clients: Mapping[str, Client]


class Rules(Section):
    """The rule book."""

    file: Annotated[Path, ConfigFile()]
    fallback: Literal["defer"]
    python_time_limit: Seconds


class Inventory(Section):
    """The services that the supplier provides, and when their source counts as down."""

    adapter: Text
    file: Annotated[Path, ConfigFile()]
    any_live: bool
    down_after_failures: Count
    down_after: Seconds
    probe_every: Seconds


class Lifecycle(Section):
    """The course of a problem. The prefix leaves room for ten characters behind it."""

    closure_days: Days
    reference_prefix: Annotated[str, Field(pattern=r"^[A-Z0-9_]{0,15}$")]
    notice_hours: Hours


class BackOffice(Section):
    """The supplier's own systems. `pace` multiplies the simulated steps; "manual" stops them."""

    adapter: Text
    pace: Literal["manual"] | Annotated[float, Field(gt=0)]


class Breaker(Section):
    """When a destination counts as failing, and how it is tried then."""

    window: Seconds
    calls: Count
    lanes: Count
    open_at: Share
    warn_at: tuple[Share, ...]
    probe_after: Seconds
    probe_after_max: Seconds


class Delivery(Section):
    """How messages leave the house."""

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
    breaker: Breaker


def _thirteen_months(days: float) -> float:
    if days < THIRTEEN_MONTHS:
        raise ValueError(
            f"must be at least {THIRTEEN_MONTHS} (13 months): until then a repeat is known as one"
        )
    return days


class Retention(Section):
    """How long what is kept of problems that are over, and of what operators did."""

    thin_after_days: Days
    prune_after_days: Annotated[Days, AfterValidator(_thirteen_months)]
    actions_days: Days
    batch: Annotated[int, Field(ge=1, le=1000)]
    every: Seconds


class Status(Section):
    """When those who watch are warned: at half of a time, and with all of it something is bad."""

    heartbeat: Annotated[float, Field(gt=0, le=5)]
    undelivered: Seconds
    undecided_hours: Hours
    parked_hours: Hours
    late_share: Annotated[float, Field(ge=0, le=1)]


class Party(Section):
    """Somebody that the sandbox gateway knows."""

    client_id: Text
    client_secret: Secret


class TenantParty(Party):
    """A tenant; its updates are delivered to `url` + "/kcis" if it has one."""

    url: Url | None = None


class SupplierParty(Party):
    """A supplier; what is absent is our own server's."""

    url: Url | None = None
    token_url: Url | None = None
    gateway_client_id: Text | None = None
    gateway_client_secret: Annotated[SecretStr | None, Field(min_length=1)] = None


class Sandbox(Section):
    """The gateway that is shipped to try it all."""

    host: Text
    port: Port
    supplier_url: Url
    database: FileUrl
    allow_default_secrets: bool
    allowed_hosts: tuple[str, ...]
    journal_calls: Count
    journal_bytes: Count
    journal_days: Days
    tenants: Mapping[str, TenantParty] = Field(default_factory=dict)
    suppliers: Mapping[str, SupplierParty] = Field(default_factory=dict)


class Log(Section):
    """What the processes say about themselves."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["json", "console"]


class Settings(Section):
    """All of it. The first three are not settings of a section but where the rest comes from."""

    profile: Literal["sandbox", "production"]
    config_dirs: tuple[Path, ...]
    data_dir: Path
    environment: Text
    server: Server
    database: Database
    gateway: Gateway
    access: Access
    rules: Rules
    inventory: Inventory
    lifecycle: Lifecycle
    backoffice: BackOffice
    delivery: Delivery
    retention: Retention
    status: Status
    sandbox: Sandbox
    log: Log

    @property
    def in_sandbox(self) -> bool:
        """Tell whether the switches of the sandbox profile may be used."""
        return self.profile == "sandbox"
