"""A Django project in one file (settings, urls, asgi.py) that receives events at /webhooks/mettl.

Run it with ``uvicorn django_asgi:application``.

The environment has:

METTL_WEBHOOK_PASSWORD   password that Mettl sends with each event
DJANGO_SECRET_KEY        as in any project
"""

import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

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
    """Run once for each result. The models are at hand: await Score.objects.aupdate_or_create(...)."""
    await cache.aset(f"score:{event.candidate_instance_id}", event.marks_scored)


@csrf_exempt
async def mettl_events(request: HttpRequest) -> HttpResponse:
    """Give the request to the receiver (its body is read from the request itself), and answer."""
    status, headers, body = await receiver.respond(
        request.method or "", request.headers, request, request.META.get("REMOTE_ADDR")
    )
    return HttpResponse(body, status=status, headers=headers)


async def score(request: HttpRequest, attempt: int) -> JsonResponse:
    """Serve any other page of the project."""
    return JsonResponse({"score": await cache.aget(f"score:{attempt}")})


urlpatterns = [path("webhooks/mettl", mettl_events), path("scores/<int:attempt>", score)]
# Django has read the whole body when the view is called, whoever sent it. Where that is too late, give the
# path to the receiver before Django: it is an ASGI app.
application = get_asgi_application()
