"""Who makes a mistake with webhooks is told where, what, and what to do instead."""

from datetime import timedelta

import pytest

from mettl_async import MettlError
from mettl_async.webhooks import (
    AllowedNetworks,
    BasicAuth,
    BasicAuthVerifier,
    ContextSigner,
    MemorySeenEvents,
    TestEvent,
    TestGraded,
    WebhookReceiver,
)

LONG = "x" * 16
NETWORKS = "give networks such as 203.0.113.0/24 or 2001:db8::/32, or single addresses"
KINDS = "TestEvent, TestStarted, TestFinished, TestGraded, TestResumeEnabled, UnknownEvent"


def sign(own_id="1", *, access_key="k", email="e", expires_in=None):
    return ContextSigner([LONG]).sign(
        own_id, access_key=access_key, email=email, expires_in=expires_in
    )


def receiver(**options):
    return WebhookReceiver(**({"auth": None} | options))


def on(*handlers, kind=TestGraded):
    declaring = receiver()
    for one in handlers:
        declaring.on(kind)(one)


async def good(event): ...


async def with_claim(event, claim): ...


async def also_with_claim(event, claim): ...


async def three(event, claim, more): ...


async def keyword_only(event, *, claim): ...


async def without_any(): ...


def not_async(event): ...


class Called:
    async def __call__(self, event, claim, more): ...


MISTAKES = [
    (lambda: ContextSigner(LONG), "secrets: is a single secret; give a list of secrets"),
    (lambda: ContextSigner([]), "secrets: is empty; give at least one secret"),
    (
        lambda: ContextSigner([LONG, "short"]),
        "secrets[1]: is 5 bytes; give at least 16 random ones, such as of secrets.token_bytes(32)",
    ),
    (lambda: ContextSigner([LONG, 7]), "secrets[1]: is int; give it as text or bytes"),
    (
        lambda: ContextSigner(["\ud800" * 20]),
        (
            "secrets[0]: has a NUL or half of a surrogate pair (str of 20 characters); "
            "decode the source with its real encoding, without errors='surrogateescape'"
        ),
    ),
    (
        lambda: sign("x" * 113),
        "own_id: is 113 bytes of UTF-8; give at most 112: an id, and keep the rest in your database",
    ),
    (lambda: sign(""), "own_id: is blank (str of 0 characters); give a text that can be seen"),
    (
        lambda: sign(access_key=" "),
        "access_key: is blank (str of 1 characters); give a text that can be seen",
    ),
    (lambda: sign(email=7), "email: expected str, got int; give it as text"),
    (
        lambda: sign(expires_in=timedelta(0)),
        "expires_in: is not more than 0; give a time to come, or None",
    ),
    (
        lambda: sign(expires_in=timedelta.max),
        "expires_in: ends beyond the year 9998; give None for no end",
    ),
    (
        lambda: BasicAuthVerifier(["u:p"]),
        "auth: has a str; give a list of BasicAuth values",
    ),
    (
        lambda: BasicAuthVerifier([]),
        "auth: is empty; give the credentials of the schedules",
    ),
    (lambda: AllowedNetworks("::1"), "networks: is a str; give a list such as ['203.0.113.0/24']"),
    (lambda: AllowedNetworks(["::1", 7]), f"networks[1]: is not text; {NETWORKS}"),
    (
        lambda: AllowedNetworks(["203.0.113.9/24"]),
        f"networks[0]: 203.0.113.9/24 has host bits set; {NETWORKS}",
    ),
    (lambda: MemorySeenEvents(limit=0), "limit: must be more than 0"),
    (lambda: MemorySeenEvents(remember=0.0), "remember: must be more than 0"),
    (lambda: MemorySeenEvents(lease=-1.0), "lease: must be more than 0"),
    (lambda: receiver(max_body=0), "max_body: must be at least 1"),
    (lambda: receiver(read_timeout=0.0), "read_timeout: must be at least 0.001"),
    (lambda: receiver(handler_timeout=0.0), "handler_timeout: must be at least 0.001"),
    (lambda: receiver(busy_wait=-0.1), "busy_wait: must be at least 0"),
    (
        lambda: receiver(require_context=True),
        "require_context: needs a ContextSigner as context",
    ),
    (
        lambda: receiver(handler_timeout=60.0),
        (
            "handler_timeout: 60 s is not shorter than the lease of the store (60 s): "
            "an event could be taken from a handler at work"
        ),
    ),
    (
        lambda: receiver(auth=7),
        "auth: is a int; give a BasicAuth or a list of them",
    ),
    (
        lambda: receiver(networks=7),
        "networks: is a int; give a list such as ['203.0.113.0/24']",
    ),
    (
        lambda: on(good, good),
        "on: good is declared twice for TestGraded; keep one of them",
    ),
    (
        lambda: on(good, good, kind=TestEvent),
        "on: good is declared twice for TestStarted; keep one of them",
    ),
    (
        lambda: on(with_claim, also_with_claim),
        (
            "on: two handlers of TestGraded take the claim, and only one can commit it; "
            "join them, or leave the second parameter out of one"
        ),
    ),
    (lambda: on(not_async), "on: not_async is not async; declare it with async def"),
    (lambda: on(three), "on: three must take the event, or the event and the claim"),
    (
        lambda: on(keyword_only),
        "on: keyword_only must take the event, or the event and the claim",
    ),
    (
        lambda: on(without_any),
        "on: without_any must take the event, or the event and the claim",
    ),
    (lambda: on(Called()), "on: Called must take the event, or the event and the claim"),
    *(
        (
            lambda kind=kind: receiver().on(kind),
            (
                "on: int is not a class of events; write @receiver.on(TestGraded), "
                f"with one of {KINDS}"
            ),
        )
        for kind in (int, 7)
    ),
]


@pytest.mark.parametrize(("mistake", "told"), MISTAKES, ids=[told for _, told in MISTAKES])
def test_a_mistake_is_told_where_it_is_made(mistake, told):
    with pytest.raises(MettlError) as caught:
        mistake()
    assert str(caught.value) == told


def test_a_secret_of_spaces_is_as_good_as_its_bytes():
    text = ContextSigner([" " * 16]).sign("1", access_key="k", email="e")
    assert ContextSigner([b" " * 16]).verify(text, access_key="k", email="e").own_id == "1"


def test_reprs_tell_what_they_are_and_no_secrets():
    assert repr(ContextSigner([LONG, LONG * 2])) == "ContextSigner(2 secrets)"
    accepted = [BasicAuth(username="hook", password="sesame")]
    assert repr(BasicAuthVerifier(accepted)) == "BasicAuthVerifier()"
    networks = AllowedNetworks(["::1", "203.0.113.0/24"])
    assert repr(networks) == "AllowedNetworks(['::1/128', '203.0.113.0/24'])"
