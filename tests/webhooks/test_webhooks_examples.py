"""The examples that a reader copies: a FastAPI app and a Django project, and a Starlette mount."""

import importlib.util
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from mettl_async.sandbox.server import listening
from mettl_async.webhooks import (
    BasicAuth,
    ContextSigner,
    TestGraded,
    TestStarted,
    UnknownEvent,
    WebhookReceiver,
    sample_event,
)

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "webhooks"
PASSWORD, CONTEXT_SECRET = "a made up password", "a made up secret of the context"
AUTH = ("acme", PASSWORD)
WHO = {"access_key": "a1b2c3", "email": "asha@example.org"}


def load(name, monkeypatch):
    """Import an example as a fresh module, with what it takes from the environment."""
    monkeypatch.setenv("METTL_WEBHOOK_PASSWORD", PASSWORD)
    monkeypatch.setenv("METTL_CONTEXT_SECRET", CONTEXT_SECRET)
    monkeypatch.setenv("DJANGO_SECRET_KEY", "made up")
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def calling(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://backend")


@pytest.fixture
def fastapi_example(monkeypatch):
    return load("fastapi_app", monkeypatch)


async def test_the_fastapi_app_stores_a_score_under_the_callers_own_id(fastapi_example):
    context = ContextSigner([CONTEXT_SECRET]).sign("applicant-7", **WHO)
    body = sample_event(TestGraded, context_data=context, marks_scored=7.5, **WHO)
    async with calling(fastapi_example.app) as backend:
        for _ in range(2):
            answer = await backend.post("/webhooks/mettl", content=body, auth=AUTH)
            assert (answer.status_code, answer.content) == (200, b"")
        for kind in (TestStarted, UnknownEvent):
            body = sample_event(kind, **WHO)
            answer = await backend.post("/webhooks/mettl", content=body, auth=AUTH)
            assert answer.status_code == 200
        assert (await backend.get("/scores/applicant-7")).json() == {"score": 7.5}
    assert fastapi_example.journal == ["TestGraded", "TestStarted", "unknown: someEventOfTomorrow"]


async def test_the_fastapi_app_refuses_what_is_not_from_mettl(fastapi_example):
    graded = sample_event(TestGraded, **WHO)
    others = ContextSigner([CONTEXT_SECRET]).sign(
        "applicant-7", access_key="a1b2c3", email="b@x.org"
    )
    async with calling(fastapi_example.app) as backend:
        post = backend.post
        assert (await post("/webhooks/mettl", content=graded)).status_code == 401
        assert (await post("/webhooks/mettl", content=b"<html>", auth=AUTH)).status_code == 400
        replayed = sample_event(TestGraded, context_data=others, **WHO)
        assert (await post("/webhooks/mettl", content=replayed, auth=AUTH)).status_code == 401
        assert (await backend.get("/webhooks/mettl", auth=AUTH)).status_code == 405
    assert not fastapi_example.scores


async def test_the_fastapi_app_on_a_real_socket(fastapi_example):
    body = sample_event(TestGraded, **WHO)
    async with (
        listening(fastapi_example.app, "127.0.0.1", 0) as base_url,
        httpx.AsyncClient(base_url=base_url, trust_env=False) as backend,
    ):
        answer = await backend.post("/webhooks/mettl", content=body, auth=AUTH)
        assert answer.status_code == 200
        assert (await backend.get(f"/scores/{WHO['email']}")).json() == {"score": 5.0}


async def test_the_django_project_stores_a_score(monkeypatch):
    django_example = load("django_asgi", monkeypatch)
    body = sample_event(TestGraded, candidate_instance_id=41, marks_scored=7.5, **WHO)
    async with calling(django_example.application) as backend:
        assert (await backend.post("/webhooks/mettl", content=body)).status_code == 401
        for _ in range(2):
            answer = await backend.post("/webhooks/mettl", content=body, auth=AUTH)
            assert answer.status_code == 200
        assert (await backend.get("/scores/41")).json() == {"score": 7.5}
        assert (await backend.get("/elsewhere")).status_code == 404


@pytest.mark.parametrize("path", ["/hooks/", "/hooks/mettl", "/hooks/any/thing"])
async def test_a_starlette_mount_serves_any_path_below_it(path):
    receiver, came = WebhookReceiver(auth=BasicAuth(username="acme", password=PASSWORD)), []

    @receiver.on(TestGraded)
    async def graded(event: TestGraded) -> None:
        came.append(event.email)

    async with calling(Starlette(routes=[Mount("/hooks", receiver)])) as backend:
        body = sample_event(TestGraded, **WHO)
        assert (await backend.post(path, content=body, auth=AUTH)).status_code == 200
        # As the example says: this is why it has a route.
        assert (await backend.post("/hooks", content=body, auth=AUTH)).status_code == 307
    assert came == [WHO["email"]]
