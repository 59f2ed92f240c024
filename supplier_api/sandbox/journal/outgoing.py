"""Records the calls of the worker to a gateway. Knows no web framework."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from supplier_api.clock import MachineClock
from supplier_api.contract.headers import CONVERSATION_ID, REQUEST_ID
from supplier_api.http_client.calls import HttpResponse, Post
from supplier_api.sandbox.fault_injection.model import TOKEN
from supplier_api.sandbox.fault_injection.sending import purpose
from supplier_api.sandbox.journal.entries import (
    HttpPart,
    JournalDirection,
    JournalEntry,
    document_in,
    http_part,
    ids_in,
    without_secrets,
)
from supplier_api.sandbox.journal.recorder import Recorder
from supplier_api.sandbox.journal.violations import Violation, on_kci_answer, on_token_answer

KCIS = "kcis"
# Where a KCI names what it is about.
ENTITIES = (
    "serviceProblem",
    "serviceProblemAmendment",
    "serviceProblemCancellation",
    "serviceProblemResolution",
)
OUTGOING_FLUSH = 1.0  # seconds


class OutgoingCapture:
    """Records the calls that are sent.

    It waits until a call is stored: when nothing is under way any more, the journal has it all.
    """

    def __init__(self, recorder: Recorder, machine: MachineClock) -> None:
        """Record by `recorder`."""
        self._recorder = recorder
        self._machine = machine

    def begins(self, post: Post) -> Callable[[HttpResponse | str], None]:
        """Note when a call begins; return what records it, to be called with its outcome."""
        at, began = self._machine.now(), self._machine.monotonic()
        # A token is everybody's, and never asked for on purpose.
        why = purpose() if post.tenant is not None else None

        def ends(outcome: HttpResponse | str) -> None:
            milliseconds = round((self._machine.monotonic() - began) * 1000, 1)
            self._recorder.record(partial(_outgoing_call, post, outcome, at, milliseconds, why))
            self._recorder.flush(OUTGOING_FLUSH)

        return ends


def _outgoing_call(
    post: Post,
    outcome: HttpResponse | str,
    at: datetime,
    milliseconds: float,
    why: Mapping[str, Any] | None,
) -> JournalEntry:
    answered = outcome if isinstance(outcome, HttpResponse) else None
    return JournalEntry(
        at=at,
        direction=JournalDirection.OUT,
        operation=KCIS if post.tenant is not None else TOKEN,
        tenant=post.tenant or "",
        method="POST",
        url=without_secrets(post.url),
        request=http_part(post.headers.items(), post.body),
        answer=http_part(answered.headers.items(), answered.body) if answered else HttpPart(),
        status=answered.status if answered else None,
        milliseconds=milliseconds,
        trouble=None if isinstance(outcome, HttpResponse) else outcome,
        conversation_id=post.headers.get(CONVERSATION_ID),
        request_id=post.headers.get(REQUEST_ID),
        ids=tuple(_ids(post, answered)),
        deliberate=why,
        remarks=tuple(remark.plain() for remark in _remarks(post, answered)),
    )


def _ids(post: Post, answered: HttpResponse | None) -> list[str]:
    kci = document_in(post.body)
    about = [entity for name in ENTITIES if isinstance(entity := kci.get(name), Mapping)]
    answer = document_in(answered.body) if answered else {}
    request_id = post.headers.get(REQUEST_ID)
    return [*([request_id] if request_id else []), *ids_in(kci, *about, answer)]


def _remarks(post: Post, answered: HttpResponse | None) -> list[Violation]:
    if answered is None:
        return []
    judge = on_kci_answer if post.tenant is not None else on_token_answer
    return judge(answered.status, answered.body)
