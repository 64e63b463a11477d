"""A bare server that plays answers back, and a client whose pauses take no time."""

import asyncio
import contextlib

PDF = b"%PDF-1.4 hello %%EOF"


def http(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status} X".encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


@contextlib.asynccontextmanager
async def report_host(*answers, then=None):
    """A bare server that plays answers back, and keeps the request lines it got; what follows may be more."""
    waiting, asked, tasks = list(answers), [], set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head.split(b"\r\n")[0].decode())
            answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
                if then is not None:
                    await then(writer)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", asked
        await asyncio.gather(*tasks)


def scripted_sleep(mettl, events):
    """Replace the client's pauses: each runs the next event and moves the clock."""
    pauses, clock = [], [0.0]

    async def sleep(seconds):
        pauses.append(seconds)
        clock[0] += seconds
        if events:
            events.pop(0)()

    effects = mettl._shared.effects
    object.__setattr__(effects, "sleep", sleep)
    object.__setattr__(effects, "monotonic", lambda: clock[0])
    return pauses
