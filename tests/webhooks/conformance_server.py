"""One example on a real server: ``python conformance_server.py FRAMEWORK FILE_OF_HANDLED_EVENTS``.

It prints its port. The example's receiver gets a handler that fails or takes long when asked to, smaller
bounds, and networks: 127.0.0.1 may deliver, 127.0.0.2 may not.
"""

import asyncio
import importlib.util
import os
import socket
import socketserver
import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import anyio
from attrs import evolve

from mettl_async.webhooks import AllowedNetworks, TestStarted

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "webhooks"
MAX_BODY = 64 * 1024
MOUNT, ROOT = "/mounted", "/rooted"


def load(name, handled):
    """Import an example, and add what the probes need to its receiver."""
    os.environ["METTL_WEBHOOK_PASSWORD"] = "sesame-open-up"
    os.environ["METTL_CONTEXT_SECRET"] = "a made up secret of the context"
    os.environ["DJANGO_SECRET_KEY"] = "made up"
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    receiver, failed = module.receiver, set()
    receiver._rules = evolve(
        receiver._rules, max_body=MAX_BODY, networks=AllowedNetworks(["127.0.0.1"])
    )
    receiver._read_timeout = 0.5

    def note(email):
        with Path(handled).open("a", encoding="utf-8") as file:
            file.write(f"{email}\n")

    @receiver.on(TestStarted)
    async def probed(event):
        if "fails" in event.email and event.email not in failed:
            failed.add(event.email)
            raise RuntimeError("as was asked for")
        if "slow" in event.email:
            await anyio.sleep(0.3)
        note(event.email)

    return module


def asgi(app):
    """Serve an app at the root, mounted, and behind a proxy that strips a prefix."""
    from starlette.routing import Mount, Router

    mounted = Router([Mount(MOUNT, app)])

    async def serve(scope, receive, send):
        path = scope.get("path", "")
        if path.startswith(MOUNT):
            await mounted(scope, receive, send)
        elif path.startswith(ROOT):
            bare = path.removeprefix(ROOT)
            stripped = {"root_path": ROOT, "path": bare, "raw_path": bare.encode()}
            await app({**scope, **stripped}, receive, send)
        else:
            await app(scope, receive, send)

    return serve


def wsgi(app):
    """Do the same for WSGI, where there is one way to say it."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    return DispatcherMiddleware(app, {MOUNT: app, ROOT: app})


def uvicorn(app, listener):
    import uvicorn

    config = uvicorn.Config(asgi(app), log_level="warning", proxy_headers=False)
    uvicorn.Server(config).run(sockets=[listener])


def hypercorn(app, listener):
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    asyncio.run(serve(asgi(app), config))


def waitress(app, listener):
    from waitress import create_server

    create_server(wsgi(app), sockets=[listener], threads=8).run()


class _Threads(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def wsgiref(app, listener):
    server = _Threads(listener.getsockname(), _Silent, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = listener.getsockname()
    server.setup_environ()
    server.set_app(wsgi(app))
    server.serve_forever()


def aiohttp(make_app, listener):
    from aiohttp import web

    app = make_app()
    app.add_subapp(MOUNT, make_app())
    web.run_app(app, sock=listener, print=None, access_log=None)


SERVERS = {
    "FastAPI": ("fastapi_app", "app", uvicorn),
    "Starlette": ("starlette_app", "app", uvicorn),
    "Litestar": ("litestar_app", "app", uvicorn),
    "Django ASGI": ("django_asgi", "application", uvicorn),
    "Django WSGI": ("django_wsgi", "application", wsgiref),
    "Flask": ("flask_app", "app", waitress),
    "Quart": ("quart_app", "app", hypercorn),
    "aiohttp": ("aiohttp_app", "make_app", aiohttp),
}

if __name__ == "__main__":
    example, attribute, serve_with = SERVERS[sys.argv[1]]
    served = getattr(load(example, sys.argv[2]), attribute)
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listening.getsockname()[1], flush=True)
    serve_with(served, listening)
