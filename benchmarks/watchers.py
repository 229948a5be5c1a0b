"""Sockets that watch jobs as browsers do, and when each hears of a change."""

import json
from asyncio import Event, Protocol, Transport, gather, get_running_loop, timeout
from time import perf_counter
from typing import Any
from urllib.parse import urlencode, urlsplit

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.uri import parse_uri

__all__ = ["Watcher", "watch"]

# Seconds that any of them may wait for anything.
PATIENCE = 60.0
# So many are opened at a time.
AT_ONCE = 50


class Watcher(Protocol):
    """One socket. `heard`: which job's which progress it was told of."""

    def __init__(self, url: str) -> None:
        # What browsers offer.
        deflate = ClientPerMessageDeflateFactory(client_max_window_bits=True)
        self.protocol = ClientProtocol(parse_uri(url), extensions=[deflate])
        self.heard: list[tuple[str, int]] = []
        self.at = 0.0
        self.news = Event()
        self.welcome = Event()
        self.lost = False

    def connection_made(self, transport: Any) -> None:
        self.transport: Transport = transport
        self.protocol.send_request(self.protocol.connect())
        self._send()

    def data_received(self, data: bytes) -> None:
        # Of those that have data at once everybody's clock is read first, and what they were told is read then.
        get_running_loop().call_soon(self._read, data, perf_counter())

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self.news.set()
        self.welcome.set()

    def _read(self, data: bytes, at: float) -> None:
        self.protocol.receive_data(data)
        self._send()
        for frame in self.protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode.name == "TEXT":
                self._hear(json.loads(bytes(frame.data)), at)

    def _hear(self, event: dict[str, Any], at: float) -> None:
        if event["event"] == "snapshot":
            self.welcome.set()
        elif event["event"] == "job":
            self.heard.append((event["data"]["id"], event["data"]["progress"]["done"]))
            self.at = at
            self.news.set()

    def _send(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.transport.write(data)

    async def hears(self, number: int) -> float:
        """When it heard of that progress, by `perf_counter`; raises RuntimeError where the socket was closed."""
        async with timeout(PATIENCE):
            await self.news.wait()
        self.news.clear()
        if self.lost:
            raise RuntimeError(f"the service closed a socket: {self.protocol.close_code} {self.protocol.close_reason}")
        assert self.heard[-1][1] == number, f"progress {number} was made, and {self.heard[-1][1]} told"
        return self.at

    def close(self) -> None:
        self.transport.abort()


async def watch(url: str, tickets: list[str]) -> list[Watcher]:
    """One for each ticket, each with its snapshot."""
    watchers: list[Watcher] = []
    for begin in range(0, len(tickets), AT_ONCE):
        watchers += await gather(*(_open(url, ticket) for ticket in tickets[begin : begin + AT_ONCE]))
    return watchers


async def _open(url: str, ticket: str) -> Watcher:
    address = urlsplit(url)
    path = f"ws://{address.netloc}/api/v1/jobs/events?{urlencode({'ticket': ticket})}"
    _, watcher = await get_running_loop().create_connection(
        lambda: Watcher(path), address.hostname or "", address.port or 0
    )
    async with timeout(PATIENCE):
        await watcher.welcome.wait()
    if watcher.lost:
        raise RuntimeError(f"the service closed a socket: {watcher.protocol.close_reason}")
    return watcher
