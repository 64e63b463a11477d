"""Parameters are encoded exactly once, and come back as they were."""

from urllib.parse import parse_qsl, quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.core.request import (
    Placement,
    Request,
    encode,
    encoded_length,
    path_segment,
    percent_encode,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_escaping_agrees_with_the_standard_library(text):
    assert percent_encode(text).decode() == quote(text, safe="")


@given(TEXT)
def test_the_length_is_known_without_escaping(text):
    assert encoded_length(text) == len(percent_encode(text))


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=5), st.sampled_from(Placement))
def test_what_is_encoded_decodes_to_the_same_values(params, placement):
    request = Request(
        operation="o", method="POST", url="https://h/v2/p", template="/p", params=params,
        placement=placement,
    )  # fmt: skip
    signed = encode(request)
    raw = signed.body if placement is Placement.FORM else signed.target.partition(b"?")[2]
    assert dict(parse_qsl(raw.decode(), keep_blank_values=True)) == params


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("asha+test@x.org", "asha+test@x.org"),
        ("who?@x.org", "who%3F@x.org"),
        ("50%@x.org", "50%25@x.org"),
        ("a/b#c d@x.org", "a%2Fb%23c%20d@x.org"),
        ("ü@x.org", "%C3%BC@x.org"),
    ],
)
def test_an_email_in_a_path_keeps_at_and_plus_and_escapes_the_rest_once(text, escaped):
    assert path_segment(text) == escaped
    assert unquote(escaped) == text


def test_a_request_shows_no_value_in_its_repr():
    request = Request(
        operation="o", method="GET", url="https://h/a@x.org", template="/{email}",
        params={"ak": "SECRET", "rd": "a@x.org"},
    )  # fmt: skip
    assert "SECRET" not in repr(request)
    assert "a@x.org" not in repr(request)
    assert "ak, rd" in repr(request)
    assert "a@x.org" not in repr(encode(request))


def test_query_and_form_put_the_parameters_in_one_place_only():
    request = Request(
        operation="o", method="POST", url="https://h/base/v2/p", template="/p", params={"a": "b c"}
    )
    in_query = encode(request)
    in_form = encode(request.evolve(placement=Placement.FORM))
    assert (in_query.target, in_query.body) == (b"/base/v2/p?a=b%20c", b"")
    assert (in_form.target, in_form.body) == (b"/base/v2/p", b"a=b%20c")
    assert in_form.headers == {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
