"""A Django project in one file (settings, urls, wsgi.py) that receives events at /webhooks/mettl.

Run it with ``gunicorn --threads 8 django_wsgi:application``.

The environment has:

METTL_WEBHOOK_PASSWORD   password that Mettl sends with each event
DJANGO_SECRET_KEY        as in any project
"""

import os

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
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
@sync_to_async
def store_score(event: TestGraded) -> None:
    """Run once for each result. The models are at hand: Score.objects.update_or_create(...)."""
    cache.set(f"score:{event.candidate_instance_id}", event.marks_scored)


@csrf_exempt
def mettl_events(request: HttpRequest) -> HttpResponse:
    """Give the request to the receiver (its body is read from the request itself), and answer."""
    status, headers, body = receiver.respond_sync(
        request.method or "", request.headers, request, request.META.get("REMOTE_ADDR")
    )
    return HttpResponse(body, status=status, headers=headers)


def score(request: HttpRequest, attempt: int) -> JsonResponse:
    """Serve any other page of the project."""
    return JsonResponse({"score": cache.get(f"score:{attempt}")})


urlpatterns = [path("webhooks/mettl", mettl_events), path("scores/<int:attempt>", score)]
application = get_wsgi_application()
