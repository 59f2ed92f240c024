"""A file with a request for the sandbox gateway that cannot be one is wrong use, in a line."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from supplier_api.cli import main


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"id": 1e999}', b'{"id": NaN}']
)
@pytest.mark.parametrize("words", [("raise",), ("amend", "1")])
def test_what_is_no_json_object_is_wrong_use(
    tmp_path: Path, words: tuple[str, ...], content: bytes
) -> None:
    file = tmp_path / "request.json"
    file.write_bytes(content)

    result = CliRunner().invoke(
        main,
        ["sandbox", *words, "--file", str(file)],
        env={"SUPPLIER_API_PROFILE": "sandbox", "SUPPLIER_API_DATA_DIR": str(tmp_path)},
    )

    assert result.exit_code == 2
    assert "Error: Invalid value for --file: " in result.output
