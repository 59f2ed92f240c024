"""Ids, cursors and counts are read in one way, wherever they stand in a request."""

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from supplier_api.contract import Invalid
from supplier_api.contract.limits import ID_MAX
from supplier_api.http.request_parsing import query_number, whole_number


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1.0", "1_0", "٣", "²", "9" * 19, "1" * 20])
def test_what_is_no_number_is_none(text: str) -> None:
    assert whole_number(text) is None


def test_an_id_is_what_the_databases_hold() -> None:
    assert whole_number("1") == 1
    assert whole_number("007") == 7
    assert whole_number(str(ID_MAX)) == ID_MAX
    assert whole_number(str(ID_MAX + 1)) is None
    assert (whole_number("0"), whole_number("0", 0)) == (None, 0)


def test_a_number_of_the_query_has_a_default_and_is_refused_by_its_name() -> None:
    def asked(query: str) -> int:
        return query_number(Request(EnvironBuilder(query_string=query).get_environ()), "n", 5, 1, 9)

    assert (asked(""), asked("n=9")) == (5, 9)
    for wrong in ("n=0", "n=10", "n=", "n=x"):
        with pytest.raises(Invalid, match="n: "):
            asked(wrong)
