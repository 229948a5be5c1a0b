"""Clients that ask for jobs over HTTP, at a steady pace, whatever happens; they remember what was accepted."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from uuid import UUID

import httpx2

THREADS = 4


@dataclass
class Clients:
    """`accepted`: the id of each 2xx reply, and when it came."""

    url: str
    jobs: int
    per_second: float
    # The parameters of each request in turn.
    requests: Sequence[Mapping[str, str | float]]
    accepted: dict[UUID, float] = field(default_factory=dict)
    refused: int = 0
    # From then on they hurry, and stop at `jobs`.
    last_call: Event = field(default_factory=Event)
    gone: Event = field(default_factory=Event)

    @contextmanager
    def asking(self) -> Iterator[None]:
        threads = [Thread(target=self._ask, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.gone.set()
            for thread in threads:
                thread.join()

    def finish(self) -> None:
        """Wait until enough jobs are accepted; then none is asked for any more."""
        self.last_call.set()
        deadline = time.monotonic() + 60
        while len(self.accepted) < self.jobs and time.monotonic() < deadline:
            time.sleep(0.05)
        self.gone.set()

    def _ask(self, number: int) -> None:
        with httpx2.Client(timeout=5) as client:
            while not self.gone.is_set():
                parameters = self.requests[number % len(self.requests)]
                number += THREADS
                try:
                    reply = client.post(self.url, params=parameters)
                    reply.raise_for_status()
                except httpx2.HTTPError:
                    # Nothing was promised: the next request is a new one.
                    self.refused += 1
                    self.gone.wait(0.1)
                else:
                    self.accepted[UUID(reply.json()["id"])] = time.time()
                if not self.last_call.is_set():
                    self.gone.wait(THREADS / self.per_second)
