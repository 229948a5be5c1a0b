"""A local server in a provider's place: it answers what the provider's documentation says, slowly or not at all."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar, Self

from jsonschema import Draft202012Validator

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured
from groundwork.mail.message import Message

__all__ = ["Answer", "HttpApi", "Refusal", "Request"]

# Of its requests' body, written from what the provider documents: its $comment says from where, or why there is none.
SCHEMA = Draft202012Validator(json.loads((Path(__file__).parent / "provider_schema.json").read_text()))


@dataclass(frozen=True)
class Request:
    path: str
    """With its query."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """`body`: bytes as they are, everything else as JSON."""

    status: int
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Refusal:
    """An answer that the provider documents, what it means, and words of it that whoever reads the error needs."""

    answer: Any
    failure: type[Exception] = PermanentFailure
    says: str | None = None
    retry_after: float | None = None


class HttpApi(ABC):
    """What the tests need to know of a provider: most are as this, and `outbox` and `smtp` have the same names.

    `settings` are what the service has to be told, and the doctor misses each; `secrets` the values
    among them that no error may repeat; `documented` those that are right as they are; `url_setting`
    is the one that leads to this server. `not_a_success` are answers that look well and are not,
    `without_id` take a message and do not say its id. A question is a GET, or a POST to the path `question`:
    its answer is that the key is known (`knows`), is not (`refuses_key`), or may not ask (`spares_key`).
    Of its webhook: the `kinds` of event, the `webhook_settings`, and what of a request nobody else can
    change (`signs`): who sends it ("secret"), its "body", or its "time", after which it is too old.
    """

    settings: ClassVar[dict[str, str]]
    secrets: ClassVar[set[str]]
    documented: ClassVar[dict[str, Any]]
    url_setting: ClassVar[str]
    accepted: ClassVar[Answer]
    message_id: ClassVar[str]
    refusals: ClassVar[dict[str, Refusal]]
    not_a_success: ClassVar[dict[str, Refusal]] = {
        "another server": Refusal(Answer(200, b"<h1>Hello</h1>"), ProviderMisconfigured, "Hello.*another server")
    }
    without_id: ClassVar[tuple[Answer, ...]] = (Answer(200, {}),)
    question: ClassVar[str] = ""
    knows: ClassVar[Answer] = Answer(200, {})
    refuses_key: ClassVar[tuple[Answer, ...]] = (Answer(401, {"message": "Who are you?"}),)
    spares_key: ClassVar[tuple[Answer, ...]] = (Answer(403, {"message": "You may only send."}), Answer(500))
    has_idempotency_keys: ClassVar[bool] = False
    kinds: ClassVar[set[Kind]]
    webhook_settings: ClassVar[dict[str, str]]
    signs: ClassVar[set[str]] = {"secret"}

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.questions: list[Request] = []
        self.opinion = self.knows
        self.answer = self.accepted
        self.silent = self.cut = False
        self.over = Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @classmethod
    @contextmanager
    def serving(cls) -> Iterator[Self]:
        api = cls()
        Thread(target=api.server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield api
        finally:
            api.over.set()
            api.server.shutdown()
            api.server.server_close()

    def address(self) -> dict[str, Any]:
        return {self.url_setting: self.url}

    def will(self, answer: Answer) -> None:
        self.answer = answer

    def will_say(self, opinion: Answer) -> None:
        self.opinion = opinion

    def falls_silent(self) -> None:
        self.silent = True

    def cuts_connections(self) -> None:
        self.cut = True

    def taken(self) -> list[Message]:
        """The messages as the provider understood them, oldest first; asserts what it would have refused."""
        for request in self.requests:
            SCHEMA.validate(self.body_of(request))
        return [self.read(request) for request in self.requests]

    def idempotency_keys(self) -> list[str]:
        return [self.idempotency_key(request) for request in self.requests]

    @abstractmethod
    def read(self, request: Request) -> Message:
        """As the provider understands it; asserts what it would refuse."""

    def asks(self, request: Request) -> bool:
        """Whether a POST is a question, and sends nothing."""
        return request.path == self.question

    def idempotency_key(self, request: Request) -> str:
        """Empty where the provider knows no keys."""
        return ""

    def body_of(self, request: Request) -> Any:
        """As the schema describes it."""
        return request.json()

    def id_of(self, message: Message) -> str:
        """What `send` returns for it, as job 0001."""
        return self.message_id

    def understood(self, message: Message) -> Message:
        """What reaches its reader: without what this provider cannot carry."""
        return message

    @abstractmethod
    def callback(self, event: MailEvent, at: float) -> Callback:
        """What it sends to our webhook for this event, signed at `at`, in seconds since 1970."""

    @abstractmethod
    def unknown_callback(self, at: float) -> Callback:
        """A kind of event that is of no use to us, as well signed."""

    def unsigned(self, callback: Callback) -> Callback:
        """The same without what proves who sent it."""
        return replace(callback, headers={}, query={})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                request = Request(self.path, headers, body)
                asked = self.command == "GET" or api.asks(request)
                (api.questions if asked else api.requests).append(request)
                if api.silent:
                    api.over.wait(10)
                if api.silent or api.cut:
                    self.close_connection = True
                    self.connection.close()
                    return
                answer = api.opinion if asked else api.answer
                usual = {"Content-Type": "application/json", "Content-Length": str(len(answer.content))}
                self.send_response(answer.status)
                for name, value in (usual | answer.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.content)

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                """The test tells what went wrong."""

        return Handler
