"""Spoilt answers."""

import json
from typing import Any

import pytest

from supplier_api.faults import answers
from supplier_api.faults.answers import WAYS
from supplier_api.wire import Malformed, MessageError, load, read_json
from supplier_api.wire.messages import SERVICE_PROBLEM
from tests.samples import problem_request

ANSWER = problem_request(status="ACKNOWLEDGED", supplierReference="SP_7K2M9QX4TD")
BODY = json.dumps(ANSWER).encode()


def read(body: bytes) -> dict[str, Any]:
    return load(SERVICE_PROBLEM, read_json(body))


@pytest.mark.parametrize("spoil", [answers.cut, answers.garbled])
def test_what_is_no_json(spoil: Any) -> None:
    assert read(BODY) == ANSWER
    with pytest.raises(Malformed, match="not JSON"):
        read(spoil(BODY))


@pytest.mark.parametrize("how", WAYS)
def test_off_contract(how: str) -> None:
    body = answers.off_contract(BODY, how)
    match how:
        case "final-status":
            assert read(body) == ANSWER | {"status": "COMPLETED"}
        case "other-id":
            assert read(body) == ANSWER | {"id": ANSWER["id"] + 1}
        case _:
            with pytest.raises(MessageError):
                read(body)


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"{}"])
def test_what_is_no_object_stays_as_it_is(body: bytes) -> None:
    for how in WAYS:
        assert answers.off_contract(body, how) == body


def test_of_an_error_its_code_is_spoilt() -> None:
    error = {"uuid": "1", "code": "INVALID_REQUEST", "messages": ["x"]}
    spoilt = answers.off_contract(json.dumps(error).encode(), "lower-case")
    assert json.loads(spoilt) == error | {"code": "invalid_request"}
