"""Two documents side by side."""

from typing import Any

import pytest

from supplier_api.contract.differences import FieldDifference, differences


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": 1}, {"b": 1}, [("a", 1, None), ("b", None, 1)]),
        ({"a": {"b": [{"c": 1}, 2]}}, {"a": {"b": [{"c": 3}, 2]}}, [("a.b[0].c", 1, 3)]),
        ({"a": [1]}, {"a": [1, 2]}, [("a", [1], [1, 2])]),
        ({"a": {"b": 1}}, {"a": "b"}, [("a", {"b": 1}, "b")]),
        # To Python these are equal.
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ([], {}, [("", [], {})]),
    ],
)
def test_what_differs_is_named_by_its_path(old: Any, new: Any, found: list[Any]) -> None:
    assert list(differences(old, new)) == [FieldDifference(*each) for each in found]
