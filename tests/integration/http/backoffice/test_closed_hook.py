"""Where the settings hold no secret and no token, there is no hook."""

from tests.supplier import Supplier, on_sqlite


@on_sqlite
def test_without_a_secret_there_is_no_hook(supplier: Supplier) -> None:
    for name in ("simulated", "None", "http"):
        answer = supplier.client.post(f"/back-office/v1/hooks/{name}", data=b"{}")
        assert answer.status_code == 404
