"""Takes down every call of the worker to a gateway, for the journal."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from supplier_api.clock import MachineClock
from supplier_api.http_client.calls import HttpResponse, Post
from supplier_api.sandbox.fault_injection.copies import purpose
from supplier_api.sandbox.fault_injection.model import TOKEN
from supplier_api.sandbox.journal.incoming import document_in, half, ids_in
from supplier_api.sandbox.journal.masking import without_secrets
from supplier_api.sandbox.journal.recorder import Recorder
from supplier_api.sandbox.journal.repository import HttpPart, JournalDirection, JournalEntry
from supplier_api.sandbox.journal.violations import Violation, on_kci_answer, on_token_answer

KCIS = "kcis"
# Where a KCI names what it is about.
ENTITIES = (
    "serviceProblem",
    "serviceProblemAmendment",
    "serviceProblemCancellation",
    "serviceProblemResolution",
)
PATIENCE = 1.0  # seconds


class Outgoing:
    """Looks on while calls are sent.

    It waits until a call is stored: when nothing is under way any more, the journal has it all.
    """

    def __init__(self, recorder: Recorder, machine: MachineClock) -> None:
        """Record by `recorder`."""
        self._recorder = recorder
        self._machine = machine

    def begins(self, post: Post) -> Callable[[HttpResponse | str], None]:
        """Note when a call begins; return what records it when it is told how it ended."""
        at, began = self._machine.now(), self._machine.monotonic()
        # A token is everybody's, and never asked for on purpose.
        why = purpose() if post.tenant is not None else None

        def ends(outcome: HttpResponse | str) -> None:
            milliseconds = round((self._machine.monotonic() - began) * 1000, 1)
            self._recorder.record(partial(_call, post, outcome, at, milliseconds, why))
            self._recorder.flush(PATIENCE)

        return ends


def _call(
    post: Post,
    outcome: HttpResponse | str,
    at: Any,
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
        request=half(post.headers.items(), post.body),
        answer=half(answered.headers.items(), answered.body) if answered else HttpPart(),
        status=answered.status if answered else None,
        milliseconds=milliseconds,
        trouble=None if isinstance(outcome, HttpResponse) else outcome,
        conversation_id=post.headers.get("X-Conversation-ID"),
        request_id=post.headers.get("X-Request-ID"),
        ids=tuple(_ids(post, answered)),
        deliberate=why,
        remarks=tuple(remark.plain() for remark in _remarks(post, answered)),
    )


def _ids(post: Post, answered: HttpResponse | None) -> list[str]:
    kci = document_in(post.body)
    about = [entity for name in ENTITIES if isinstance(entity := kci.get(name), Mapping)]
    answer = document_in(answered.body) if answered else {}
    request_id = post.headers.get("X-Request-ID")
    return [*([request_id] if request_id else []), *ids_in(kci, *about, answer)]


def _remarks(post: Post, answered: HttpResponse | None) -> list[Violation]:
    if answered is None:
        return []
    judge = on_kci_answer if post.tenant is not None else on_token_answer
    return judge(answered.status, answered.body)
