"""What is a usable link, and that emails are one person's in every spelling."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.models import NoLinkReason, Registration, RegistrationStatus, ensured
from mettl_async.models._fold_email import fold_email
from mettl_async.models.link import is_link, with_usable_links

LINK = "https://tests.mettl.com/v2/take-test?ecc="


def item(email, url, status="ToBeTaken"):
    return Registration(email=email, status=RegistrationStatus(status), message="m", url=url)


@pytest.mark.parametrize(
    "text",
    [
        "https://tests.mettl.com/v2/take-test?ecc=a%2Bb=&x#top",
        "HTTPS://TESTS.METTL.COM",
        "https://tests.mettl.com:8443/authenticateKey/1",
        "https://[2001:db8::1]/x",
        "https://xn--mnchen-3ya.example/ü",
        LINK + "x" * (2_047 - len(LINK)),
    ],
)
def test_links(text):
    assert is_link(text, plain_http=False)
    assert is_link(text, plain_http=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ToBeTaken",
        "null",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://tests.mettl.com/x",
        "//tests.mettl.com/x",
        "/v2/take-test",
        "https:",
        "https://",
        "https:///take-test",
        "https://?ecc=1",
        "https://:443/x",
        "https:\\\\tests.mettl.com",
        " https://tests.mettl.com/x",
        "https://tests.mettl.com/x ",
        "https://tests.mettl.com/x y",
        "https://tests.mettl.com/x\n",
        "https://tests.mettl.com/\x1b[2Jx",
        "https://tests.mettl.com/\x9bx",
        "https://tests.mettl.com/\u202ex",
        "https://tests.mettl.com/\u00a0x",
        "https://tests.mettl.com/\u2028x",
        "https://tests.mettl.com/\ud800",
        LINK + "x" * (2_048 - len(LINK)),
        LINK + "ü" * 1_010,
    ],
)
def test_what_is_no_link(text):
    assert not is_link(text, plain_http=False)
    assert not is_link(text, plain_http=True)


def test_http_is_for_clients_that_speak_it():
    assert is_link("http://127.0.0.1:8000/take-test/1", plain_http=True)
    assert not is_link("http://127.0.0.1:8000/take-test/1", plain_http=False)


def test_a_link_of_several_people_is_nobodys():
    shared, own = f"{LINK}1", f"{LINK}2"
    items = [item(name, shared) for name in ("a@x.org", "b@x.org", "c@x.org")]
    found = with_usable_links([*items, item("d@x.org", own)], plain_http=False)
    assert [one.url for one in found] == [None, None, None, own]
    assert found[0].extra["url"] == shared
    assert "ecc" not in repr(found)


def test_one_person_may_be_mentioned_twice():
    items = [item("a@x.org", f"{LINK}1"), item("A@X.org", f"{LINK}1")]
    assert with_usable_links(items, plain_http=False) == tuple(items)


def test_usable_links_stay_as_they_are_and_others_are_kept_beside_them():
    items = [item("a@x.org", f"{LINK}1"), item("b@x.org", None), item("c@x.org", " ")]
    found = with_usable_links(items, plain_http=False)
    assert found[:2] == tuple(items[:2])
    assert (found[2].url, found[2].extra["url"]) == (None, " ")
    assert ensured(found[2]).reason is NoLinkReason.NO_USABLE_LINK


@given(st.text())
def test_the_unicode_form_of_an_address_does_not_matter(text):
    assert fold_email(normalize("NFD", text)) == fold_email(normalize("NFC", text))
    assert fold_email(fold_email(text)) == fold_email(text)


@given(st.text(st.characters(max_codepoint=127)))
def test_case_and_blanks_around_do_not_matter(text):
    assert fold_email(f" {text.upper()}\n") == fold_email(text) == text.strip().lower()
