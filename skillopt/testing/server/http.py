"""The server itself: threads, sockets, latency, and a log of all that came in."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from skillopt.testing.server.exchange import Answer, Exchange, Fault, Respond, ServerRequest, texts_of
from skillopt.testing.server.wire import PATHS, events, failure, whole

Latency: TypeAlias = "float | tuple[float, float]"


def _unheard(_: Exchange) -> None:
    """Nobody listens."""


class ModelServer:
    """Serves `respond` at `url` while it is open.

    `requests` has all that came in, in the order of arrival, `exchanges` what each was answered with. With a
    `key` every request needs it; it may be set or taken away while the server runs. `latency_s` is fixed or
    a range to draw from by `seed`; `port` 0 takes a free one. `respond` is called from several threads at
    once. An exception in it is a 500 and is kept in `errors`.
    """

    def __init__(
        self,
        respond: Respond,
        *,
        latency_s: Latency = 0.0,
        key: str | None = None,
        seed: int = 0,
        port: int = 0,
        on_exchange: Callable[[Exchange], None] = _unheard,
    ) -> None:
        self.respond = respond
        self.latency_s = latency_s
        self.key = key
        self.requests: list[ServerRequest] = []
        self.exchanges: list[Exchange] = []
        self.errors: list[Exception] = []
        self._on_exchange = on_exchange
        self._draw = random.Random(seed)  # noqa: S311  (reproducible, not secret)
        self._times: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The base address, with `/v1`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def n_paid(self) -> int:
        """How many requests a provider would have charged for."""
        return sum(exchange.is_paid for exchange in self.exchanges)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, raw: bytes, headers: Mapping[str, str]) -> tuple[ServerRequest, Answer | Fault]:
        """A request as it is understood, and what to reply to it."""
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        is_object = isinstance(body, dict)
        system, user = texts_of(body) if isinstance(body, dict) else ("", "")
        same = f"{path}\n{hashlib.sha256(raw).hexdigest()}"
        with self._lock:
            times = self._times[same]
            self._times[same] += 1
            request = ServerRequest(
                len(self.requests), path, body if is_object else {}, headers, system, user, times
            )
            self.requests.append(request)
        return request, self._reply(request) if is_object else Fault(
            status=400, message="the body is no JSON"
        )

    def _reply(self, request: ServerRequest) -> Answer | Fault:
        sent = {request.headers.get("authorization"), f"Bearer {request.headers.get('x-api-key')}"}
        if self.key is not None and f"Bearer {self.key}" not in sent:
            return Fault(status=401, message="Incorrect API key provided")
        if not request.path.endswith(PATHS):
            return Fault(status=404, message=f"no such path {request.path}")
        try:
            reply = self.respond(request)
        except Exception as error:  # noqa: BLE001  (told to the test that reads `errors`)
            self.errors.append(error)
            return Fault(message=f"{type(error).__name__}: {error}")
        return Answer(reply) if isinstance(reply, str) else reply

    def wait(self, reply: Answer | Fault) -> None:
        """Lets the latency of one request pass; a server that closes waits for nothing."""
        latency = self.latency_s
        if isinstance(latency, tuple):
            with self._lock:
                latency = self._draw.uniform(*latency)
        seconds = latency + (reply.latency_s if isinstance(reply, Answer) else 0.0)
        if seconds > 0:
            self._closing.wait(seconds)

    def note(self, exchange: Exchange) -> None:
        """Keeps what a request was answered with."""
        with self._lock:
            self.exchanges.append(exchange)
        self._on_exchange(exchange)

    def wait_for_close(self) -> None:
        """Returns when the server is being closed."""
        self._closing.wait()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, owner: ModelServer, port: int) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    """One connection, in a thread of its own."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        models = {"object": "list", "data": [{"id": "toy", "object": "model", "owned_by": "nobody"}]}
        found = self.path.endswith("/models")
        self._send(200 if found else 404, json.dumps(models if found else {}).encode())

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        began = time.monotonic()
        request, reply = self.server.owner.take(urlsplit(self.path).path, raw, headers)
        self.server.owner.wait(reply)
        self.server.owner.note(Exchange(request, reply, began, time.monotonic()))
        if isinstance(reply, Fault):
            self._fail(reply, request)
        elif request.is_stream:
            self._stream(events(request, reply))
        else:
            self._send(200, json.dumps(whole(request, reply)).encode())

    def _fail(self, fault: Fault, request: ServerRequest) -> None:
        if fault.kind == "status":
            said = failure(request.path, fault)
            self._send(fault.status, json.dumps(said).encode(), fault.headers)
        elif fault.kind == "garbage":
            self._send(200, fault.message.encode(), fault.headers)
        elif fault.kind == "hang":
            self.server.owner.wait_for_close()
            self.close_connection = True
        elif fault.kind == "half" and request.is_stream:
            started = list(events(request, Answer("This is the beginning of")))
            self._stream(iter(started[: len(started) // 2]), ends=False)
            self._reset()
        else:
            if fault.kind == "half":
                self.send_response(200)
                self.send_header("content-length", "1000")
                self.end_headers()
                self.wfile.write(b'{"choices": [{"mess')
            self._reset()

    def _reset(self) -> None:
        """Closes as a dying server does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _send(self, status: int, content: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, pieces: Iterator[bytes], *, ends: bool = True) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if ends:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name of the base class)
        """Says nothing; `exchanges` is the log."""
