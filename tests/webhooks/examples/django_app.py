"""A Django project in one file (asgi.py, settings, urls) that receives events at /webhooks/mettl."""

import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.cache import cache
from django.http import HttpRequest, JsonResponse
from django.urls import path

from mettl_async.webhooks import BasicAuth, TestGraded, WebhookReceiver

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["DJANGO_SECRET_KEY"],
)
django.setup()

receiver = WebhookReceiver(
    auth=BasicAuth(username="acme", password=os.environ["METTL_WEBHOOK_PASSWORD"]),
)


@receiver.on(TestGraded)
async def store_score(event: TestGraded) -> None:
    """Here the models are at hand: await Score.objects.aupdate_or_create(...)."""
    await cache.aset(f"score:{event.candidate_instance_id}", event.marks_scored)


async def score(request: HttpRequest, attempt: int) -> JsonResponse:
    """Any view of the project."""
    return JsonResponse({"score": await cache.aget(f"score:{attempt}")})


urlpatterns = [path("scores/<int:attempt>", score)]
django_app = get_asgi_application()


async def application(scope, receive, send):
    """Before Django: no CSRF check, no session, no middleware stands in the way of a webhook."""
    if scope["type"] == "http" and scope["path"] == "/webhooks/mettl":
        await receiver(scope, receive, send)
    else:
        await django_app(scope, receive, send)
