"""Webhooks a backend can trust: events, who sent them, and each handled once."""

from mettl_async.errors import ContextDataError, EventDecodeError, WebhookError
from mettl_async.models import (
    BasicAuth,
    Event,
    SectionalScore,
    SignedContext,
    TestEvent,
    TestFinished,
    TestGraded,
    TestResumeEnabled,
    TestStarted,
    UnknownEvent,
)
from mettl_async.webhooks.basic_auth import BasicAuthVerifier
from mettl_async.webhooks.context import ContextSigner
from mettl_async.webhooks.handling import Handled
from mettl_async.webhooks.identity import event_identity
from mettl_async.webhooks.networks import AllowedNetworks
from mettl_async.webhooks.parse import parse_event
from mettl_async.webhooks.receiver import WebhookReceiver
from mettl_async.webhooks.samples import sample_event
from mettl_async.webhooks.seen import Claim, MemorySeenEvents, Refused, SeenEvents

__all__ = [
    "AllowedNetworks",
    "BasicAuth",
    "BasicAuthVerifier",
    "Claim",
    "ContextDataError",
    "ContextSigner",
    "Event",
    "EventDecodeError",
    "Handled",
    "MemorySeenEvents",
    "Refused",
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
    "sample_event",
]
