"""A crowd of clients that keep their connections: each asks again as soon as it has its answer."""

import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter, process_time

__all__ = ["Crowd", "Load", "crowd"]

ANSWER = re.compile(rb"HTTP/1\.1 2\d\d .*?\r\ncontent-length: (\d+)\r\n(?:.*?\r\n)?\r\n", re.DOTALL | re.IGNORECASE)
PATIENCE = 30


@dataclass(frozen=True)
class Load:
    """How many requests were answered in how many seconds, and what share of a core the clients took."""

    answered: int
    seconds: float
    share: float

    @property
    def rate(self) -> float:
        return self.answered / self.seconds


class Crowd:
    """One thread, plain sockets: it takes a small part of what the server takes for the same request."""

    def __init__(self, sockets: list[socket.socket], selector: DefaultSelector) -> None:
        self.sockets, self.selector = sockets, selector
        self.begun = dict.fromkeys(sockets, b"")

    def ask(self, requests: Sequence[bytes], seconds: float, least: int = 1) -> Load:
        """Send the requests in turns for so long, and at least so many. None is under way before or afterwards.

        Raises RuntimeError for an answer that is no success or has no length, TimeoutError where none comes.
        """
        following = cycle(requests)
        answered, waiting = 0, len(self.sockets)
        began, used = perf_counter(), process_time()
        for client in self.sockets:
            client.sendall(next(following))
        while waiting:
            ready = self.selector.select(PATIENCE)
            if not ready:
                raise TimeoutError(f"no answer within {PATIENCE} s")
            for key, _ in ready:
                client = key.data
                if not self._answered(client):
                    continue
                answered += 1
                if answered < least or perf_counter() - began < seconds:
                    client.sendall(next(following))
                else:
                    waiting -= 1
        lasted = perf_counter() - began
        return Load(answered, lasted, (process_time() - used) / lasted)

    def _answered(self, client: socket.socket) -> bool:
        """Whether the answer is complete with what has arrived."""
        arrived = client.recv(65536)
        said = self.begun[client] + arrived
        head = ANSWER.match(said)
        whole = head is not None and len(said) == head.end() + int(head[1])
        if not arrived or (head is None and b"\r\n\r\n" in said):
            raise RuntimeError(f"refused: {said[:1000]!r}")
        self.begun[client] = b"" if whole else said
        return whole


@contextmanager
def crowd(port: int, connections: int) -> Iterator[Crowd]:
    with ExitStack() as ends:
        selector = ends.enter_context(DefaultSelector())
        sockets = [ends.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]
        for client in sockets:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, EVENT_READ, client)
        yield Crowd(sockets, selector)
