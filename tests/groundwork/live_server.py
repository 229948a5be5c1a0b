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
def serving() -> Iterator[tuple[str, FastAPI]]:
    """Its URL, and the API itself, with the bound for messages that the image has."""
    api = create_app()
    _, most = Path("Dockerfile").read_text().split('"--ws-max-size", "')
    config = uvicorn.Config(api, port=0, http=Protocol, log_config=None, ws_max_size=int(most.partition('"')[0]))
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", api
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
