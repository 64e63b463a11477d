"""Closing on trio: within its time limit, and nothing stays open, also where the caller is cancelled."""

import contextlib
import functools

import pytest
import trio
from by_trio import on_trio

from mettl_async import (
    Candidate,
    ClientClosedError,
    ClientOptions,
    ConnectionLostError,
    Credentials,
    MettlClient,
)

KEYS = Credentials(public_key="p", private_key="k")
ASHA = [Candidate(email="asha@example.org", first_name="Asha")]


@contextlib.asynccontextmanager
async def hanging():
    """A server that never answers: its base URL, and what tells that it was asked; in the end all have left."""
    connections, came = set(), trio.Event()

    async def serve(stream):
        connections.add(stream)
        with contextlib.suppress(trio.BrokenResourceError):
            while await stream.receive_some():
                came.set()
        connections.discard(stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(
            functools.partial(trio.serve_tcp, serve, 0, host="127.0.0.1")
        )
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}", came
        with trio.fail_after(5):
            while connections:  # noqa: ASYNC110 - they tell nobody
                await trio.sleep(0.001)
        nursery.cancel_scope.cancel()


def client_of(url):
    return MettlClient(KEYS, base_url=url, options=ClientOptions(trust_env=False))


@on_trio
async def test_it_has_a_time_limit():
    async with hanging() as (url, came), trio.open_nursery() as nursery:
        mettl, caught = client_of(url), []

        async def call():
            with pytest.raises(ConnectionLostError, match="closed while this was in flight") as exc:
                await mettl.request("POST", "/x")
            caught.append(exc.value)

        async def run():
            with pytest.raises(ClientClosedError, match="the client was closed before this run"):
                await mettl.candidates.register_many("abc", ASHA)

        nursery.start_soon(call)
        nursery.start_soon(run)
        await came.wait()
        assert not mettl.is_closed
        await mettl.aclose(timeout=0.05)
        assert mettl.is_closed
        with pytest.raises(ClientClosedError, match="closed"):
            await mettl.request("GET", "/x")
        await mettl.aclose()
    assert caught[0].sent


@pytest.mark.parametrize("shielded", [False, True])
@on_trio
async def test_a_cancelled_caller_leaves_nothing_open(shielded):
    async with hanging() as (url, came):
        mettl = client_of(url)

        async def leave(scope):
            await came.wait()
            scope.cancel()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mettl_async.client.CANCELLED_CLOSE_SECONDS", 0.05)
            async with trio.open_nursery() as nursery:
                with trio.CancelScope(shield=shielded) as scope:
                    nursery.start_soon(leave, scope)
                    async with mettl:
                        await mettl.candidates.register_many("abc", ASHA)
                assert scope.cancelled_caught
        assert mettl._shared.lifecycle.closed
