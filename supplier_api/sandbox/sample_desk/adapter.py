"""The adapter to sample-desk: a client of its API, and what is the same for all."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from pydantic import SecretStr

from supplier_api.backoffice.mapping_file import load_mapping
from supplier_api.backoffice.port import (
    AdapterOptions,
    BackOfficeSettings,
    OrderRefused,
    TryLater,
)
from supplier_api.backoffice.ticket_adapter import Record, TicketAdapter


class SampleDeskOptions(AdapterOptions):
    """What [backoffice.options] says."""

    url: str
    token: SecretStr = SecretStr("")
    mapping: Path = Path(__file__).parent / "mapping.yaml"
    timeout: float = 10.0  # seconds


class SampleDeskClient:
    """The calls to the ticket system. A record is a ticket in the form of a webhook's body."""

    def __init__(self, options: SampleDeskOptions) -> None:
        """Call the system that the options name."""
        self._options = options

    def find(self, reference: str) -> Record | None:
        """Return the ticket that carries our reference."""
        found = self._call("GET", f"/tickets?reference={reference}")
        return {"ticket": found[0]} if found else None

    def create(self, reference: str, title: str, text: str, priority: str | None) -> Record:
        """Make a ticket."""
        fields = {"reference": reference, "title": title, "text": text, "priority": priority}
        return {"ticket": self._call("POST", "/tickets", fields)}

    def comment(self, ticket: str, text: str) -> None:
        """Write a comment."""
        self._call("POST", f"/tickets/{ticket}/comments", {"text": text})

    def comments(self, ticket: str) -> list[str]:
        """Return the comments."""
        found: list[str] = self._call("GET", f"/tickets/{ticket}")["comments"]
        return found

    def transition(self, ticket: str, status: str) -> Record:
        """Bring a ticket to a status."""
        return {"ticket": self._call("PATCH", f"/tickets/{ticket}", {"status": status})}

    def read(self, ticket: str) -> Record | None:
        """Return a ticket, None if there is none."""
        found = self._call("GET", f"/tickets/{ticket}")
        return found and {"ticket": found}

    def changed(self, since: datetime) -> Iterable[Record]:
        """Return what changed since then."""
        found = self._call("GET", f"/tickets?changed-since={since:%Y-%m-%dT%H:%M:%S}")
        return [{"ticket": each} for each in found]

    def _call(self, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self._options.token.get_secret_value()}"}
        url, timeout = self._options.url + path, self._options.timeout
        answer = requests.request(method, url, json=body, headers=headers, timeout=timeout)
        if answer.status_code in (400, 422):
            raise OrderRefused(f"{method} {path.partition('?')[0]}: {answer.status_code}")
        if answer.status_code in (429, 503):
            raise TryLater("busy", answer.headers.get("Retry-After"), answer.status_code)
        if method == "GET" and answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()


class SampleDeskAdapter(TicketAdapter):
    """The adapter `sample-desk`."""

    options = SampleDeskOptions

    def __init__(self, settings: BackOfficeSettings) -> None:
        """Read the mapping; raises rules.model.BookError."""
        options = settings.options
        assert isinstance(options, SampleDeskOptions)
        super().__init__(load_mapping(options.mapping), SampleDeskClient(options))
