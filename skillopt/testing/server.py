"""A model server on loopback: chat completions and responses, streamed or whole, with latency and faults."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Any, Literal, TypeAlias

from skillopt.core.task import Json


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """A request as the server understood it. `number` counts from 0; `stage` is that of the system prompt's
    first line, "target" when it names none."""

    number: int
    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    system: str
    user: str

    @property
    def stage(self) -> str:
        """What the call is for."""
        first = self.system.split("\n", 1)[0]
        return first.removeprefix("stage: ").strip() if first.startswith("stage: ") else "target"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model wants made; `arguments` is JSON text."""

    name: str
    arguments: str
    id: str = "call_1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says, after `latency_s` more seconds."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    input_tokens: int = 100
    cached_tokens: int = 0
    output_tokens: int = 20
    reasoning_tokens: int = 0
    is_cut: bool = False
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong instead: a `status` with a body, a `drop` of the connection before an answer or, with
    `half`, in the middle of it, a `hang` until the server closes, or a `garbage` body with status 200."""

    kind: Literal["status", "drop", "half", "hang", "garbage"] = "status"
    status: int = 500
    message: str = "something broke"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


Reply: TypeAlias = "str | Answer | Fault"
Respond: TypeAlias = Callable[[ServerRequest], Reply]


class ModelServer:
    """Serves `respond` at `url` while it is open; `requests` has all that came in, in the order of arrival.

    `respond` is called from several threads at once. An exception in it is a 500 and is kept in `errors`.
    """

    def __init__(self, respond: Respond, *, latency_s: float = 0.0, key: str | None = None) -> None:
        self.respond = respond
        self.latency_s = latency_s
        self.key = key
        self.requests: list[ServerRequest] = []
        self.errors: list[Exception] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The base address, with `/v1`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
        """What to reply to one request."""
        system, user = _texts(body)
        with self._lock:
            request = ServerRequest(len(self.requests), path, body, headers, system, user)
            self.requests.append(request)
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            return Fault(status=401, message="Incorrect API key provided")
        if not path.endswith(("/chat/completions", "/responses")):
            return Fault(status=404, message=f"no such path {path}")
        try:
            return self.respond(request)
        except Exception as error:  # noqa: BLE001  (told to the test that reads `errors`)
            self.errors.append(error)
            return Fault(message=f"{type(error).__name__}: {error}")

    def wait_for_close(self) -> None:
        """Returns when the server is being closed."""
        self._closing.wait()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


def _handler(owner: ModelServer) -> type[BaseHTTPRequestHandler]:  # noqa: C901  (a class is its methods)
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                body = json.loads(raw)
            except ValueError:
                body = {}
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = owner.take(self.path, body if isinstance(body, dict) else {}, headers)
            answer = Answer(reply) if isinstance(reply, str) else reply
            wait_s = owner.latency_s + (answer.latency_s if isinstance(answer, Answer) else 0.0)
            if wait_s:
                time.sleep(wait_s)
            if isinstance(answer, Fault):
                self._fail(answer)
            elif body.get("stream"):
                self._stream(_events(self.path, body, answer))
            else:
                self._send(200, json.dumps(_whole(self.path, body, answer)).encode())

        def _fail(self, fault: Fault) -> None:
            if fault.kind == "status":
                said = {
                    "error": {"message": fault.message, "type": "server_error", "code": str(fault.status)}
                }
                self._send(fault.status, json.dumps(said).encode(), fault.headers)
            elif fault.kind == "garbage":
                self._send(200, fault.message.encode(), fault.headers)
            elif fault.kind == "hang":
                owner.wait_for_close()
                self.close_connection = True
            else:
                if fault.kind == "half":
                    self.send_response(200)
                    self.send_header("content-length", "1000")
                    self.end_headers()
                    self.wfile.write(b'{"choices": [{"mess')
                # Closed with a reset, as a dying server does.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

        def _send(
            self, status: int, content: bytes, headers: Mapping[str, str] = MappingProxyType({})
        ) -> None:
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _stream(self, events: Iterator[bytes]) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for event in events:
                self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name of the base class)
            """Says nothing."""

    return Handler


def _texts(body: Mapping[str, Any]) -> tuple[str, str]:
    """The system and the last user text, whichever protocol."""
    messages = body.get("messages") or body.get("input") or []
    if isinstance(messages, str):
        return str(body.get("instructions") or ""), messages
    systems = [str(body["instructions"])] if body.get("instructions") else []
    users = []
    for message in messages if isinstance(messages, Sequence) else ():
        if isinstance(message, Mapping):
            text = _content(message.get("content"))
            if message.get("role") in ("system", "developer"):
                systems.append(text)
            elif message.get("role") == "user":
                users.append(text)
    return "\n".join(systems), users[-1] if users else ""


def _content(value: Json) -> str:
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def _whole(path: str, body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    return _response(body, answer) if path.endswith("/responses") else _completion(body, answer)


def _completion(body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tool_calls
        ]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": _ending(answer)}],
        "usage": {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        },
    }


def _response(body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    if answer.text:
        content = [{"type": "output_text", "text": answer.text, "annotations": []}]
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        output.append({**message, "content": content})
    for call in answer.tool_calls:
        named = {"name": call.name, "arguments": call.arguments, "call_id": call.id}
        output.append({"type": "function_call", "id": f"fc_{call.id}", "status": "completed", **named})
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 0,
        "model": body.get("model", ""),
        "status": "incomplete" if answer.is_cut else "completed",
        "output": output,
        "usage": {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": answer.cached_tokens},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        },
    }


def _ending(answer: Answer) -> str:
    return "length" if answer.is_cut else "tool_calls" if answer.tool_calls else "stop"


def _events(path: str, body: Mapping[str, Any], answer: Answer) -> Iterator[bytes]:
    whole = _whole(path, body, answer)
    if path.endswith("/responses"):
        yield _event(
            {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}}
        )
        for place, item in enumerate(whole["output"]):
            yield _event({"type": "response.output_item.added", "output_index": place, "item": item})
            if item["type"] == "message":
                for piece in _pieces(answer.text):
                    yield _event(
                        {"type": "response.output_text.delta", "output_index": place, "delta": piece}
                    )
            yield _event({"type": "response.output_item.done", "output_index": place, "item": item})
        yield _event({"type": "response.completed", "response": whole})
        return
    head = {key: whole[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def chunk(delta: Mapping[str, Any], ending: str | None = None) -> bytes:
        return _event(
            {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": ending}]}, named=False
        )

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(answer.text):
        yield chunk({"content": piece})
    for place, call in enumerate(whole["choices"][0]["message"].get("tool_calls", ())):
        yield chunk({"tool_calls": [{"index": place, **call}]})
    yield chunk({}, _ending(answer))
    yield _event({**head, "choices": [], "usage": whole["usage"]}, named=False)
    yield b"data: [DONE]\n\n"


def _event(data: Mapping[str, Any], *, named: bool = True) -> bytes:
    name = f"event: {data['type']}\n" if named else ""
    return f"{name}data: {json.dumps(data)}\n\n".encode()


def _pieces(text: str, size: int = 40) -> Iterator[str]:
    for at in range(0, len(text), size):
        yield text[at : at + size]
