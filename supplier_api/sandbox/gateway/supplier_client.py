"""Makes calls to suppliers: OAuth2 token, headers, time limits. Never follows a redirect."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError, ReadTimeoutError

from supplier_api.clock import MachineClock
from supplier_api.contract.headers import REQUEST_ID
from supplier_api.http_client.errors import why
from supplier_api.http_client.tokens import (
    NoTokenError,
    SharedToken,
    TokenGrant,
    TokenTerms,
    read_grant,
    token_request,
)
from supplier_api.sandbox.gateway.codes import GatewayErrorCode
from supplier_api.sandbox.gateway.config import SupplierAccount

CONNECT_TIMEOUT = 5.0  # seconds
ANSWER_MAX = 1_048_576  # bytes; an honest answer is a few thousand
# How many time limits of a call a thread waits for another one that fetches the token. The call is
# given up by then, and what comes of it is not looked at.
TOKEN_WAITS = 6


class NoSupplierAnswer(Exception):
    """There is no answer to judge: why, and the text for the tenant."""

    def __init__(self, code: GatewayErrorCode, text: str) -> None:
        """Keep the published code; `text` is the message."""
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back: status, and the body as it was sent."""

    status: int
    body: bytes


class SupplierClient:
    """Calls one supplier; safe for use by many threads."""

    def __init__(
        self,
        supplier: SupplierAccount,
        machine: MachineClock,
        timeout: float,
        session: requests.Session,
    ) -> None:
        """Wait at most `timeout` seconds between two bytes of an answer."""
        self._supplier = supplier
        self._machine = machine
        self._timeout = timeout
        self._session = session
        self._token = SharedToken(self._fetch_token, machine)

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Any,
        request_id: Callable[..., object],
    ) -> HttpAnswer:
        """Send `body` as JSON to `path` of the supplier and return its answer.

        `request_id` returns the X-Request-ID; it is given "again" for a second try. A 401 is tried
        once more with a new token, and so is a 403 to a token of an earlier call.

        Raises NoSupplierAnswer.
        """
        url = self._supplier.url + path
        data = json.dumps(body, ensure_ascii=False).encode()

        def call(token: str, *again: str) -> HttpAnswer:
            own = {
                REQUEST_ID: str(request_id(*again)),
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
            }
            return self._exchange(method, url, data, {**headers, **own})

        began, wait = self._machine.monotonic(), TOKEN_WAITS * self._timeout
        try:
            token = self._token.current(wait)
            answer = call(token)
            older = answer.status == 403 and self._token.is_older(token, began)
            if answer.status == 401 or older:
                answer = call(self._token.instead_of(token, wait), "again")
        except NoTokenError as error:
            if isinstance(error.__cause__, NoSupplierAnswer):
                raise error.__cause__ from None
            text = f"The supplier API gave the gateway no access: its {error}"
            raise NoSupplierAnswer(GatewayErrorCode.NOT_AUTHORISED, text) from None
        return answer

    def close(self) -> None:
        """Close the connections that are kept for the next call."""
        self._session.close()

    def _fetch_token(self, _: float) -> TokenGrant:
        supplier = self._supplier
        headers, form = token_request(
            supplier.gateway_client_id, supplier.gateway_client_secret, TokenTerms("basic")
        )
        try:
            answer = self._exchange("POST", supplier.token_url, form, headers)
            if answer.status >= 500:
                raise _unreachable(f"its token endpoint answered {answer.status}")
        except NoSupplierAnswer as error:
            raise NoTokenError(str(error)) from error
        return read_grant(answer.status, answer.body)

    def _exchange(
        self, method: str, url: str, data: bytes, headers: Mapping[str, str]
    ) -> HttpAnswer:
        try:
            with self._session.request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=(min(CONNECT_TIMEOUT, self._timeout), self._timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = response.raw.read(ANSWER_MAX, decode_content=True)
                return HttpAnswer(response.status_code, body)
        except (requests.Timeout, ReadTimeoutError):
            raise timed_out(self._timeout) from None
        except (RequestException, HTTPError) as error:
            raise _unreachable(f"the connection failed ({why(error)})") from None


def timed_out(seconds: float) -> NoSupplierAnswer:
    """Return the error for a supplier that did not answer in time."""
    text = f"The supplier API did not answer within {seconds:g} seconds"
    return NoSupplierAnswer(GatewayErrorCode.SUPPLIER_TIMED_OUT, text)


def _unreachable(reason: str) -> NoSupplierAnswer:
    text = f"The supplier API could not be reached: {reason}"
    return NoSupplierAnswer(GatewayErrorCode.SUPPLIER_FAULT, text)
