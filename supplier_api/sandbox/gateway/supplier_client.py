"""Carries calls to the suppliers: OAuth2 token, headers, time limits. Never follows a redirect."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError, ReadTimeoutError

from supplier_api.clock import MachineClock
from supplier_api.http_client.connections import new_session
from supplier_api.http_client.errors import why
from supplier_api.http_client.tokens import NoTokenError, TokenTerms, read_grant, token_request
from supplier_api.ids import Chance
from supplier_api.sandbox.gateway.config import SupplierAccount

CONNECT_TIMEOUT = 5.0  # seconds
ANSWER_MAX = 1_048_576  # bytes; an honest answer is a few thousand
REFRESH_BEFORE = 60.0  # seconds: a token that ends sooner is not used for a new call


class SupplierSilent(Exception):
    """The supplier did not answer in time."""


class SupplierUnreachable(Exception):
    """No connection, or one that broke before the answer was complete."""


class AccessDenied(Exception):
    """The supplier gave us no token."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back: status, and the body as it was sent."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    since: float  # on the monotonic scale, as the next
    ends: float


class SupplierClient:
    """Calls one supplier; safe for use by many threads.

    Raises SupplierSilent, SupplierUnreachable or AccessDenied when there is no answer to judge.
    """

    def __init__(
        self,
        supplier: SupplierAccount,
        machine: MachineClock,
        chance: Chance,
        timeout: float,
        session_factory: Callable[[], requests.Session] = new_session,
    ) -> None:
        """Wait at most `timeout` seconds between two bytes of an answer."""
        self._supplier = supplier
        self._machine = machine
        self._chance = chance
        self._timeout = (min(CONNECT_TIMEOUT, timeout), timeout)
        self._session = session_factory()
        self._token: _Token | None = None
        self._token_lock = threading.Lock()

    def send(
        self,
        tenant: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Any,
        name: tuple[object, ...],
    ) -> HttpAnswer:
        """Send `body` as JSON to `path` of the supplier and return its answer.

        A 401 is tried once more with a new token, and so is a 403 to a token of an earlier call.
        The X-Request-ID follows from `name`, where ids are repeatable.
        """
        began = self._machine.monotonic()
        token = self._token_for_call(refused=None)
        named = {**headers, "Tenant": tenant}
        request_id = {"X-Request-ID": str(self._chance.uuid(tenant, *name))}
        answer = self._call(method, path, named | request_id, body, token.value)
        if answer.status == 401 or (answer.status == 403 and token.since < began):
            token = self._token_for_call(refused=token)
            request_id = {"X-Request-ID": str(self._chance.uuid(tenant, *name, "again"))}
            answer = self._call(method, path, named | request_id, body, token.value)
        return answer

    def close(self) -> None:
        """Close the connections that are kept for the next call."""
        self._session.close()

    def _call(
        self, method: str, path: str, headers: Mapping[str, str], body: Any, token: str
    ) -> HttpAnswer:
        return self._exchange(
            method,
            self._supplier.url + path,
            data=json.dumps(body, ensure_ascii=False).encode(),
            headers={
                **headers,
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
            },
        )

    def _token_for_call(self, refused: _Token | None) -> _Token:
        """Return the current token, or a new one when it ends soon or was refused."""
        with self._token_lock:
            token = self._token
            fresh = token is not None and token.ends > self._machine.monotonic()
            if token is None or not fresh or token is refused:
                token = self._token = self._fetch_token()
            return token

    def _fetch_token(self) -> _Token:
        supplier, asked = self._supplier, self._machine.monotonic()
        headers, form = token_request(
            supplier.gateway_client_id, supplier.gateway_client_secret, TokenTerms("basic")
        )
        answer = self._exchange(
            "POST",
            self._supplier.token_url,
            data=form,
            headers=headers,
        )
        if answer.status >= 500:
            raise SupplierUnreachable(f"its token endpoint answered {answer.status}")
        try:
            grant = read_grant(answer.status, answer.body)
        except NoTokenError as error:
            raise AccessDenied(f"its {error}") from None
        ends = asked + grant.expires_in - min(REFRESH_BEFORE, grant.expires_in / 2)
        return _Token(grant.token, self._machine.monotonic(), ends)

    def _exchange(self, method: str, url: str, **request: Any) -> HttpAnswer:
        try:
            with self._session.request(
                method, url, timeout=self._timeout, allow_redirects=False, stream=True, **request
            ) as response:
                body = response.raw.read(ANSWER_MAX, decode_content=True)
                return HttpAnswer(response.status_code, body)
        except (requests.Timeout, ReadTimeoutError):
            raise SupplierSilent from None
        except (RequestException, HTTPError) as error:
            raise SupplierUnreachable(f"the connection failed ({why(error)})") from None
