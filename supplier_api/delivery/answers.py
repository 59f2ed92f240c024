"""What the gateway's answers to KCIs mean: pure functions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.limits import MESSAGE_MAX, STRING_MAX
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.http_client.calls import (
    BODY_LIMIT,
    BYTE_ORDER_MARK,
    Body,
    HttpResponse,
    kind_of,
    page_title,
    seconds_to_wait,
)
from supplier_api.value_object import value_object

REFUSALS = frozenset({400, 413, 422})
MESSAGES_KEPT = 20
_PUBLISHED = frozenset(ErrorCode)


@value_object
class GatewayAnswer:
    """What the gateway answered; code, messages and uuid are those of the published envelope.

    `page` is the title of a page of HTML.
    """

    status: int
    retry_after: float | None = None
    code: str | None = None
    messages: tuple[str, ...] = ()
    uuid: str | None = None
    body: Body = Body.EMPTY
    page: str | None = None

    @property
    def successful(self) -> bool:
        """Whether it is a 2xx, whatever comes with it."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class AnswerTerms:
    """The answers by which a gateway says that it accepted a KCI, and that it has it already.

    `accept` are "204", "empty", "json" and "text" (a 2xx with such a body), or "any" (any 2xx).
    """

    already_received: re.Pattern[str]
    accept: frozenset[str] = frozenset({"204", "empty", "json"})


def read_answer(answered: HttpResponse, now: datetime) -> GatewayAnswer:
    """Parse the gateway's response; Retry-After may be seconds or a date."""
    content, code, messages, uuid = answered.body, *_envelope(answered.body)
    body = kind_of(
        answered.headers.get("Content-Type", ""),
        content,
        complete=answered.complete,
        whole=len(content) < BODY_LIMIT,
    )
    return GatewayAnswer(
        answered.status,
        seconds_to_wait(answered.headers.get("Retry-After"), now),
        code,
        messages,
        uuid,
        body,
        page_title(content) if body is Body.PAGE else None,
    )


def reply_for(answer: GatewayAnswer, terms: AnswerTerms) -> Reply:
    """Return what the gateway's answer means for a KCI.

    Refused for good: 400, 413, 422. NOT_FOUND in any of them, or a 404 in the published envelope,
    may change. Everything else is a failure of the gateway, but for a 2xx that the terms accept: a
    proxy between us and the gateway may answer 200 too, with a page of its own.
    """
    meaning = _meaning(answer, terms.accept)
    doubtful = answer.successful and meaning is not Meaning.ACCEPTED
    return Reply(
        meaning,
        f"{answer.status} with {_named(answer)}: not accepted" if doubtful else _detail(answer),
        answer.status,
        repeat=_is_repeat(answer, terms.already_received),
        unknown=answer.status >= 500 or doubtful,
        retry_after=answer.retry_after,
        refusal=_refusal(answer),
        page=answer.page,
    )


_ACCEPTED = {Body.EMPTY: "empty", Body.JSON: "json", Body.TEXT: "text"}


def _is_accepted(answer: GatewayAnswer, accept: frozenset[str]) -> bool:
    if "any" in accept or (answer.status == 204 and "204" in accept):
        return True
    return _ACCEPTED.get(answer.body) in accept


def _named(answer: GatewayAnswer) -> str:
    known = answer.body is Body.ERROR and answer.code in _PUBLISHED
    return f"the error {answer.code}" if known else str(answer.body)


def _meaning(answer: GatewayAnswer, accept: frozenset[str]) -> Meaning:
    if answer.successful:
        return Meaning.ACCEPTED if _is_accepted(answer, accept) else Meaning.FAILED
    if answer.status == 404 and answer.code is not None:
        return Meaning.NOT_FOUND
    if answer.status in REFUSALS:
        not_found = answer.code == ErrorCode.NOT_FOUND
        return Meaning.NOT_FOUND if not_found else Meaning.REFUSED
    return Meaning.FAILED


def _is_repeat(answer: GatewayAnswer, already_received: re.Pattern[str]) -> bool:
    if answer.status == 422:
        return any(already_received.search(text) for text in answer.messages)
    return answer.status == 409


def _detail(answer: GatewayAnswer) -> str:
    # Only a published code is repeated: anything else might hold what must not be kept.
    known = answer.code in _PUBLISHED
    return f"{answer.status} {answer.code}" if known else str(answer.status)


def _refusal(answer: GatewayAnswer) -> Mapping[str, Any] | None:
    """Return what is kept of an error in the published envelope, truncated; None for others."""
    if answer.code is None:
        return None
    return {
        "status": answer.status,
        "code": _kept(answer.code, STRING_MAX),
        "uuid": answer.uuid and _kept(answer.uuid, STRING_MAX),
        "messages": [_kept(text, MESSAGE_MAX) for text in answer.messages[:MESSAGES_KEPT]],
    }


def _kept(text: str, longest: int) -> str:
    # PostgreSQL stores no NUL.
    return text[:longest].replace("\0", "\ufffd")


def _envelope(body: bytes) -> tuple[str | None, tuple[str, ...], str | None]:
    """Return code, messages and uuid of the published error envelope; no code if it is not one."""
    if not body:
        return None, (), None
    try:
        document = orjson.loads(body.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError:
        return None, (), None
    if not isinstance(document, dict) or not isinstance(document.get("code"), str):
        return None, (), None
    messages, uuid = document.get("messages"), document.get("uuid")
    texts = messages if isinstance(messages, list) else []
    return (
        document["code"],
        tuple(text for text in texts if isinstance(text, str)),
        uuid if isinstance(uuid, str) else None,
    )
