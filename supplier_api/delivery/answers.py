"""What the gateway's answers to KCIs mean: pure functions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from supplier_api.delivery.reply import Meaning, Reply
from supplier_api.http_client.dates import http_date
from supplier_api.problems.codes import ErrorCode
from supplier_api.problems.limits import MESSAGE_MAX, STRING_MAX

REFUSALS = frozenset({400, 413, 422})
MESSAGES_KEPT = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answered; code, messages and uuid are those of the published envelope."""

    status: int
    retry_after: float | None = None
    code: str | None = None
    messages: tuple[str, ...] = ()
    uuid: str | None = None


def read_answer(status: int, retry_after: str | None, body: bytes, now: datetime) -> Answer:
    """Read what came over the wire; `retry_after` is the header, as seconds or as a date."""
    code, messages, uuid = _envelope(body)
    return Answer(status, _seconds(retry_after, now), code, messages, uuid)


def reply_for(answer: Answer, already_received: re.Pattern[str]) -> Reply:
    """Say what the gateway's answer means for a KCI.

    Refused for good: 400, 413, 422. NOT_FOUND in any of them, or a 404 in the published envelope,
    may change. Everything else but 2xx is the gateway's own trouble.
    """
    return Reply(
        _meaning(answer),
        _detail(answer),
        answer.status,
        repeat=_is_repeat(answer, already_received),
        unknown=answer.status >= 500,
        retry_after=answer.retry_after,
        refusal=_refusal(answer),
    )


def _meaning(answer: Answer) -> Meaning:
    if 200 <= answer.status < 300:
        return Meaning.TAKEN
    if answer.status == 404 and answer.code is not None:
        return Meaning.NOT_FOUND
    if answer.status in REFUSALS:
        not_found = answer.code == ErrorCode.NOT_FOUND
        return Meaning.NOT_FOUND if not_found else Meaning.REFUSED
    return Meaning.TROUBLE


def _is_repeat(answer: Answer, already_received: re.Pattern[str]) -> bool:
    if answer.status == 422:
        return any(already_received.search(text) for text in answer.messages)
    return answer.status == 409


def _detail(answer: Answer) -> str:
    # Only a published code is repeated: anything else might hold what must not be kept.
    known = answer.code in set(ErrorCode)
    return f"{answer.status} {answer.code}" if known else str(answer.status)


def _refusal(answer: Answer) -> Mapping[str, Any] | None:
    """Return what is kept of an error in the published envelope, cut to a size; None of others."""
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
        document = orjson.loads(body)
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


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """Read Retry-After (RFC 9110, section 10.2.3): seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        # Longer than any wait of ours, and within what a number can be.
        return float(retry_after[:9])
    date = http_date(retry_after)
    return None if date is None else max(0.0, (date - now).total_seconds())
