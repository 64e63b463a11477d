"""A mistake in a handler is found when it is declared."""

import pytest
from asgi_calls import call
from asgiref.sync import sync_to_async

from mettl_async.errors import ConfigurationError
from mettl_async.webhooks import (
    BasicAuth,
    Claim,
    TestEvent,
    TestGraded,
    TestStarted,
    WebhookReceiver,
    sample_event,
)

AUTH = BasicAuth(username="acme", password="sesame")


def sync_handler(event):
    pass


async def good(event):
    pass


async def good_with_claim(event, claim):
    pass


async def three(event, claim, more):
    pass


async def keyword_only(event, *, needed):
    pass


async def nothing():
    pass


async def generator(event):
    yield event


class Called:
    async def __call__(self, event, claim, more):
        pass


@pytest.mark.parametrize(
    "handler",
    [
        sync_handler,
        None,
        "name",
        three,
        keyword_only,
        nothing,
        generator,
        lambda event: None,
        int,
        Called(),
    ],
)
def test_what_can_not_be_a_handler_is_refused_when_declared(handler):
    receiver = WebhookReceiver(auth=AUTH)
    with pytest.raises(ConfigurationError, match="on: "):
        receiver.on(TestGraded)(handler)


@pytest.mark.parametrize(
    "kind", [good, TestGraded(access_key="k", email="e"), object, None, "TestGraded", BasicAuth]
)
def test_what_is_no_class_of_events_is_refused_when_declared(kind):
    with pytest.raises(ConfigurationError, match=r"write @receiver\.on\(TestGraded\)"):
        WebhookReceiver(auth=AUTH).on(kind)


def test_a_handler_is_not_called_twice_for_one_event():
    receiver = WebhookReceiver(auth=AUTH)
    assert receiver.on(TestGraded)(good) is good
    with pytest.raises(ConfigurationError, match="twice for TestGraded"):
        receiver.on(TestEvent)(good)
    receiver.on(TestGraded)(good_with_claim)

    async def another_with_claim(event, claim):
        pass

    with pytest.raises(ConfigurationError, match="take the claim"):
        receiver.on(TestEvent)(another_with_claim)
    receiver.on(TestStarted)(another_with_claim)


@pytest.mark.parametrize("with_claim", [False, True])
async def test_what_sync_to_async_gives_is_async(with_claim):
    came = []

    def plain(event):
        came.append(event)

    def claiming(event, claim):
        came.append(claim)

    receiver = WebhookReceiver(auth=None)
    receiver.on(TestGraded)(sync_to_async(claiming if with_claim else plain))
    assert (await call(receiver, sample_event(TestGraded))).status == 200
    assert [type(one) for one in came] == [Claim if with_claim else TestGraded]


def test_a_class_is_no_handler_though_its_instances_are():
    class Fine:
        async def __call__(self, event):
            pass

    receiver = WebhookReceiver(auth=None)
    with pytest.raises(ConfigurationError, match="is not async"):
        receiver.on(TestGraded)(Fine)
    receiver.on(TestGraded)(Fine())
