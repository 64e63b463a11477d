"""What the probes are sent to: a server on a socket, or the handler of AWS Lambda in its three forms."""

import http.client
import socket
import subprocess
import sys
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from conformance_probes import PATH, RIGHT, head
from conformance_server import load

SERVER = Path(__file__).parent / "conformance_server.py"
TIMEOUT = 20  # seconds; nothing comes near


class Server:
    """A server of an example in a process of its own."""

    def __init__(self, port):
        self.port = port

    def ask(self, body, *, method="POST", path=PATH, headers=(RIGHT,), source="127.0.0.1"):
        json = ("content-type", "application/json")
        lines = head(*headers, json, ("content-length", len(body)), path=path, method=method)
        (status,) = self.exchange(lines + body, source=source, method=method)
        return status

    def exchange(self, *steps, leave=False, source="127.0.0.1", method="POST"):
        """Send bytes, wait seconds or for an answer; then wait for the last answer, or leave."""
        statuses = []
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT, (source, 0)) as connection:
            # A server may have answered and closed before all was sent.
            with suppress(BrokenPipeError, ConnectionResetError):
                for step in steps:
                    if isinstance(step, bytes):
                        connection.sendall(step)
                    elif step == "answer":
                        statuses += _status(connection, method)
                    else:
                        time.sleep(step)
            if leave:
                time.sleep(0.1)  # so that the request has arrived
            else:
                statuses += _status(connection, method)
        return statuses

    def at_a_time(self, count, body):
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(self.ask, [body] * count))


def _status(connection, method):
    with closing(http.client.HTTPResponse(connection, method=method)) as answer:
        with suppress(ConnectionError):  # closed without an answer
            answer.begin()
            answer.read()
            return [answer.status]
    return []


@contextmanager
def serving(framework, handled):
    command = [sys.executable, SERVER, framework, handled]
    with subprocess.Popen(  # noqa: S603 - our own script
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Server(int(process.stdout.readline())), process
        finally:
            process.terminate()


class Lambda:
    """The handler of AWS Lambda, called with one form of event."""

    def __init__(self, handled, form):
        self.handler = load("aws_lambda", handled).handler
        self.form = form

    def ask(self, body, *, method="POST", path=PATH, headers=(RIGHT,), source="127.0.0.1"):
        event = self.form(method, path, headers, body, source)
        answer = self.handler(event, None)
        assert isinstance(answer["body"], str)
        return answer["statusCode"]

    def at_a_time(self, count, body):
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(self.ask, [body] * count))


def function_url(method, path, headers, body, source):
    """Of a function URL: names in lower case, values of one name joined, the body in base64."""
    joined = {}
    for name, value in headers:
        joined[name.lower()] = ",".join(filter(None, [joined.get(name.lower()), value]))
    return {
        "version": "2.0",
        "rawPath": path,
        "headers": joined,
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": source}},
        "body": b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def gateway_2(method, path, headers, body, source):
    """Of API Gateway's format 2.0: as before, text stays text, and an empty body is left out."""
    event = function_url(method, path, headers, body, source)
    with suppress(UnicodeDecodeError):
        event |= {"body": body.decode(), "isBase64Encoded": False}
    if not body:
        del event["body"]
    return event


def gateway_1(method, path, headers, body, source):
    """Of API Gateway's format 1.0: the last of several values, all in another property, null if none."""
    several = {}
    for name, value in headers:
        several.setdefault(name, []).append(value)
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in several.items()} or None,
        "multiValueHeaders": several or None,
        "requestContext": {"identity": {"sourceIp": source}},
        "body": body.decode() or None,
        "isBase64Encoded": False,
    }


FORMS = {
    "Lambda URL": function_url,
    "API Gateway 2.0": gateway_2,
    "API Gateway 1.0": gateway_1,
}
