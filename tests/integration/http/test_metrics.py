"""Which requests are counted, and how."""

from http.client import HTTPConnection

from flask import Flask

from tests.samples import problem_request
from tests.serving import served
from tests.supplier import Supplier, on_sqlite

from .calls import Call, every_call

pytestmark = on_sqlite

OTHERS = [
    ("GET", "/health/ready"),
    ("GET", "/nowhere"),
    ("GET", "/service-problems"),
    ("POST", "/oauth2/token"),
    ("POST", "/back-office/v1/problems/SP_1/events"),
]


def counted(app: Flask) -> dict[str, int]:
    """Return what was counted since the last call."""
    metrics = app.extensions["self"].activity.metrics
    samples = metrics.unsaved(final=True)
    metrics.saved()
    return {name: count for sample in samples for name, count in sample.counts.items()}


@every_call
def test_each_call_of_the_gateway_is_counted_by_its_answer(
    call: Call, supplier: Supplier, app: Flask
) -> None:
    path, body = call.prepare(supplier, "TENANT1")
    counted(app)

    answer = supplier.call(call.method, path, body)

    assert counted(app) == {f"answer.{answer.status_code}": 1, "ms.2": 1}


def test_what_is_refused_is_counted_too(supplier: Supplier, app: Flask) -> None:
    counted(app)
    supplier.create({})
    supplier.client.post("/service-problems", json=problem_request())
    assert counted(app) == {"answer.400": 1, "answer.401": 1, "ms.2": 2}


def test_what_is_no_call_of_the_gateway_is_not_counted(supplier: Supplier, app: Flask) -> None:
    counted(app)
    # A test client's requests share their context; a server's do not.
    with served(app, supplier.machine) as server:
        connection = HTTPConnection(*server.address)
        for method, path in OTHERS:
            connection.request(method, path)
            connection.getresponse().read()
        assert counted(app) == {}
        connection.request("POST", "/service-problems")
        assert connection.getresponse().status == 401
        connection.close()
    assert counted(app) == {"answer.401": 1, "ms.2": 1}


def test_what_the_server_refuses_itself_is_counted_apart(app: Flask) -> None:
    counted(app)
    app.extensions["times"].refused("queue-full")
    assert counted(app) == {"unread": 1}
