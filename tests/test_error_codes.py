"""The table of Mettl's codes: complete, in agreement with itself and with the README."""

import re
from pathlib import Path

from mettl_async import error_codes as codes
from mettl_async import errors

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_each_error_that_is_named_with_a_code_in_the_readme_is_that_of_the_table():
    pairs = re.findall(r"(\w+Error) (E\d{3})\b", README)
    pairs += [(name, code) for code, name in re.findall(r"\b(E\d{3})\)? \| `(\w+Error)`", README)]
    assert len(pairs) > len(codes.CODES) - 3
    assert {code: codes.CODES[code].error.__name__ for _, code in pairs if code in codes.CODES} == {
        code: name for name, code in pairs if code in codes.CODES
    }


def test_the_codes_that_stop_a_run_are_those_that_the_readme_names():
    told = re.search(r"A refusal that concerns the account or the schedule \(([^)]*)\)", README)
    assert set(re.findall(r"E\d+", told[1])) == {
        code for code, row in codes.CODES.items() if row.stops_run
    }


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
