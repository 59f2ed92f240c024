from supplier_api.contract import envelope, load, schemas
from supplier_api.contract.codes import ErrorCode


def test_the_envelope_is_within_the_contract_and_messages_are_cut() -> None:
    uuid = "87432dfb-2e47-4532-a1b7-4b113d48867d"
    body = envelope(ErrorCode.INVALID_REQUEST, ["a" * 1001, "b"], uuid)
    assert body == {"uuid": uuid, "code": "INVALID_REQUEST", "messages": ["a" * 1000, "b"]}
    assert load(schemas.ERROR, body) == body
