"""A tenant's calls from the command line."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from supplier_api.cli import main
from supplier_api.cli.sandbox import sandbox_config
from supplier_api.sandbox.gateway import Sender
from supplier_api.settings import SettingsError, load_settings
from tests.integration.sandbox.gateway.conftest import TENANT_PROBLEM, KciMaker, Party
from tests.integration.sandbox.gateway.supplier_stub import SupplierStub, answer, applied, error
from tests.integration.sandbox.gateway.test_resolutions import RESOLUTION, settled
from tests.logs import logging_to
from tests.serving import served, url_of

Document = dict[str, Any]
Run = Callable[..., Result]


@pytest.fixture
def url(app: Flask, capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """Serve the gateway; give its URL. It logs nothing into what a command says."""
    with served(app) as server, logging_to(capsys, "error"):
        yield url_of(server)


@pytest.fixture
def run(url: str) -> Run:
    """Give what runs `supplier-api sandbox WORDS` against the gateway."""
    return lambda *words: CliRunner().invoke(main, ["sandbox", *words, "--url", url])


@pytest.fixture
def resolved(raised: Document, supplier: Party, kci: KciMaker) -> Document:
    """Give a problem that is RESOLVED; its resolution has the gateway's id 1."""
    sent = kci(1, "RESOLVED", "RESOLVED", serviceProblemResolution=RESOLUTION)
    assert supplier.post("/kcis", sent).status_code == 204
    return raised


def test_a_sample_is_raised(run: Run, tenant: Party) -> None:
    result = run("raise", "--service", "SI0000000000007")
    assert (result.exit_code, result.output) == (0, "service problem 1 is RECEIVED_BY_GATEWAY\n")
    assert tenant.problem()["serviceId"] == "SI0000000000007"


def test_a_body_of_ones_own_is_raised_with_a_scenario(
    run: Run, tenant: Party, sender: Sender, supplier_stub: SupplierStub, tmp_path: Path
) -> None:
    file = tmp_path / "body.json"
    file.write_text(json.dumps(TENANT_PROBLEM), encoding="utf-8")
    scenario = "SERVICE_PROBLEM_DELAYED?also=WARNING"
    result = run("raise", "--file", str(file), "--scenario", scenario)
    assert result.exit_code == 0
    sender.run_due()
    assert tenant.problem()["externalIdentifier"] == TENANT_PROBLEM["externalIdentifier"]
    assert supplier_stub.request.headers["X-Scenario"] == scenario


def test_a_problem_is_watched_to_its_end(
    run: Run, tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers.append(error(422, "INVALID_REQUEST", "the service is ceased"))
    assert run("raise", "--supplier", "OTHER_SUPPLIER").exit_code == 0
    sender.run_due()
    result = run("watch", "1")
    assert result.exit_code == 1
    update, end = result.output.splitlines()
    assert "ERROR" in update
    assert "the service is ceased" in update
    assert end == "service problem 1 is REJECTED"
    assert tenant.problem()["supplier"] == "OTHER_SUPPLIER"


def test_a_watch_ends_where_information_is_asked_for(
    run: Run, raised: Document, supplier: Party, kci: KciMaker
) -> None:
    asked = kci(1, "INFORMATION_REQUIRED", "PENDING", text="Which lights?", problemCode="OTHER")
    assert supplier.post("/kcis", asked).status_code == 204
    result = run("watch", str(raised["id"]))
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == (
        "service problem 1 is PENDING and waits for you: amend it with what is asked for"
    )


def test_a_watch_tells_what_it_waits_for(
    url: str, raised: Document, supplier: Party, kci: KciMaker
) -> None:
    words = ["watch", str(raised["id"]), "--url", url, "--client", "tenant"]
    with subprocess.Popen(
        [sys.executable, "-m", "supplier_api.cli", "sandbox", *words, "--secret", "tenant-secret"],
        stdout=subprocess.PIPE,
        text=True,
    ) as watch:
        assert watch.stdout is not None
        told = next(line for line in watch.stdout if line.startswith("service problem"))
        sent = kci(1, "RESOLVED", "RESOLVED", serviceProblemResolution=RESOLUTION)
        assert supplier.post("/kcis", sent).status_code == 204
        *_, last = watch.stdout
    assert told.startswith("service problem 1 is ACKNOWLEDGED; it waits for its supplier to go on")
    assert last.endswith("waits for you: accept or reject\n")
    assert watch.returncode == 0


@pytest.mark.usefixtures("resolved")
def test_a_watch_ends_where_the_tenant_must_act(run: Run) -> None:
    result = run("watch", "1")
    assert result.exit_code == 0
    first, second, end = result.output.splitlines()
    assert first.split()[1:] == ["gateway", "INFORMATIONAL", "ACKNOWLEDGED"]
    assert second.split()[1:] == ["KCI", "1", "ACTION_REQUIRED", "CONFIRM"]
    assert end.endswith("is RESOLVED and waits for you: accept or reject")


@pytest.mark.usefixtures("raised")
def test_a_problem_is_amended_and_cancelled(
    run: Run, tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers += [applied(), applied()]
    words = ["--notes", "Ring twice", "--appointment", "9", "--characteristic", "CPE=a=b"]
    result = run("amend", "1", *words, "--escalate")
    assert (result.exit_code, result.output) == (0, "amendment 1 is RECEIVED_BY_GATEWAY\n")
    assert run("cancel", "1", "--reason", "OTHER", "--text", "why").exit_code == 0
    sender.run_due()

    shown = tenant.problem()
    assert shown["status"] == "CANCELLED"
    assert shown["notes"] == "Ring twice"
    assert shown["appointmentReservationId"] == 9
    assert {"name": "CPE", "value": "a=b"} in shown["characteristics"]
    cancellation = shown["updates"][-1]["serviceProblemCancellation"]
    assert (cancellation["reasonCode"], cancellation["text"]) == ("OTHER", "why")


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize(("word", "status"), [("accept", "ACCEPTED"), ("reject", "REJECTED")])
def test_a_resolution_is_answered(
    run: Run, sender: Sender, supplier_stub: SupplierStub, word: str, status: str
) -> None:
    supplier_stub.answers.append(settled())
    result = run(word, "1", "--notes", "so be it")
    assert (result.exit_code, result.output) == (0, f"resolution 1 is {status}\n")
    sender.run_due()
    assert supplier_stub.last.document == {"status": status, "tenantNotes": "so be it"}
    assert run(word, "1").exit_code == 1  # nothing waits any more


@pytest.mark.usefixtures("raised")
def test_what_the_gateway_refuses_is_said(run: Run) -> None:
    result = run("cancel", "7")
    assert result.exit_code == 1
    assert result.output == (
        "Error: the gateway answers 422 NOT_FOUND\n"
        "  serviceProblemId: you have no service problem of that id\n"
    )
    assert run("watch", "7").exit_code == 1
    assert "is ACKNOWLEDGED" in run("accept", "1").output
    wrong = run("watch", "1", "--client", "tenant", "--secret", "wrong")
    assert (wrong.exit_code, "no token" in wrong.output) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ["raise", "--file", "/nowhere.json"],
        ["raise", "--client", "nobody"],
        ["amend", "1"],
        ["amend", "1", "--characteristic", "x"],
        ["cancel", "1", "--reason", "BORED"],
        ["cancel", "one"],
        ["watch", "0"],
        ["accept"],
    ],
)
def test_wrong_use(run: Run, words: list[str]) -> None:
    assert run(*words).exit_code == 2


def test_a_gateway_that_is_not_there(url: str) -> None:
    nowhere = "http://127.0.0.1:1"
    assert url != nowhere
    result = CliRunner().invoke(main, ["sandbox", "watch", "1", "--url", nowhere])
    assert result.exit_code == 1
    assert "nothing answers" in result.output


def test_the_printed_line_does_the_same(run: Run, tenant: Party) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here; install it")
    result = run("raise", "--service", "SI'7", "--scenario", "X?a=1&b='2'", "--curl")
    assert result.exit_code == 0
    (line,) = result.output.splitlines()
    assert tenant.get("/service-problems/1").status_code == 404
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert json.loads(done.stdout)["id"] == 1
    assert tenant.problem()["serviceId"] == "SI'7"


def test_the_suppliers_scenarios_are_listed(supplier_stub: SupplierStub) -> None:
    known = {
        "name": "AMENDMENT_REJECTED",
        "description": "The amendment is refused at once.",
        "parameters": [{"name": "code", "default": "OTHER", "description": "The problemCode."}],
    }
    words = ["sandbox", "scenarios", "--url", supplier_stub.url]
    supplier_stub.documents["/admin/scenarios"] = answer(200, {"scenarios": [known]})
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "AMENDMENT_REJECTED  The amendment is refused at once.",
        "    code (default OTHER)  The problemCode.",
    ]
    supplier_stub.documents["/admin/scenarios"] = answer(404)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert "lists no scenarios" in result.output


# ---- what the settings make of it


def test_a_supplier_of_the_settings_is_our_own_unless_they_say_otherwise(tmp_path: Path) -> None:
    (tmp_path / "sandbox.toml").write_text(
        """
        [sandbox.tenants.TENANT1]
        url = "https://tenant.example/api/"
        [sandbox.suppliers.OTHER]
        client_id = "other"
        client_secret = "theirs"
        url = "https://supplier.example/api"
        gateway_client_id = "us"
        gateway_client_secret = "ours"
        [sandbox.suppliers.THIRD]
        client_id = "third"
        client_secret = "theirs"
        token_url = "https://tokens.example/token"
        gateway_client_secret = "theirs too"
        """,
        encoding="utf-8",
    )
    config = sandbox_config(load_settings({"SUPPLIER_API_CONFIG_DIR": str(tmp_path)}))

    ours, other, third = (config.supplier(each) for each in ("DUMMY_SUPPLIER", "OTHER", "THIRD"))
    assert ours is not None
    assert other is not None
    assert third is not None
    assert (ours.url, ours.token_url) == (
        "http://127.0.0.1:8080",
        "http://127.0.0.1:8080/oauth2/token",
    )
    assert (ours.gateway_client_id, ours.gateway_client_secret) == ("gateway", "gateway-secret")
    assert other.token_url == "https://supplier.example/oauth2/token"
    assert (other.gateway_client_id, other.gateway_client_secret) == ("us", "ours")
    assert (third.url, third.token_url) == (ours.url, "https://tokens.example/token")
    assert (third.gateway_client_id, third.gateway_client_secret) == ("gateway", "theirs too")
    assert [tenant.url for tenant in config.tenants] == ["https://tenant.example/api", None]
    assert [admin.client_id for admin in config.admins] == ["admin"]


@pytest.mark.parametrize("where", ["url", "token_url"])
def test_our_own_suppliers_secret_goes_to_no_other(tmp_path: Path, where: str) -> None:
    (tmp_path / "sandbox.toml").write_text(
        f"""
        [sandbox.suppliers.OTHER]
        client_id = "other"
        client_secret = "theirs"
        {where} = "https://supplier.example/api"
        """,
        encoding="utf-8",
    )
    with pytest.raises(SettingsError, match="gateway_client_secret must be set"):
        load_settings({"SUPPLIER_API_CONFIG_DIR": str(tmp_path)})
