"""The libraries alone: what a create cannot cost less than, whatever code of ours lies between.

A Flask route that reads the body as JSON, has CEL judge each condition of the rule book on it,
gives SQLite the statements that a create gives it (recorded from one, with ready values; only ids
are changed), under commits that are shared as ours are, writes a line to the log and answers with
JSON. No token is looked at, nothing is checked, decided, traced or made.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import orjson
from flask import Flask, Response, request
from sqlalchemy import event

from scripts.benchmarks.bare import serve
from scripts.benchmarks.house import BODY, FIRST_ID
from supplier_api.app.web import create_app
from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.pipeline import PIPE, DirectConnection
from supplier_api.rules.facts import Facts, Service
from supplier_api.rules.loading import load_book
from supplier_api.rules.model import Operation
from supplier_api.settings import Settings, load_settings

# Far from those that a load generator counts up from.
OWN_ID = 5 * FIRST_ID
SERVICE_ID = "SI0000000000000"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with ready values. `differs` says which differ from one create to the next."""

    text: str
    values: Sequence[Any]
    asks: bool
    differs: Sequence[int] = ()

    def like(self, before: "Statement") -> "Statement":
        """Return the same, with what differs from the same statement of the create before."""
        pairs = enumerate(zip(self.values, before.values, strict=True))
        return replace(self, differs=[place for place, (ours, theirs) in pairs if ours != theirs])

    def with_ids(self, new: Mapping[Any, Any]) -> list[Any]:
        """Return the values, with other ids in the place of those that differ."""
        values = list(self.values)
        for place in self.differs:
            values[place] = new.get(values[place], values[place])
        return values


class _Recorder(DirectConnection):
    """Does what SQLite is told, and keeps it."""

    def __init__(self, raw: Any, said: list[Statement]) -> None:
        super().__init__(raw)
        self.execute = self._keeping(raw.execute, said, asks=True)
        self.queue = self._keeping(raw.execute, said, asks=False)

    def _keeping(
        self, run: Callable[..., Any], said: list[Statement], *, asks: bool
    ) -> Callable[..., Any]:
        def keep(text: str, values: Sequence[Any]) -> Any:
            said.append(Statement(text, values, asks))
            return run(text, values)

        return keep


@contextmanager
def _recording(store: Store) -> Iterator[list[Statement]]:
    said: list[Statement] = []

    def listen(raw: Any, record: Any, _proxy: object) -> None:
        record.info[PIPE] = _Recorder(raw, said)

    def leave(raw: Any, record: Any) -> None:
        record.info[PIPE] = DirectConnection(raw)

    event.listen(store.engine, "checkout", listen)
    event.listen(store.engine, "checkin", leave)
    yield said
    event.remove(store.engine, "checkout", listen)
    event.remove(store.engine, "checkin", leave)


class Create:
    """The statements of one create, to be given to the database again and again."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        """Record them from two creates that `app` answers."""
        self._store: Store = app.extensions["services"].store
        client = app.test_client()
        secret = settings.access.clients["gateway"].secret.get_secret_value()
        form = {"grant_type": "client_credentials", "client_id": "gateway"}
        granted = client.post("/oauth2/token", data={**form, "client_secret": secret})
        token = granted.get_json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Tenant": "TENANT0"}
        with _recording(self._store) as said:
            for number in (1, 2):
                ids = {"X-Request-ID": f"r{number}", "X-Conversation-ID": f"c{number}"}
                body = {**BODY, "id": OWN_ID + number, "serviceId": f"{SERVICE_ID[:-1]}{number}"}
                answer = client.post("/service-problems", json=body, headers={**headers, **ids})
                assert answer.status_code == 201, answer.data
        half = len(said) // 2
        self._statements = [
            now.like(before) for before, now in zip(said[:half], said[half:], strict=True)
        ]
        self._known = {OWN_ID + 2: "id", str(OWN_ID + 2): "text", body["serviceId"]: "service"}
        self._known[answer.get_json()["supplierReference"]] = "reference"
        # What is left is the id of a message, and the row ids: both creates' second ones.
        self._known |= {each: "uuid" for each in self._varying() if _is_uuid(each)}

    def run(self, number: int, service_id: str) -> None:
        """Store a problem with this id, durably, beside others' in one commit."""
        new = {
            "id": number,
            "text": str(number),
            "service": service_id,
            "reference": f"SP_{number}",
            "uuid": f"{number:036d}",
        }
        ids = {was: new[what] for was, what in self._known.items()}

        def work(uow: UnitOfWork) -> None:
            raw: Any = uow.connection.connection.dbapi_connection
            for each in self._statements:
                cursor = raw.execute(each.text, each.with_ids(ids))
                rows = cursor.fetchall() if each.asks else ()
                if rows and each.text.startswith("INSERT"):
                    # A create makes one row of each table, so that their ids are the same.
                    ids[2] = rows[0][0]

        self._store.write(work)

    def _varying(self) -> Iterator[Any]:
        for each in self._statements:
            yield from (each.values[place] for place in each.differs)


def application() -> Flask:
    """Return an application with the one route."""
    settings = load_settings()
    supplier = create_app(settings)
    create = Create(supplier, settings)
    judge = _judging(settings)
    app = Flask("floor", static_folder=None)
    numbers = count(OWN_ID + 10)

    @app.post("/service-problems")
    def post() -> Response:
        document = json.loads(request.get_data(cache=False))
        judge(document)
        number = next(numbers)
        create.run(number, document["serviceId"])
        sys.stderr.write(json.dumps({"event": "answered", "id": number, "status": 201}) + "\n")
        sys.stderr.flush()
        return Response(orjson.dumps(document), 201, content_type="application/json")

    @app.get("/ready")
    def ready() -> str:
        return "ready"

    return app


def _judging(settings: Settings) -> Callable[[Mapping[str, Any]], None]:
    """Return what has CEL judge the conditions about a new problem on a request."""
    section = load_book(settings.rules.file, settings.profile).sections[Operation.PROBLEM]
    service = Service(SERVICE_ID, "ftthl2r", "FTTH")
    now = SystemMachineClock().now()
    facts = Facts({}, "TENANT0", now, service, open_problems=(), incidents=())

    def judge(document: Mapping[str, Any]) -> None:
        known = section.known(replace(facts, request=document), {})
        for rule in section.rules:
            rule.matches(known)

    return judge


def _is_uuid(value: object) -> bool:
    return isinstance(value, str) and len(value) == 36


if __name__ == "__main__":
    serve(application, int(sys.argv[1]))
