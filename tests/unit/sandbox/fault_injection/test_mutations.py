"""Each copy breaks the contract where it says so, and nowhere else."""

import json
from typing import Any

import jwt
import pytest

from supplier_api.contract import Invalid, Malformed, load_kci, read_json
from supplier_api.sandbox.fault_injection.mutations import MUTATIONS, Mutation

BY_KIND = {mutation.name: mutation for mutation in MUTATIONS}
ID = "3456cf7d-4471-42e4-a5be-c24ed58a7aa6"
KCI: dict[str, Any] = {
    "id": ID,
    "sequenceNumber": 7,
    "issuedOn": "2026-01-05T12:00:00.000Z",
    "reasonCode": "DELAY",
    "problemCode": "OTHER",
    "text": "A word.",
    "serviceProblem": {
        "id": 23467,
        "status": "HELD",
        "supplierReference": "SP_7K2M9QX4TD",
        "problemType": "STABILITY",
        "problemText": "The service keeps dropping every evening.",
        "serviceId": "SI2345432345345",
        "serviceSpecification": {"id": "ftthl2r"},
        "characteristics": [{"name": "A", "value": "b"}],
        "primaryContact": {"name": "John Smith", "phoneNumber": "01234 567890"},
        "notes": "Ring twice.",
    },
}
# Right by itself; what is wrong with it a gateway knows that knows the problem, or our token.
ONLY_KNOWN_THERE = {
    "used-number",
    "illegal-jump",
    "after-terminal",
    "foreign-problem",
    "acknowledged-after-201",
    "no-token",
    "expired-token",
    "foreign-token",
}


def changed(mutation: Mutation, **values: object) -> dict[str, Any]:
    """Return the document of the copy that is made of the example."""
    given = {each.name: each.default for each in mutation.parameters} | values
    return mutation.change(json.loads(json.dumps(KCI)), given)  # type: ignore[arg-type]


def read(document: dict[str, Any]) -> dict[str, Any]:
    return load_kci(read_json(json.dumps(document).encode()))


def test_the_example_is_within_the_contract() -> None:
    assert read(KCI) == KCI


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_copy_is_refused_as_it_should_be(mutation: Mutation) -> None:
    copy = changed(mutation)
    if mutation.name in ONLY_KNOWN_THERE:
        assert read(copy)
        return
    assert mutation.breach is not None
    error = Malformed if mutation.breach.statuses == (400,) else Invalid
    with pytest.raises(error) as refused:
        read(copy)
    assert len(refused.value.messages) == 1


@pytest.mark.parametrize("kind", ["missing-field", "null"])
def test_any_required_field_may_be_chosen(kind: str) -> None:
    mutation = BY_KIND[kind]
    (parameter,) = mutation.parameters
    for field in ("id", "sequenceNumber", "issuedOn", "reasonCode", "serviceProblem"):
        assert parameter.read(field) == field
        with pytest.raises(Malformed) as refused:
            read(changed(mutation, field=field))
        assert [message.partition(":")[0] for message in refused.value.messages] == [field]


def test_what_is_optional_may_be_missing_but_is_never_null() -> None:
    (missing,), (null,) = (BY_KIND[kind].parameters for kind in ("missing-field", "null"))
    for field in ("text", "problemCode"):
        with pytest.raises(ValueError, match=r"^$"):
            missing.read(field)
        with pytest.raises(Malformed):
            read(changed(BY_KIND["null"], field=null.read(field)))


@pytest.mark.parametrize(
    ("kind", "number", "same_id"),
    [
        ("used-number", 7, False),
        ("after-terminal", 8, False),
        ("foreign-problem", 7, False),
        ("illegal-jump", 7, True),
        ("acknowledged-after-201", 7, True),
    ],
)
def test_number_and_id_of_a_copy(kind: str, number: int, *, same_id: bool) -> None:
    copy = changed(BY_KIND[kind])
    assert copy["sequenceNumber"] == number
    assert (copy["id"] == ID) is same_id
    assert copy["id"] == changed(BY_KIND[kind])["id"], "the same in every run"


def test_the_jump_goes_to_an_end_that_is_never_next() -> None:
    jump = BY_KIND["illegal-jump"]
    assert changed(jump)["serviceProblem"]["status"] == "COMPLETED"
    resolved = KCI | {"serviceProblem": KCI["serviceProblem"] | {"status": "RESOLVED"}}
    assert jump.change(resolved, {})["serviceProblem"]["status"] == "REJECTED"


def test_what_they_can_be_made_of() -> None:
    problem = KCI["serviceProblem"]
    final = KCI | {"serviceProblem": problem | {"status": "CANCELLED"}}
    told = final | {"reasonCode": "ADDITIONAL"}
    first = KCI | {"reasonCode": "ACKNOWLEDGED"}
    nameless = KCI | {"serviceProblem": {**problem, "supplierReference": None}}
    del nameless["serviceProblem"]["supplierReference"]

    def fit(kind: str, *kcis: dict[str, Any], **values: int) -> list[bool]:
        return [BY_KIND[kind].fits(each, values) for each in kcis]

    assert fit("after-terminal", KCI, final, told) == [False, True, False]
    assert fit("acknowledged-after-201", KCI, first, nameless) == [True, False, False]
    assert fit("foreign-problem", KCI, nameless, serviceProblemId=1) == [True, False]
    assert fit("foreign-problem", KCI, serviceProblemId=problem["id"]) == [False]


@pytest.mark.parametrize("size", [1_000, 999])
def test_a_text_within_its_limit_is_not_over_long(size: int) -> None:
    (parameter,) = BY_KIND["over-long-body"].parameters
    with pytest.raises(ValueError, match=r"^$"):
        parameter.read(size)
    with pytest.raises(Invalid):
        read(changed(BY_KIND["over-long-body"], bytes=parameter.read(1_001)))


def test_tokens() -> None:
    ours = jwt.encode(
        {"sub": "supplier", "exp": 4_000_000_000}, "a key of no less than 32 bytes, as it should be"
    )
    expired = BY_KIND["expired-token"].token(ours)
    foreign = BY_KIND["foreign-token"].token(ours)
    assert expired is not None
    assert foreign is not None
    assert _claims(expired) == {"sub": "supplier", "exp": 946_684_800}
    assert _claims(foreign)["iss"] == "https://another.example"
    assert BY_KIND["no-token"].token(ours) is None
    assert BY_KIND["expired-token"].token("opaque") == "opaque-expired"
    assert BY_KIND["bad-uuid"].token(ours) == ours


def _claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})
