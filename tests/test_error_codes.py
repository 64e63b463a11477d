"""The table of Mettl's codes: complete, in agreement with itself and with its page."""

import re
from pathlib import Path

from mettl_async import error_codes as codes
from mettl_async import errors

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "errors.md"


def yes(value):
    return "yes" if value else "no"


def test_the_page_of_errors_has_every_code_as_it_is():
    rows = re.findall(r"^\| (E\d{3}) \|.*\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(codes.CODES)
    for code, row in codes.CODES.items():
        told = (yes(row.transient), yes(row.may_have_been_handled), yes(row.stops_run))
        line = f"| {code} | `{row.error.__name__}` | {' | '.join(told)} |"
        assert line in PAGE.read_text(encoding="utf-8")


def test_every_error_of_the_server_has_a_row():
    known = {one.error for one in (*codes.CODES.values(), *codes.STATUSES.values())}
    own = [one for one in vars(errors).values() if isinstance(one, type)]
    assert {one for one in own if issubclass(one, errors.ApiError)} - known == {errors.ApiError}


def test_what_may_have_been_handled_may_succeed_later():
    rows = (*codes.CODES.values(), *codes.STATUSES.values())
    assert all(one.transient for one in rows if one.may_have_been_handled)
    assert not any(one.stops_run and one.transient for one in rows)


def test_an_error_without_code_and_status_is_looked_up_by_its_class():
    class Ours(errors.ServiceUnavailableError):
        pass

    assert codes.rule_of(Ours("x")).may_have_been_handled
    assert codes.rule_of(errors.RateLimitError("x")).transient
    assert codes.rule_of(errors.ApiError("x")).error is errors.ApiError


def test_a_refusal_that_may_pass_counts_as_handled_if_code_or_status_says_so():
    assert not codes.rule_for("E509", 200).may_have_been_handled
    assert codes.rule_for("E509", 503).may_have_been_handled
    assert not codes.rule_for("E401", 503).may_have_been_handled
