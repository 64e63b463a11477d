"""Errors in the words of a recruiter: options of the command, no names and types of Python."""

import inspect
import re
from pathlib import Path

import pytest
from python_words import python_in

import mettl_async.cli
from mettl_async import errors
from mettl_async.bulk import outcomes
from mettl_async.cli.wording import name_words, words
from mettl_async.config import ClientOptions
from mettl_async.errors import CallFacts, ConnectError, InvalidInputError

KEYS = {"METTL_PUBLIC_KEY": "a", "METTL_PRIVATE_KEY": "b"}
SCHEDULE = ("register", "people.csv", "--out", "links.csv", "--schedule")


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (
            ("account",),
            {},
            "METTL_PUBLIC_KEY is not set; set it in the environment, or make a profile",
        ),
        (
            ("account",),
            {**KEYS, "METTL_PRIVATE_KEY": "a b"},
            "METTL_PRIVATE_KEY: is not a key of 1 to 128 ASCII characters; copy it from the API",
        ),
        (
            ("account", "--base-url", "http://x.example"),
            KEYS,
            "--base-url or METTL_BASE_URL: plain http would send candidates' data in the clear; use https",
        ),
        (("account", "--base-url", "x"), KEYS, "--base-url or METTL_BASE_URL: needs a scheme"),
        (
            ("account", "--base-url", "https://x.org/v2"),
            KEYS,
            "leave out 'v2', it is given by --version",
        ),
        (
            ("account", "--region", "eu", "--base-url", "https://x.org"),
            KEYS,
            "--region or METTL_REGION and --base-url or METTL_BASE_URL are both given; keep one",
        ),
        (("account",), {**KEYS, "METTL_REGION": "mars"}, "not one of india, eu; give a --base-url"),
        (("results", "a/b"), KEYS, "access key: is no access key; pass the letters and digits"),
        (
            ("report", "k", "nobody", "--out", "a.pdf"),
            KEYS,
            "email: is not an email address; give it as name@domain",
        ),
        ((*SCHEDULE, "a b"), KEYS, "access key: is no access key; pass the letters and digits"),
        (
            (*SCHEDULE, "ab", "--time-limit-in-sec", "99999999999"),
            KEYS,
            "--time-limit-in-sec: is above 2147483647; give a whole number",
        ),
        (
            (
                "webhooks",
                "send",
                "TestGraded",
                "--to",
                "http://x/",
                "--own-id",
                "1",
                "--context-env",
                "A",
            ),
            {"A": "short"},
            "--context-env: is 5 bytes; give at least 16 random ones",
        ),
        (
            (
                "webhooks",
                "send",
                "TestGraded",
                "--to",
                "http://x/",
                "--user",
                " ",
                "--password-env",
                "A",
            ),
            {"A": "b"},
            "--user: is blank; give a text that can be seen",
        ),
    ],
)
def test_a_wrong_value_is_named_as_it_was_given(arguments, env, said, mettl, people):
    people(1, "people.csv")
    done = mettl(*arguments, env=env)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.startswith("mettl: ")
    assert not python_in(done.output)


def test_a_failed_call_says_what_was_being_done(mettl, people):
    people(1, "people.csv")
    done = mettl("account", "--base-url", "http://127.0.0.1:9", env=KEYS)
    assert done.stderr.startswith("mettl: reading the account: the connection could not be made")


def test_codes_of_the_library_have_words_and_those_of_mettl_stay():
    for module in (errors, outcomes):
        for name, one in vars(module).items():
            if inspect.isclass(one) and issubclass(one, errors.MettlError):
                assert not python_in(name_words(name))
                assert re.fullmatch("[a-z]+( [a-z]+)*", name_words(name))
    assert name_words("RateLimitError") == "too many requests"
    assert name_words("ReadTimeout") == "read timeout"
    for code in ("E401", "DuplicateEmail", "HTTP 502"):
        assert name_words(code) == code


def test_what_an_operating_system_says_has_no_number():
    error = ConnectError("[Errno -2] Name or service not known", CallFacts(operation="account.get"))
    assert words(error).startswith("reading the account: Name or service not known")


def test_advice_for_programmers_is_advice_for_the_command():
    advice = "send less at once, or use ClientOptions(post_parameters='form')"
    said = words(
        InvalidInputError("rd", "needs a URL of about 9 bytes, over max_url_bytes (7)", advice)
    )
    assert said.endswith("over 7; send less at once, or pass --post-parameters form")
    assert ClientOptions().post_parameters  # the option is still there


def test_no_message_of_the_command_is_written_in_python():
    # Messages of its own are literals; those of the library go through `words`.
    for path in Path(mettl_async.cli.__file__).parent.rglob("*.py"):
        if path.name == "wording.py":
            continue
        for found in re.finditer(
            r"(?:CommandError|DoubtError|print_stderr|echo)\(\s*((?:f?(?:\"[^\"]*\"|'[^']*')\s*)+)",
            path.read_text("utf-8"),
        ):
            shown = re.sub(r"\{[^{}]*\}", "x", found[1])
            assert not python_in(shown), f"{path.name}: {shown}"
