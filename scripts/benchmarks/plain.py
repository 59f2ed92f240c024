"""The yardstick "plain": POST /service-problems as one would write it with the same libraries.

    python -m scripts.benchmarks.plain FOLDER PORT

Flask, flask-smorest, marshmallow, SQLAlchemy Core, PyJWT and CEL, one transaction a request, served
by granian. It keeps the same promises: the token is verified, the body validated, ten rules are
judged and traced, a repeat is known by key and fingerprint, and problem, decision, lanes and
message are durable before the answer leaves.
"""

import hashlib
import json
import logging
import os
import secrets
import sqlite3
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, Response, abort, request
from flask_smorest import Api, Blueprint
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_unless_there

from scripts.benchmarks.plain_schema import Answer, Problem
from scripts.benchmarks.yardstick import FOLDER, PRAGMAS, Rules, facts_of, serve, services

CLAIMS = {"aud": "plain", "iss": "plain", "scope": "service-problems", "sub": "gateway"}
HEADERS = {"Tenant": "tenant", "X-Request-ID": "request_id", "X-Conversation-ID": "conversation_id"}
HOLD = timedelta(milliseconds=250)
OVER = ("REJECTED", "CANCELLED", "COMPLETED", "RESOLVED")
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NEW_PROBLEM = {"base": "ACKNOWLEDGED", "next_kci": 1, "next_order": 2, "version": 1}
NEW_PROBLEM |= {"reference_known": True, "doubtful": False, "back_office_untold": False}
NEW_LANE = {"attempts": 0, "claim_no": 0, "parked": False}
NEW_MESSAGE = {"number": 1, "kind": "problem", "body_version": 1, "contract": "1.8"}
NEW_MESSAGE |= {"state": "queued", "attempts": 0, "unknown": False, "log": []}
log = logging.getLogger("plain")
Json: TypeAlias = dict[str, Any]


class Creates:
    """Decides on new problems, and stores them."""

    def __init__(self, folder: Path) -> None:
        """Open the database in `folder`; read rules and services."""
        self._rules, self._services = Rules(folder), services(folder)
        self._engine = open_database(folder / "supplier.db")
        metadata = MetaData()
        metadata.reflect(self._engine)
        self._tables = metadata.tables
        # SQLite has one writer: threads that wait for a lock come sooner than its busy handler.
        self._writing = threading.Lock()

    def create(self, document: Json, heard: Json) -> Json:
        """Decide on a problem in one transaction and return the answer; aborts what is refused."""
        service = self._services.get(document["serviceId"])
        canonical = json.dumps(document, sort_keys=True).encode()
        fingerprint = "1:" + hashlib.sha256(canonical).hexdigest()
        decision = self._tables["decision"]
        with self._writing, self._engine.begin() as connection:
            now = datetime.now(UTC)
            claim = {"operation": "problem", "key": str(document["id"]), "contract": "1.8"}
            claim |= {**heard, "fingerprint": fingerprint, "created": now.isoformat()}
            claiming = insert_unless_there(decision).values(claim).on_conflict_do_nothing()
            claimed = connection.execute(claiming.returning(decision.c.id)).scalar()
            if claimed is None:
                return self._repeated(connection, claim)
            known = self._known(connection, heard["tenant"], document["serviceId"])
            decided = self._judge(facts_of(document, service) | known)
            if decided["reasons"]:
                abort(422, messages=decided["reasons"])
            name = (service or {}).get("specification_name")
            specification = {**document["serviceSpecification"], "name": name}
            document = {**document, "serviceSpecification": specification}
            reference = "SP_" + "".join(secrets.choice(LETTERS) for _ in range(10))
            decided["problem_id"] = self._store(connection, document, heard, reference, now)
            answer = {"status": "ACKNOWLEDGED", "supplierReference": reference, **document}
            decided |= {"reference": reference, "status": 201, "body": answer}
            decided["committed"] = datetime.now(UTC).isoformat()
            connection.execute(update(decision).where(decision.c.id == claimed).values(decided))
        return answer

    def _repeated(self, connection: Connection, claim: Json) -> Json:
        """Return the answer that a repeat gets; aborts another request under the same key."""
        decision = self._tables["decision"].c
        same = [decision[name] == claim[name] for name in ("tenant", "operation", "key")]
        row = connection.execute(select(decision.fingerprint, decision.body).where(*same)).one()
        if row.fingerprint != claim["fingerprint"]:
            abort(422)
        answer: Json = row.body
        return answer

    def _known(self, connection: Connection, tenant: str, service_id: str) -> dict[str, list[str]]:
        """Return the open problems and the incidents on a service."""
        problem, incident = self._tables["service_problem"].c, self._tables["incident"]
        touched = self._tables["incident_service"]
        mine = (problem.tenant == tenant, problem.service_id == service_id)
        found = connection.execute(
            select(problem.gateway_id).where(*mine, problem.base.not_in(OVER))
        )
        here = (touched.c.service_id == service_id, incident.c.ended.is_(None))
        incidents = connection.execute(select(incident.c.code).join(touched).where(*here))
        return {
            "open_problems": [str(each) for each in found.scalars()],
            "incidents": [*incidents.scalars()],
        }

    def _judge(self, facts: Json) -> Json:
        """Return the decision of the rules: reasons, trace, the rule that decides, its outcome."""
        bound = self._rules.bind(facts)
        reasons, trace, decided = [], [], ("default", "acknowledge")
        for rule in self._rules.rules:
            matched = rule.program.eval(bound).value() is True
            values = {path: value_at(facts, path) for path in rule.reads}
            verdict = "matched" if matched else "not matched"
            trace.append({"rule": rule.name, "verdict": verdict, "values": values})
            if matched and rule.outcome == "reject":
                reasons.append(rule.message)
            elif matched and decided[0] == "default":
                decided = rule.name, rule.outcome
        rule_name, outcome = decided
        found = {"reasons": reasons, "trace": trace, "rule": rule_name, "outcome": outcome}
        return {**found, "book_version": "1", "process": "plain"}

    def _store(
        self, connection: Connection, document: Json, heard: Json, reference: str, now: datetime
    ) -> int:
        """Store the problem, a lane to each destination, and the work order; return its row id."""

        def add(table: str, new: Json, **values: Any) -> int:
            adding = insert(self._tables[table]).values({**new, **values})
            row: int = connection.execute(adding.returning(self._tables[table].c.id)).scalar_one()
            return row

        at, tenant = now.isoformat(), {"tenant": heard["tenant"]}
        conversation = {"conversation_id": heard["conversation_id"]}
        row = {"gateway_id": document["id"], "service_id": document["serviceId"], **tenant}
        row |= {"reference": reference, "document": document, "created": at, "updated": at}
        problem_id = add("service_problem", NEW_PROBLEM, **row, **conversation)
        common = {**NEW_LANE, **tenant, "problem_id": problem_id}
        add("lane", common, destination="gateway", not_before=(now + HOLD).isoformat())
        lane_id = add("lane", common, destination="back-office", due_at=at)
        order = {"kind": "problem", "reference": reference, "issued": at, **tenant}
        body = json.dumps({**order, "problem": document})
        message = {"lane_id": lane_id, "uuid": str(uuid.uuid4()), "body": body, "created": at}
        add("message", NEW_MESSAGE, **message, **conversation)
        return problem_id


def value_at(facts: Json, path: str) -> Any:
    """Return the fact at a path as in `service.state`, None if it is absent."""
    found: Any = facts
    for name in path.split("."):
        found = found and found.get(name)
    return found


def open_database(file: Path) -> Engine:
    """Return an engine on which every transaction begins as a writer."""
    engine = create_engine(f"sqlite:///{file}", pool_size=20)

    @event.listens_for(engine, "connect")
    def connected(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None
        for pragma in PRAGMAS:
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def application() -> Flask:
    """Return the application; the folder comes in the environment."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    creates = Creates(Path(os.environ[FOLDER]))
    private = rsa.generate_private_key(65537, 2048)
    key = private.public_key()
    app = Flask("plain", static_folder=None)
    app.config.update(API_TITLE="plain", API_VERSION="1", OPENAPI_VERSION="3.0.3")
    blueprint = Blueprint("problems", "plain")

    @blueprint.route("/service-problems", methods=["POST"])
    @blueprint.arguments(Problem)
    @blueprint.response(201, Answer)
    def post(document: Json) -> Json:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            found = jwt.decode(token, key, ["RS256"], audience="plain", issuer="plain")
        except jwt.InvalidTokenError:
            abort(401)
        if kind != "Bearer" or CLAIMS["scope"] not in found["scope"].split():
            abort(403)
        return creates.create(document, {name: request.headers[at] for at, name in HEADERS.items()})

    @app.after_request
    def logged(response: Response) -> Response:
        line = {"event": "answered", "at": datetime.now(UTC).isoformat(), "path": request.path}
        line |= {name: request.headers.get(at, "") for at, name in HEADERS.items()}
        log.info(json.dumps({**line, "status": response.status_code}))
        return response

    @app.get("/token")
    def token() -> str:
        expires = datetime.now(UTC) + timedelta(hours=1)
        return jwt.encode({**CLAIMS, "exp": expires}, private, "RS256")

    Api(app).register_blueprint(blueprint)
    return app


if __name__ == "__main__":
    serve("scripts.benchmarks.plain:application", *sys.argv[1:])
