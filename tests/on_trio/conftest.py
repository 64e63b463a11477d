"""A sandbox beside trio: it is asyncio's, so it has an event loop and a thread of its own."""

import pytest

from mettl_async.sandbox import Sandbox


@pytest.fixture
def remote():
    """A sandbox on a socket."""
    with Sandbox().serve_in_thread() as running:
        yield running
