"""Why the gateway refuses a request: carries the answer that says so."""

from collections.abc import Sequence

from supplier_api.sandbox.gateway.codes import GatewayErrorCode


class GatewayRefusal(Exception):
    """An error answer in the published envelope."""

    def __init__(self, status: int, code: GatewayErrorCode, messages: Sequence[str]) -> None:
        """Make one of an HTTP status, a published code and at least one message."""
        super().__init__(code)
        self.status = status
        self.code = code
        self.messages = list(messages)


def invalid(*messages: str) -> GatewayRefusal:
    """Return the 422 for a well-formed request that cannot be taken."""
    return GatewayRefusal(422, GatewayErrorCode.INVALID_REQUEST, messages)


def not_found(status: int, message: str) -> GatewayRefusal:
    """Return the answer for something that is not known, or not the caller's."""
    return GatewayRefusal(status, GatewayErrorCode.NOT_FOUND, [message])
