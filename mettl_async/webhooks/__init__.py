"""Receive webhooks: verify who sent an event, parse it, and handle each event once.

The events, and the one table of them, are in `mettl_async.models.event`.
"""

from mettl_async.errors import (
    ContextDataError,
    EventDecodeError,
    RefusedDeliveryError,
    WebhookError,
)
from mettl_async.models import BasicAuth
from mettl_async.models.event import (
    EVENTS,
    Event,
    EventKind,
    SectionalScore,
    SignedContext,
    TestEvent,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    UnknownEvent,
)
from mettl_async.webhooks.context import ContextSigner
from mettl_async.webhooks.handlers import EventHandlers
from mettl_async.webhooks.http import HttpAnswer
from mettl_async.webhooks.identity import event_identity
from mettl_async.webhooks.parse import parse_event
from mettl_async.webhooks.processing import Handled
from mettl_async.webhooks.receiver import WebhookReceiver
from mettl_async.webhooks.samples import sample_event
from mettl_async.webhooks.seen_events import (
    Claim,
    EventStore,
    MemorySeenEvents,
    Refused,
    SeenEvents,
)
from mettl_async.webhooks.sync import run_sync
from mettl_async.webhooks.verification import AllowedNetworks, BasicAuthVerifier

__all__ = [
    "EVENTS",
    "AllowedNetworks",
    "BasicAuth",
    "BasicAuthVerifier",
    "Claim",
    "ContextDataError",
    "ContextSigner",
    "Event",
    "EventDecodeError",
    "EventHandlers",
    "EventKind",
    "EventStore",
    "Handled",
    "HttpAnswer",
    "MemorySeenEvents",
    "Refused",
    "RefusedDeliveryError",
    "SectionalScore",
    "SeenEvents",
    "SignedContext",
    "TestEvent",
    "TestFinished",
    "TestGraded",
    "TestResumeEnabled",
    "TestStarted",
    "UnknownEvent",
    "WebhookError",
    "WebhookReceiver",
    "event_identity",
    "parse_event",
    "run_sync",
    "sample_event",
]
