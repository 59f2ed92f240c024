"""What people do on pages: who does it and why, what is refused, and where they go then."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from supplier_api.console.access import person
from supplier_api.contract import MessageError
from supplier_api.db.operator_actions import Operator
from supplier_api.delivery.message_actions import NotPossible
from supplier_api.delivery.message_queries import NoSuchMessage
from supplier_api.delivery.pause_admin import NothingSuchError
from supplier_api.delivery.seen_message import ChangedMeanwhile

REASON_MAX = 500


class ActRefused(Exception):
    """Something was not done; the texts say why. `status` is that of the answer."""

    def __init__(self, *messages: str, status: int = 409) -> None:
        """Keep what is shown."""
        super().__init__("; ".join(messages))
        self.messages: Sequence[str] = messages
        self.status = status


def by() -> Operator:
    """Return who acts, and why by the form's field `reason`; raises ActRefused without one."""
    reason = field("reason")
    if not reason:
        raise ActRefused("reason: expected some words on why", status=422)
    if len(reason) > REASON_MAX:
        raise ActRefused(f"reason: expected at most {REASON_MAX} characters", status=422)
    return Operator(person().name, reason)


def field(name: str) -> str:
    """Return a field of the form without the blanks around it, "" if it is missing."""
    # PostgreSQL stores no NUL.
    return request.form.get(name, "").replace("\0", "").strip()


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the use cases refuse into ActRefused, in the same words."""
    try:
        yield
    except NoSuchMessage as error:
        raise ActRefused(str(error), status=404) from None
    except ChangedMeanwhile as error:
        raise ActRefused(*error.messages) from None
    except NotPossible as error:
        raise ActRefused(str(error)) from None
    except NothingSuchError as error:
        raise ActRefused(str(error), *error.known) from None
    except MessageError as error:
        raise ActRefused(*error.messages, status=422) from None


def done(text: str, endpoint: str, **values: Any) -> Response:
    """Say what was done, on the page that is shown next."""
    flash(text)
    return redirect(url_for(endpoint, **values), 303)
