"""The API behind a real server, for answers that have no end: the test client would wait for it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.main import create_app
from groundwork.server import Protocol
from groundwork.testing import until


@contextmanager
def serving(**options: Any) -> Iterator[tuple[str, FastAPI]]:
    """Its URL, and the API itself, with the bound for messages that the image has; `options` are those of uvicorn."""
    api = create_app()
    _, rest = Path("Dockerfile").read_text().split('"--ws-max-size", "')
    most = int(rest.partition('"')[0])
    config = uvicorn.Config(api, port=0, http=Protocol, log_config=None, ws_max_size=most, **options)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        # A unix socket has no port.
        port = "" if "uds" in options else f":{server.servers[0].sockets[0].getsockname()[1]}"
        yield f"http://127.0.0.1{port}", api
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server waits for somebody"


def read(lines: Iterator[str]) -> dict[str, Any]:
    """The next event of a stream."""
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            event[name] = value
        elif "data" in event:
            return event | {"data": json.loads(event["data"])}
    raise AssertionError("the stream has ended")
