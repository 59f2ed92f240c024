"""The viewer's files, as they were vendored."""

import hashlib

from supplier_api.http.api_docs import FILES


def test_the_files_are_those_of_the_package() -> None:
    pinned = [line.split() for line in (FILES / "README.txt").read_text().splitlines()]
    digests = {line[1]: line[0] for line in pinned if len(line) == 2 and len(line[0]) == 64}
    ours = {"README.txt", "start.js"}
    assert {file.name for file in FILES.iterdir()} == digests.keys() | ours
    for name, digest in digests.items():
        assert hashlib.sha256((FILES / name).read_bytes()).hexdigest() == digest
