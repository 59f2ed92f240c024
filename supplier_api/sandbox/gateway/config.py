"""The configuration of the sandbox gateway: where it keeps its data and whom it knows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantAccount:
    """A communications provider that raises problems here, and its client at our token endpoint.

    Its updates are POSTed to `url` + "/kcis" if it has one.
    """

    name: str
    client_id: str
    client_secret: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class SupplierAccount:
    """A supplier behind this gateway.

    `client_id` and `client_secret` are the supplier's own, for its KCIs at our token endpoint;
    `gateway_client_id` and `gateway_client_secret` are ours at `token_url`, for our calls to `url`.
    `ours`: it is the supplier that this gateway comes with, and no other one.
    """

    name: str
    client_id: str
    client_secret: str
    url: str
    token_url: str
    gateway_client_id: str
    gateway_client_secret: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class AdminAccount:
    """A client for the admin door, wherever it calls from."""

    name: str
    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """The whole configuration. Times are in seconds, `max_body` in bytes.

    With `docs` the description is served; the page of it may show `known_secrets`. With `adopt` a
    problem that our own supplier tells of and that is not known here is taken in.
    """

    database_url: str
    tenants: tuple[TenantAccount, ...]
    suppliers: tuple[SupplierAccount, ...]
    admins: tuple[AdminAccount, ...] = ()
    supplier_timeout: float = 10.0
    gap_patience: float = 60.0
    token_lifetime: int = 3600
    max_body: int = 262_144
    docs: bool = True
    known_secrets: frozenset[str] = frozenset()
    adopt: bool = False

    def supplier(self, name: str) -> SupplierAccount | None:
        """Return the supplier of that name, or None."""
        return next((known for known in self.suppliers if known.name == name), None)
