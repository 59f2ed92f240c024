"""What testers have set is read once for a call, and holds until that is answered."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from supplier_api.app.web import create_app
from supplier_api.clock import Scale
from supplier_api.db import Store
from supplier_api.ids import SeededIdSource
from supplier_api.sandbox.tenant_settings import CallSettings
from supplier_api.settings import Settings
from tests.samples import problem_request
from tests.supplier import TENANT, Supplier, manual_clocks, on_sqlite

pytestmark = on_sqlite
THEN = datetime(2030, 1, 1, tzinfo=UTC)


def test_what_a_call_holds_beats_what_is_stored(settings: Settings) -> None:
    app = create_app(settings)
    services = app.extensions["services"]
    held = CallSettings(TENANT, "conversation-1", {"": Scale(stands_at=THEN)}, 42, ())
    with held.hold():
        assert services.business.now(TENANT) == THEN
        assert services.business.scales() == held.scales
        assert services.id_source.uuid(TENANT, "x") == SeededIdSource(42).uuid(TENANT, "x")
        assert services.id_source.uuid("TENANT2", "x") != SeededIdSource(42).uuid("TENANT2", "x")
    assert services.business.now(TENANT) < THEN
    assert services.id_source.uuid(TENANT, "x") != SeededIdSource(42).uuid(TENANT, "x")
    services.store.close()


def test_a_create_looks_once_for_all_that_is_set(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(settings)
    services = app.extensions["services"]
    machine, business, _ = manual_clocks()
    supplier = Supplier(app, app.test_client(), machine, business)
    supplier.token()
    whose: list[str] = []
    read = Store.read

    def counted(store: Store, work: Any, **more: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            whose.append(work.__qualname__)
        return read(store, work, **more)

    monkeypatch.setattr(Store, "read", counted)
    assert supplier.create(problem_request()).status_code == 201
    services.store.close()
    looks = [name for name in whose if name.startswith(("ActiveFaults", "Stored", "read_scales"))]
    assert looks == ["ActiveFaults.look.<locals>.<lambda>"]
