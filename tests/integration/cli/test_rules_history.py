"""`supplier-api rules backtest | audited | hits` over what is stored, on each engine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select, update

from supplier_api.cli import main
from supplier_api.db import UnitOfWork
from supplier_api.db.tables import decision
from supplier_api.problems import decision_history
from tests.samples import amendment_request, cancellation_request, problem_request
from tests.supplier import COMMITTED, DEFERRED, Supplier

CEASED = "SI0000000000001"
NO_CPE = """
  - id: no-cpe
    description: Trouble with equipment is not ours.
    applies_to: [problem]
    when: request.problemType == "CPE"
    then: reject
    code: REJECTION
    message: "problemType: {request.problemType} is not ours"
"""
NO_ZYXEL = """
  - id: no-zyxel
    description: A rule on what is personal.
    applies_to: [problem]
    when: '"END_USER_CPE" in request.characteristicsByName'
    then: defer
"""
Draft = Callable[..., Path]


@pytest.fixture
def run(environ: dict[str, str]) -> Callable[..., Result]:
    """Return a function that runs `supplier-api rules`."""

    def rules(*words: object) -> Result:
        return CliRunner().invoke(main, ["rules", *map(str, words)], env=environ)

    return rules


@pytest.fixture
def ok(run: Callable[..., Result]) -> Callable[..., str]:
    """Return a function that runs `supplier-api rules` and returns what it prints."""

    def told(*words: object) -> str:
        result = run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    return told


@pytest.fixture
def draft(environ: dict[str, str], tmp_path: Path) -> Draft:
    """Return a function that writes a draft: the configured book, changed, and more rules."""

    def write(*changes: tuple[str, str], more: str = "") -> Path:
        text = Path(environ["SUPPLIER_API_CONFIG_DIR"], "rules.yaml").read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "draft.yaml"
        path.write_text(text + more, encoding="utf-8")
        return path

    return write


@pytest.fixture(autouse=True)
def history(supplier: Supplier) -> None:
    """Have nine requests decided on: six problems, of which two are refused, and three changes."""
    problem = supplier.opened(id=1, problemType="CPE", serviceId="SI0000000000011")
    supplier.create(problem_request(id=2, problemType="CPE", serviceId=CEASED))
    supplier.create(problem_request(id=3, problemType="OUTAGE", serviceId=CEASED))
    supplier.opened(id=4, problemType="OUTAGE", serviceId="SI0000000000014", tenant=COMMITTED)
    supplier.create(
        problem_request(id=5, problemType="CPE", serviceId="SI0000000000015"), tenant=DEFERRED
    )
    supplier.opened(id=6, problemType="OUTAGE", serviceId="SI0000000000016")
    # What the schema refuses, and what is not there, is no decision of the rule book.
    supplier.create(problem_request(id=7, problemType="OUTTAGE"))
    supplier.amend({**amendment_request(id=98), "serviceProblemId": 9})
    supplier.amend(problem.named(amendment_request(id=10)))
    supplier.cancel(problem.named(cancellation_request(id=11)))
    supplier.cancel(problem.named(cancellation_request(id=12)))


def rows(supplier: Supplier) -> list[tuple[Any, ...]]:
    def read(uow: UnitOfWork) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in uow.connection.execute(select(decision))]

    return supplier.services.store.read(read)


def counts(found: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in found.items() if isinstance(value, int)}


def test_the_same_book_decides_the_same(
    supplier: Supplier, ok: Callable[..., str], draft: Draft
) -> None:
    before = rows(supplier)
    found = json.loads(ok("backtest", draft(), "--json"))
    assert counts(found) == {
        "decisions": 9,
        "same": 9,
        "different": 0,
        "notReplayable": 0,
        "withoutFacts": 0,
        "overruled": 0,
    }
    assert found["differences"] == []
    assert all(rule["before"] == rule["draft"] for rule in found["rules"])
    assert rows(supplier) == before


def test_what_a_draft_would_refuse_and_accept_is_told_by_name_and_reason(
    ok: Callable[..., str], draft: Draft
) -> None:
    changed = draft(('service.state != "live"', 'service.state == "suspended"'), more=NO_CPE)
    found = json.loads(ok("backtest", changed, "--json"))
    assert [
        (each["operation"], each["before"], each["draft"], each["count"], each["rules"])
        for each in found["differences"]
    ] == [
        ("problem", "201 ACKNOWLEDGED", "422", 1, {"no-cpe": 1}),
        ("problem", "202", "422", 1, {"no-cpe": 1}),
        ("problem", "422", "201 ACKNOWLEDGED", 1, {"service-not-live": 1}),
        ("problem", "422", "422", 1, {"no-cpe": 1}),
    ]
    [request] = found["differences"][0]["requests"]
    assert (request["tenant"], request["id"]) == ("TENANT1", "1")
    assert request["reasons"] == {"before": [], "draft": ["problemType: CPE is not ours"]}
    assert {"rule": "no-cpe", "before": 0, "draft": 3, "notReplayable": 0} in found["rules"]
    lines = ok("backtest", changed).splitlines()
    assert lines[1:3] == ["        5  the same", "        4  different"]
    assert "problem: 422 -> 201 ACKNOWLEDGED  1  (service-not-live 1)" in lines
    assert f"    - serviceId: service {CEASED} is ceased" in lines
    assert "    + problemType: CPE is not ours" in lines


def test_what_depends_on_personal_data_is_not_replayable(
    ok: Callable[..., str], draft: Draft
) -> None:
    found = json.loads(ok("backtest", draft(more=NO_ZYXEL), "--json"))
    # The refusals stand, and of rules that accept the first one decides.
    assert (found["notReplayable"], found["same"]) == (2, 7)
    by_rule = {each["rule"]: each for each in found["rules"]}
    assert by_rule["no-zyxel"]["notReplayable"] == 4
    # The configured book has this rule with the same condition, so its verdicts stand in the trace.
    assert by_rule["has-worked-missing"]["notReplayable"] == 0


def test_a_changed_condition_on_personal_data_is_not_taken_from_the_trace(
    ok: Callable[..., str], draft: Draft
) -> None:
    changed = draft(('\'!("SERVICE_HAS_WORKED" in', '\'!("SERVICE_HAS_FAILED" in'))
    by_rule = {
        each["rule"]: each for each in json.loads(ok("backtest", changed, "--json"))["rules"]
    }
    assert by_rule["has-worked-missing"]["notReplayable"] == 6


def test_older_books_vouch_for_their_verdicts(
    environ: dict[str, str], ok: Callable[..., str], draft: Draft
) -> None:
    old = draft()
    old = old.rename(old.with_name("old.yaml"))
    enforced = ("    audit_in: [sandbox]\n", "")
    book = draft(enforced)
    Path(environ["SUPPLIER_API_CONFIG_DIR"], "rules.yaml").write_bytes(book.read_bytes())
    assert json.loads(ok("backtest", book, "--json"))["notReplayable"] == 4
    found = json.loads(ok("backtest", book, "--old", old, "--json"))
    assert found["notReplayable"] == 0


def test_what_was_decided_without_facts_is_counted(
    supplier: Supplier, ok: Callable[..., str], draft: Draft
) -> None:
    supplier.services.store.write(
        lambda uow: uow.connection.execute(update(decision).values(facts=None))
    )
    found = json.loads(ok("backtest", draft(), "--json"))
    assert (found["decisions"], found["withoutFacts"], found["same"]) == (9, 9, 0)
    assert found["rules"][0]["before"] == 0


def test_a_scenario_s_outcome_is_not_the_book_s(
    supplier: Supplier, ok: Callable[..., str], draft: Draft
) -> None:
    headers = {**supplier.headers(), "X-Scenario": "SERVICE_PROBLEM_DELAYED"}
    body = problem_request(id=20, serviceId="SI0000000000020")
    supplier.client.post("/service-problems", json=body, headers=headers)
    found = json.loads(ok("backtest", draft(), "--json"))
    assert (found["decisions"], found["overruled"], found["different"]) == (10, 1, 0)


def test_batches_lose_nothing(
    ok: Callable[..., str], draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_history, "BATCH", 2)
    assert json.loads(ok("backtest", draft(), "--json"))["same"] == 9


def test_only_what_is_recent_enough_is_replayed(
    supplier: Supplier, ok: Callable[..., str], draft: Draft
) -> None:
    newest = supplier.services.store.read(
        lambda uow: uow.connection.execute(select(func.max(decision.c.committed))).scalar_one()
    )
    supplier.services.store.write(
        lambda uow: uow.connection.execute(
            update(decision)
            .where(decision.c.key.in_(["1", "2", "3"]))
            .values(committed=newest.replace(year=newest.year - 1))
        )
    )
    assert json.loads(ok("backtest", draft(), "--json"))["decisions"] == 6
    assert json.loads(ok("backtest", draft(), "--since", "400d", "--json"))["decisions"] == 9


def test_a_draft_with_mistakes_is_refused(run: Callable[..., Result], draft: Draft) -> None:
    result = run("backtest", draft(("!service.known", "!service.knwon")))
    assert result.exit_code == 1
    assert "unknown field knwon" in result.stderr


def test_what_an_audit_rule_would_have_done(ok: Callable[..., str]) -> None:
    found = json.loads(ok("audited", "has-worked-missing", "--list", "1", "--json"))
    assert (found["audited"], found["notMatched"], found["then"]) == (6, 0, "reject")
    assert sorted((each["before"], each["count"]) for each in found["changes"]) == [
        ("201", 1),
        ("201 ACKNOWLEDGED", 2),
        ("202", 1),
    ]
    assert len(found["requests"]) == 1
    lines = ok("audited", "has-worked-missing").splitlines()
    assert lines[0].startswith("has-worked-missing (reject) would have matched 6 of 6 requests")
    assert "  201 ACKNOWLEDGED -> 422  2" in lines
    assert "  no other answer  2" in lines


def test_a_rule_that_the_book_does_not_have(run: Callable[..., Result]) -> None:
    result = run("audited", "has-wroked-missing")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has no rule has-wroked-missing (did you mean has-worked-missing?)" in result.stderr


def test_hits_are_counted_and_rules_that_never_matched_are_told(ok: Callable[..., str]) -> None:
    found = json.loads(ok("hits", "--json"))
    by_rule = {each["rule"]: each for each in found["rules"]}
    assert found["decisions"] == 9
    assert by_rule["service-not-live"]["matched"] == 2
    assert by_rule["service-not-live"]["lastMatched"] is not None
    assert by_rule["service-unknown"]["matched"] == 0
    assert by_rule["has-worked-missing"]["audited"] == 6
    lines = ok("hits", "--since", "1d").splitlines()
    assert next(line for line in lines if line.startswith("service-unknown")).endswith("never")
